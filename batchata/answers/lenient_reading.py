"""Fit values that a model wrote in its own way to the response model where they have one reading.

Keys that differ from a field's in case, white space, `_` or `-`; one object in a wrapper or in a list of one;
amounts and dates as texts; numbers where texts are asked for; enumerated words in another case; JSON in a
string. What has two readings is refused, and so is an unknown key beside a field that got no value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from batchata.answers.expected_shape import ANYWHERE, Field, Place, Record, folded, words_of
from batchata.answers.field_paths import path_of
from batchata.answers.lenient_json import (
    Array,
    CutOff,
    Node,
    NotNearJson,
    Object,
    Scalar,
    decoded_with_places,
    read_value,
    written,
)
from batchata.answers.written_moments import date_in, moment_in, time_in
from batchata.answers.written_values import TwoReadings, number_in

_WRAPPER = "value"  # the one key that says nothing of what stands under it
_FRAME = frozenset({"type", "title", "properties", "required", "additionalProperties"})  # of a schema
# Keys that say only that the answer stands under them, so that words about it may stand beside.
_ANSWERS = frozenset(
    {
        "answer",
        "finalanswer",
        "result",
        "output",
        "response",
        "data",
        "json",
        "arguments",
        "input",
        "parameters",
    }
)
_NOTHING = frozenset({"", "null", "none", "n/a"})
_NUMBER = re.compile(r"-?\d[\d.eE+-]*")
_DIGITS = re.compile(r"[+-]?(\d+)(?:\.\d*)?(?:[eE][+-]?\d+)?")
_SECONDS = (9, 10, 12, 13)  # digits of a moment from 1973 on, in seconds or milliseconds
_COMPACT = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])(?:[0-5]\d)?")
_CLOCK = re.compile(r"\d:\d\d|\d[tT]\d")
_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_ISO_LENGTH = 10
_SHOWN = 60  # characters of a key in a message
_MOST_SHOWN = 5


class Refused(Exception):
    """A value that has two readings, or lost something; `problems` counts how much."""

    def __init__(self, message: str, problems: int = 1) -> None:
        super().__init__(message)
        self.problems = problems


def fitted(node: Node, place: Place, text: str, *, refuses: bool = True) -> Node:
    """Return the value as the place takes it, as far as it has one reading; `text` is its source.

    Without `refuses`, what has two readings stays as it is.

    Raises Refused for what has two readings, and for keys that no field took while a field got no value.
    """
    return _Fitting(text, refuses).fit(node, place)


@dataclass(slots=True)
class _Given:
    """What an object gave to a record."""

    pairs: list[tuple[str, Node]] = field(default_factory=list)
    fields: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)  # under which the fields are taken
    unknown: dict[str, Node] = field(default_factory=dict)


class _Fitting:
    def __init__(self, text: str, refuses: bool) -> None:
        self._source = text
        self._refuses = refuses
        self._path: list[str | int] = []

    def fit(self, node: Node, place: Place) -> Node:
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

    def _refuse(self, message: str, problems: int = 1) -> None:
        if self._refuses:
            where = path_of(self._path)
            raise Refused(f"{where}: {message}" if where else message, problems)

    # objects and lists

    def _array(self, node: Array, place: Place) -> Node:
        if not node.items:
            return node
        if len(node.items) == 1 and not (place.is_list or place.is_open or place.mapping or place.is_strict):
            (alone,) = node.items
            if isinstance(alone, Scalar) != bool(place.records):
                return self.fit(alone, place)
        if place.is_list and not (place.fixed or place.is_open) and place.element.takes_texts:
            return Array([self._text_item(n, item, place.element) for n, item in enumerate(node.items)])
        return Array([self._inside(n, item, _item(place, n)) for n, item in enumerate(node.items)])

    def _text_item(self, number: int, node: Node, place: Place) -> Node:
        is_text = isinstance(node, Scalar) and node.json[0] == '"'
        return node if is_text else self._inside(number, node, place)

    def _object(self, node: Object, place: Place) -> Node:
        if place.is_open or (place.mapping and place.records):
            return self._free(node)
        if place.mapping:
            return self._mapped(node, *place.mapping)
        if place.records:
            record, is_lost = _one_record(node, place.records)
            if is_lost:
                self._refuse("this fits several types, and each would drop a part of it")
            return self._free(node) if record is None else self._recorded(node, record, place)
        if place.is_list and not place.fixed and (place.element.records or place.element.mapping):
            return Array([self._inside(0, node, place.element)])
        if not (place.holds or place.is_strict) and len(node.pairs) == 1:
            key, value = node.pairs[0]
            if folded(key) == _WRAPPER and isinstance(value, Scalar):
                return self._scalar(value, place)
        return self._free(node)

    def _free(self, node: Object) -> Node:
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
            name = _word(key, keys) or key
            name = named.setdefault(keys.as_key(name), name)
            self._put(pairs, name, key, self._inside(name[:_SHOWN], value, values))
        return Object(list(pairs.items()))

    def _put(
        self, into: dict[str, Node], name: str, key: str, value: Node, *, is_number: bool = False
    ) -> None:
        """Add a value under a name; under one that has a value already, the same one is nothing new."""
        if name not in into:
            into[name] = value
        elif not _is_same(into[name], value) and not (is_number and _is_equal(into[name], value)):
            other = "" if key == name else f" (once as {_shown(key)})"
            self._refuse(f"{_shown(name)} comes twice{other}, with different values")
            into[name] = value

    def _recorded(self, node: Object, record: Record, place: Place) -> Node:
        if record.is_open:
            return self._free(node)
        given = self._given(node, record)
        if not given.fields and not record.takes_more:
            wrapped = _wrapped(node)
            inner = self._commented(node) if wrapped is None else self._unwrapped(wrapped)
            if inner is not None:
                return self._object(inner, place)
        self._refuse_lost(given, record)
        return Object([*given.pairs, *given.unknown.items()])

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
                    self._refuse(f"the key {_shown(key)} may mean several fields")
                    given.unknown[key] = value
        given.pairs = [(given.keys[name], value) for name, value in given.fields.items()]
        return given

    def _unwrapped(self, node: Node) -> Object | None:
        """Return the one object inside a wrapper."""
        if isinstance(node, Array) and len(node.items) == 1:
            node = node.items[0]
        if isinstance(node, Scalar):
            node = self._opened(node)
        return node if isinstance(node, Object) else None

    def _commented(self, node: Object) -> Object | None:
        """Return the object under the one key that says so, with the scalars beside it as further keys."""
        found = [key for key, _ in node.pairs if folded(key) in _ANSWERS]
        if len(found) != 1:
            return None
        beside = [(key, value) for key, value in node.pairs if key != found[0]]
        inner = self._unwrapped(dict(node.pairs)[found[0]])
        if inner is None or not all(isinstance(value, Scalar) for _, value in beside):
            return None
        own = {key for key, _ in inner.pairs}
        return Object([*inner.pairs, *[pair for pair in beside if pair[0] not in own]])

    def _refuse_lost(self, given: _Given, record: Record) -> None:
        if record.takes_more:
            return
        lost = [
            key for key, value in given.unknown.items() if key not in record.others and not _is_nothing(value)
        ]
        missing = [
            part.keys[0]
            for part in record.fields
            if not part.is_constant and _has_no_value(part, given.fields.get(part.name), lost)
        ]
        if not lost or not missing:
            return
        if not given.fields:
            self._refuse(
                f"the answer has none of the fields of {record.name} ({_listed(missing)}), "
                f"but {_listed(lost)}",
                1 + len(lost) + len(missing),
            )
        self._refuse(
            f"the answer has {_listed(lost)}, which the schema does not know, and no value for "
            f"{_listed(missing)}; give each value under the schema's own key, and leave other keys out",
            len(lost) + len(missing),
        )

    # scalars

    def _scalar(self, node: Scalar, place: Place) -> Node:
        if place.is_open:
            return self._seen_by_the_user(node) if place.keeps_digits else node
        if place.takes_texts and node.json[0] == '"':
            return node
        said = node.text
        if said is None:
            if _NUMBER.fullmatch(node.json):
                return self._number(node, place)
            if place.takes_numbers and "bool" not in place.kinds and node.json in ("true", "false"):
                self._refuse(f"a number is asked for, and the answer has {node.json}")
            return node
        if place.words and "text" not in place.kinds and (word := _word(said, place)) is not None:
            return _text_at(node, word)
        if place.holds and "null" in place.kinds and said.strip().casefold() in _NOTHING:
            return node if "text" in place.kinds else Scalar("null", node.start, node.end)
        if (place.kinds - {"null"} or place.words) or not place.holds:
            return self._text(node, said, place)
        opened = self._opened(node)
        return node if isinstance(opened, Scalar) else self.fit(opened, place)

    def _seen_by_the_user(self, node: Scalar) -> Node:
        """Pass a number whose digits a float would lose to the user's own code as a text."""
        if not _NUMBER.fullmatch(node.json) or node.json.lstrip("-").isdigit():
            return node
        exact = Decimal(repr(float(node.json))) == Decimal(node.json)
        return node if exact else _text_at(node, node.json)

    def _number(self, node: Scalar, place: Place) -> Node:
        """Return a number for a text or a Decimal, with all its digits."""
        if place.takes_texts and not place.is_strict:
            return _text_at(node, node.json)
        if place.is_exact:
            number = node.json
            return node if number.lstrip("-").isdigit() else Scalar(f'"{number}"', node.start, node.end)
        if place.is_mixed:
            return self._number_or_flag(node, place)
        if {"decimal", "text"} <= place.kinds:
            return self._seen_by_the_user(node)  # in either kind it has all its digits
        if place.is_date:
            return self._digits_for_date(node, node.json, place)
        if place.is_moment:
            self._refuse("a number may mean seconds, minutes or hours; use the schema's format")
        return node

    def _number_or_flag(self, node: Scalar, place: Place) -> Node:
        """Keep 1 and 0 from being taken for true and false."""
        if not place.takes_numbers:
            self._refuse("a number may mean true or false, or a text; give one of these")
        number = node.json
        if re.fullmatch(r"-?\d+\.0+", number):
            number = number.partition(".")[0]
        return Scalar(number, node.start, node.end)

    def _text(self, node: Scalar, said: str, place: Place) -> Node:
        if {"text", "decimal"} <= place.kinds and "." in said:
            self._amount(node, said, place)  # pydantic takes it for a number
        if "text" in place.kinds or place.is_strict or place.holds:
            return node
        if "null" in place.kinds and said.strip().casefold() in _NOTHING:
            return Scalar("null", node.start, node.end)
        if place.is_numeric:
            return self._amount(node, said, place)
        if place.is_mixed and isinstance(found := self._amount(node, said, place), Scalar) and found != node:
            return self._number_or_flag(found, place)
        if place.is_date:
            return self._date(node, said, place)
        if place.kinds <= {"time", "null"} and (clock := time_in(said)) is not None:
            return _text_at(node, clock)
        return node

    def _date(self, node: Scalar, said: str, place: Place) -> Node:
        is_moment = "datetime" in place.kinds and not said[-1:].isalpha()
        if _ISO_DAY.match(said) and (len(said) == _ISO_LENGTH or is_moment or said[-1:] in "zZ"):
            return node
        if _DIGITS.fullmatch(said.strip()):
            return self._digits_for_date(node, said.strip(), place)
        found = moment_in(said) if "datetime" in place.kinds and _CLOCK.search(said) else date_in(said)
        return node if found is None else _text_at(node, found)

    def _amount(self, node: Scalar, said: str, place: Place) -> Node:
        is_whole = place.kinds <= {"int", "null"}
        try:
            number = number_in(said, percents=place.percents, whole=is_whole)
        except TwoReadings as exc:
            self._refuse(str(exc))
            return node
        if number is None:
            return node
        if "decimal" in place.kinds:
            return _text_at(node, number)
        if is_whole and re.fullmatch(r"-?\d+\.0*", number):
            number = number.partition(".")[0]
        return Scalar(number, node.start, node.end)

    def _digits_for_date(self, node: Scalar, digits: str, place: Place) -> Node:
        """Read eight digits as YYYYMMDD, others as seconds since 1970; refuse digits with two readings."""
        if (
            len(digits) == 8
            and 1800 <= int(digits[:4]) < 2200
            and (node.json[0] == '"' or "date" in place.kinds)
        ):
            return _text_at(node, f"{digits[:4]}-{digits[4:6]}-{digits[6:]}")
        whole = _DIGITS.fullmatch(digits)
        if whole is None or len(whole[1]) not in _SECONDS or _COMPACT.fullmatch(whole[1]):
            self._refuse("these digits may be a day or seconds since 1970; write the day as YYYY-MM-DD")
        return node

    def _opened(self, node: Scalar) -> Node:
        """Return the object or list that a string holds as JSON, at its places in the text; or the string."""
        if node.json[0] != '"' or node.json[1:2] not in "{[ \\":
            return node
        inside, origin = decoded_with_places(self._source[node.start : node.end])
        start = len(inside) - len(inside.lstrip())
        try:
            found, end = read_value(inside, start)
        except (CutOff, NotNearJson):
            return node
        if isinstance(found, Scalar) or inside[end:].strip():
            return node
        _move(found, lambda at: node.start + origin(at))
        return found


