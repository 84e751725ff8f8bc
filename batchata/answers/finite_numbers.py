"""Whether a value holds only numbers that JSON has: pydantic reads NaN, 1e999 and "inf" as floats."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pydantic

_SAFE = frozenset({str, int, bool, bytes, NoneType})
# Told by name: what reads answers imports nothing that knows the time or chance.
_SAFE_MODULES = frozenset({"datetime", "decimal", "uuid"})
_LISTS = (list, tuple, set, frozenset, deque)
_HOLDERS = frozenset({*_LISTS, dict, Union, UnionType})


def is_finite(model: pydantic.BaseModel) -> bool:
    """Whether every number in the model is finite; JSON has no NaN or Infinity."""
    values = model.__dict__
    names, takes_more = _fields_to_look_at(type(model))
    for name in names:
        value = values[name]
        if not (math.isfinite(value) if type(value) is float else _is_finite(value)):
            return False
    return not takes_more or _are_finite((model.model_extra or {}).values())


@lru_cache(maxsize=1_024)
def _fields_to_look_at(model: type[pydantic.BaseModel]) -> tuple[tuple[str, ...], bool]:
    """Return the fields that may hold a float, directly or inside, and whether others may exist."""
    fields = model.model_fields.items()
    names = [name for name, field in fields if not _is_safe(field.annotation, frozenset())]
    return tuple(names), _takes_more(model)


def _takes_more(model: type[pydantic.BaseModel]) -> bool:
    return model.model_config.get("extra") == "allow"


def _is_safe(annotation: Any, within: frozenset[Any]) -> bool:
    """Whether there can be no float inside; `within` are the models being looked at, to end the recursion."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _is_safe(get_args(annotation)[0], within)
    if origin in _HOLDERS:
        return all(inner is Ellipsis or _is_safe(inner, within) for inner in get_args(annotation))
    if origin is Literal or annotation in _SAFE or annotation in within:
        return True
    if not isinstance(annotation, type):
        return False
    if issubclass(annotation, pydantic.BaseModel):
        fields, inner = annotation.model_fields.values(), within | {annotation}
        return not _takes_more(annotation) and all(_is_safe(field.annotation, inner) for field in fields)
    return annotation.__module__ in _SAFE_MODULES or issubclass(annotation, Enum)


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    kind: Any = type(value)
    if _is_model(kind):
        return is_finite(value)
    if isinstance(value, dict):
        return _are_finite(value.values())
    if hasattr(kind, "__dataclass_fields__"):
        return _are_finite([getattr(value, name, None) for name in kind.__dataclass_fields__])
    return not isinstance(value, _LISTS) or _are_finite(value)


# pydantic answers isinstance() for a model in Python, which would be most of the time of looking.
@lru_cache(maxsize=1_024)
def _is_model(kind: Any) -> bool:
    return issubclass(kind, pydantic.BaseModel)


def _are_finite(values: Iterable[Any]) -> bool:
    return all(_is_finite(value) for value in values)
