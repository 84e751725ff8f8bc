"""Show cited passages in their place: on a picture of their page, or in the text around them."""

from __future__ import annotations

from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import batched
from typing import Any

import msgspec

from batchata.answers.answer import Citation
from batchata.answers.grounding import Characters, Source, Sources
from batchata.answers.reader import Citations, Reader
from batchata.core.state import Run
from batchata.inputs.pdf_pages import PdfText, Sheet
from batchata.log.port import Log
from batchata.providers.registry import dialect_of
from batchata.replay.report.size_budget import Budget, block
from batchata.views.item_result import ItemResult
from batchata.views.results import read_items

_MOST_BYTES = 10_000_000  # of all pictures; about 200 pages, which take half a minute to draw
_MOST_ITEMS = 2_000  # whose passages are looked up
_WINDOW = 64
_RESERVED = 1_000_000  # bytes of the file for what follows the pictures
_AROUND = 160  # characters before and behind a passage of a text

# A citation is known by the path of its field and its place among that field's.
type Key = tuple[str, int]
type Where = tuple[str, int, int | None, Any]


def has_places(citations: Citations) -> bool:
    """Whether one of the citations names pages, or characters of a text."""
    return any(_is_placed(citation) for _, citation in _each(citations))


def _is_placed(citation: Citation) -> bool:
    return citation.start_page_number is not None or citation.start_char_index is not None


def _each(citations: Citations) -> Iterator[tuple[Key, Citation]]:
    groups: Iterable[tuple[str, list[Citation]]] = (
        citations.items() if isinstance(citations, dict) else [("", citations or [])]
    )
    for path, found in groups:
        for place, citation in enumerate(found):
            yield (path, place), citation


@dataclass(slots=True)
class Places:
    """What the page says about the places of passages, besides the pictures themselves."""

    sizes: list[tuple[int, int]] = field(default_factory=list)  # of each picture, in pixels
    # Item -> (path, place, picture, boxes on it), or (path, place, None, what is around it or why it is not)
    items: dict[int, list[Where]] = field(default_factory=dict)
    left_out: int = 0  # items for which there was no room


def in_order(placed: Sequence[int], look: Mapping[str, Sequence[int]]) -> list[int]:
    """Return these items: those to look at first, then the others in the order of the input."""
    known = set(placed)
    first = [index for found in look.values() for index in found if index in known]
    return list(dict.fromkeys([*first, *placed]))


def write_pictures(budget: Budget, log: Log, run: Run, reader: Reader, wanted: Sequence[int]) -> None:
    """Write the pages of these items' passages while there is room, and the places on them."""
    places, room = Places(), min(_MOST_BYTES, budget.left - _RESERVED)
    for window in batched(wanted[:_MOST_ITEMS], _WINDOW):
        if room <= 0:
            break
        for item, sources in _with_sources(log, run, reader, window):
            found, room = _shown(budget, places, _each(item.citations), sources, room)
            if found:
                places.items[item.index] = found
    places.left_out = len(wanted) - len(places.items)
    budget.write(block("places", msgspec.json.encode([places.sizes, places.items, places.left_out])))


def _with_sources(
    log: Log, run: Run, reader: Reader, indexes: Sequence[int]
) -> Iterator[tuple[ItemResult, Sources]]:
    assert run.started is not None
    dialect = dialect_of(run.started)
    bodies = log.bodies(run.started.run_id, [run.input_body(index) for index in indexes])
    for item, body in zip(read_items(log, run, indexes, reader, again=False), bodies, strict=True):
        yield item, Sources() if body is None else dialect.sources(body)


def _shown(
    budget: Budget, places: Places, cited: Iterable[tuple[Key, Citation]], sources: Sources, room: int
) -> tuple[list[Where], int]:
    """Write the pictures of one item; return what is shown of its passages, and the room that is left."""
    found: list[Where] = []
    on_page: dict[tuple[int, int], list[tuple[Key, str]]] = defaultdict(list)
    for key, citation in cited:
        source = _source(citation, sources)
        if isinstance(source, PdfText) and citation.start_page_number is not None:
            number = citation.start_page_number - 1
            on_page[citation.document_index or 0, number].append((key, citation.cited_text))
        elif isinstance(source, Characters):
            found.append((*key, None, _around(source, citation)))
        elif _is_placed(citation):
            found.append((*key, None, "The document is not there any more, or was changed since."))
    for (document, number), passages in on_page.items():
        source = sources.documents[document]
        assert isinstance(source, PdfText)
        sheet = source.sheet(number, [text for _, text in passages])
        if sheet is None:
            found += [(*key, None, "The page cannot be drawn.") for key, _ in passages]
            continue
        element = _element(len(places.sizes), sheet)
        room -= len(element)
        if room <= 0:
            break
        budget.write(element)
        found += [
            (*key, len(places.sizes), boxes) for (key, _), boxes in zip(passages, sheet.marks, strict=True)
        ]
        places.sizes.append((sheet.width, sheet.height))
    return found, room


def _source(citation: Citation, sources: Sources) -> Source | None:
    number = citation.document_index
    known = number is not None and 0 <= number < len(sources.documents)
    return sources.documents[number] if known and number is not None else None


def _around(source: Characters, citation: Citation) -> tuple[str, str] | None:
    """Return the text before and after a passage, where the passage is at its stated place."""
    start, end = citation.start_char_index, citation.end_char_index
    if start is None or end is None or citation.grounded is not True:
        return None
    return source.text(max(start - _AROUND, 0), start), source.text(end, end + _AROUND)


def _element(number: int, sheet: Sheet) -> bytes:
    """Write a picture as an element that browsers do not run."""
    return b'<script type="text/plain" data-kind="picture" data-number="%d">%b</script>\n' % (
        number,
        b64encode(sheet.webp),
    )
