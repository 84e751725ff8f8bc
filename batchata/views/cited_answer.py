"""Mark what is cited in an answer's text, and number the citations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from batchata.answers.answer import Citation, calls_as_text, joined_text
from batchata.answers.citations import cited_blocks
from batchata.answers.located import LOCATED
from batchata.answers.reader import Citations
from batchata.errors import IncompleteResultsError
from batchata.providers.port import Dialect


class Mark(NamedTuple):
    """Characters `start` to `end` (exclusive) of the answer rest on the citations with these numbers."""

    start: int
    end: int
    numbers: list[int]


@dataclass(slots=True)
class Answer:
    """The text of the last answer; citations count from 1 in the order of the text."""

    text: str = ""
    marks: list[Mark] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    fields: dict[str, list[int]] = field(default_factory=dict)  # path of a value -> its citations

    def marked(self) -> str:
        """Return the text with every cited part between angle quotes and the numbers of its citations."""
        parts, at = [], 0
        for start, end, numbers in self.marks:
            parts += [self.text[at:start], "«", self.text[start:end], "»", "".join(f"[{n}]" for n in numbers)]
            at = end
        return "".join([*parts, self.text[at:]])


def read_answer(line: bytes | None, citations: Citations, dialect: Dialect) -> Answer:
    """Read the answer in a result line as `dialect` has it; `citations` are those of its reading."""
    answer = Answer()
    if line is None:
        return answer
    try:
        blocks = calls_as_text(dialect.outcome(line).blocks)
    except IncompleteResultsError:
        return answer
    answer.text = joined_text(blocks)
    numbers = _Numbers(answer.citations)
    _number_all(numbers, answer, citations)
    for start, end, found in cited_blocks(blocks):
        answer.marks.append(Mark(start, end, [numbers.of(citation) for citation in found]))
    return answer


def _number_all(numbers: _Numbers, answer: Answer, citations: Citations) -> None:
    """Assign numbers to all citations, first to those of the reading: it knows more than the line does."""
    if isinstance(citations, dict):
        for path, found in citations.items():
            answer.fields[path] = [numbers.of(citation) for citation in found]
    for citation in citations if isinstance(citations, list) else ():
        numbers.of(citation)


class _Numbers:
    """Gives the same number to the same place in a source."""

    def __init__(self, citations: list[Citation]) -> None:
        self._citations = citations
        self._known: dict[Citation, int] = {}

    def of(self, citation: Citation) -> int:
        place: Any = msgspec.structs.replace(citation, grounded=None, checked_at=None, supports=None)
        if citation.kind == LOCATED:  # the line holds the quote alone
            place = Citation(cited_text=citation.cited_text, kind=LOCATED)
        if place not in self._known:
            self._citations.append(msgspec.structs.replace(citation, supports=None))  # of one of its fields
            self._known[place] = len(self._citations)
        return self._known[place]


def place_of(citation: Citation) -> str:
    """Write document and place, counted from 1: "terms.pdf, page 3", "document 2, characters 10-52".

    The names in it are as they were given; escape them before printing.
    """
    source = citation.document_title or citation.source or citation.url
    parts = [] if source is None else [source]
    if source is None and citation.document_index is not None:
        parts.append(f"document {citation.document_index + 1}")
    if citation.url is not None and citation.url != source:
        parts.append(citation.url)
    if citation.pages is not None:
        first, last = citation.pages
        parts.append(f"page {first}" if first == last else f"pages {first}-{last}")
    if citation.start_char_index is not None:
        parts.append(f"characters {citation.start_char_index}-{citation.end_char_index}")
    if citation.start_content_block_index is not None:
        parts.append(f"blocks {citation.start_content_block_index}-{citation.end_content_block_index}")
    return ", ".join(parts) or "a quote"


def found_there(citation: Citation) -> str:
    """Say whether the cited text was found at the named place."""
    if citation.grounded is None:
        return "not checked"
    found = "found there" if citation.grounded else "NOT found there"
    return f"{found}{when_checked(citation)}"


def when_checked(citation: Citation) -> str:
    """Say when that was found, where it cannot be looked up today."""
    at = citation.checked_at
    return "" if at is None else f" (checked when collected on {at[:10]})"
