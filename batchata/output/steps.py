"""The places that values of one model can have, kept with their paths: answers to one model are alike."""

from __future__ import annotations

import re

from batchata.output.paths import behind, inside
from batchata.output.shapes import Shape

_MOST_KEPT = 20_000  # for one model; the keys of open dicts and the lengths of lists have no end
_SIGN = re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"|([{\[])|([}\]])', re.DOTALL)
_KEY, _OPENED = 1, 2
_LONGEST_KEPT = 500  # characters between two scalars; white space has no end, either

# The place of the next scalar, or None behind the last; the paths of the objects and lists that are opened
# before it; and how much of what is between was read, which is less than all where the whole value ends.
type Move = tuple[Step | None, list[str], int]


class Step:
    """One place. `fields` are the places inside it by their keys as written, `elements` those by number.

    `moves` are the places of the scalars that were met next, by what was written between. `number` is that
    of an element in its list, and -1 in an object.
    """

    __slots__ = ("_kept", "elements", "fields", "moves", "number", "parent", "path", "shape")

    def __init__(self, path: str, shape: Shape, parent: Step | None, number: int, kept: list[int]) -> None:
        self.path = path
        self.shape = shape
        self.parent = parent
        self.number = number
        self.fields: dict[str, Step] = {}
        self.elements: dict[int, Step] = {}
        self.moves: dict[str, Move] = {}
        self._kept = kept  # how much there is of the model, in one list for all

    def move(self, between: str) -> Move:
        """To the next scalar, by what is written before it: keys and brackets, and quotes at both ends."""
        found = self._move(between)
        if len(between) <= _LONGEST_KEPT and self._may_keep():
            self.moves[between] = found
        return found

    def _move(self, between: str) -> Move:
        inside, index = (self, 0) if self.parent is None else self._behind()
        key, opened = "", list[str]()
        for sign in _SIGN.finditer(between, 1 if between[:1] == '"' else 0):
            if sign.lastindex == _KEY:
                key = sign[1]
            elif sign.lastindex == _OPENED:
                inside, index = inside._at(key, index), 0 if sign[0] == "[" else -1
                opened.append(inside.path)
            else:
                inside, index = inside._behind()
                if inside.parent is None:
                    return None, opened, sign.end()
        return inside._at(key, index), opened, len(between)

    def _behind(self) -> tuple[Step, int]:
        """What it stands in, and the number of the next element there."""
        assert self.parent is not None
        return self.parent, self.number + 1 if self.number >= 0 else -1

    def _at(self, key: str, index: int) -> Step:
        if index < 0:
            return self.fields.get(key) or self._field(key)
        return self.elements.get(index) or self._element(index)

    def _field(self, written: str) -> Step:
        """The place of a key that is not in `fields` yet; `written` is the key's JSON without its quotes."""
        name, shape = self.shape.names.get(written) or self.shape.field(written)
        made = Step(behind(self.path, name), shape, self, -1, self._kept)
        if self._may_keep():
            self.fields[written] = made
        return made

    def _element(self, number: int) -> Step:
        """The place of an element that is not in `elements` yet."""
        made = Step(inside(self.path, number), self.shape.element, self, number, self._kept)
        if self._may_keep():
            self.elements[number] = made
        return made

    def _may_keep(self) -> bool:
        self._kept[0] += 1
        return self._kept[0] <= _MOST_KEPT


def before(shape: Shape) -> Step:
    """Where reading begins: the whole value is its one element."""
    if shape.root is None:
        origin = Step("", shape, None, -1, [0])
        shape.root = origin.elements[0] = Step("", shape, origin, 0, origin._kept)
    found: Step = shape.root.parent
    return found
