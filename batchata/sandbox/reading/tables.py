"""Read tables: a line of headings that name the fields of a record, and the rows below it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from batchata.sandbox.reading.labels import words_of
from batchata.sandbox.reading.pages import Cell, Page, Place

__all__ = ["rows_of"]

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
    """Return the cells of a line under the headings; None when it is no row of this table."""
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