def _move(node: Node, to: Callable[[int], int]) -> None:
    if isinstance(node, Scalar):
        node.start, node.end = to(node.start), to(node.end)
        return
    for inner in node.items if isinstance(node, Array) else [value for _, value in node.pairs]:
        _move(inner, to)


def _wrapped(node: Object) -> Node | None:
    """Return what stands under the only key, or as values under "properties" in the frame of a schema."""
    if len(node.pairs) == 1:
        return node.pairs[0][1]
    given = dict(node.pairs)
    kind, inner = given.get("type"), given.get("properties")
    is_frame = isinstance(kind, Scalar) and kind.text == "object" and given.keys() <= _FRAME
    if not is_frame or len(given) < len(node.pairs) or not isinstance(inner, Object):
        return None
    return None if all(isinstance(value, Object) for _, value in inner.pairs) else inner


def _item(place: Place, number: int) -> Place:
    return place.item(number) if place.is_list and not place.is_open else ANYWHERE


def _text_at(node: Scalar, text: str) -> Scalar:
    is_plain = text.isprintable() and '"' not in text and "\\" not in text
    return Scalar(f'"{text}"' if is_plain else json.dumps(text, ensure_ascii=False), node.start, node.end)


def _word(said: str, place: Place) -> str | None:
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


def _has_no_value(part: Field, given: Node | None, lost: list[str]) -> bool:
    """Whether a null is no value because one of the unknown keys shares a word with the field's name."""
    if given is None:
        return True
    if not lost or not _is_nothing(given):
        return False
    words = {word for name in (part.name, *part.keys) for word in words_of(name)}
    return any(words & set(words_of(key)) for key in lost)


