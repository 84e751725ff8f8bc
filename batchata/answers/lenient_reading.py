"""Fit values that a model wrote in its own way to the response model where they have one reading.

Keys that differ from a field's in case, white space, `_` or `-`; one object in a wrapper or in a list of one;
amounts and dates as texts; numbers where texts are asked for; enumerated words in another case; JSON in a
string. What has two readings is refused, and so is an unknown key beside a field that got no value.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from batchata.answers.expected_shape import ANYWHERE, Field, Place, Record
from batchata.answers.fitted_scalars import NOTHING, ScalarFitting, text_at
from batchata.answers.json_nodes import Array, Node, Object, Scalar
from batchata.answers.meant_records import (
    NUMBER,
    is_nothing,
    is_same,
    is_same_number,
    meant_for,
    meant_word,
    would_differ,
)
from batchata.answers.wrapped_answers import (
    commented,
    is_named_as_a_field,
    opened_string,
    unwrapped,
    wrapped_in,
)
from batchata.answers.written_keys import folded, words_of

_WRAPPER = "value"  # the one key that says nothing of what stands under it
_BEGINS_NUMBER = frozenset("-0123456789")
_SHOWN = 60  # characters of a key in a message
_MOST_SHOWN = 5


def fitted(node: Node, place: Place, text: str, *, refuses: bool = True) -> Node:
    """Return the value as the place takes it, as far as it has one reading; `text` is its source.

    Unless `refuses` is set, what has two readings stays as it is. Raises Refused for what has two readings,
    and for keys that belong to no field while a field got no value.
    """
    return _Fitting(text, refuses).fit(node, place)


@dataclass(slots=True)
class _Given:
    """What an object gave to a record."""

    pairs: list[tuple[str, Node]] = field(default_factory=list)
    fields: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)  # under which the fields are taken
    unknown: dict[str, Node] = field(default_factory=dict)


class _Fitting(ScalarFitting):
    def __init__(self, text: str, refuses: bool) -> None:
        super().__init__(refuses)
        self._source = text

    def fit(self, node: Node, place: Place) -> Node:
        if place.beneath is not None:
            node = self._with_digits(node, place.beneath)
        if isinstance(node, Scalar):
            return self._scalar(node, place)
        if isinstance(node, Array):
            return self._array(node, place)
        return self._object(node, place)

    def _inside(self, step: str | int, node: Node, place: Place) -> Node:
        self._path.append(step)
        found = self.fit(node, place)
        self._path.pop()
        return found

    def _with_digits(self, node: Node, place: Place) -> Node:
        """Return what the user's own code sees first, with all digits of numbers that become Decimals."""
        if not place.has_decimals:
            return node
        if isinstance(node, Scalar):
            return self.seen_by_the_user(node) if "decimal" in place.kinds else node
        if isinstance(node, Array):
            return Array([self._with_digits(item, _item(place, n)) for n, item in enumerate(node.items)])
        return Object([(key, self._member_with_digits(key, value, place)) for key, value in node.pairs])

    def _member_with_digits(self, key: str, value: Node, place: Place) -> Node:
        for found in (*(place.mapping or ())[1:], *(f.place for r in place.records for f in r.meant(key))):
            value = self._with_digits(value, found.beneath or found)
        return value

    # objects and lists

    def _array(self, node: Array, place: Place) -> Node:
        if not node.items:
            return node
        if len(node.items) == 1 and not (place.is_list or place.is_open or place.mapping or place.is_strict):
            (alone,) = node.items
            if isinstance(alone, Scalar) != bool(place.records):
                return self.fit(alone, place)
        if place.is_list and not (place.fixed or place.is_open) and place.element.takes_texts:
            return Array(self._text_items(node.items, place.element))
        return Array([self._inside(n, item, _item(place, n)) for n, item in enumerate(node.items)])

    def _text_items(self, items: list[Node], place: Place) -> list[Node]:
        """Write numbers as texts; other scalars are texts, or no texts in any reading."""
        return [
            item
            if isinstance(item, Scalar) and item.json[0] not in _BEGINS_NUMBER
            else self._inside(number, item, place)
            for number, item in enumerate(items)
        ]

    def _object(self, node: Object, place: Place) -> Node:
        if place.is_open:
            return self._free(node)
        if place.mapping and place.records:
            return self._free(self._with_digits(node, place))
        if place.mapping:
            return self._mapped(node, *place.mapping)
        if place.records:
            records = meant_for(node, place.records)
            if len(records) == 1:
                return self._recorded(node, records[0], place)
            if would_differ(node, records):
                self.refuse("this fits several types, and each would drop a part of it")
            self._refuse_unknown(node, records)
            return self._free(node)
        if place.is_list and not place.fixed and (place.element.records or place.element.mapping):
            return Array([self._inside(0, node, place.element)])
        if not (place.holds or place.is_strict) and len(node.pairs) == 1:
            key, value = node.pairs[0]
            if folded(key) == _WRAPPER and isinstance(value, Scalar):
                return self._scalar(value, place)
        return self._free(node)

    def _free(self, node: Node) -> Node:
        assert isinstance(node, Object)
        if not node.pairs:
            return node
        pairs: dict[str, Node] = {}
        for key, value in node.pairs:
            self._put(pairs, key, key, self._inside(key[:_SHOWN], value, ANYWHERE))
        return Object(list(pairs.items()))

    def _mapped(self, node: Object, keys: Place, values: Place) -> Node:
        pairs: dict[str, Node] = {}
        named: dict[object, str] = {}
        for key, value in node.pairs:
            if keys.is_any_text:
                self._put(pairs, key, key, self._inside(key[:_SHOWN], value, values))
                continue
            name = self._key(key, keys)
            name = named.setdefault(keys.as_key(name), name)
            self._put(pairs, name, key, self._inside(name[:_SHOWN], value, values))
        return Object(list(pairs.items()))

    def _key(self, key: str, place: Place) -> str:
        """Return a key of a dict as the number, day or word that it means."""
        self._path.append(key[:_SHOWN])
        found = self._scalar(text_at(Scalar("", 0, 0), key), place)
        self._path.pop()
        if not isinstance(found, Scalar) or found.json == "null":
            return key
        return found.json if found.text is None else found.text

    def _put(
        self, into: dict[str, Node], name: str, key: str, value: Node, *, is_number: bool = False
    ) -> None:
        """Add a value under a name; where it already has a value, the same value again changes nothing."""
        if name not in into:
            into[name] = value
        elif not is_same(into[name], value) and not (is_number and is_same_number(into[name], value)):
            other = "" if key == name else f" (once as {_shown(key)})"
            self.refuse(f"{_shown(name)} comes twice{other}, with different values")
            into[name] = value

    def _recorded(self, node: Object, record: Record, place: Place) -> Node:
        if record.is_open:
            return self._free(self._with_digits(node, place))
        given = self._given(node, record)
        if (not given.fields or is_named_as_a_field(node, record)) and not record.takes_more:
            wrapped = wrapped_in(node)
            inner = commented(node, self._source) if wrapped is None else unwrapped(wrapped, self._source)
            if inner is not None:
                return self._object(inner, place)
        self._refuse_lost(given, record)
        return Object([*given.pairs, *self._extra(given.unknown, record)])

    def _extra(self, unknown: dict[str, Node], record: Record) -> list[tuple[str, Node]]:
        """Fit what stands under other keys where the model says what that is."""
        if record.extra is None or record.extra.is_open:
            return list(unknown.items())
        return [(key, self._inside(key[:_SHOWN], value, record.extra)) for key, value in unknown.items()]

    def _given(self, node: Object, record: Record) -> _Given:
        given = _Given()
        for key, value in node.pairs:
            match record.meant(key):
                case []:
                    self._put(given.unknown, key, key, value)
                case [known] if isinstance(value, Scalar) and value.json == "null" and known.may_be_left_out:
                    pass  # the list or dict is empty, as it is without the key
                case [known]:
                    found = self._inside(known.name, value, known.place)
                    self._put(given.fields, known.name, key, found, is_number=known.place.is_numeric)
                    if key in record.by_key or known.name not in given.keys:
                        given.keys[known.name] = key if key in record.by_key else known.keys[0]
                case _:
                    self.refuse(f"the key {_shown(key)} may mean several fields")
                    given.unknown[key] = value
        given.pairs = [(given.keys[name], value) for name, value in given.fields.items()]
        return given

    def _refuse_lost(self, given: _Given, record: Record) -> None:
        if record.takes_more:
            return
        lost = [
            key for key, value in given.unknown.items() if key not in record.others and not is_nothing(value)
        ]
        missing = [
            part.keys[0]
            for part in record.fields
            if not part.is_constant and _has_no_value(part, given.fields.get(part.name), lost)
        ]
        if not lost or not missing:
            return
        if not given.fields:
            self.refuse(
                f"the answer has none of the fields of {record.name} ({_listed(missing)}), "
                f"but {_listed(lost)}",
                1 + len(lost) + len(missing),
            )
        self._refuse_keys(lost, missing)

    def _refuse_unknown(self, node: Object, records: list[Record]) -> None:
        """Refuse keys that none of several records has, where each has a field without a value."""
        if any(record.takes_more for record in records):
            return
        lost = [
            key
            for key, value in node.pairs
            if not (is_nothing(value) or any(record.meant(key) or key in record.others for record in records))
        ]
        given = {part.name for key, _ in node.pairs for part in records[0].meant(key)}
        missing = [part.keys[0] for part in records[0].fields if not (part.is_constant or part.name in given)]
        if lost and missing:
            self._refuse_keys(lost, missing)

    def _refuse_keys(self, lost: list[str], missing: list[str]) -> None:
        self.refuse(
            f"the answer has {_listed(lost)}, which the schema does not know, and no value for "
            f"{_listed(missing)}; give each value under the schema's own key, and leave other keys out",
            len(lost) + len(missing),
        )

    def _scalar(self, node: Scalar, place: Place) -> Node:
        if place.is_open:
            return node
        if place.takes_texts and node.json[0] == '"':
            return node
        if node.json[0].isdigit():
            return self.number(node, place)
        said = node.text
        if said is None:
            if NUMBER.fullmatch(node.json):
                return self.number(node, place)
            if place.takes_numbers and "bool" not in place.kinds and node.json in ("true", "false"):
                self.refuse(f"a number is asked for, and the answer has {node.json}")
            return node
        if place.words and "text" not in place.kinds and (word := meant_word(said, place)) is not None:
            return text_at(node, word)
        if place.holds and "null" in place.kinds and said.strip().casefold() in NOTHING:
            return node if "text" in place.kinds else Scalar("null", node.start, node.end)
        if not place.has_no_scalars:
            return self.text(node, said, place)
        opened = opened_string(node, self._source)
        return node if isinstance(opened, Scalar) else self.fit(opened, place)


def _item(place: Place, number: int) -> Place:
    return place.item(number) if place.is_list and not place.is_open else ANYWHERE


def _has_no_value(part: Field, given: Node | None, lost: list[str]) -> bool:
    """Whether a null means a missing value: one of the unknown keys shares a word with the field's name."""
    if given is None:
        return True
    if not lost or not is_nothing(given):
        return False
    words = {word for name in (part.name, *part.keys) for word in words_of(name)}
    return any(words & set(words_of(key)) for key in lost)


def _shown(key: str) -> str:
    return json.dumps(key if len(key) <= _SHOWN else f"{key[:_SHOWN]}…", ensure_ascii=False)


def _listed(keys: list[str]) -> str:
    more = len(keys) - _MOST_SHOWN
    said = ", ".join(_shown(key) for key in keys[:_MOST_SHOWN])
    return f"{said} and {more} more" if more > 0 else said
