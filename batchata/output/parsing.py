"""How the text of an answer becomes the value that fits the response model, or a clear failure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import pydantic

from batchata.output.candidates import Candidate, candidates
from batchata.output.casing import with_schema_casing
from batchata.output.finite import is_finite
from batchata.output.mending import CutOff, Mended

_SHOWN = 5
_UNREADABLE = 1_000_000  # more than the problems of anything that can be read
# What may stand around an empty object that is the answer; in prose, a pair of braces is none.
_FENCES = re.compile(r"```\w*|\s")


class UnreadableAnswer(Exception):
    """The answer holds no value that fits; the text says why, for people."""


class Parsed[M: pydantic.BaseModel](NamedTuple):
    """A value that fits the model, and where in the text its JSON begins; `mended` if it is nearly JSON."""

    value: M
    start: int
    mended: Mended | None = None


class _Misfit(Exception):
    """A value does not fit; `problems` says how much of it, for choosing which misfit is told."""

    def __init__(self, problems: int, message: str) -> None:
        super().__init__(message)
        self.problems = problems


def parse[M: pydantic.BaseModel](text: str, model: type[M]) -> Parsed[M]:
    """The one JSON value in the text that fits the model.

    The whole text is tried first, then every whole object or list in it: in fences, in prose, nearly JSON.
    Raises UnreadableAnswer when nothing fits, or several different values do; what is cut off never fits.
    """
    try:
        value = model.model_validate_json(text)
    except pydantic.ValidationError as exc:
        return _only_fitting(text, _is_json(exc), model)
    if not value.model_fields_set or not is_finite(value):
        return _only_fitting(text, True, model)
    return Parsed(value, 0)


def _is_json(error: pydantic.ValidationError) -> bool:
    return error.errors(include_url=False, include_input=False)[0]["type"] != "json_invalid"


def _only_fitting[M: pydantic.BaseModel](text: str, is_json: bool, model: type[M]) -> Parsed[M]:
    takes_empty = _FENCES.sub("", text) == "{}"
    fitting: Parsed[M] | None = None
    misfits: list[_Misfit] = []
    for candidate in _uncut([Candidate(text, 0)] if is_json else candidates(text)):
        try:
            value = _fit(candidate, model, takes_empty=takes_empty)
        except _Misfit as exc:
            if candidate.json is None and fitting is not None:
                raise UnreadableAnswer("what may be a second value cannot be read") from exc
            misfits.append(exc)
            continue
        if fitting is not None and fitting.value != value:
            raise UnreadableAnswer("the answer holds several different values that fit")
        fitting = fitting or Parsed(value, candidate.start, candidate.mended)
    if fitting is None:
        raise UnreadableAnswer(_reason(text, misfits))
    return fitting


def _reason(text: str, misfits: list[_Misfit]) -> str:
    if misfits:
        return str(min(misfits, key=lambda misfit: misfit.problems))
    return "the answer holds no JSON object" if text.strip() else "the answer is empty"


def _uncut(found: Iterable[Candidate]) -> Iterator[Candidate]:
    try:
        yield from found
    except CutOff as exc:
        raise UnreadableAnswer("the answer's JSON is cut off") from exc


def _fit[M: pydantic.BaseModel](candidate: Candidate, model: type[M], *, takes_empty: bool) -> M:
    """The candidate as the model has it. Raises _Misfit."""
    if candidate.json is None:
        raise _Misfit(_UNREADABLE, "what looks like the answer is no valid JSON")
    try:
        value = model.model_validate_json(candidate.json)
    except pydantic.ValidationError as exc:
        value = _fit_recased(candidate.json, model, exc)
    if not value.model_fields_set and not takes_empty:
        raise _Misfit(1, f"the answer has none of the fields of {model.__name__}")
    if not is_finite(value):
        raise _Misfit(1, "a number in the answer is not finite, which JSON cannot hold")
    return value


def _fit_recased[M: pydantic.BaseModel](text: str, model: type[M], error: pydantic.ValidationError) -> M:
    try:
        recased = json.dumps(with_schema_casing(json.loads(text), _schema(model)))
        return model.model_validate_json(recased)
    except pydantic.ValidationError as exc:
        is_list = text.lstrip().startswith("[")
        said = f"the answer is a list, and {model.__name__} is an object" if is_list else explain(exc)
        raise _Misfit(exc.error_count(), said) from exc
    except (ValueError, RecursionError):  # an integer of thousands of digits, or thousands of levels
        raise _Misfit(error.error_count(), explain(error)) from error


@lru_cache(maxsize=256)
def _schema(model: type[pydantic.BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def explain(exc: pydantic.ValidationError) -> str:
    """What does not fit, field by field, in one line without the answer's own text."""
    problems = [
        f"{_path(error['loc']) or 'the answer'}: {error['msg']}"
        for error in exc.errors(include_url=False, include_input=False)
    ]
    shown = "; ".join(problems[:_SHOWN])
    return shown if len(problems) <= _SHOWN else f"{shown}; and {len(problems) - _SHOWN} more"


def _path(steps: Iterable[str | int]) -> str:
    """As citations name fields: `lines[2].price`."""
    written = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return written.removeprefix(".")
