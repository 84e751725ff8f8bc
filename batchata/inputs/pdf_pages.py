"""Read the text of a PDF's pages as the API reads it: with PDFium, exact in all recorded citations."""

from __future__ import annotations

from typing import Any

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
        found = "".join([self._pages[number] for number in self._numbers(start, end)])
        return found if found.strip() or not self._numbers(start, end) else None

    def filled(self, start: int, end: int) -> str | None:
        """Return the text including values of form fields and annotations.

        None where that is no more than the text.
        """
        text = self.text(start, end)
        numbers = self._numbers(start, end)
        if any(number not in self._filled for number in numbers):
            self._fill(numbers)
        filled = "".join([self._filled[number] for number in numbers])
        return None if not filled.strip() or filled == text else filled

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
