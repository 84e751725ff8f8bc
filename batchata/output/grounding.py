"""Whether a cited text stands in its source at the place that is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from batchata.output.citation import Citation
from batchata.output.folding import fold


class Source(Protocol):
    """One document or search result of a request, in the units in which it is cited, counted from 0."""

    def text(self, start: int, end: int) -> str | None:
        """What stands there: "" where nothing does, None where that cannot be told."""
        ...


class Characters:
    """A plain text, cited by characters."""

    def __init__(self, text: str) -> None:
        self._text = text

    def text(self, start: int, end: int) -> str:
        """See `Source.text`."""
        return self._text[start:end]


class Blocks:
    """Blocks of text, cited by their numbers."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    def text(self, start: int, end: int) -> str:
        """See `Source.text`."""
        return "".join(self._texts[start:end])


@dataclass(frozen=True, slots=True)
class Sources:
    """What a request held, in the order in which citations count it; None for what we do not hold."""

    documents: Sequence[Source | None] = ()
    search_results: Sequence[Source | None] = field(default=())


def grounded(citation: Citation, sources: Sources) -> Citation:
    """The citation with `grounded` told.

    Characters have to be the cited text, and pages or blocks to hold it, but for white space, soft hyphens,
    case, and compatible forms of characters. Texts of the API's own recordings are equal to the character,
    those of PDFs as PDFium extracts them.
    """
    found = _named_place(citation, sources)
    if found is None or not citation.cited_text.strip():
        return citation
    return msgspec.structs.replace(citation, grounded=_stands_in(citation, found))


def _named_place(citation: Citation, sources: Sources) -> str | None:
    match citation.type:
        case "char_location":
            number, first, end = citation.document_index, citation.start_char_index, citation.end_char_index
        case "page_location":
            number, first, end = citation.document_index, citation.start_page_number, citation.end_page_number
        case "content_block_location":
            number = citation.document_index
            first, end = citation.start_content_block_index, citation.end_content_block_index
        case "search_result_location":
            number = citation.search_result_index
            first, end = citation.start_content_block_index, citation.end_content_block_index
        case _:
            return None
    held = sources.search_results if citation.type == "search_result_location" else sources.documents
    if number is None or first is None or end is None or not 0 <= number < len(held):
        return None
    source = held[number]
    if citation.type == "page_location":  # counted from 1
        first, end = first - 1, end - 1
    return None if source is None else source.text(max(first, 0), max(end, 0))


def _stands_in(citation: Citation, found: str) -> bool:
    if citation.type == "char_location":
        return found == citation.cited_text or _squeezed(found) == _squeezed(citation.cited_text)
    return citation.cited_text in found or _squeezed(citation.cited_text) in _squeezed(found)


def _squeezed(text: str) -> str:
    return fold(text).replace(" ", "")
