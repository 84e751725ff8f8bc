"""Locate each value of a JSON text, to the character, under the path of the model's field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from batchata.answers.field_paths import Shape, before, prefixes


def _scalars(string: str) -> re.Pattern[str]:
    """Yield each scalar with what is written before it; at last, what is behind.

    Quotes are between. Possessive all through, and never without a match before the end of the text: what
    stands behind the JSON must not cost more than its length.
    """
    between = r"[ \t\r\n,:{}\[\]]*+"
    keys = rf'(?:"{string}"[ \t\r\n]*+:{between})*+'
    scalar = rf'(?<="){string}|[^ \t\r\n,"{{}}\[\]:]++|\Z'
    return re.compile(rf'("?+{between}{keys}"?+)({scalar})', re.DOTALL)


# Many answers hold no escape, and are cut in two thirds of the time by a pattern that knows none.
_PLAIN = _scalars(r'[^"]*+')
_ESCAPED = _scalars(r'[^"\\]*+(?:\\.[^"\\]*+)*+')
_ALONE = re.compile(r'[ \t\r\n]*+(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|([^ \t\r\n,"{}\[\]:]++))', re.DOTALL)

type Places = dict[str, tuple[int, int]]


class Spans(NamedTuple):
    """Where the scalars of a JSON value stand, by path and in order; `end` is where the value ends.

    A place is the characters from a start to an end, exclusive; of a string without its quotes.
    """

    places: Places
    end: int


def value_spans(text: str, start: int, shape: Shape) -> Spans:
    """Locate the scalars of the JSON value that begins at `start`, by paths such as `lines[2].price`.

    The text has been read as JSON before: what is no JSON gives no error here. Of a key that an object has
    twice the last counts, as for every reader of JSON.
    """
    if text[start] not in "{[" and (alone := _ALONE.match(text, start)):
        return Spans({"": alone.span(alone.lastindex or 0)}, alone.end())
    paths: list[str] = []
    places: list[tuple[int, int]] = []
    opened: list[str] = []
    step, end = before(shape), start
    scalars = _ESCAPED if "\\" in text else _PLAIN
    for between, written in scalars.findall(text, start):
        following, holders, length = step.moves.get(between) or step.move(between)
        if holders:
            opened += holders
        if following is None:
            end += length
            break
        step = following
        first = end + len(between)
        end = first + len(written)
        paths.append(step.path)
        places.append((first, end))
    by_path = dict(zip(paths, places, strict=True))
    if len(by_path) == len(paths) and len(set(opened)) == len(opened) and by_path.keys().isdisjoint(opened):
        return Spans(by_path, end)
    return Spans(_without_overwritten(text, start, shape), end)


def _without_overwritten(text: str, start: int, shape: Shape) -> Places:
    """Drop what stood under a key that came again: the last one counts."""
    kept: dict[str, tuple[int, int] | None] = {}
    for path, place in _met(text, start, shape):
        if path in kept:
            for old in [old for old in kept if old == path or old.startswith(prefixes(path))]:
                del kept[old]
        kept[path] = place
    return {path: place for path, place in kept.items() if place is not None}


def _met(text: str, start: int, shape: Shape) -> Iterator[tuple[str, tuple[int, int] | None]]:
    """Yield everything in order, objects and lists without their place."""
    step = before(shape)
    for found in _ESCAPED.finditer(text, start):
        following, holders, _ = step.move(found[1])
        yield from ((path, None) for path in holders)
        if following is None:
            break
        step = following
        yield step.path, found.span(2)
