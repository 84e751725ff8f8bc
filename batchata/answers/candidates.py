"""Find the JSON values in the text of an answer: whole ones only, and never a part of another."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from batchata.answers.json_nodes import Node
from batchata.answers.lenient_json import CutOff, NotNearJson, read_value

# A list is passed over as a whole: one of its elements is a part, never the answer.
_OPENING = re.compile(r"\{|\[(?=\s*[{\[\"'\u201c\d\]-])")
# An object is meant where a key follows; other braces are prose.
_OBJECT = re.compile(
    r"""\{\s*(?:"[^"\\]*(?:\\.[^"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*'|\u201c[^\u201d\\]*\u201d|\w+)\s*:""",
    re.DOTALL,
)
_LIST_OF_VALUES = re.compile(r"\[\s*[{\[]")
_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_MOST_STARTS = 1_000  # tried in one answer; prose full of braces must not cost seconds
_decoder = json.JSONDecoder()


class Candidate(NamedTuple):
    """A value in a text, from its first character on, exclusive of its end.

    `json` is the text where that is JSON, and `node` the value where it had to be read as nearly JSON; both
    are None for what looks like an object and cannot be read.
    """

    start: int
    end: int
    json: str | None = None
    node: Node | None = None


def candidates(text: str) -> Iterator[Candidate]:
    """Yield every object or list that is not inside another one, in order.

    Raises CutOff at an object, or a list of objects, without an end: what is inside is only a part of it.
    """
    opening, starts = _OPENING.search(text), 0
    while opening and starts < _MOST_STARTS:
        starts += 1
        found, end = _read(text, opening.start())
        if found is not None:
            yield found
        if end is None:
            return
        opening = _OPENING.search(text, end)


def _read(text: str, at: int) -> tuple[Candidate | None, int | None]:
    """Read the candidate that begins here, if one does, and say where to search on (None: nowhere)."""
    try:
        end = _decoder.raw_decode(text, at)[1]
    except RecursionError:
        return None, None  # thousands of levels deep: nothing that a model of fields could fit
    except ValueError:
        return _read_nearly(text, at)
    return Candidate(at, end, text[at:end]), end


def _read_nearly(text: str, at: int) -> tuple[Candidate | None, int | None]:
    meant = bool(_OBJECT.match(text, at) or _LIST_OF_VALUES.match(text, at))
    try:
        node, end = read_value(text, at)
    except CutOff:
        if meant:
            raise
        return None, None
    except NotNearJson as exc:
        if not meant:
            return None, max(exc.at, at + 1)
        end = _matching_end(text, at)
        return Candidate(at, end), end
    return Candidate(at, end, node=node), end


def _matching_end(text: str, at: int) -> int:
    """Return the position after the bracket that closes the one at `at`, or raise CutOff."""
    depth = 0
    for found in _BRACKET.finditer(text, at):
        if found[0] in "{[":
            depth += 1
        elif found[0] in "}]":
            depth -= 1
        if depth == 0:
            return found.end()
    raise CutOff
