"""Where each value of a JSON text stands in it, to the character, under the path of the model's field."""

from __future__ import annotations

import re
from typing import NamedTuple

from batchata.output.shapes import Shape

# One match for each member: a key if there is one, then a string, another scalar, or a bracket.
_MEMBER = re.compile(
    r'[\s,]*+(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"\s*+:\s*+)?+'
    r'(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|([^\s,"{}\[\]:]++)|([{\[])|([}\]]))',
    re.DOTALL,
)
_OPENED, _CLOSED = 4, 5

type Places = dict[str, tuple[int, int]]


class Spans(NamedTuple):
    """Where the scalars of a JSON value stand, by path and in order; `end` is where the value ends.

    A place is the characters from a start to an end, exclusive; of a string without its quotes.
    """

    places: Places
    end: int


def value_spans(text: str, start: int, shape: Shape) -> Spans:
    """The scalars of the JSON value that begins at `start`, by paths such as `lines[2].price`.

    The text has been read as JSON before: what is no JSON gives no error here. Of a key that an object has
    twice the last counts, as for every reader of JSON.
    """
    places: Places = {}
    opened: set[str] = set()
    outer: list[tuple[str, Shape, int]] = []
    prefix, index, end = "", -1, start  # an index of -1: in an object
    for found in _MEMBER.finditer(text, start):
        kind = found.lastindex
        if kind == _CLOSED:
            prefix, shape, index = outer.pop()
            if not outer:
                end = found.end()
                break
            continue
        if index >= 0:
            path, inner = f"{prefix}[{index}]", shape
            index += 1
        elif (key := found[1]) is not None:
            name, inner = shape.names.get(key) or shape.field(key)
            path = f"{prefix}.{name}" if prefix and name[0] != "[" else prefix + name
        else:
            path, inner = "", shape
        if path in places or path in opened:
            _forget(path, places, opened)
        if kind != _OPENED:
            places[path] = found.span(kind)  # type: ignore[arg-type]  # one of the groups always matches
            if not outer:
                end = found.end()
                break
            continue
        opened.add(path)
        outer.append((prefix, shape, index))
        is_list = text[found.end() - 1] == "["
        prefix, shape, index = path, inner.element if is_list else inner, 0 if is_list else -1
    return Spans(places, end)


def _forget(path: str, places: Places, opened: set[str]) -> None:
    """A key came again: what was under it before is no part of the value."""
    inside = (f"{path}.", f"{path}[")
    for old in [old for old in places if old == path or old.startswith(inside)]:
        del places[old]
    opened.difference_update([old for old in opened if old == path or old.startswith(inside)])
