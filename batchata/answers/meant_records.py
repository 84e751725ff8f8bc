"""Tell which kind of object is meant, which word a text means, and which values say the same."""

from __future__ import annotations

import json
import re
from decimal import Decimal

from batchata.answers.expected_shape import Field, Place, Record
from batchata.answers.json_nodes import Array, Node, Object, Scalar, written
from batchata.answers.written_keys import folded

NUMBER = re.compile(r"-?\d[\d.eE+-]*")


def meant_word(said: str, place: Place) -> str | None:
    """Return the one enumerated word that a text matches except for case, white space, `_` and `-`."""
    if not place.words or place.kinds - {"null"} or said in place.words:
        return said if said in place.words else None
    for alike in (_caseless, folded):
        close = {word for word in place.words if alike(word) == alike(said)}
        if close:
            return close.pop() if len(close) == 1 else None
    return None


def _caseless(text: str) -> str:
    return text.strip().casefold()


def one_record(node: Object, records: list[Record]) -> tuple[Record | None, bool]:
    """Return the record that an object is meant to be; None when several would fit.

    The flag says whether each of several would drop something that another keeps.
    """
    if len(records) == 1:
        return records[0], False
    ranked = sorted(((_strangeness(node, record), n) for n, record in enumerate(records)))
    if ranked[0][0] != ranked[1][0]:
        return records[ranked[0][1]], False
    best = [records[n] for strangeness, n in ranked if strangeness == ranked[0][0]]
    taken = [{key for key, _ in node.pairs if record.meant(key)} for record in best]
    return None, any(keys != taken[0] for keys in taken) and all(not record.takes_more for record in best)


def _strangeness(node: Object, record: Record) -> tuple[int, int, int]:
    """Count what does not suit a record: other tags, missing fields, unknown keys."""
    known: dict[str, Node] = {}
    unknown = 0
    for key, value in node.pairs:
        match record.meant(key):
            case [found]:
                known[found.name] = value
            case _:
                unknown += 1
    tags = sum(_is_other_tag(part, known[part.name]) for part in record.fields if part.name in known)
    return tags, sum(part.required and part.name not in known for part in record.fields), unknown


def _is_other_tag(part: Field, value: Node) -> bool:
    place = part.place
    if not place.words or place.kinds - {"null"} or not isinstance(value, Scalar) or value.text is None:
        return False
    return meant_word(value.text, place) is None


def is_same(one: Node, other: Node) -> bool:
    """Whether two values are the same, numbers to the last digit."""
    first, second = (
        node.json if isinstance(node, Scalar) else written(node, 0).json for node in (one, other)
    )
    if first == second:
        return True
    try:
        return bool(_exactly(first) == _exactly(second))
    except ValueError:  # an integer of thousands of digits
        return False


def is_same_number(one: Node, other: Node) -> bool:
    """Whether two scalars are the same number; one with decimals is in quotes already."""
    if not (isinstance(one, Scalar) and isinstance(other, Scalar)):
        return False
    first, second = one.json.strip('"'), other.json.strip('"')
    return all(map(NUMBER.fullmatch, (first, second))) and Decimal(first) == Decimal(second)


_exactly = json.JSONDecoder(parse_float=Decimal).decode


def is_nothing(node: Node) -> bool:
    """Whether a value is empty or null."""
    if isinstance(node, Scalar):
        return node.json in ("null", '""')
    return not (node.items if isinstance(node, Array) else node.pairs)
