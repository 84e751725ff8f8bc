"""Match the citations of an answer to the values they support, by where each value stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from batchata.answers.answer import Block, Citation, from_dict
from batchata.answers.field_paths import Shape, before, prefixes

__all__ = ["UNMATCHED", "Citation", "by_field", "from_dict", "of_blocks"]


_ALONE = re.compile(r'[ \t\r\n]*+(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|([^ \t\r\n,"{}\[\]:]++))', re.DOTALL)
type Places = dict[str, tuple[int, int]]
# Where citations stand that support no value for certain. No field path looks like this.
UNMATCHED = "(unmatched)"
# A text block with citations: its characters from a start to an end in the joined text. A plain tuple: an
# answer has dozens of them.
type Cited = tuple[int, int, list[Citation]]
_NOWHERE = 1 << 62
_NO_BLOCK: Cited = (_NOWHERE, _NOWHERE, [])


def _scalars(string: str) -> re.Pattern[str]:
    """Return a pattern that finds each scalar with the text before it, quotes included, and at last the rest.

    It is possessive throughout and never fails before the end of the text: what follows the JSON must not
    cost more than its length.
    """
    between = r"[ \t\r\n,:{}\[\]]*+"
    keys = rf'(?:"{string}"[ \t\r\n]*+:{between})*+'
    scalar = rf'(?<="){string}|[^ \t\r\n,"{{}}\[\]:]++|\Z'
    return re.compile(rf'("?+{between}{keys}"?+)({scalar})', re.DOTALL)


# Many answers hold no escape, and are cut in two thirds of the time by a pattern that knows none.
_PLAIN = _scalars(r'[^"]*+')
_ESCAPED = _scalars(r'[^"\\]*+(?:\\.[^"\\]*+)*+')


class Spans(NamedTuple):
    """Where the scalars of a JSON value stand, by path and in order; `end` is where the value ends.

    A place is the characters from a start to an end, exclusive; of a string without its quotes.
    """

    places: Places
    end: int


def value_spans(text: str, start: int, shape: Shape) -> Spans:
    """Locate the scalars of the JSON value that begins at `start`, by paths such as `lines[2].price`.

    The text has been read as JSON before, so what is not JSON raises nothing here. Of a repeated key the last
    one counts, as for every JSON reader.
    """
    if text[start] not in "{[" and (alone := _ALONE.match(text, start)):
        return Spans({"": alone.span(alone.lastindex or 0)}, alone.end())
    places: Places = {}
    met = 0
    opened: list[str] = []
    step, end = before(shape), start
    scalars = _ESCAPED if "\\" in text else _PLAIN
    for between, written in scalars.findall(text, start):
        following, holders, length = step.moves.get(between) or step.move(between)
        if holders:
            opened += holders
        if following is None:
            end += length
            break
        step = following
        first = end + len(between)
        end = first + len(written)
        places[step.path] = (first, end)
        met += 1
    if len(places) == met and len(set(opened)) == len(opened) and places.keys().isdisjoint(opened):
        return Spans(places, end)
    return Spans(_without_overwritten(text, start, shape), end)


def _without_overwritten(text: str, start: int, shape: Shape) -> Places:
    """Drop what stood under a key that came again: the last one counts."""
    kept: dict[str, tuple[int, int] | None] = {}
    for path, place in _met(text, start, shape):
        if path in kept:
            for old in [old for old in kept if old == path or old.startswith(prefixes(path))]:
                del kept[old]
        kept[path] = place
    return {path: place for path, place in kept.items() if place is not None}


def _met(text: str, start: int, shape: Shape) -> Iterator[tuple[str, tuple[int, int] | None]]:
    """Yield everything in order; objects and lists without their place."""
    step = before(shape)
    for found in _ESCAPED.finditer(text, start):
        following, holders, _ = step.move(found[1])
        yield from ((path, None) for path in holders)
        if following is None:
            break
        step = following
        yield step.path, found.span(2)


def of_blocks(blocks: list[Block]) -> list[Citation]:
    """List every citation of an answer's text blocks, in order."""
    return [citation for block in blocks if block.type == "text" for citation in block.citations or ()]


def cited_blocks(blocks: list[Block]) -> list[Cited]:
    """Return the text blocks that have citations, by their places in the joined text."""
    return text_and_cited(blocks)[1]


def text_and_cited(blocks: list[Block]) -> tuple[str, list[Cited]]:
    """Return the joined text and its cited blocks."""
    text, cited, _ = parts(blocks)
    return text, cited


def parts(blocks: list[Block]) -> tuple[str, list[Cited], list[str]]:
    """Return the joined text, its cited blocks and the types of other blocks, in one pass."""
    if len(blocks) == 1 and blocks[0].type == "text":
        text, citations = blocks[0].text or "", blocks[0].citations
        return text, [(0, len(text), citations)] if citations else [], []
    texts: list[str] = []
    cited: list[Cited] = []
    others: list[str] = []
    end = 0
    for block in blocks:
        if block.type != "text":
            others.append(block.type)
            continue
        text = block.text or ""
        texts.append(text)
        if block.citations:
            cited.append((end, end + len(text), block.citations))
        end += len(text)
    return "".join(texts), cited, others


def by_field(cited: list[Cited], spans: Spans) -> dict[str, list[Citation]]:
    """Group citations under the paths of the values whose characters their block overlaps.

    A block that covers two values supports both; one that covers only keys, punctuation or prose goes under
    `UNMATCHED`. A value without a cited block has no entry. A citation that several blocks of one value share
    is listed once.
    """
    found = _Attached()
    blocks = iter(cited)
    first, last, citations = next(blocks, _NO_BLOCK)
    is_matched = False
    for path, (start, end) in spans.places.items():
        while first < end:
            if start < last and start < end:
                found.attach(path, citations.copy() if is_matched else citations)
                is_matched = True
            if last > end:
                break  # the block may cover the next value, too
            if not is_matched:
                found.attach(UNMATCHED, citations)
            first, last, citations = next(blocks, _NO_BLOCK)
            is_matched = False
    while first < _NOWHERE:
        if not is_matched:
            found.attach(UNMATCHED, citations)
        first, last, citations = next(blocks, _NO_BLOCK)
        is_matched = False
    return found.by_path


def add_mentions(
    placed: dict[str, list[Citation]], matched: Iterable[tuple[list[str], list[Citation]]]
) -> dict[str, list[Citation]]:
    """Add citations by what they say, for values that have none by their place.

    Those that fit no value, or only values with citations by place, go under `UNMATCHED`.
    """
    found = _Attached(placed)
    for paths, citations in matched:
        for path in [path for path in paths if path not in placed] or [UNMATCHED]:
            found.attach(path, citations.copy())
    return found.by_path


class _Attached:
    """Citations by path, each listed once; a path with a single block shares that block's list."""

    def __init__(self, placed: dict[str, list[Citation]] | None = None) -> None:
        self.by_path = dict(placed or {})
        self._known: dict[str, set[Citation]] = {}  # of the paths that have several blocks

    def attach(self, path: str, citations: list[Citation]) -> None:
        there = self.by_path.get(path)
        if there is None:
            self.by_path[path] = citations
            return
        known = self._known.get(path)
        if known is None:
            known = self._known[path] = set(there)
            there = self.by_path[path] = there.copy()
        more = [citation for citation in citations if citation not in known]
        known.update(more)
        there += more
