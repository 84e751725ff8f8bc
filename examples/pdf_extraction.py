"""PDF extraction: invoices in, typed invoices out.

python examples/pdf_extraction.py           offline, free
python examples/pdf_extraction.py --live    Claude; needs ANTHROPIC_API_KEY
"""

from datetime import date
from decimal import Decimal
from pathlib import Path

from _service import DOCUMENTS, service
from pydantic import BaseModel

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

    for file, item in zip(FILES, manager.items(), strict=True):
        invoice = item.result
        if invoice is None:
            print(f"{file.name}: {item.status}, {item.error.message if item.error else 'no answer yet'}")
        else:
            print(
                f"{invoice.vendor:28} {invoice.invoice_number:14} {invoice.invoice_date}  "
                f"{invoice.total:10,.2f} {invoice.currency}"
            )
    print(f"\n{summary['completed_items']} invoices, ${summary['total_cost']}")


if __name__ == "__main__":
    with service() as here:
        main(here.folder)
