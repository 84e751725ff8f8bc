"""Read PDF bytes as the service would: pages, their text, or why it refuses them."""

from __future__ import annotations

import hashlib
import io
import logging
from collections import OrderedDict
from functools import cached_property
from threading import Lock

import pypdf
import pypdfium2
from pypdf.errors import PyPdfError

from batchata.pdfium import PDFIUM

__all__ = ["Pdf", "read_pdf"]

# pypdf speaks about every oddity of a file; a sandbox that reads hundreds of them stays quiet.
logging.getLogger("pypdf").setLevel(logging.CRITICAL)

# What pypdf raises on broken files besides its own errors.
_BROKEN = (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, OSError, RecursionError)
_KEPT = 32
_LAID_OUT = 20
_cache: OrderedDict[bytes, Pdf] = OrderedDict()
_lock = Lock()


class Pdf:
    """One PDF. `problem` is None, "encrypted" or "invalid"; only without a problem it has pages."""

    def __init__(self, content: bytes) -> None:
        self.problem: str | None = None
        self.page_count = 0
        self._content = content
        self._lock = Lock()
        try:
            header = max(content.find(b"%PDF-", 0, 1_024), 0)  # as readers do that the service may use
            self._reader = pypdf.PdfReader(io.BytesIO(content[header:]))
            if self._reader.is_encrypted and not self._reader.decrypt(""):
                self.problem = "encrypted"
                return
            self.page_count = len(self._reader.pages)
        except pypdf.errors.DependencyError:
            self.problem = "encrypted"
        except _BROKEN:
            self.problem = "invalid"
        if not self.page_count and self.problem is None:
            self.problem = "invalid"

    @cached_property
    def pages(self) -> list[str]:
        """The text of each page as the service cites it: PDFium's, in the order the file has it."""
        try:
            texts = _pdfium_texts(self._content)
        except pypdfium2.PdfiumError:
            texts = []
        if len(texts) != self.page_count:
            return [self._text(n, "plain") for n in range(self.page_count)]
        return [_clean(text) for text in texts]

    @cached_property
    def layout(self) -> list[str]:
        """The text of each page as it stands on paper: columns are kept apart by spaces.

        Only the first pages: laying out is slow, and forms with labels are short.
        """
        laid_out = [self._text(n, "layout") for n in range(min(self.page_count, _LAID_OUT))]
        return [text or self.pages[n] for n, text in enumerate(laid_out)] + self.pages[_LAID_OUT:]

    def _text(self, number: int, mode: str) -> str:
        with self._lock:
            try:
                page = self._reader.pages[number]
                if mode == "plain":
                    return _clean(page.extract_text())
                return _clean(page.extract_text(extraction_mode="layout", layout_mode_space_vertically=False))
            except _BROKEN:
                return ""


def _pdfium_texts(content: bytes) -> list[str]:
    with PDFIUM:
        document = pypdfium2.PdfDocument(content)
        texts = []
        for page in document:
            text_page = page.get_textpage()
            texts.append(str(text_page.get_text_bounded()))
            text_page.close()
            page.close()
        document.close()
    return texts


def _clean(text: str) -> str:
    """Join or replace halves of surrogate pairs: pypdf passes on what a font says."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def read_pdf(content: bytes) -> Pdf:
    """Return the PDF of these bytes; the last few are parsed once."""
    key = hashlib.sha256(content).digest()
    with _lock:
        if key in _cache:
            _cache.move_to_end(key)
            return _cache[key]
    pdf = Pdf(content)
    with _lock:
        _cache[key] = pdf
        while len(_cache) > _KEPT:
            _cache.popitem(last=False)
    return pdf
