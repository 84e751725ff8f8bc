"""The answer's text with what in it is cited, and the citations by number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from batchata.errors import IncompleteResultsError
from batchata.output.blocks import calls_as_text, joined_text
from batchata.output.citation import Citation
from batchata.output.citations import cited_blocks
from batchata.output.reading import Citations
from batchata.providers.anthropic.lines import decode_line


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
        """The text with every cited part between angle quotes, and the numbers of its citations behind it."""
        parts, at = [], 0
        for start, end, numbers in self.marks:
            parts += [self.text[at:start], "«", self.text[start:end], "»", "".join(f"[{n}]" for n in numbers)]
            at = end
        return "".join([*parts, self.text[at:]])


def read_answer(line: bytes | None, citations: Citations) -> Answer:
    """The answer in a stored result line; `citations` are those of its reading."""
    answer = Answer()
    if line is None:
        return answer
    try:
        blocks = calls_as_text(decode_line(line).blocks)
    except IncompleteResultsError:
        return answer
    answer.text = joined_text(blocks)
    numbers = _Numbers(answer.citations)
    _number_all(numbers, answer, citations)
    for start, end, found in cited_blocks(blocks):
        answer.marks.append(Mark(start, end, [numbers.of(citation) for citation in found]))
    return answer


def _number_all(numbers: _Numbers, answer: Answer, citations: Citations) -> None:
    """First those of the reading: it knows more of them than the line does."""
    if isinstance(citations, dict):
        for path, found in citations.items():
            answer.fields[path] = [numbers.of(citation) for citation in found]
    for citation in citations if isinstance(citations, list) else ():
        numbers.of(citation)


class _Numbers:
    """Gives the same number to the same place in a source, whatever else is known of it."""

    def __init__(self, citations: list[Citation]) -> None:
        self._citations = citations
        self._known: dict[Citation, int] = {}

    def of(self, citation: Citation) -> int:
        place: Any = msgspec.structs.replace(citation, grounded=None)
        if place not in self._known:
            self._citations.append(citation)
            self._known[place] = len(self._citations)
        return self._known[place]
