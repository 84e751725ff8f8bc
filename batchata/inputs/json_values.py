"""Check that Python values are JSON, and encode them."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from batchata.errors import InvalidInputError

DEEPEST: Final = 100
_INTEGERS: Final = range(-(2**63), 2**64)

encode = msgspec.json.Encoder().encode
encode_canonical = msgspec.json.Encoder(order="deterministic").encode


def check_json(value: Any, place: str, depth: int = 0) -> None:
    """Raise InvalidInputError, naming the place, for anything that JSON cannot hold as it is."""
    kind = type(value)
    if kind is str:
        check_text(value, place)
    elif kind is float:
        if not math.isfinite(value):
            raise InvalidInputError(f"{place} is {value}, which JSON cannot hold; leave it out or use None")
    elif kind is int:
        if value not in _INTEGERS:
            raise InvalidInputError(f"{place} is an integer of more than 64 bits; use a string")
    elif isinstance(value, dict | list | tuple):
        if depth == DEEPEST:
            raise InvalidInputError(f"{place} is nested deeper than {DEEPEST} levels, or holds itself")
        _check_inside(value, place, depth + 1)
    elif not (value is None or kind is bool):
        raise InvalidInputError(f"{place} is {_named(value)}, which JSON cannot hold; {_remedy(value)}")


def _check_inside(value: Any, place: str, depth: int) -> None:
    if not isinstance(value, dict):
        for n, inner in enumerate(value):
            check_json(inner, f"{place}[{n}]", depth)
        return
    for key, inner in value.items():
        if type(key) is not str:
            raise InvalidInputError(f"{place} has the key {key!r}; keys are strings in JSON")
        check_json(inner, f"{place}.{key}", depth)


def check_text(text: str, place: str) -> None:
    """Raise InvalidInputError when the text cannot be encoded (it has half of a surrogate pair)."""
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise InvalidInputError(
            f"{place} cannot be encoded as UTF-8: character {exc.start} is half of a surrogate pair "
            f"({text[exc.start]!a}); repair the text where it is read"
        ) from exc


def _named(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[:1] in 'aeiouAEIOU' else 'a'} {name}"


def _remedy(value: Any) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return "use base64.b64encode(...).decode(), or pdf_to_document_block for a PDF"
    if isinstance(value, set | frozenset):
        return "use a list"
    if isinstance(value, str):
        return "use str(...)"
    if hasattr(value, "model_dump"):
        return "use .model_dump(mode='json')"
    return "use a string, number, list or dict"


def base64_size(size: int) -> int:
    """Return the length of `size` bytes in base64."""
    return (size + 2) // 3 * 4
