"""A picture of the page that a value was read from, with the passage marked."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageChops
from report_support import DOCUMENTS, citing
from typer.testing import CliRunner, Result

from batchata.inputs.pdf_pages import PdfText, joined
from batchata.replay.cli import app
from batchata.sandbox import Sandbox

INVOICE = "invoice-brightwater.pdf"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A log of one PDF and one text, and the documents."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copy(DOCUMENTS / INVOICE, folder)
    (folder / "note.txt").write_text("Vendor: Acme\nTotal: 5.00\n")
    with Sandbox() as served:
        citing(served, folder / "run.db", [folder / INVOICE, folder / "note.txt"]).run()
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> Callable[..., Result]:
    """Calls the command on the log."""

    def call(index: int, field: str, out: Path, log: Path = folder / "run.db") -> Result:
        return CliRunner().invoke(
            app, ["page", str(log), str(index), field, str(out)], env={"COLUMNS": "300"}
        )

    return call


def marked(png: bytes) -> tuple[int, int, int, int] | None:
    """The box around everything that has the colour of a mark."""
    red, _, blue = Image.open(io.BytesIO(png)).convert("RGB").split()
    return ImageChops.subtract(red, blue).point(lambda value: 255 * (value > 40)).getbbox()


def test_the_passage_is_marked_on_its_page(folder: Path, tmp_path: Path, page: Callable[..., Result]) -> None:
    """One line of the page, and only there."""
    out = tmp_path / "total.png"
    said = page(0, "total", out)
    assert said.exit_code == 0, said.output
    assert f"{INVOICE}, page 2, " in said.output
    assert "marks: Amount due: $857.00" in said.output
    box = marked(out.read_bytes())
    assert box is not None
    left, top, right, bottom = box
    assert right - left > 3 * (bottom - top) > 20
    width, height = Image.open(out).size
    assert (bottom - top) * (right - left) < width * height / 20


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_turned_pages_are_marked_where_the_text_is_seen(angle: int) -> None:
    """PDFium itself says where a point of the page is on the picture."""
    from fpdf import FPDF  # here, since each worker imports this file

    pdf = FPDF(unit="pt", format=(400, 600))
    pdf.add_page()
    pdf.set_font("Helvetica", size=20)
    pdf.text(40, 60, "Total: 12.50")
    data = bytes(pdf.output()).replace(b"/Type /Page\n", b"/Type /Page\n/Rotate %d\n" % angle)
    picture = PdfText(data).picture(0, "total:\n12.50")
    assert picture is not None
    assert picture.marks >= 1
    box = marked(picture.png)
    assert box is not None
    size = Image.open(io.BytesIO(picture.png)).size
    assert size[0] > size[1] if angle in (90, 270) else size[0] < size[1]
    middle = ((box[0] + box[2]) / 2 / size[0], (box[1] + box[3]) / 2 / size[1])
    x, y = 0.24, 0.09  # of the text on the page as it was written
    expected = {0: (x, y), 90: (1 - y, x), 180: (1 - x, 1 - y), 270: (y, 1 - x)}[angle]
    assert middle == pytest.approx(expected, abs=0.05)


def test_a_scan_has_a_picture_without_marks_and_a_broken_file_none() -> None:
    """Nothing is guessed: without characters there is no place."""
    from fpdf import FPDF

    pdf = FPDF()
    pdf.add_page()
    picture = PdfText(bytes(pdf.output())).picture(0, "Total")
    assert picture is not None
    assert picture.marks == 0
    assert PdfText(bytes(pdf.output())).picture(1, "Total") is None
    assert PdfText(b"%PDF-1.4 nothing").picture(0, "Total") is None


@pytest.mark.parametrize(
    ("index", "field", "name", "said"),
    [
        (0, "totals", "x.png", "item 0 has no citation of 'totals'; cited are: vendor, total"),
        (0, "total", "x.jpg", "does not end in .png"),
        (1, "total", "x.png", "the source has no pages; the passage is"),
        (7, "total", "x.png", "has no item 7"),
        (0, "total", "missing/x.png", "cannot be written"),
    ],
)
def test_what_cannot_be_drawn_is_told(
    tmp_path: Path, page: Callable[..., Result], index: int, field: str, name: str, said: str
) -> None:
    """In one line, with exit code 2 and no file."""
    found = page(index, field, tmp_path / name)
    assert found.exit_code == 2, found.output
    assert said in found.output
    assert not (tmp_path / name).exists()


def test_a_document_that_changed_since_has_no_picture(
    folder: Path, tmp_path: Path, page: Callable[..., Result]
) -> None:
    """Another file under its name would show a page that the value was not read from."""
    document = folder / INVOICE
    data = document.read_bytes()
    document.write_bytes(data + b"\n")
    try:
        found = page(0, "total", tmp_path / "x.png")
    finally:
        document.write_bytes(data)
    assert found.exit_code == 2
    assert "was changed since" in found.output


def test_what_was_read_is_what_the_picture_shows(folder: Path, page: Callable[..., Result]) -> None:
    """The value that `item` shows is the one whose passage is drawn."""
    said = json.loads(CliRunner().invoke(app, ["item", str(folder / "run.db"), "0", "--json"]).output)
    assert said["citations"]["total"][0]["supports"] is True


def test_characters_that_have_a_rectangle_each_get_one_mark() -> None:
    """A line of them is one place; what stands apart on it, or on another line, keeps a mark of its own."""
    letters = [(x, 10, x + 9, 30) for x in range(0, 100, 8)]
    assert joined([*letters, (200, 10, 240, 30), (0, 60, 50, 80)]) == [
        (0, 60, 50, 80),
        (0, 10, 105, 30),
        (200, 10, 240, 30),
    ]
