"""The places that values of one model can have, kept with their paths: answers to one model are alike."""

from __future__ import annotations

from batchata.output.shapes import Shape

_MOST_KEPT = 20_000  # for one model; the keys of open dicts and the lengths of lists have no end


class Step:
    """One place. `fields` are the places inside it by their keys as written, `elements` those by number."""

    __slots__ = ("_kept", "elements", "fields", "path", "shape")

    def __init__(self, path: str, shape: Shape, kept: list[int]) -> None:
        self.path = path
        self.shape = shape
        self.fields: dict[str, Step] = {}
        self.elements: dict[int, Step] = {}
        self._kept = kept  # how many there are of the model, in one list for all

    def field(self, written: str) -> Step:
        """The place of a key that is not in `fields` yet; `written` is the key's JSON without its quotes."""
        name, shape = self.shape.names.get(written) or self.shape.field(written)
        path = f"{self.path}.{name}" if self.path and name[0] != "[" else self.path + name
        made = Step(path, shape, self._kept)
        if self._may_keep():
            self.fields[written] = made
        return made

    def element(self, number: int) -> Step:
        """The place of an element that is not in `elements` yet."""
        made = Step(f"{self.path}[{number}]", self.shape.element, self._kept)
        if self._may_keep():
            self.elements[number] = made
        return made

    def _may_keep(self) -> bool:
        self._kept[0] += 1
        return self._kept[0] <= _MOST_KEPT


def root_step(shape: Shape) -> Step:
    """The place of the whole value."""
    found: Step | None = shape.root
    if found is None:
        found = shape.root = Step("", shape, [0])
    return found
