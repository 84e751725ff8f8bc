"""Find early what makes a long answer unreadable; looking closely at all of it would take far longer."""

from __future__ import annotations

import json
import re
from typing import Any

from batchata.answers.expected_shape import Place
from batchata.answers.field_paths import path_of

_DIGIT = re.compile(r"\d")
_NOT_WORDS = frozenset({"", "null", "n/a", "nan", "inf", "infinity"})  # no number, or none that is finite


def misfit(text: str, place: Place) -> str | None:
    """Return the first value of this JSON that fits its place in no reading; None where there may be none."""
    try:
        value = json.loads(text)
        return _first(value, place, [])
    except (ValueError, RecursionError):
        return None


def _first(value: Any, place: Place, path: list[str | int]) -> str | None:
    if place.is_open or place.words:
        return None
    if not place.holds:
        problem = _problem(value, place)
        return None if problem is None else f"{path_of(path)}: {problem}".removeprefix(": ")
    if len(place.records) + bool(place.mapping) + place.is_list > 1 or place.fixed:
        return None
    for step, inner, where in _inside(value, place):
        if isinstance(inner, str):
            if where.is_textual or _DIGIT.search(inner):
                continue
        elif isinstance(inner, int | float):
            continue  # a number may be meant wherever a scalar may stand
        path.append(step)
        if found := _first(inner, where, path):
            return found
        path.pop()
    return None


def _inside(value: Any, place: Place) -> list[tuple[str | int, Any, Place]]:
    """Return what is inside, with its steps, where it is of the expected kind."""
    if isinstance(value, list):
        return [(n, item, place.element) for n, item in enumerate(value)] if place.is_list else []
    if not isinstance(value, dict):
        return []
    if place.mapping:
        return [(key, item, place.mapping[1]) for key, item in value.items()]
    known = place.records[0].by_key if place.records and not place.records[0].is_open else {}
    return [(key, item, known[key].place) for key, item in value.items() if key in known]


def _problem(value: Any, place: Place) -> str | None:
    """Say what is wrong with a value where a text or a number is expected."""
    if not (place.is_textual or place.is_numeric):
        return None
    if isinstance(value, list | dict):
        # One value in a list or under one key may be meant without these.
        return None if len(value) == 1 and not _is_deep(value) else _asked(place)
    if value is None:
        return None if "null" in place.kinds else _asked(place)
    if place.is_textual:
        return _asked(place) if isinstance(value, bool) else None
    is_word = isinstance(value, str) and not _DIGIT.search(value)
    return _asked(place) if is_word and value.strip(" +-").casefold() not in _NOT_WORDS else None


def _asked(place: Place) -> str:
    """Say what should stand there, in pydantic's words."""
    for kind, word in (("text", "string"), ("decimal", "decimal"), ("float", "number")):
        if kind in place.kinds:
            return f"Input should be a valid {word}"
    return "Input should be a valid integer"


def _is_deep(value: list[Any] | dict[str, Any]) -> bool:
    (alone,) = value if isinstance(value, list) else value.values()
    return isinstance(alone, list | dict)
