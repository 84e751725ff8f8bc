"""Split the text of a request into pages of lines, cells and rows of tables, each of which can be cited."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from batchata.sandbox.reading.labels import words_of
from batchata.sandbox.values import Document, Quote, Request

__all__ = ["Cell", "Page", "Place", "pages_of", "rows_of"]


# A cell ends at two spaces, a tab or a bar: columns of a laid-out page, a table in text, Markdown.
_CELL = re.compile(r"[^\s|](?:[^\S\t\n]?[^\s|])*")
# A sentence ends at its mark, at an empty line, and at the end of a line too short to have been wrapped.
_SENTENCE_END = re.compile(r"(?<=[.!?\u2026])\s+(?=\S)|(?<=[\u3002\uff01\uff1f])|\r?\n\s*\n|\r?\n")
_MARKS = (".", "!", "?", "\u2026")
_WRAPPED = 45
_LONG_SENTENCE = 400
_LONG_LINE = 240


# Words that mean the same above a column; the first of them that stands there counts.
_SAME = (
    "description|item|product|article|service|name|beschreibung|bezeichnung|artikel|omschrijving|désignation",
    "quantity|qty|units|hours|menge|aantal|quantité",
    "unit price|price per|price|rate|cost|einzelpreis|preis|prijs|prix",
    "line total|amount|total|sum|betrag|bedrag|montant",
)
_HEADINGS = {word: group.split("|") for group in _SAME for word in group.split("|")}
_SUB_TOTAL = re.compile(r"\bsub-?\s?tota{1,2}l\b|\bsubtotaal\b|\bzwischensumme\b", re.IGNORECASE)
_TOTAL = re.compile(r"\b(?:total|totaal|summe|gesamt|balance due|razem)\b", re.IGNORECASE)
_MISSES = 6
type Row = dict[str, Place]


@dataclass(frozen=True, slots=True)
class Cell:
    """A stretch of one line; `start` and `end` are its columns."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: page, line, and the columns in that line as the page is laid out."""

    page: Page
    line: int
    start: int
    end: int
    label: str = ""


class Page:
    """One citable stretch of text: a page of a PDF, a plain text, one block of custom content.

    `text` is what is cited. `laid_out` is what is searched: for a PDF the text as it stands on paper.
    """

    def __init__(self, document: Document | None, number: int, text: str) -> None:
        self.document = document
        self.number = number
        self.text = text

    @cached_property
    def laid_out(self) -> str:
        pdf = self.document.pdf if self.document else None
        return self.text if pdf is None else pdf.layout[self.number]

    @cached_property
    def lines(self) -> list[str]:
        return self.laid_out.split("\n")

    @cached_property
    def cells(self) -> list[list[Cell]]:
        return [[Cell(m[0], m.start(), m.end()) for m in _CELL.finditer(line)] for line in self.lines]

    @cached_property
    def sentences(self) -> list[tuple[int, int]]:
        """Start and end of every sentence of `text`, without the white space around it."""
        spans, start = [], 0
        for gap in [*_SENTENCE_END.finditer(self.text), None]:
            if gap is not None and gap[0] in ("\n", "\r\n") and self._wraps(start, gap.start()):
                continue
            spans.append(_trimmed(self.text, start, len(self.text) if gap is None else gap.start()))
            start = len(self.text) if gap is None else gap.end()
        return [(start, end) for start, end in spans if end > start]

    def _wraps(self, start: int, newline: int) -> bool:
        """Whether a sentence goes on in the next line: it has no end here, and the line is a full one."""
        if self.text[newline - 1 : newline] in _MARKS:
            return False
        line = newline - (self.text.rfind("\n", 0, newline) + 1)
        return line >= _WRAPPED and newline - start <= _LONG_SENTENCE

    def quote(self, place: Place) -> Quote | None:
        """Return what a value at that place rests on; None where nothing is to be cited."""
        if self.document is None or not self.document.citations_enabled:
            return None
        return Quote(self.document, self.number, *self._support(place))

    def words(self, place: Place) -> str:
        """Return the words that hold a place."""
        return self._support(place)[0]

    def _support(self, place: Place) -> tuple[str, int, int]:
        """Return the words that hold a place, and their offsets in `text` (-1, -1 when it lacks them)."""
        value = self.lines[place.line][place.start : place.end].strip()
        if self.text is self.laid_out:
            before = sum(len(line) + 1 for line in self.lines[: place.line])
            start, end = self._around(before + place.start, before + place.end)
            return self.text[start:end], start, end
        best = self._best_line(value, place)
        if best is None:
            return " ".join(self.lines[place.line].split()), -1, -1
        return self.text[best[0] : best[1]], best[0], best[1]

    def _around(self, start: int, end: int) -> tuple[int, int]:
        """Return the line around an offset, or the sentence when the line is long."""
        first = self.text.rfind("\n", 0, start) + 1
        last = self.text.find("\n", end)
        first, last = _trimmed(self.text, first, len(self.text) if last < 0 else last)
        if last - first <= _LONG_LINE:
            return first, last
        inside = [span for span in self.sentences if span[0] < end and span[1] > start]
        return (inside[0][0], inside[-1][1]) if inside else (first, last)

    def _best_line(self, value: str, place: Place) -> tuple[int, int] | None:
        """Return the line of `text` that has the value, best with its label and the words around it."""
        words = set(self.lines[place.line].split())
        pattern = re.compile(r"\s*".join(map(re.escape, value.split()))) if value.split() else None
        hits = [] if pattern is None else list(pattern.finditer(self.text))
        spans = [self._around(hit.start(), hit.end()) for hit in hits]
        return max(spans, key=lambda s: self._fit(self.text[s[0] : s[1]], place.label, words), default=None)

    @staticmethod
    def _fit(line: str, label: str, words: set[str]) -> tuple[bool, int]:
        return bool(label) and label in line, len(words & set(line.split()))


