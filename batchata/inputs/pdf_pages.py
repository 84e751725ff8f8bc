"""Read and draw a PDF's pages with PDFium, whose text is that of the API's recorded citations."""

from __future__ import annotations

import ctypes
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

from batchata.pdfium import PDFIUM


class PdfText:
    """The pages of one PDF, read on demand."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._count: int | None = None
        self._pages: dict[int, str] = {}
        self._filled: dict[int, str] = {}

    def text(self, start: int, end: int) -> str | None:
        """Return the text of pages `start` to `end`, counted from 0, the end exclusive.

        "" where there are no such pages; None when none of them has text (a scan) or the PDF cannot be read.
        """
        self._read(start, end)
        if self._count is None:
            return None
        found = "\n".join([self._pages[number] for number in self._numbers(start, end)])
        return found if found.strip() or not self._numbers(start, end) else None

    def filled(self, start: int, end: int) -> str | None:
        """Return the text including values of form fields and annotations.

        None where that is no more than the text.
        """
        text = self.text(start, end)
        numbers = self._numbers(start, end)
        if any(number not in self._filled for number in numbers):
            self._fill(numbers)
        filled = "\n".join([self._filled[number] for number in numbers])
        return None if not filled.strip() or filled == text else filled

    def picture(self, number: int, passage: str) -> Picture | None:
        """Return a picture of page `number`, counted from 0, with the passage marked.

        A scan has no characters, so nothing is marked on it. None where there is no such page, or the PDF
        cannot be read.
        """
        sheet = self._sheet(number, [passage], _MOST_PIXELS)
        return None if sheet is None else _marked(*sheet)

    def sheet(self, number: int, passages: Sequence[str]) -> Sheet | None:
        """Return page `number` as a small picture, and the places of each passage on it.

        None as for `picture`.
        """
        drawn = self._sheet(number, passages, _FEW_PIXELS)
        if drawn is None:
            return None
        picture, marks = drawn
        written = io.BytesIO()
        picture.convert("RGB").save(written, "WEBP", quality=_QUALITY, method=2)
        width, height = picture.size
        return Sheet(written.getvalue(), width, height, marks)

    def _sheet(
        self, number: int, passages: Sequence[str], most_pixels: int
    ) -> tuple[Any, list[list[Box]]] | None:
        """Draw the page as a Pillow image, and find the places of the passages on it in pixels."""
        import pypdfium2

        with PDFIUM:
            try:
                document = pypdfium2.PdfDocument(self._data)
                if document.get_formtype():
                    document.init_forms()
                return (
                    _drawn(document, number, passages, most_pixels) if 0 <= number < len(document) else None
                )
            except pypdfium2.PdfiumError:
                return None

    def _fill(self, numbers: range) -> None:
        import pypdfium2

        with PDFIUM:
            document = pypdfium2.PdfDocument(self._data)
            if document.get_formtype():
                document.init_forms()
            for number in numbers:
                self._filled[number] = _flat_text(document, number)
            document.close()

    def _numbers(self, start: int, end: int) -> range:
        """Return the page numbers that exist."""
        return range(start, min(end, self._count or 0))

    def _read(self, start: int, end: int) -> None:
        if self._count is not None and all(number in self._pages for number in self._numbers(start, end)):
            return
        import pypdfium2  # runs without citations do not need it

        with PDFIUM:
            try:
                document = pypdfium2.PdfDocument(self._data)
            except pypdfium2.PdfiumError:
                return
            self._count = len(document)
            for number in self._numbers(start, end):
                if number not in self._pages:
                    self._pages[number] = _page_text(document, number)
            document.close()


def _flat_text(document: Any, number: int) -> str:
    """Return the text of a page into which its fields and annotations are drawn."""
    import pypdfium2
    from pypdfium2 import raw

    try:
        page = document[number]
        changed = raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY) == raw.FLATTEN_SUCCESS
        page.close()
    except pypdfium2.PdfiumError:
        return ""
    return _page_text(document, number) if changed else ""


def page_count(data: bytes) -> int | None:
    """Return how many pages PDFium finds; None when it does not open the file."""
    import pypdfium2

    with PDFIUM:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError:
            return None
        count = len(document)
        document.close()
        return count


def _page_text(document: Any, number: int) -> str:
    import pypdfium2

    try:
        page = document[number]
        text_page = page.get_textpage()
    except pypdfium2.PdfiumError:
        return ""
    text = str(text_page.get_text_bounded())
    text_page.close()
    page.close()
    return text


type Box = tuple[int, int, int, int]  # left, top, right and bottom in pixels


class Sheet(NamedTuple):
    """A page as WebP of this size in pixels, and for each passage its places on it, a line each."""

    webp: bytes
    width: int
    height: int
    marks: list[list[Box]]


class Picture(NamedTuple):
    """A page as PNG, and in how many places a passage is marked on it."""

    png: bytes
    marks: int


_POINTS = 72  # to the inch
_DPI = 144
_MOST_PIXELS, _FEW_PIXELS = 2_000, 1_150  # of the longer side
_QUALITY = 55  # of WebP: print stays sharp, and a page of text has 40 KB
_MARK = (255, 200, 0, 96)
_FRAME = (214, 120, 0, 255)


def _drawn(
    document: Any, number: int, passages: Sequence[str], most_pixels: int
) -> tuple[Any, list[list[Box]]]:
    page = document[number]
    scale = min(_DPI / _POINTS, most_pixels / max(page.get_size()))
    picture = page.render(scale=scale).to_pil()
    marks = [_boxes(page, passage, picture.size) for passage in passages]
    page.close()
    return picture, marks


def _marked(picture: Any, marks: list[list[Box]]) -> Picture:
    """Draw a mark over each line of the passages."""
    from PIL import Image, ImageDraw

    layer = Image.new("RGBA", picture.size)
    boxes = [box for found in marks for box in found]
    for box in boxes:
        ImageDraw.Draw(layer).rectangle(box, fill=_MARK, outline=_FRAME, width=2)
    written = io.BytesIO()
    Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB").save(written, "PNG", optimize=True)
    return Picture(written.getvalue(), len(boxes))


def _boxes(page: Any, passage: str, size: tuple[int, int]) -> list[Box]:
    """Return the rectangles of the passage's characters in pixels, by PDFium's own places of them."""
    text_page = page.get_textpage()
    text = text_page.get_text_range()
    found = []
    for first, last in _places(text, passage):
        for number in range(text_page.count_rects(first, last - first)):
            left, bottom, right, top = text_page.get_rect(number)
            corners = [_on_picture(page, size, left, top), _on_picture(page, size, right, bottom)]
            (x, u), (y, v) = (sorted(way) for way in zip(*corners, strict=True))
            found.append((x - 3, y - 3, u + 3, v + 3))
    text_page.close()
    return joined(found)


def joined(boxes: list[Box]) -> list[Box]:
    """Join boxes that touch on one line: some PDFs give each character a rectangle of its own."""
    joined: list[Box] = []
    for box in sorted(boxes):
        grown = box
        for near in [other for other in joined if _touch(other, box)]:
            joined.remove(near)
            (x, y, u, v), (left, top, right, bottom) = near, grown
            grown = min(x, left), min(y, top), max(u, right), max(v, bottom)
        joined.append(grown)
    return joined


def _touch(one: Box, other: Box) -> bool:
    overlap = min(one[3], other[3]) - max(one[1], other[1])
    least = min(one[3] - one[1], other[3] - other[1])
    gap = max(one[0], other[0]) - min(one[2], other[2])
    return overlap > least / 2 and gap <= least / 2


def _on_picture(page: Any, size: tuple[int, int], x: float, y: float) -> tuple[int, int]:
    """Return where a point of the page is on its picture, whichever way the page is turned."""
    from pypdfium2 import raw

    across, down = ctypes.c_int(), ctypes.c_int()
    raw.FPDF_PageToDevice(page, 0, 0, *size, 0, x, y, across, down)
    return across.value, down.value


def _bare(text: str) -> str:
    """Return the text without white space, cases, and the hyphens that only the end of a line made."""
    return "".join(text.replace("\x02", "").replace("\xad", "").casefold().split())


def _places(text: str, passage: str) -> list[tuple[int, int]]:
    """Return where a passage stands, ignoring white space and case: as a whole, or else line by line."""
    squeezed, places = [], []
    for place, sign in enumerate(text):
        for part in _bare(sign):
            squeezed.append(part)
            places.append(place)
    page = "".join(squeezed)
    found = []
    for wanted in (passage, *passage.splitlines()):
        said = _bare(wanted)
        at = page.find(said) if said else -1
        if at >= 0:
            found.append((places[at], places[at + len(said) - 1] + 1))
            if wanted is passage:
                break
    return found
