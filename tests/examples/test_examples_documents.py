"""The example documents are what their script draws, and nothing else."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

DOCUMENTS = Path(__file__).resolve().parents[2] / "examples" / "documents"


def test_the_pdfs_can_be_drawn_again_byte_by_byte() -> None:
    """A committed PDF differs from its description in nothing: no dates, no machine, no compressor."""
    pytest.importorskip("fpdf", reason="fpdf2 draws the example documents (the dev extra has it)")
    script = runpy.run_path(str(DOCUMENTS / "make_documents.py"))
    drawn = {name: script["draw"](pages) for name, pages in script["DOCUMENTS"].items()}
    assert drawn == {path.name: path.read_bytes() for path in DOCUMENTS.glob("*.pdf")}


def test_every_invoice_has_its_true_values() -> None:
    """expected.json speaks of each invoice, bill and receipt, in the order in which the demo sends them."""
    files = sorted([*DOCUMENTS.glob("*.pdf"), *DOCUMENTS.glob("*.txt")])
    invoices = [path.name for path in files if not path.name.startswith("agreement")]
    assert list(json.loads((DOCUMENTS / "expected.json").read_text())) == invoices
