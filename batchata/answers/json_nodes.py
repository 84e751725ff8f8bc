"""Hold a JSON value as nodes that know their place in a text, and write it again from them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import repeat
from typing import NamedTuple

import msgspec

from batchata.answers.json_strings import quoted


class Scalar(msgspec.Struct, gc=False):
    """A scalar as JSON writes it, and where it stands in the text: of a string without its quotes."""

    json: str
    start: int
    end: int

    @property
    def text(self) -> str | None:
        """What a string says; None for other scalars."""
        if self.json[0] != '"':
            return None
        return str(json.loads(self.json)) if "\\" in self.json else self.json[1:-1]


class Array(msgspec.Struct, gc=False):
    """A list."""

    items: list[Node]


class Object(msgspec.Struct, gc=False):
    """An object with every pair as written, repeated keys included."""

    pairs: list[tuple[str, Node]]


type Node = Scalar | Array | Object


class Mended(NamedTuple):
    """A value as JSON.

    `places` tells where its scalars stand in the text: start and end by start in `json`, of strings without
    their quotes. `end` is where the value ends in the text. Where most of `json` is the text as it stands,
    `origin` tells for each position in it where that was, and there are no `places`.
    """

    json: str
    end: int
    places: dict[int, tuple[int, int]]
    origin: Callable[[int], int] | None = None


def written(node: Node, end: int) -> Mended:
    """Write the value as JSON in which every scalar knows its place."""
    pieces: list[str] = []
    places: dict[int, tuple[int, int]] = {}
    _write(node, pieces, places, 0)
    return Mended("".join(pieces), end, places)


def _write(node: Node, pieces: list[str], places: dict[int, tuple[int, int]], at: int) -> int:
    """Write at a position of the JSON, and return the position after it."""
    if isinstance(node, Scalar):
        places[at + (node.json[0] == '"')] = (node.start, node.end)
        pieces.append(node.json)
        return at + len(node.json)
    inner: Iterable[tuple[str, Node]]
    if isinstance(node, Array):
        inner, before, ending = zip(repeat(""), node.items, strict=False), "[", "]"
    else:
        inner, before, ending = node.pairs, "{", "}"
    for key, value in inner:
        if ending == "}":
            before += _lead(key)
        at += len(before)
        if isinstance(value, Scalar):
            written = value.json
            places[at + (written[0] == '"')] = (value.start, value.end)
            pieces.append(before + written)
            at += len(written)
        else:
            pieces.append(before)
            at = _write(value, pieces, places, at)
        before = ","
    ending = ending if before == "," else before + ending
    pieces.append(ending)
    return at + len(ending)


@lru_cache(maxsize=4_096)
def _lead(key: str) -> str:
    return f"{quoted(key)}:"
