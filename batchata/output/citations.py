"""Which citations of an answer support which of its values."""

from __future__ import annotations

from collections.abc import Iterable

from batchata.output.blocks import Block
from batchata.output.citation import Citation, from_dict
from batchata.output.spans import Spans

__all__ = ["UNMATCHED", "Citation", "by_field", "from_dict", "of_blocks"]

# Where citations stand that support no value for certain. No field path looks like this.
UNMATCHED = "(unmatched)"


# A text block with citations: its characters from a start to an end in the joined text. A plain tuple: an
# answer has dozens of them.
type Cited = tuple[int, int, list[Citation]]


def of_blocks(blocks: list[Block]) -> list[Citation]:
    """Every citation of an answer's text blocks, in order."""
    return [citation for block in blocks if block.type == "text" for citation in block.citations or ()]


def cited_blocks(blocks: list[Block]) -> list[Cited]:
    """The text blocks that have citations, by their places in the joined text."""
    return text_and_cited(blocks)[1]


def text_and_cited(blocks: list[Block]) -> tuple[str, list[Cited]]:
    """The joined text and the blocks of it that have citations, in one pass."""
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
    """Each citation under the paths of the values whose characters its block overlaps.

    A block that covers two values supports both; one that covers only keys, punctuation or prose goes under
    `UNMATCHED`. A value without a cited block has no entry. A citation that several blocks of one value have
    is there once.
    """
    found: dict[str, list[Citation]] = {}
    blocks = iter(cited)
    first, last, citations = next(blocks, _NO_BLOCK)
    is_matched = False
    for path, (start, end) in spans.places.items():
        while first < end:
            if start < last and start < end:
                if is_matched or path in found:
                    _attach(found, path, citations)
                else:
                    found[path] = citations
                is_matched = True
            if last > end:
                break  # the block may cover the next value, too
            if not is_matched:
                _attach(found, UNMATCHED, citations)
            first, last, citations = next(blocks, _NO_BLOCK)
            is_matched = False
    while first < _NOWHERE:
        if not is_matched:
            _attach(found, UNMATCHED, citations)
        first, last, citations = next(blocks, _NO_BLOCK)
        is_matched = False
    return found


def add_mentions(
    found: dict[str, list[Citation]], matched: Iterable[tuple[list[str], list[Citation]]]
) -> None:
    """Add citations that were matched by what they say, to values that have none by their place.

    What fits no value, or only values whose support is known by place, goes under `UNMATCHED`.
    """
    placed = set(found)
    for paths, citations in matched:
        free = [path for path in paths if path not in placed]
        for path in free or [UNMATCHED]:
            _attach(found, path, citations)


_NOWHERE = 1 << 62
_NO_BLOCK: Cited = (_NOWHERE, _NOWHERE, [])


def _attach(found: dict[str, list[Citation]], path: str, citations: list[Citation]) -> None:
    known = found.get(path)
    if known is None:
        found[path] = citations.copy()
    else:
        found[path] = [*known, *[citation for citation in citations if citation not in known]]
