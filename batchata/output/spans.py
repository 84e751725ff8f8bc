"""Where each value of a JSON text stands in it, to the character, under the path of the model's field."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from batchata.output.shapes import Shape
from batchata.output.steps import Step, root_step

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
    met: list[tuple[str, tuple[int, int] | None]] = []  # objects and lists without their place
    opened: list[str] = []
    outer: list[tuple[Step, int]] = []
    inside, index, end = root_step(shape), -1, start  # an index of -1: in an object
    for found in _MEMBER.finditer(text, start):
        kind = found.lastindex
        if kind == _CLOSED:
            inside, index = outer.pop()
        else:
            if index < 0:
                key = found[1]
                step = inside if key is None else inside.fields.get(key) or inside.field(key)
            else:
                step = inside.elements.get(index) or inside.element(index)
                index += 1
            if kind != _OPENED:
                met.append((step.path, found.span(kind)))  # type: ignore[arg-type]  # one group always matches
                if outer:
                    continue
            else:
                met.append((step.path, None))
                opened.append(step.path)
                outer.append((inside, index))
                inside, index = step, 0 if text[found.end() - 1] == "[" else -1
        if not outer:
            end = found.end()
            break
    return Spans(_places(met, opened), end)


def _places(met: list[tuple[str, tuple[int, int] | None]], opened: list[str]) -> Places:
    places: dict[str, Any] = dict(met)
    if len(places) == len(met):
        for path in opened:
            del places[path]
        return places
    return _without_overwritten(met)


def _without_overwritten(met: list[tuple[str, tuple[int, int] | None]]) -> Places:
    """Where a key came again, what was under it before is no part of the value."""
    kept: dict[str, tuple[int, int] | None] = {}
    for path, place in met:
        if path in kept:
            inside = (f"{path}.", f"{path}[")
            for old in [old for old in kept if old == path or old.startswith(inside)]:
                del kept[old]
        kept[path] = place
    return {path: place for path, place in kept.items() if place is not None}
