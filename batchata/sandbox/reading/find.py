"""Find a labelled value on pages: to the right of its label, or in the cell below it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

from batchata.sandbox.reading.labels import Concept
from batchata.sandbox.reading.pages import Cell, Page, Place
from batchata.sandbox.reading.typed import NUMBER, comma_decimals, find_dates, month_first, number_of

__all__ = ["Finder", "Found"]

_ID = re.compile(r"(?=[\w./-]*\d)[^\W_][\w./-]{1,40}")
_SEPARATOR = re.compile(r"[\s:.=#№°º*_-]*(?:is\b|ist\b|was\b|:)?\s*[:#№]?\s*", re.IGNORECASE)
_STRONG_SEPARATOR = re.compile(
    r"\s*(?:\([^)]*\))?\**\s*(?:[:=#№]|is\b|ist\b|was\b|-\s|\t|\s{2,}|$)", re.IGNORECASE
)
# A text value ends where the next label begins, at a semicolon, or at the end of its sentence.
_TEXT_END = re.compile(r"[;\t|]|\s{2,}|[,.]\s+[\w ]{1,25}[:=]|(?<=\w{4})\.\s+(?=[A-ZÄÖÜ])")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_IBAN = re.compile(r"(?<![A-Z0-9])[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){3,7}(?:\s?[A-Z0-9]{1,3})?(?![A-Z0-9])")
_ABROAD = re.compile(r"(?<!\w)\+\d[\d ()./-]{6,18}\d(?!\w)")
_PHONE = re.compile(r"(?<!\w)(?:\+\d|\(\d|\d)[\d\s()./-]{5,18}\d(?!\w)")
_CURRENCIES = re.compile(
    r"(?<![A-Z])(?:USD|EUR|GBP|CHF|JPY|PLN|SEK|NOK|DKK|CAD|AUD|CZK)(?![A-Z])|US Dollars?|[€$£¥]|zł"
)
_CODES = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY", "zł": "PLN"}
# Words that turn a short label into another one: "Due date" is no "date".
_OTHER_LABEL = re.compile(
    r"(?:due|order|delivery|ship\w*|start|end|expiry|birth|sub|net|tax|vat|item|unit|payment|file|bank)[\s-]*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Found:
    """A value and where it stands; a value without a place was concluded, not read."""

    value: Any
    place: Place | None = None


class Finder:
    """Finds what stands beside a label on the pages of one request."""

    def __init__(self, pages: list[Page]) -> None:
        self.pages = pages

    @cached_property
    def text(self) -> str:
        return "\n".join(page.laid_out for page in self.pages)

    @cached_property
    def comma_decimal(self) -> bool:
        """Whether these pages write decimals with a comma."""
        return comma_decimals(self.text)

    @cached_property
    def _us(self) -> bool:
        return month_first(self.text)

    def find(self, concept: Concept, kind: str | None = None) -> Found | None:
        """Find the value of a concept as a `kind`: text, id, date, number, money_last, money_first, …."""
        kind = kind or concept.kind
        for at_start in (True, False):
            for label in concept.labels:
                for page in self.pages:
                    found = self._beside(page, label, kind, at_start)
                    if found is not None:
                        return found
        return self._by_shape(kind)

    def _by_shape(self, kind: str) -> Found | None:
        """Find values that need no label, because nothing else looks like them."""
        pattern = {"email": _EMAIL, "iban": _IBAN, "currency": _CURRENCIES, "phone": _ABROAD}.get(kind)
        for page in self.pages if pattern else []:
            for number, line in enumerate(page.lines):
                match = pattern.search(line) if pattern else None
                if match:
                    place = Place(page, number, match.start(), match.end())
                    return Found(_currency(match[0]) if kind == "currency" else match[0], place)
        return None

    def _beside(self, page: Page, label: str, kind: str, at_start: bool) -> Found | None:
        """Find the value beside a label. A sum may stand after several sub-totals: its last one counts."""
        last = None
        for number, match, cell in _labels(page, _label(label), at_start):
            found = self._right(page, number, match.end(), kind) or self._below(
                page, number, match, cell, kind
            )
            if found is not None and found.place is not None:
                found = Found(found.value, replace(found.place, label=match[0]))
            if found is not None and not (kind.startswith("money") and "\\s" not in label):
                return found
            last = found or last
        return last

    def _right(self, page: Page, number: int, start: int, kind: str) -> Found | None:
        line = page.lines[number]
        rest = line[start:]
        if kind == "text":
            return self._text(page, number, start) if _STRONG_SEPARATOR.match(rest) else None
        separator = _SEPARATOR.match(rest)
        start += separator.end() if separator else 0
        return self._read(page, number, start, len(line), kind)

    def _below(self, page: Page, number: int, label: re.Match[str], cell: Cell, kind: str) -> Found | None:
        """Find the value under a label that fills its cell, in the next line that is not empty."""
        if cell.text.strip(" :#*.").lower() != label[0].strip(" :#*.").lower():
            return None
        for below in range(number + 1, min(number + 4, len(page.lines))):
            under = next((c for c in page.cells[below] if c.start < cell.end and c.end > cell.start), None)
            if under is not None and not under.text.startswith("("):
                return self._whole_cell(page, below, under, kind)
            if page.cells[below] and under is None:
                return None
        return None

    def _whole_cell(self, page: Page, number: int, cell: Cell, kind: str) -> Found | None:
        if kind == "text":
            is_label = cell.text.endswith(":") or len(page.cells[number]) > 6
            return None if is_label else Found(cell.text, Place(page, number, cell.start, cell.end))
        start = cell.start + (len(cell.text) - len(cell.text.lstrip("#№ ")))
        return self._read(page, number, start, cell.end, kind)

    def _read(self, page: Page, number: int, start: int, end: int, kind: str) -> Found | None:
        text = page.lines[number][start:end]
        span = self._reader(kind)(text)
        if span is None:
            return None
        first, last, value = span
        return Found(value, Place(page, number, start + first, start + last))

    def _reader(self, kind: str) -> Callable[[str], tuple[int, int, Any] | None]:
        match kind:
            case "id":
                return self._id
            case "date":
                return self._date
            case "number" | "money_first" | "money_last":
                return lambda text: self._number(text, kind)
            case "currency":
                return lambda text: _first(_CURRENCIES, text, _currency)
        patterns = {"email": _EMAIL, "iban": _IBAN, "phone": _PHONE}
        return lambda text: _first(patterns[kind], text, str.strip)

    def _id(self, text: str) -> tuple[int, int, str] | None:
        match = _ID.match(text)
        if match is None or any(first == 0 for first, _, _ in find_dates(text)):
            return None
        value = match[0].rstrip(".-/")
        return 0, len(value), value

    def _date(self, text: str) -> tuple[int, int, str] | None:
        return next(iter(find_dates(text, us=self._us)), None)

    def _number(self, text: str, kind: str) -> tuple[int, int, float] | None:
        for first, last, _ in find_dates(text):
            text = text[:first] + " " * (last - first) + text[last:]
        numbers = list(NUMBER.finditer(text))
        matches = [m for m in numbers if not _is_percent(text, m)]
        if kind.startswith("money"):
            matches = [m for m in matches if re.search(r"[.,€$£¥]", m[0])] or matches
        elif not matches:
            matches = numbers
        if not matches:
            return None
        match = matches[-1 if kind == "money_last" else 0]
        value = number_of(match[0], comma_decimal=self.comma_decimal)
        return None if value is None else (match.start(), match.end(), value)

    def _text(self, page: Page, number: int, start: int) -> Found | None:
        line = page.lines[number]
        separator = _SEPARATOR.match(line, start)
        start = separator.end() if separator else start
        end = _TEXT_END.search(line, start)
        last = end.start() if end else len(line)
        value = line[start:last].strip(" \t,*")
        if not value or value.endswith(":"):
            return None
        if value.endswith(".") and not re.search(r"\b\w{1,4}\.$", value):
            value = value[:-1]
        offset = line.index(value, start)
        return Found(value, Place(page, number, offset, offset + len(value)))


@lru_cache(maxsize=2048)
def _label(pattern: str) -> re.Pattern[str]:
    # Whole words; digits may follow at once, as in "Nr.4711".
    tail = r"(?:(?<=[^\W\d_])(?![^\W\d_])|(?<![^\W\d_]))"
    return re.compile(rf"(?<![^\W_])(?:{pattern}){tail}", re.IGNORECASE)


def _labels(
    page: Page, pattern: re.Pattern[str], at_start: bool
) -> Iterator[tuple[int, re.Match[str], Cell]]:
    """Yield where a label stands: line, match, and the cell it begins in."""
    if pattern.search(page.laid_out) is None:
        return
    for number, line in enumerate(page.lines):
        for match in pattern.finditer(line):
            cell = next((c for c in page.cells[number] if c.start <= match.start() < c.end), None)
            if cell is not None and _is_label(line, match, cell, at_start):
                yield number, match, cell


def _is_label(line: str, match: re.Match[str], cell: Cell, at_start: bool) -> bool:
    """First labels that begin their cell; then, anywhere, labels of several words or before a colon."""
    before = line[cell.start : match.start()]
    begins = not before.strip(" *\u2022\u00b7-\u2013#>_(\"'")
    if at_start:
        return begins
    if begins or _OTHER_LABEL.search(before):
        return False
    return bool(re.match(r"\s*(?::|=|is\b|was\b|ist\b)", line[match.end() :])) or " " in match[0].strip()


def _is_percent(text: str, match: re.Match[str]) -> bool:
    return text[match.end() : match.end() + 2].lstrip().startswith("%")


def _first(pattern: re.Pattern[str], text: str, convert: Callable[[str], str]) -> tuple[int, int, str] | None:
    match = pattern.search(text)
    return (match.start(), match.end(), convert(match[0])) if match else None


def _currency(text: str) -> str:
    return _CODES.get(text, "USD" if text.startswith("US") else text)
