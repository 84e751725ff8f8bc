"""What a citation is, and how the API's five kinds of locations become one."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from batchata.output.blocks import Block


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


def of_blocks(blocks: list[Block]) -> list[Citation]:
    """Every citation of an answer's text blocks, in order."""
    return [
        from_dict(citation) for block in blocks if block.type == "text" for citation in block.citations or ()
    ]
