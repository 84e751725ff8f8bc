"""How the text of an answer becomes the value that fits the response model, or a clear failure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pydantic

_FENCE = re.compile(r"```[a-zA-Z0-9_-]*[ \t]*\n(.*?)```", re.DOTALL)
_MOST_STARTS = 200  # objects tried in one answer; prose full of braces must not cost seconds
# strict=False takes raw newlines inside strings, which models write now and then.
_lenient = json.JSONDecoder(strict=False)


class UnreadableAnswer(Exception):
    """The answer holds no value that fits; the text says why, for people."""


def parse[M: pydantic.BaseModel](text: str, model: type[M]) -> M:
    """The one JSON value in the text that fits the model.

    The whole text is tried first, then fenced blocks, then every place where an object begins.
    Raises UnreadableAnswer when nothing fits; what is cut off never does.
    """
    try:
        return model.model_validate_json(text)
    except pydantic.ValidationError as exc:
        first = exc
    if not text.strip():
        raise UnreadableAnswer("the answer is empty")
    for value in _candidates(text):
        try:
            return model.model_validate_json(json.dumps(value))
        except pydantic.ValidationError as exc:
            first = exc if _is_syntax(first) else first
    raise UnreadableAnswer(explain(first)) from first


def _candidates(text: str) -> Iterator[Any]:
    for fenced in _FENCE.finditer(text):
        value = _whole(fenced.group(1).strip())
        if value is not None:
            yield value
    position, starts = text.find("{"), 0
    while position >= 0 and starts < _MOST_STARTS:
        starts += 1
        try:
            value, end = _lenient.raw_decode(text, position)
        except json.JSONDecodeError as exc:
            if _cut_off(exc, text):
                return  # what stands inside an unfinished value is a part, never the answer
            end = position + 1
        else:
            yield value
        position = text.find("{", end)


def _whole(text: str) -> Any:
    try:
        return _lenient.decode(text)
    except ValueError:
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