def pages_of(request: Request) -> list[Page]:
    """Return the pages of the documents; without documents, the last user text."""
    pages = [page for document in request.documents for page in _document_pages(document)]
    if request.documents:
        return pages
    return [Page(None, 0, request.text)]


def _document_pages(document: Document) -> list[Page]:
    return [Page(document, number, text) for number, text in enumerate(document.pages)]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def rows_of(pages: list[Page], fields: list[str]) -> list[Row]:
    """Return the rows of the first table whose headings name at least two of the fields."""
    for page in pages:
        for number in range(len(page.lines)):
            columns = _columns(page.cells[number], fields)
            if len(columns) >= min(2, len(fields)):
                rows = list(_rows(page, number, columns))
                if rows:
                    return rows
    return []


def _columns(cells: list[Cell], fields: list[str]) -> dict[str, Cell]:
    """Match cells of a line to the fields they name; every cell serves one field."""
    if len(cells) < 2:
        return {}
    columns: dict[str, Cell] = {}
    headed = {cell.text.lower().strip(" .:*#"): cell for cell in reversed(cells)}
    for exact in (True, False):
        for field in fields:
            cell = None if field in columns else _heading(headed, field, exact)
            if cell is not None:
                columns[field] = cell
                headed = {text: other for text, other in headed.items() if other != cell}
    return columns


def _heading(headed: dict[str, Cell], field: str, exact: bool) -> Cell | None:
    phrase = words_of(field)
    if exact:
        return headed.get(phrase)
    for words in (phrase, *_HEADINGS.get(phrase, phrase.split())):
        for text, cell in headed.items():
            if text.startswith(words) and not any(letter.isdigit() for letter in text):
                return cell
    return None


def _rows(page: Page, header: int, columns: dict[str, Cell]) -> Iterator[Row]:
    misses = 0
    for number in range(header + 1, len(page.lines)):
        cells = page.cells[number]
        if not cells or set("".join(c.text for c in cells)) <= set("-:=|"):
            continue
        if _SUB_TOTAL.search(page.lines[number]):
            continue
        if _TOTAL.search(page.lines[number]):
            return
        row = _row(page, number, page.cells[header], columns)
        misses = 0 if row else misses + 1
        if row:
            yield row
        elif misses > _MISSES:
            return


def _row(page: Page, number: int, headings: list[Cell], columns: dict[str, Cell]) -> Row | None:
    """Return the cells of a line under the headings; None when it is not a row of this table."""
    cells = page.cells[number]
    if len(cells) == len(headings):
        pairs = dict(zip(headings, cells, strict=True))
    else:
        pairs = {heading: cell for heading in headings if (cell := _nearest(heading, cells)) is not None}
    row = {
        field: Place(page, number, pairs[heading].start, pairs[heading].end)
        for field, heading in columns.items()
        if heading in pairs
    }
    return row if len(row) >= max(2, (len(columns) + 1) // 2) else None


def _nearest(heading: Cell, cells: list[Cell]) -> Cell | None:
    def overlap(cell: Cell) -> int:
        return min(cell.end, heading.end) - max(cell.start, heading.start)

    best = max(cells, key=overlap)
    return best if overlap(best) > -3 else None
