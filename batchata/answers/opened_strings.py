"""Open strings in which a model gave a list or an object as JSON."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple

from batchata.answers.expected_shape import Place
from batchata.answers.json_nodes import Mended, Node, Object, Scalar
from batchata.answers.json_strings import decoded_with_places


class _Piece(NamedTuple):
    """A part of the new text, and where each of its characters was."""

    text: str
    origin: Callable[[int], int]


def opened(node: Node, place: Place, text: str, start: int, end: int) -> Mended | None:
    """Return the object with the JSON in its own fields' strings opened; None where that changes nothing.

    `node` was read from these characters of the text.
    """
    pieces, at = list[_Piece](), start
    for string, piece in _strings(node, place, text):
        pieces += (_as_it_is(text, at, string.start - 1), piece)
        at = string.end + 1
    if not pieces:
        return None
    pieces.append(_as_it_is(text, at, end))
    return Mended("".join([piece.text for piece in pieces]), end, {}, _origins(pieces))


def _strings(node: Node, place: Place, text: str) -> Iterator[tuple[Scalar, _Piece]]:
    """Yield the strings that hold a whole list or object where only one of these can stand."""
    if not isinstance(node, Object) or len(place.records) != 1 or place.records[0].is_open:
        return
    fields = place.records[0].by_key
    for key, value in node.pairs:
        if isinstance(value, Scalar) and key in fields and fields[key].place.has_no_scalars:
            if value.json[0] != '"':
                continue
            inside, origin = decoded_with_places(text[value.start : value.end], value.start)
            if _is_whole(inside):
                yield value, _Piece(inside, origin)


def _is_whole(inside: str) -> bool:
    try:
        return isinstance(json.loads(inside), dict | list)
    except (ValueError, RecursionError):
        return False


def _as_it_is(text: str, start: int, end: int) -> _Piece:
    return _Piece(text[start:end], lambda place: start + place)


def _origins(pieces: list[_Piece]) -> Callable[[int], int]:
    begins, length = list[int](), 0
    for piece in pieces:
        begins.append(length)
        length += len(piece.text)

    def origin(place: int) -> int:
        number = bisect_right(begins, place) - 1
        return pieces[number].origin(place - begins[number])

    return origin
