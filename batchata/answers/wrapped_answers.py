"""Find the object that a model wrapped: under a key of its own, in a list of one, as JSON in a string."""

from __future__ import annotations

from collections.abc import Callable

from batchata.answers.expected_shape import Record
from batchata.answers.json_nodes import Array, Node, Object, Scalar
from batchata.answers.json_strings import decoded_with_places
from batchata.answers.lenient_json import CutOff, NotNearJson, read_value
from batchata.answers.written_keys import folded

_FRAME = frozenset({"type", "title", "properties", "required", "additionalProperties"})  # of a schema
# Keys that say only that the answer stands under them, so that words about it may stand beside.
_ANSWERS = frozenset({"answer", "finalanswer", "result", "output", "response"}) | {
    "data", "json", "arguments", "input", "parameters",
}  # fmt: skip


def wrapped_in(node: Object) -> Node | None:
    """Return what stands under the only key, or the values under "properties" in the frame of a schema."""
    if len(node.pairs) == 1:
        return node.pairs[0][1]
    given = dict(node.pairs)
    kind, inner = given.get("type"), given.get("properties")
    is_frame = isinstance(kind, Scalar) and kind.text == "object" and given.keys() <= _FRAME
    if not is_frame or len(given) < len(node.pairs) or not isinstance(inner, Object):
        return None
    return None if all(isinstance(value, Object) for _, value in inner.pairs) else inner


def is_named_as_a_field(node: Object, record: Record) -> bool:
    """Whether the record is wrapped once under the name of one of its fields, where no object can stand."""
    key, inner = node.pairs[0] if len(node.pairs) == 1 else ("", None)
    if not isinstance(inner, Object) or (len(inner.pairs) == 1 and isinstance(inner.pairs[0][1], Object)):
        return False
    place = record.meant(key)[0].place
    is_own = any(record.meant(name) for name, _ in inner.pairs)
    return is_own and not (place.records or place.mapping or place.is_open)


def unwrapped(node: Node, source: str) -> Object | None:
    """Return the one object inside a wrapper."""
    if isinstance(node, Array) and len(node.items) == 1:
        node = node.items[0]
    if isinstance(node, Scalar):
        node = opened_string(node, source)
    return node if isinstance(node, Object) else None


def commented(node: Object, source: str) -> Object | None:
    """Return the object under the key that only introduces it, with the scalars beside it as further keys."""
    found = [key for key, _ in node.pairs if folded(key) in _ANSWERS]
    if len(found) != 1:
        return None
    beside = [(key, value) for key, value in node.pairs if key != found[0]]
    inner = unwrapped(dict(node.pairs)[found[0]], source)
    if inner is None or not all(isinstance(value, Scalar) for _, value in beside):
        return None
    own = {key for key, _ in inner.pairs}
    return Object([*inner.pairs, *[pair for pair in beside if pair[0] not in own]])


def opened_string(node: Scalar, source: str) -> Node:
    """Return the object or list that a string holds as JSON, at its places in the text; or the string."""
    if node.json[0] != '"' or node.json[1:2] not in "{[ \\":
        return node
    inside, origin = decoded_with_places(source[node.start : node.end], node.start)
    start = len(inside) - len(inside.lstrip())
    try:
        found, end = read_value(inside, start)
    except (CutOff, NotNearJson):
        return node
    if isinstance(found, Scalar) or inside[end:].strip():
        return node
    _move(found, origin)
    return found


def _move(node: Object | Array, to: Callable[[int], int]) -> None:
    for inner in node.items if isinstance(node, Array) else [value for _, value in node.pairs]:
        if isinstance(inner, Scalar):
            inner.start, inner.end = to(inner.start), to(inner.end)
        else:
            _move(inner, to)
