"""Tell which kind of object is meant, which word a text means, and which values say the same."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation

from batchata.answers.expected_shape import Field, Place, Record
from batchata.answers.json_nodes import Array, Node, Object, Scalar, written
from batchata.answers.written_keys import folded

NUMBER = re.compile(r"-?\d[\d.eE+-]*")
_NO_WORDS = {"null", "int", "float", "decimal"}


def meant_word(said: str, place: Place) -> str | None:
    """Return the one enumerated word that a text matches except for case, white space, `_` and `-`."""
    if not place.words or place.kinds - _NO_WORDS or said in place.words:
        return said if said in place.words else None
    if place.kinds - {"null"} and not any(map(str.isalpha, said)):
        return None  # it may be one of the numbers
    for alike in (_caseless, folded):
        close = {word for word in place.words if alike(word) == alike(said)}
        if close:
            return close.pop() if len(close) == 1 else None
    return None


def _caseless(text: str) -> str:
    return text.strip().casefold()


def meant_for(node: Object, records: list[Record]) -> list[Record]:
    """Return the record that an object is meant to be, or those that it fits equally well."""
    if len(records) == 1:
        return records
    ranked = sorted(((_strangeness(node, record), n) for n, record in enumerate(records)))
    return [records[n] for strangeness, n in ranked if strangeness == ranked[0][0]]


def would_differ(node: Object, records: list[Record]) -> bool:
    """Whether each of several records would drop something that another keeps."""
    taken = [{key for key, _ in node.pairs if record.meant(key)} for record in records]
    return any(keys != taken[0] for keys in taken) and not any(record.takes_more for record in records)


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
    if place.takes_any_number or not isinstance(value, Scalar):
        return False
    if place.figures and not place.words and (number := _number(value)) is not None:
        return all(number != figure for figure in place.figures)
    if not place.words or place.kinds - {"null"} or value.text is None:
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
    first = _number(one)
    return first is not None and first == _number(other)


def _number(node: Scalar) -> Decimal | None:
    said = node.json.strip('"')
    try:
        return Decimal(said) if NUMBER.fullmatch(said) else None
    except InvalidOperation:  # "5-6"
        return None


_exactly = json.JSONDecoder(parse_float=Decimal).decode


def is_nothing(node: Node) -> bool:
    """Whether a value is empty or null."""
    if isinstance(node, Scalar):
        return node.json in ("null", '""')
    return not (node.items if isinstance(node, Array) else node.pairs)
