"""The usual way of reading: pydantic takes the text as it stands, and what it took is shown to be all of it.

pydantic keeps of a number what a float holds, of a key that comes twice the last, of an unknown key nothing,
and takes "1.234" for 1.234 and 2024 for a second of 1970. Whatever may be of these kinds is left to
`fitting`, which looks at each place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from math import isfinite
from typing import Any, NamedTuple

import pydantic

from batchata.answers.expected_shape import Place, place_of, places_below
from batchata.answers.lenient_json import has_latex

_NUMERIC = {"int", "float", "decimal"}
_NUMBER = r"-?(?:0|[1-9]\d*+)(?:\.\d++(?:[eE][+-]?\d++)?|[eE][+-]?\d++)(?![\w.+-])"
_EXACT = re.compile(rf"(?<![\w.+-]){_NUMBER}", re.ASCII)
_EXACT_OR_TEXT = re.compile(
    rf'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|(?<![\w.+-]){_NUMBER}', re.ASCII | re.DOTALL
)
_MARK = "\x00"
_POINTED = re.compile(r'\.\d{3}\s*+"')  # begins with a literal, which is found ten times as fast
_AMBIGUOUS = re.compile(r'"\s*[-+]?[1-9]\d{0,2}\.\d{3}\s*"')
_DIGITS_AS_DATE = re.compile(r'[:\[,]\s*+"?\s*+\d{4}(?:\d{4})?\s*+"?\s*+[,}\]]')
_SPACED_COLON = re.compile(r'"[ \t\r\n]++:')


class Unsure(Exception):
    """The text is JSON that fits, and something of it may be lost."""


class _Plan(NamedTuple):
    """What is to be looked at in answers to one model.

    `decimals`: numbers are put in quotes, so that they keep their digits; `quotable`: that changes nothing
    else. `exact`: the keys of a value can be counted.
    """

    decimals: bool
    quotable: bool
    amounts: bool
    dates: bool
    exact: bool


def read_usually[M: pydantic.BaseModel](text: str, model: type[M]) -> M:
    """The value, when the text is JSON of which the model took everything, to the last digit.

    Raises ValidationError when it does not fit, Unsure when it fits and something may be lost.
    """
    plan = _plan(model)
    quoted = _quoted(text) if plan.decimals else text
    value = model.model_validate_json(quoted)
    if (
        not value.__pydantic_fields_set__
        or has_latex(text)
        or not plan.exact
        or (plan.amounts and _POINTED.search(text) and _AMBIGUOUS.search(text))
        or (plan.dates and _DIGITS_AS_DATE.search(text))
        or (not plan.quotable and quoted is not text and quoted != text)
        or not _took_all(text, value)
    ):
        raise Unsure
    return value


def _took_all(text: str, value: pydantic.BaseModel) -> bool:
    """Whether there are as many keys in the value as in the text, and no number that JSON lacks.

    Then no key was unknown, and none came twice: a value has no more keys than were written.
    """
    kept = _counter(type(value))(value)
    return text.count(":") == kept or (text.count('":') == kept and not _SPACED_COLON.search(text))


# What is looked at in a value gives the number of its keys, or this where it holds what JSON could not, or
# what a field may have been meant with.
_UNSURE = -1 << 60


def _any_keys(value: Any) -> int:
    kind: Any = type(value)
    if kind is float:
        return 0 if isfinite(value) else _UNSURE
    if kind in _SCALARS:
        return 0
    if kind is dict:
        return len(value) + sum([_any_keys(item) for item in value.values()])
    if kind in _LISTS:
        return sum([_any_keys(item) for item in value])
    return _counter(kind)(value) if issubclass(kind, pydantic.BaseModel) else 0


_SCALARS = frozenset({str, int, bool, type(None)})
_LISTS = frozenset({list, tuple, set, frozenset})


@lru_cache(maxsize=1_024)
def _counter(kind: Any) -> Callable[[Any], int]:
    """Counts the keys of the instances of a model."""
    if issubclass(kind, pydantic.RootModel):
        return lambda value: _any_keys(value.root)
    places = {name: Place(info.annotation, info.metadata) for name, info in kind.model_fields.items()}
    floats = [
        name
        for name, place in places.items()
        if place.kinds and place.kinds <= {"float", "null"} and not place.holds
    ]
    looked_at = {name: _counting(place) for name, place in places.items() if name not in floats}
    holding = [(name, count) for name, count in looked_at.items() if count is not None]
    takes_more = kind.model_config.get("extra") == "allow"

    def count(value: Any) -> int:
        given, values = value.__pydantic_fields_set__, value.__dict__
        found = len(given)
        for name in floats:
            number = values[name]
            if number is not None and not isfinite(number):
                return _UNSURE
        for name, counted in holding:
            if name in given:
                found += counted(values[name])
        return _UNSURE if takes_more and value.__pydantic_extra__ else found

    return count


def _counting(place: Place) -> Callable[[Any], int] | None:
    """Counts the keys at a place; None where there are none, nor numbers that may not be finite."""
    if not place.is_alone or place.fixed or place.is_open:
        return _any_keys if place.holds or "float" in place.kinds else None
    if place.records:
        kind = place.records[0].kind
        return _any_keys if kind is None else _counting_instances(kind)  # None: a TypedDict, a dataclass
    inner = _counting(place.element if place.mapping is None else place.mapping[1])
    if place.mapping:
        return _any_keys if inner else len
    return inner and _counting_elements(inner)


def _counting_elements(inner: Callable[[Any], int]) -> Callable[[Any], int]:
    return lambda items: sum([inner(item) for item in items]) if items else 0


def _counting_instances(kind: Any) -> Callable[[Any], int]:
    counter: Callable[[Any], int] | None = None

    def count(value: Any) -> int:
        nonlocal counter
        if value is None:
            return 0
        if counter is None:  # not before: a model may hold itself
            counter = _counter(kind)
        return counter(value) if type(value) is kind else _any_keys(value)

    return count


@lru_cache(maxsize=256)
def _plan(model: type[pydantic.BaseModel]) -> _Plan:
    places = list(places_below(place_of(model)))
    records = [record for place in places for record in place.records]
    return _Plan(
        decimals=any("decimal" in place.kinds for place in places),
        quotable=all(_is_quotable(place) for place in places),
        amounts=any(place.kinds & _NUMERIC and not place.is_strict for place in places),
        dates=any("datetime" in place.kinds for place in places),
        exact=bool(places[0].records) and all(record.is_exact for record in records),
    )


def _is_quotable(place: Place) -> bool:
    """A number in quotes is the same to it, or does not fit."""
    scalars = place.kinds - {"null"}
    return not place.is_open and len(scalars) <= 1 and not (scalars and place.words)


def _quoted(text: str) -> str:
    """The text with every number that is no whole one in quotes: pydantic reads it digit by digit then."""
    if "." not in text and "e" not in text and "E" not in text:
        return text
    if "\\" in text or _MARK in text:
        return _EXACT_OR_TEXT.sub(lambda found: found[0] if found[0][0] == '"' else f'"{found[0]}"', text)
    parts = text.split('"')
    outside = '"'.join(parts[::2])
    marked = _EXACT.sub(rf"{_MARK}\g<0>{_MARK}", outside)
    if marked == outside:
        return text
    parts[::2] = marked.split('"')
    return '"'.join(parts).replace(_MARK, '"')
