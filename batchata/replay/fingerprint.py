"""A hash over everything that a state holds, so that two replays can be compared to the last bit."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import msgspec


def fingerprint(state: object) -> str:
    """Equal for two states that are equal in every part, whatever parts the class has or will get."""
    digest = hashlib.sha256()
    for piece in _pieces(state):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(value: Any) -> Iterator[bytes]:
    yield f"{type(value).__name__}(".encode()
    match value:
        case bytes() | bytearray() | array():
            yield bytes(memoryview(value))
        case dict():
            # In their order: what follows from it must be the same too.
            for key, inner in value.items():
                yield from _pieces(key)
                yield from _pieces(inner)
        case list() | tuple():
            for inner in value:
                yield from _pieces(inner)
        case msgspec.Struct():
            yield msgspec.json.encode(value)
        case _ if is_dataclass(value):
            for part in fields(value):
                yield from _pieces(getattr(value, part.name))
        case _ if hasattr(value, "__dict__"):
            yield from _pieces(vars(value))
        case _:
            yield repr(value).encode()
    yield b")"