def _one_record(node: Object, records: list[Record]) -> tuple[Record | None, bool]:
    """Return the record that an object is meant to be; None when several would fit.

    Whether each of several leaves out something else is told, too.
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
    return _word(value.text, place) is None


def _is_same(one: Node, other: Node) -> bool:
    first, second = (
        node.json if isinstance(node, Scalar) else written(node, 0).json for node in (one, other)
    )
    if first == second:
        return True
    try:
        return bool(_exactly(first) == _exactly(second))
    except ValueError:  # an integer of thousands of digits
        return False


def _is_equal(one: Node, other: Node) -> bool:
    """Whether two scalars are the same number; one with decimals stands in quotes already."""
    if not (isinstance(one, Scalar) and isinstance(other, Scalar)):
        return False
    first, second = one.json.strip('"'), other.json.strip('"')
    return all(map(_NUMBER.fullmatch, (first, second))) and Decimal(first) == Decimal(second)


_exactly = json.JSONDecoder(parse_float=Decimal).decode


def _is_nothing(node: Node) -> bool:
    if isinstance(node, Scalar):
        return node.json in ("null", '""')
    return not (node.items if isinstance(node, Array) else node.pairs)


def _shown(key: str) -> str:
    return json.dumps(key if len(key) <= _SHOWN else f"{key[:_SHOWN]}…", ensure_ascii=False)


def _listed(keys: list[str]) -> str:
    more = len(keys) - _MOST_SHOWN
    said = ", ".join(_shown(key) for key in keys[:_MOST_SHOWN])
    return f"{said} and {more} more" if more > 0 else said
