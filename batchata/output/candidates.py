"""Where JSON values stand in a text: whole ones only, and never a part of another."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from batchata.output.mending import CutOff, Mended, NotNearJson, mend

# A list is passed over as a whole: one of its elements is a part, never the answer.
_OPENING = re.compile(r"\{|\[(?=\s*[{\[\"'\d\]-])")
# An object is meant where a key follows; other braces are prose.
_OBJECT = re.compile(r"""\{\s*(?:"[^"\\]*(?:\\.[^"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*'|\w+)\s*:""", re.DOTALL)
_LIST_OF_VALUES = re.compile(r"\[\s*[{\[]")
_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_MOST_STARTS = 1_000  # tried in one answer; prose full of braces must not cost seconds
_decoder = json.JSONDecoder()


class Candidate(NamedTuple):
    """A value in a text, as JSON, from its first character on.

    `json` is None for what looks like an object and cannot be read. `mended` is there when the value had to
    be read as nearly JSON.
    """

    json: str | None
    start: int
    mended: Mended | None = None


def candidates(text: str) -> Iterator[Candidate]:
    """Every object or list that is not inside another one, in order.

    Raises CutOff at an object or list of objects that has no end: what stands inside is a part of it.
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
    """The candidate that begins here, if one does, and where to look on: None for nowhere."""
    try:
        end = _decoder.raw_decode(text, at)[1]
    except RecursionError:
        return None, None  # thousands of levels deep: nothing that a model of fields could fit
    except ValueError:
        return _read_nearly(text, at)
    return Candidate(text[at:end], at), end


def _read_nearly(text: str, at: int) -> tuple[Candidate | None, int | None]:
    meant = bool(_OBJECT.match(text, at) or _LIST_OF_VALUES.match(text, at))
    try:
        mended = mend(text, at)
    except CutOff:
        if meant:
            raise
        return None, None
    except NotNearJson as exc:
        if not meant:
            return None, max(exc.at, at + 1)
        return Candidate(None, at), _matching_end(text, at)
    return Candidate(mended.json, at, mended), mended.end


def _matching_end(text: str, at: int) -> int:
    """Behind the bracket that closes the one at `at`. Raises CutOff when there is none."""
    depth = 0
    for found in _BRACKET.finditer(text, at):
        if found[0] in "{[":
            depth += 1
        elif found[0] in "}]":
            depth -= 1
        if depth == 0:
            return found.end()
    raise CutOff
