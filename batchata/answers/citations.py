"""Match the citations of an answer to the values they support."""

from __future__ import annotations

from collections.abc import Iterable

from batchata.answers.answer import Block, Citation, from_dict
from batchata.answers.value_positions import Spans

__all__ = ["UNMATCHED", "Citation", "by_field", "from_dict", "of_blocks"]

# Where citations stand that support no value for certain. No field path looks like this.
UNMATCHED = "(unmatched)"


# A text block with citations: its characters from a start to an end in the joined text. A plain tuple: an
# answer has dozens of them.
type Cited = tuple[int, int, list[Citation]]


def of_blocks(blocks: list[Block]) -> list[Citation]:
    """List every citation of an answer's text blocks, in order."""
    return [citation for block in blocks if block.type == "text" for citation in block.citations or ()]


def cited_blocks(blocks: list[Block]) -> list[Cited]:
    """Return the text blocks that have citations, by their places in the joined text."""
    return text_and_cited(blocks)[1]


def text_and_cited(blocks: list[Block]) -> tuple[str, list[Cited]]:
    """Return the joined text and its cited blocks, in one pass."""
    texts: list[str] = []
    cited: list[Cited] = []
    end = 0
    for block in blocks:
        if block.type == "text":
            text = block.text or ""
            texts.append(text)
            start = end
            end += len(text)
            if block.citations:
                cited.append((start, end, block.citations))
    return "".join(texts), cited


def by_field(cited: list[Cited], spans: Spans) -> dict[str, list[Citation]]:
    """Group citations under the paths of the values whose characters their block overlaps.

    A block that covers two values supports both; one that covers only keys, punctuation or prose goes under
    `UNMATCHED`. A value without a cited block has no entry. A citation that several blocks of one value have
    is there once.
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
    """Add citations matched by what they say, for values that have none by their place.

    What fits no value, or only values whose support is known by place, goes under `UNMATCHED`.
    """
    found = _Attached(placed)
    for paths, citations in matched:
        for path in [path for path in paths if path not in placed] or [UNMATCHED]:
            found.attach(path, citations.copy())
    return found.by_path


_NOWHERE = 1 << 62
_NO_BLOCK: Cited = (_NOWHERE, _NOWHERE, [])


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
