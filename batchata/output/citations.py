"""What a citation is, and how the API's five kinds of locations become one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from itertools import islice, takewhile
from typing import Any

from batchata.output.blocks import Block
from batchata.output.spans import Span


@dataclass(frozen=True, slots=True)
class Citation:
    """One place in a source that supports a text, as the API gave it.

    Page numbers are 1-based, character and block indexes 0-based; every end is exclusive, so a citation of
    page 5 alone runs from 5 to 6. What does not apply to the `type` is None.

    Source: Anthropic's citations documentation. `type` is char_location, page_location,
    content_block_location, search_result_location or web_search_result_location.
    """

    type: str
    cited_text: str
    document_index: int | None = None
    document_title: str | None = None
    start_page_number: int | None = None
    end_page_number: int | None = None
    start_char_index: int | None = None
    end_char_index: int | None = None
    start_content_block_index: int | None = None
    end_content_block_index: int | None = None
    source: str | None = None
    url: str | None = None
    search_result_index: int | None = None

    @property
    def pages(self) -> tuple[int, int] | None:
        """First and last page cited, both included; None where the source has no pages."""
        if self.start_page_number is None or self.end_page_number is None:
            return None
        return self.start_page_number, max(self.start_page_number, self.end_page_number - 1)

    def as_dict(self) -> dict[str, Any]:
        """The citation as JSON values, without what is None."""
        return {key: value for key, value in asdict(self).items() if value is not None}


_NAMES = {f.name for f in fields(Citation)}
_API_NAMES = {
    "start_block_index": "start_content_block_index",
    "end_block_index": "end_content_block_index",
    "title": "document_title",
}


def from_dict(value: dict[str, Any]) -> Citation:
    """The citation in the API's object, or in what `as_dict` gave."""
    known = {_API_NAMES.get(key, key): item for key, item in value.items()}
    return Citation(**{"type": "", "cited_text": ""} | {k: v for k, v in known.items() if k in _NAMES})


# Where citations stand that support no value's own characters. No field path looks like this.
UNMATCHED = "(unmatched)"


def by_field(blocks: list[Block], spans: Iterable[Span]) -> dict[str, list[Citation]]:
    """Each citation under the paths of the values whose characters its block overlaps.

    `spans` are the values' places in the joined text of the blocks. A block that covers two values supports
    both; one that covers only keys, punctuation or prose goes under `UNMATCHED`. A value without a cited
    block has no entry.
    """
    ordered = list(spans)
    ends = [span.end for span in ordered]
    found: dict[str, list[Citation]] = {}
    end = 0
    for block in blocks:
        if block.type != "text":
            continue
        start, end = end, end + len(block.text or "")
        if block.citations:
            cited = [from_dict(citation) for citation in block.citations]
            for path in _overlapping(ordered, ends, start, end) or [UNMATCHED]:
                found.setdefault(path, []).extend(cited)
    return found


def _overlapping(spans: list[Span], ends: list[int], start: int, end: int) -> list[str]:
    """The paths of the spans, ordered and disjoint, that share a character with `start` to `end`."""
    candidates = takewhile(lambda span: span.start < end, islice(spans, bisect_right(ends, start), None))
    return [span.path for span in candidates]


def of_blocks(blocks: list[Block]) -> list[Citation]:
    """Every citation of an answer's text blocks, in order."""
    return [
        from_dict(citation) for block in blocks if block.type == "text" for citation in block.citations or ()
    ]
