"""Where a passage stands, in the report: marked on a picture of its page, or with the text around it."""

from __future__ import annotations

import io
import json
import shutil
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from pydantic import BaseModel
from report_support import DOCUMENTS, blocks, citing
from typer.testing import CliRunner

from batchata.replay.cli import app
from batchata.replay.report.pictures import in_order
from batchata.sandbox import Answer, Request, Sandbox

INVOICE = "invoice-brightwater.pdf"
TEXT = "Dear all,\nVendor: Acme\nthe rest follows.\n"
PASSAGES = {INVOICE: "Amount due: $857.00", "note.txt": "Vendor: Acme", "scan.pdf": "Vendor: Scanned"}


class Read(BaseModel):
    """What is read from a document."""

    value: str


def answer(request: Request) -> Answer:
    """One value, cited on the second page, in the text, or on the page of a scan."""
    title = str(request.documents[0].title)
    cited: dict[str, Any] = {
        "cited_text": PASSAGES[title],
        "document_index": 0,
        "document_title": title,
    }
    if title == "note.txt":
        start = TEXT.index(PASSAGES[title])
        end = start + len(PASSAGES[title])
        cited |= {"type": "char_location", "start_char_index": start, "end_char_index": end}
    else:
        first = 2 if title == INVOICE else 1
        cited |= {"type": "page_location", "start_page_number": first, "end_page_number": first + 1}
    return Answer(
        content=[
            {"type": "text", "text": '{"value": ', "citations": None},
            {"type": "text", "text": json.dumps(PASSAGES[title].split(": ")[1]), "citations": [cited]},
            {"type": "text", "text": "}", "citations": None},
        ]
    )


def _scan(path: Path) -> None:
    """A page that is a picture of text."""
    picture = Image.new("RGB", (600, 300), "white")
    ImageDraw.Draw(picture).text((50, 50), "Vendor: Scanned", fill="black")
    from fpdf import FPDF  # here, since each worker imports this file

    pdf = FPDF()
    pdf.add_page()
    pdf.image(picture, x=20, y=20, w=150)
    pdf.output(str(path))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of a PDF, a text and a scan, beside them."""
    folder = tmp_path_factory.mktemp("pictures")
    shutil.copy(DOCUMENTS / INVOICE, folder)
    (folder / "note.txt").write_text(TEXT)
    _scan(folder / "scan.pdf")
    with Sandbox(answers=answer) as served:
        citing(served, folder / "run.db", [folder / name for name in PASSAGES], Read).run()
    return folder


def report(folder: Path, out: Path) -> str:
    """The page as text."""
    done = CliRunner().invoke(app, ["report", str(folder / "run.db"), str(out)])
    assert done.exit_code == 0, done.output
    return out.read_text()


def test_passages_are_shown_where_they_stand(folder: Path, tmp_path: Path) -> None:
    """Marked in two places of the second page; in the middle of its text; on a scan without a mark."""
    page = report(folder, tmp_path / "out.html")
    ((sizes, items, left_out),) = blocks(page, "places")
    assert (len(sizes), left_out) == (2, 0)
    ((path, place, number, boxes),) = items["0"]
    picture = Image.open(io.BytesIO(b64decode(page.split(f'data-number="{number}">')[1].split("<")[0])))
    assert (path, place, picture.format, list(picture.size)) == ("value", 0, "WEBP", sizes[number])
    assert len(boxes) == 2
    for left, top, right, bottom in boxes:
        dark = picture.convert("L").crop((left, top, right, bottom)).getextrema()[0]
        assert dark < 100, "the mark is over print"
    assert items["1"] == [["value", 0, None, ["Dear all,\n", "\nthe rest follows.\n"]]]
    assert items["2"][0][3] == []
    assert report(folder, tmp_path / "again.html") == page
    assert "img-src data:" in page


def test_a_document_that_was_changed_has_no_picture(folder: Path, tmp_path: Path) -> None:
    """A picture of another page would be no proof."""
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    kept = (folder / INVOICE).read_bytes()
    try:
        (folder / INVOICE).write_bytes(kept + b"%changed")
        ((_, items, _),) = blocks(report(copy, tmp_path / "out.html"), "places")
    finally:
        (folder / INVOICE).write_bytes(kept)
    assert items["0"] == [["value", 0, None, "The document is not there any more, or was changed since."]]


def test_what_needs_a_look_comes_first() -> None:
    """Where there is no room for all pictures, those of doubtful values are kept."""
    look = {"unsupported": [7, 3], "uncited": [5, 3, 99]}
    assert in_order([1, 3, 5, 7, 8], look) == [7, 3, 5, 1, 8]
