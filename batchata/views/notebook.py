"""Show an item in a notebook: its fields with their marks and passages, and the pages they are on.

Every text is escaped: what a model or a document wrote never becomes markup.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Protocol

from batchata.answers.answer import Citation
from batchata.answers.reader import Citations
from batchata.core.values import RequestError
from batchata.inputs.pdf_pages import Box, PdfText, Sheet
from batchata.text import clean, cut, usd
from batchata.views.cited_answer import place_of, when_checked

_MOST_TEXT, _MOST_ROWS, _MOST_PAGES = 2_000, 100, 4  # characters of a text, values, and pages of an item
_MARGIN = 60  # pixels of the page above and below the passages
_LINE = 40  # pixels within which a line of text has an end
_EVEN = 48  # of 255: a row of paper after compression, not one of print
_MISSING = {True: "says the value", False: "<b>says something else</b>", None: ""}
_CELL = 'style="text-align:left;vertical-align:top;padding:.3em .7em"'
_SOFT = 'style="opacity:.7;font-size:.9em"'


class Item(Protocol):
    """What is shown of an item."""

    @property
    def index(self) -> int: ...
    @property
    def status(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def source(self) -> str | None: ...
    @property
    def cost(self) -> Decimal | None: ...
    @property
    def error(self) -> RequestError | None: ...
    @property
    def citations(self) -> Citations: ...
    @property
    def unsupported(self) -> list[str]: ...
    @property
    def uncited(self) -> list[str]: ...


def item_html(item: Item, values: Mapping[str, str]) -> str:
    """Return the item as HTML without style sheets or scripts; `values` are its single values by path."""
    name = f" · {_text(item.name)}" if item.name else ""
    heading = f"<b>item {item.index}{name}</b> · {item.status} · {escape(usd(item.cost))}"
    error = "" if item.error is None else f"<div>{_text(f'{item.error.kind}: {item.error.message}')}</div>"
    rows = "".join(_rows(item, values))
    table = f"<table><tbody>{rows}</tbody></table>" if rows else ""
    return f"<div>{heading}{error}{table}{''.join(_pages(item))}</div>"


def _text(value: str) -> str:
    return escape(clean(cut(value, _MOST_TEXT)))


def _rows(item: Item, values: Mapping[str, str]) -> Iterator[str]:
    found, unsupported, uncited = item.citations, item.unsupported, item.uncited
    cited = found if isinstance(found, dict) else {"": found or []}
    paths = list(dict.fromkeys([*values, *cited]))
    for path in paths[:_MOST_ROWS]:
        mark = "no passage says this value" if path in unsupported else ""
        mark = mark or ("no citation" if path in uncited else "")
        marked = f"<div><b>{mark}</b></div>" if mark else ""
        passages = "".join(map(_passage, cited.get(path, [])))
        value = _text(values.get(path, ""))
        yield f"<tr><th {_CELL}>{_text(path)}</th><td {_CELL}>{value}{marked}{passages}</td></tr>"
    if len(paths) > _MOST_ROWS:
        yield f"<tr><td {_CELL}>…</td><td {_CELL}>and {len(paths) - _MOST_ROWS:,} more</td></tr>"


def _passage(citation: Citation) -> str:
    there = {True: "found there", False: "<b>not found there</b>", None: ""}[citation.grounded]
    there += when_checked(citation)
    said = " · ".join(filter(None, (_text(place_of(citation)), there, _MISSING[citation.supports])))
    return f"<div {_SOFT}>“{_text(citation.cited_text)}”<br>{said}</div>"


def _pages(item: Item) -> Iterator[str]:
    """Yield the parts of the file's pages on which passages are found, marked."""
    by_page: dict[int, list[str]] = {}
    for citation in _cited(item):
        if citation.start_page_number is not None:
            by_page.setdefault(citation.start_page_number, []).append(citation.cited_text)
    document = _document(item) if by_page else None
    if document is None:
        return
    for number, passages in sorted(by_page.items())[:_MOST_PAGES]:
        sheet = document.sheet(number - 1, passages)
        boxes = [] if sheet is None else [box for found in sheet.marks for box in found]
        if sheet is not None and boxes:  # without a mark it may be another file by now
            yield f"<div {_SOFT}>page {number}</div>{_picture(sheet, boxes)}"


def _cited(item: Item) -> Iterable[Citation]:
    found = item.citations
    return [c for each in found.values() for c in each] if isinstance(found, dict) else found or []


def _document(item: Item) -> PdfText | None:
    """Return the item's PDF where it is still there."""
    if item.source is None or not item.source.lower().endswith(".pdf"):
        return None
    try:
        return PdfText(Path(item.source).read_bytes())
    except OSError:
        return None


def _between_lines(sheet: Sheet, top: int, bottom: int) -> tuple[int, int]:
    """Move the edges of a part of a page outwards to rows without ink, so that no line of text is cut."""
    from PIL import Image  # drawing the page has imported it

    with Image.open(BytesIO(sheet.webp)) as opened:
        picture = opened.convert("L")

    def is_even(y: int) -> bool:
        row = picture.crop((0, y, sheet.width, y + 1)).tobytes()
        return max(row) - min(row) <= _EVEN

    above = range(max(top, 0), max(top - _LINE, 0), -1)
    below = range(min(bottom, sheet.height), min(bottom + _LINE, sheet.height))
    return next(filter(is_even, above), max(top, 0)), next(filter(is_even, below), min(bottom, sheet.height))


def _picture(sheet: Sheet, boxes: list[Box]) -> str:
    top, bottom = _between_lines(
        sheet, min(box[1] for box in boxes) - _MARGIN, max(box[3] for box in boxes) + _MARGIN
    )
    marks = "".join(
        f'<rect x="{x}" y="{y}" width="{right - x}" height="{low - y}" fill="#ffc800" fill-opacity=".32" '
        'stroke="#d67800"/>'
        for x, y, right, low in boxes
    )
    source = b64encode(sheet.webp).decode()
    return (
        f'<svg viewBox="0 {top} {sheet.width} {bottom - top}" width="{sheet.width}" '
        'style="max-width:100%;height:auto;background:#fff">'
        f'<image href="data:image/webp;base64,{source}" width="{sheet.width}" height="{sheet.height}"/>'
        f"{marks}</svg>"
    )
