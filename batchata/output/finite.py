"""Whether a value holds only numbers that JSON has: pydantic reads NaN, 1e999 and "inf" as floats."""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pydantic

_SAFE = frozenset({str, int, bool, bytes, NoneType})
_HOLDERS = frozenset({list, tuple, set, frozenset, dict, Union, UnionType})


def is_finite(model: pydantic.BaseModel) -> bool:
    """No file of results could hold a number that is not, and no such number was in the document."""
    values = model.__dict__
    names, takes_more = _fields_to_look_at(type(model))
    for name in names:
        value = values[name]
        if not (math.isfinite(value) if type(value) is float else _is_finite(value)):
            return False
    return not takes_more or _are_finite((model.model_extra or {}).values())


@lru_cache(maxsize=1_024)
def _fields_to_look_at(model: type[pydantic.BaseModel]) -> tuple[tuple[str, ...], bool]:
    """Those that may hold a float by their type, directly or inside, and whether there may be others."""
    names = [name for name, field in model.model_fields.items() if not _is_safe(field.annotation)]
    return tuple(names), model.model_config.get("extra") == "allow"


def _is_safe(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _is_safe(get_args(annotation)[0])
    if origin in _HOLDERS:
        return all(inner is Ellipsis or _is_safe(inner) for inner in get_args(annotation))
    if origin is Literal or annotation in _SAFE:
        return True
    return isinstance(annotation, type) and issubclass(annotation, Enum)


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, pydantic.BaseModel):
        return is_finite(value)
    if isinstance(value, dict):
        return _are_finite(value.values())
    return not isinstance(value, list | tuple | set | frozenset) or _are_finite(value)


def _are_finite(values: Iterable[Any]) -> bool:
    return all([_is_finite(value) for value in values])
