"""Find the values of a result by their paths, and the paths of values without a citation."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

import pydantic

from batchata.answers.answer import Citation
from batchata.answers.field_paths import inside, keys_of, shape_of

_STEP_BEGINS = re.compile(r"[.\[]")
_SINGLE = frozenset({str, int, float, bool, Decimal, type(None)})


def uncited(result: Any, citations: Mapping[str, Sequence[Citation]]) -> list[str]:
    """Return the paths of values without a citation; empty values need none."""
    cited = set(citations)
    above = {path[: place.start()] for path in cited for place in _STEP_BEGINS.finditer(path)}
    return [path for path in _leaves(result, "", cited) if path not in above]


def _leaves(value: Any, path: str, cited: set[str]) -> Iterator[str]:
    """Yield the paths of single values, except for those cited by themselves or with what is around them."""
    if value is None or value == "" or path in cited:
        return
    if value.__class__ in _SINGLE:
        if path:
            yield path
        return
    for key, inner in members(value):
        yield from _leaves(inner, inside(path, key), cited)
    is_empty_set = isinstance(value, set | frozenset) and not value
    if path and not is_empty_set and not _has_members(value):
        yield path


def _has_members(value: Any) -> bool:
    is_holder = isinstance(value, pydantic.BaseModel | Mapping | list | tuple | deque)
    return is_holder or hasattr(value, "__dataclass_fields__")


def members(value: Any) -> Iterator[tuple[str | int, Any]]:
    """Yield the fields of a record or the elements of a list, under their names; a set has none."""
    match value:
        case pydantic.RootModel():
            yield from members(value.root)
        case pydantic.BaseModel():
            yield from value.__dict__.items()
            yield from (value.__pydantic_extra__ or {}).items()
        case Mapping():
            yield from ((str(getattr(key, "value", key)), inner) for key, inner in value.items())
        case list() | tuple() | deque():
            yield from enumerate(value)
        case _ if hasattr(value, "__dataclass_fields__"):
            yield from ((name, getattr(value, name, None)) for name in value.__dataclass_fields__)


def value_at(result: Any, path: str) -> Any:
    """Return the value at a path of a result; None where there is none."""
    for key in keys_of(path):
        step = _step_into(kind_of(result))
        result = None if step is None else step(result, key)
    if result.__class__ in _SINGLE or not isinstance(result, pydantic.RootModel):
        return result
    return result.root


kind_of: Callable[[Any], Any] = type


@lru_cache(maxsize=1_024)
def _step_into(kind: Any) -> Callable[[Any, Any], Any] | None:
    """Return how a member of such a value is reached; asking for the kind of each value would take longer."""
    if issubclass(kind, pydantic.RootModel):
        return lambda value, key: (_step_into(kind_of(value.root)) or _nothing)(value.root, key)
    if issubclass(kind, pydantic.BaseModel):
        return _field_of
    if issubclass(kind, Mapping):
        return lambda value, key: _member(value, str(key))
    if issubclass(kind, list | tuple | deque):
        return _element
    if hasattr(kind, "__dataclass_fields__"):
        return lambda value, key: getattr(value, str(key), None)
    return None


def _element(value: Any, key: Any) -> Any:
    """Return an element by its number, or by its name in a NamedTuple."""
    if isinstance(key, int):
        return value[key] if key < len(value) else None
    return getattr(value, key) if key in getattr(value, "_fields", ()) else None


def _nothing(value: Any, key: Any) -> None:
    """Return nothing: a single value has no members."""


def _field_of(value: pydantic.BaseModel, key: str) -> Any:
    if key in value.__dict__:
        return value.__dict__[key]
    return (value.__pydantic_extra__ or {}).get(key)


def _member(mapping: Mapping[Any, Any], key: str) -> Any:
    if key in mapping:
        return mapping[key]
    return next((value for own, value in mapping.items() if str(getattr(own, "value", own)) == key), None)


@lru_cache(maxsize=4_096)
def choices_at(model: Any, path: str) -> tuple[str, ...]:
    """Return the texts that may stand at a path, where the type of the field lists them."""
    shape = shape_of(model)
    for key in keys_of(path):
        shape = shape.element if isinstance(key, int) else shape.behind(key)
    return shape.choices
