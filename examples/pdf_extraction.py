"""PDF extraction: invoices in, typed invoices out.

python examples/pdf_extraction.py           offline, free
python examples/pdf_extraction.py --live    Claude; needs ANTHROPIC_API_KEY
"""

from datetime import date
from decimal import Decimal
from pathlib import Path

from _service import DOCUMENTS, service
from pydantic import BaseModel
from rich import box
from rich.console import Console
from rich.table import Table

from batchata import BatchManager

FILES = sorted(DOCUMENTS.glob("*invoice*.pdf"))


class Invoice(BaseModel):
    invoice_number: str
    vendor: str
    invoice_date: date
    due_date: date | None
    currency: str
    total: Decimal


def main(folder: Path) -> None:
    manager = BatchManager(
        files=FILES,
        prompt="Extract the invoice. The currency is its three-letter code, the total what is to be paid.",
        model="claude-sonnet-5-5",
        response_model=Invoice,
        max_cost=1.00,
        state_path=folder / "invoices.db",
    )
    summary = manager.run(print_progress=True)

    table = Table("File", "Number", "Vendor", "Date", "Due", "Total", box=box.SIMPLE)
    for file, item in zip(FILES, manager.items(), strict=True):
        invoice = item.result
        if invoice is None:
            table.add_row(file.name, f"{item.status}: {item.error.message if item.error else '-'}")
        else:
            total = f"{invoice.total:>9,.2f} {invoice.currency}"
            due = str(invoice.due_date or "-")
            table.add_row(
                file.name, invoice.invoice_number, invoice.vendor, str(invoice.invoice_date), due, total
            )
    Console().print(table)
    print(f"{summary['completed_items']} invoices, ${summary['total_cost']}")


if __name__ == "__main__":
    with service() as here:
        main(here.folder)
