"""Where each value of a JSON text stands in it, to the character, under the path of the model's field."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed leaves it out
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import pydantic

_SPACE = re.compile(r"[ \t\n\r]*")
_SCALAR = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|NaN|-?Infinity")
_UNIONS = (Union, types.UnionType)


class Span(NamedTuple):
    """The characters `start` to `end` (exclusive) of one value in a text; of a string without its quotes."""

    path: str
    start: int
    end: int


def value_spans(text: str, start: int, model: type[pydantic.BaseModel] | None = None) -> Iterator[Span]:
    """The spans of all scalar values in the JSON value that begins at `start`, in order.

    Paths are like `vendor.name` and `lines[2].price`; with a model, an aliased field has its Python name.
    Raises ValueError when no whole JSON value stands there.
    """
    spans: list[Span] = []
    _scan(text, _skip(text, start), "", model, spans)
    return iter(spans)


def _scan(text: str, at: int, path: str, shape: Any, spans: list[Span]) -> int:
    match text[at : at + 1]:
        case "{":
            return _scan_object(text, at, path, shape, spans)
        case "[":
            return _scan_array(text, at, path, shape, spans)
        case '"':
            end = int(scanstring(text, at + 1, False)[1])
            spans.append(Span(path, at + 1, end - 1))
            return end
        case _:
            found = _SCALAR.match(text, at)
            if found is None:
                raise ValueError(f"no JSON value at {at}")
            spans.append(Span(path, at, found.end()))
            return found.end()


def _scan_object(text: str, at: int, path: str, shape: Any, spans: list[Span]) -> int:
    at = _skip(text, at + 1)
    while text[at : at + 1] == '"':
        key, at = scanstring(text, at + 1, False)
        at = _expect(text, at, ":")
        name, inner = _field(shape, key)
        at = _scan(text, at, f"{path}.{name}" if path else name, inner, spans)
        at = _skip(text, at)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
    return _closed(text, at, "}")


def _scan_array(text: str, at: int, path: str, shape: Any, spans: list[Span]) -> int:
    inner = _element(shape)
    at = _skip(text, at + 1)
    number = 0
    while text[at : at + 1] not in ("]", ""):
        at = _skip(text, _scan(text, at, f"{path}[{number}]", inner, spans))
        number += 1
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
    return _closed(text, at, "]")


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _expect(text: str, at: int, sign: str) -> int:
    at = _skip(text, at)
    if text[at : at + 1] != sign:
        raise ValueError(f"{sign!r} expected at {at}")
    return _skip(text, at + 1)


def _closed(text: str, at: int, sign: str) -> int:
    if text[at : at + 1] != sign:
        raise ValueError(f"{sign!r} expected at {at}")
    return at + 1


def _field(shape: Any, key: str) -> tuple[str, Any]:
    """The Python name and the type behind a key: a model's field by name or alias, or a dict's values."""
    for option in _options(shape):
        if isinstance(option, type) and issubclass(option, pydantic.BaseModel):
            for name, field in option.model_fields.items():
                if key in (name, field.alias, field.validation_alias):
                    return name, field.annotation
        if get_origin(option) is dict:
            return key, get_args(option)[1]
    return key, None


def _element(shape: Any) -> Any:
    for option in _options(shape):
        if get_origin(option) in (list, set, frozenset, tuple):
            return next(iter(get_args(option)), None)
    return None


def _options(shape: Any) -> list[Any]:
    if get_origin(shape) is Annotated:
        return _options(get_args(shape)[0])
    if get_origin(shape) in _UNIONS:
        return [inner for option in get_args(shape) for inner in _options(option)]
    return [shape]
