"""How the text of an answer becomes the value that fits the response model, or a clear failure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pydantic

_FENCE = re.compile(r"```[a-zA-Z0-9_-]*[ \t]*\n(.*?)```", re.DOTALL)
# An array is passed over as a whole: one of its elements is a part, never the answer.
_OPENING = re.compile(r"\{|\[(?=\s*[{\[\"\d-])")
_MOST_STARTS = 1_000  # tried in one answer; prose full of braces must not cost seconds
# strict=False takes raw newlines inside strings, which models write now and then.
_lenient = json.JSONDecoder(strict=False)


class UnreadableAnswer(Exception):
    """The answer holds no value that fits; the text says why, for people."""


class Parsed[M: pydantic.BaseModel](NamedTuple):
    """A value that fits the model, and where in the text its JSON begins."""

    value: M
    start: int


def parse[M: pydantic.BaseModel](text: str, model: type[M]) -> Parsed[M]:
    """The one JSON value in the text that fits the model.

    The whole text is tried first, then fenced blocks, then every place where an object or array begins.
    Raises UnreadableAnswer when nothing fits, or several different values do; what is cut off never fits.
    """
    try:
        return Parsed(model.model_validate_json(text), 0)
    except pydantic.ValidationError as exc:
        first = exc
    if not text.strip():
        raise UnreadableAnswer("the answer is empty")
    found: Parsed[M] | None = None
    for value, start in _candidates(text):
        try:
            fitting = model.model_validate_json(json.dumps(value))
        except pydantic.ValidationError as exc:
            first = exc if _is_syntax(first) else first
            continue
        if found is not None and found.value != fitting:
            raise UnreadableAnswer("the answer holds several different values that fit")
        found = found or Parsed(fitting, start)
    if found is None:
        raise UnreadableAnswer(explain(first)) from first
    return found


def _candidates(text: str) -> Iterator[tuple[Any, int]]:
    for fenced in _FENCE.finditer(text):
        value = _whole(fenced.group(1).strip())
        if value is not None:
            yield value, fenced.start(1)
    opening, starts = _OPENING.search(text), 0
    while opening and starts < _MOST_STARTS:
        position = opening.start()
        starts += 1
        try:
            value, end = _lenient.raw_decode(text, position)
        except RecursionError:
            return  # thousands of levels deep: nothing that a model of fields could fit
        except json.JSONDecodeError as exc:
            if _cut_off(exc, text):
                return  # what stands inside an unfinished value is a part, never the answer
            end = max(exc.pos, position + 1)  # what was read up to there is part of a broken value
        else:
            yield value, position
        opening = _OPENING.search(text, end)


def _whole(text: str) -> Any:
    try:
        return _lenient.decode(text)
    except (ValueError, RecursionError):
        return None


def _cut_off(exc: json.JSONDecodeError, text: str) -> bool:
    return exc.pos >= len(text.rstrip()) or exc.msg.startswith("Unterminated string")


def _is_syntax(exc: pydantic.ValidationError) -> bool:
    return exc.errors(include_url=False)[0]["type"] == "json_invalid"


def explain(exc: pydantic.ValidationError) -> str:
    """What does not fit, field by field, in one line without the answer's own text."""
    problems = [
        f"{'.'.join(map(str, error['loc'])) or 'the answer'}: {error['msg']}"
        for error in exc.errors(include_url=False, include_input=False)
    ]
    shown = "; ".join(problems[:5])
    return shown if len(problems) <= 5 else f"{shown}; and {len(problems) - 5} more"
