"""Citations with a response model: for every value of the result, the place it was read from.

The answers come in several shapes, as from real models: as bare JSON, in a fence, as prose and then JSON.

python examples/citation_with_pydantic.py           offline, free
python examples/citation_with_pydantic.py --live    Claude; needs ANTHROPIC_API_KEY
"""

from decimal import Decimal
from pathlib import Path

from _service import DOCUMENTS, service
from pydantic import BaseModel

from batchata import BatchManager

FILES = [DOCUMENTS / "invoice-brightwater.pdf", DOCUMENTS / "invoice-kestrel-freight.pdf"]

FOUND = {True: "found there", False: "NOT found there", None: "not checked"}


class Vendor(BaseModel):
    name: str


class Line(BaseModel):
    description: str
    amount: Decimal


class Invoice(BaseModel):
    invoice_number: str
    vendor: Vendor
    lines: list[Line]
    total: Decimal


def main(folder: Path) -> None:
    manager = BatchManager(
        files=FILES,
        prompt="Extract the invoice with its lines. The total is what is to be paid.",
        model="claude-sonnet-5-5",
        response_model=Invoice,
        enable_citations=True,
        max_cost=1.00,
        state_path=folder / "cited.db",
    )
    manager.run(print_progress=True)

    for file, entry in zip(FILES, manager.results(), strict=True):
        invoice = entry["result"]
        if invoice is None:
            print(f"{file.name}: no result\n")
            continue
        print(f"{file.name}: {invoice.vendor.name}, {invoice.invoice_number}, {invoice.total:,.2f}")
        for path, citations in entry["citations"].items():
            for citation in citations:
                page = citation.pages[0] if citation.pages else "?"
                print(f"  {path:20} page {page}, {FOUND[citation.grounded]}: “{citation.cited_text.strip()}”")
        print()


if __name__ == "__main__":
    with service(style="mixed") as here:
        main(here.folder)
