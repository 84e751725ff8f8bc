"""Count the keys of a value made from JSON, to know whether it kept all that was written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import lru_cache
from math import isfinite
from operator import itemgetter
from typing import Any

import pydantic

from batchata.answers.expected_scalars import MOMENTS
from batchata.answers.expected_shape import Place

# What is looked at in a value gives the number of its keys, or this where it holds what JSON could not, or
# what a field may have been meant with.
_UNSURE = -1 << 60


def _any_keys(value: Any) -> int:
    kind: Any = type(value)
    if kind is float:
        return 0 if isfinite(value) else _UNSURE
    if kind in _SCALARS:
        return 0
    if kind.__module__ == "datetime":
        return _UNSURE if _may_be_digits(value) else 0
    if kind is dict:
        return len(value) + sum([_any_keys(item) for item in value.values()])
    if kind in _LISTS:
        return sum([_any_keys(item) for item in value])
    return counter_of(kind)(value) if issubclass(kind, pydantic.BaseModel) else 0


def _may_be_digits(moment: Any) -> bool:
    """Whether pydantic may have made a moment from a number: a day written as one, or a quantity.

    Eight digits give a moment around 1970, YYYYMMDDHH one from 2030 to 2036, YYYYMMDDHHMM one in 1976, and
    YYYYMMDDHHMMSS one after 2250. A time made from a number has a time zone; a duration shows nothing.
    """
    year = getattr(moment, "year", None)
    if year is None:
        return getattr(moment, "tzinfo", moment) is not None
    return bool(1965 < year < 1980 or 2029 < year < 2037 or year > 2250)


_SCALARS = frozenset({str, int, bool, type(None)})
_LISTS = frozenset({list, tuple, set, frozenset, deque})


@lru_cache(maxsize=1_024)
def counter_of(kind: Any) -> Callable[[Any], int]:
    """Return a function that counts the keys of a model's instances."""
    if issubclass(kind, pydantic.RootModel):
        return lambda value: _any_keys(value.root)
    places = {name: Place(info.annotation, info.metadata) for name, info in kind.model_fields.items()}
    floats = [
        name
        for name, place in places.items()
        if "float" in place.kinds and place.kinds <= {"float", "null"} and not (place.holds or place.is_root)
    ]
    certain = [name for name in floats if places[name].kinds == {"float"}]
    numbers = itemgetter(*certain) if len(certain) > 1 else None  # None is not among them
    apart = [name for name in floats if numbers is None or name not in certain]
    moments = [name for name, place in places.items() if place.is_moment and not place.is_root]
    alone = {*floats, *moments}
    looked_at = {name: _counting(place) for name, place in places.items() if name not in alone}
    holding = [(name, count) for name, count in looked_at.items() if count is not None]
    takes_more = kind.model_config.get("extra") == "allow"

    def count(value: Any) -> int:
        given, values = value.__pydantic_fields_set__, value.__dict__
        found = len(given)
        if numbers is not None and not isfinite(sum(numbers(values))):
            return _UNSURE
        for name in apart:
            number = values[name]
            if number is not None and not isfinite(number):
                return _UNSURE
        for name in moments:
            moment = values[name]
            if moment is None or 1979 < getattr(moment, "year", 0) < 2030:
                continue
            if name in given and _may_be_digits(moment):
                return _UNSURE
        for name, counted in holding:
            if name in given:
                found += counted(values[name])
        return _UNSURE if takes_more and value.__pydantic_extra__ else found

    return count


_LOOKED_AT = {"float", *MOMENTS}


def _counting(place: Place, within: tuple[Place, ...] = ()) -> Callable[[Any], int] | None:
    """Return a counter for this place; None where it has no keys and no float that may be infinite."""
    if place in within:
        return _any_keys  # an alias that holds itself
    if place.is_root or not place.is_alone or place.fixed or place.is_open:
        return _any_keys if place.holds or place.kinds & _LOOKED_AT else None
    if place.records:
        kind = place.records[0].kind
        if kind is None:
            return _any_keys  # a TypedDict, a dataclass
        return _counting_instances(kind)
    below = place.element if place.mapping is None else place.mapping[1]
    inner = _counting(below, (*within, place))
    if place.mapping:
        return _any_keys if inner else _length
    return inner and _counting_elements(inner)


def _length(mapping: Any) -> int:
    return len(mapping) if mapping else 0  # it may be None


def _counting_elements(inner: Callable[[Any], int]) -> Callable[[Any], int]:
    return lambda items: sum([inner(item) for item in items]) if items else 0


def _counting_instances(kind: Any) -> Callable[[Any], int]:
    counter: Callable[[Any], int] | None = None

    def count(value: Any) -> int:
        nonlocal counter
        if value is None:
            return 0
        if counter is None:  # not before: a model may hold itself
            counter = counter_of(kind)
        return counter(value)

    return count
