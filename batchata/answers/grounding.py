"""Check whether a cited text stands in its source at the place that is named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from batchata.answers.answer import Citation
from batchata.answers.normalize import fold

_KEPT = 8  # texts of pages
_BROKEN = re.compile(r"[\x02\u00ad]\s+")  # a hyphen that only the end of a line made
_BLANK = re.compile(r" (?!\d)|(?<!\d) ")
_HYPHENATED = re.compile(r"(?<=[^\W\d_])[-\u2010][^\S\n]*+\n\s*+(?=[^\W\d_])")
_VULGAR = re.compile(r"(?<=\d)(?=[¼½¾⅐-⅞])")  # 12½ is 12 1/2, and not 121/2
_BOXES = re.compile(r"(?<!\S)[^\W_](?: [^\W_]){3,}(?!\S)")
_DIGITS = re.compile(r"\d[^\d\w]*\d|[¼½¾⅐-⅞]")


class Source(Protocol):
    """One document or search result of a request, in the units in which it is cited, counted from 0."""

    def text(self, start: int, end: int) -> str | None:
        """Return the text in this range: "" where there is none, None where that is unknown."""
        ...

    def filled(self, start: int, end: int) -> str | None:
        """Return the text with the values of form fields, in any order; None where there are none."""
        ...


class Characters:
    """A plain text, cited by characters."""

    def __init__(self, text: str) -> None:
        self._text = text

    def text(self, start: int, end: int) -> str:
        """See `Source.text`."""
        return self._text[start:end]

    def filled(self, start: int, end: int) -> None:
        """Plain text has no fields."""


class Blocks:
    """Blocks of text, cited by their numbers."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    def text(self, start: int, end: int) -> str:
        """See `Source.text`."""
        return "".join(self._texts[start:end])

    def filled(self, start: int, end: int) -> None:
        """Blocks have no fields."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources of a request, in the order in which citations count them; None where no text is held."""

    documents: Sequence[Source | None] = ()
    search_results: Sequence[Source | None] = field(default=())
    titles: Sequence[str | None] = ()  # of documents, where a citation does not say them itself


def is_grounded(citation: Citation, sources: Sources) -> bool | None:
    """Return whether the cited text stands at its stated place; None where that cannot be told.

    Characters must be the cited text; pages or blocks must contain it, regardless of soft hyphens, marks of
    direction, case, compatible forms of characters, and white space, except between two digits. Texts of the
    API's own recordings are equal to the character, those of PDFs as PDFium extracts them.
    """
    place = _named_place(citation, sources)
    if place is None or not citation.cited_text.strip():
        return None
    return _is_there(citation, *place)


def _is_there(citation: Citation, source: Source, first: int, end: int) -> bool | None:
    found = source.text(first, end)
    if found is not None and _stands_in(citation, found):
        return True
    filled = source.filled(first, end)
    if filled is not None and (_stands_in(citation, filled) or _stands_in(citation, _out_of_boxes(filled))):
        return True
    if found is None or (filled is not None and _holds_words(filled, citation.cited_text)):
        return None  # where the values stand among the text of the page is not known
    return False


def _out_of_boxes(text: str) -> str:
    """Join what is filled into one box per character, as IBANs and dates are on forms."""
    return _BOXES.sub(lambda found: found[0].replace(" ", ""), text)


def _holds_words(text: str, cited: str) -> bool:
    words = set(fold(text).split())
    boxes = {word for word in words if len(word) == 1}
    return all(word in words or boxes.issuperset(word) for word in fold(cited).split())


def _named_place(citation: Citation, sources: Sources) -> tuple[Source, int, int] | None:
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
    return None if source is None else (source, max(first, 0), max(end, 0))


def _stands_in(citation: Citation, found: str) -> bool:
    cited = citation.cited_text
    if citation.type == "char_location":
        if found == cited:
            return True
        same = _squeezed(found) == _squeezed(cited)
        return same and (_is_unparted(cited) or _parted(found) == _parted(cited))
    if cited in found:
        return True
    if _squeezed(cited) not in _squeezed(found) and _joined(cited) not in _joined(found):
        return False
    return _is_unparted(cited) or any(way(cited) in way(found) for way in (_parted, _without_marks))


@lru_cache(maxsize=_KEPT)
def _joined(text: str) -> str:
    """Join words that a hyphen divides at the end of a line."""
    return _squeezed(_HYPHENATED.sub("", text))


@lru_cache(maxsize=_KEPT)
def _without_marks(text: str) -> str:
    """Separate a number from the raised mark of a footnote after it, and join divided words."""
    from batchata.answers.number_notations import parted  # providers need only the types of this module

    return _parted(parted(_HYPHENATED.sub("", text)))


@lru_cache(maxsize=_KEPT)  # many citations name one page
def _squeezed(text: str) -> str:
    return _spelt(text).replace(" ", "")


@lru_cache(maxsize=_KEPT)
def _parted(text: str) -> str:
    """Put a blank wherever white space separates two digits: what it separates is not one number."""
    return _BLANK.sub("", _spelt(_BROKEN.sub("", text)))


def _spelt(text: str) -> str:
    """Normalise, with ligatures and fractions spelt out."""
    if text.isascii():
        return fold(text)
    folded = fold(_VULGAR.sub(" ", text))
    return folded.replace("œ", "oe").replace("æ", "ae").replace("\u2044", "/")


def _is_unparted(text: str) -> bool:
    """Return whether the text has no number that could have been two."""
    return _DIGITS.search(text) is None
