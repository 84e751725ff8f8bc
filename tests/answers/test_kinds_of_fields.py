"""What pydantic takes for a field is read so, whatever holds it and however the rest is written."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import json
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import pydantic
import pytest

from batchata.answers.answer import Block
from batchata.answers.parsing import UnreadableAnswer, parse
from batchata.answers.reader import Reader

make: Any = pydantic.create_model


class Party(pydantic.BaseModel):
    name: str
    debt: Decimal | None = None


class Other(pydantic.BaseModel):
    count: int
    tags: list[str] = []


class Typed(TypedDict):
    count: int


class Named(NamedTuple):
    x: int
    y: Decimal


@dataclasses.dataclass
class Plain:
    x: Decimal
    y: str = "y"


class Word(enum.Enum):
    OPEN = "open"


class Mixed(enum.Enum):
    NEW = "just in"
    THREE = 3
    NONE = None


class Renamed(TypedDict):
    count: Annotated[int, pydantic.Field(alias="theCount")]


@pydantic.dataclasses.dataclass
class Checked:
    x: Decimal
    y: str = pydantic.Field("y", alias="theY")
    z: str | None = None


@dataclasses.dataclass
class Relabelled:
    x: Annotated[Decimal, pydantic.Field(alias="theX")]
    z: str | None = None


type Listed[T] = list[T]
type Turned[K, V] = dict[V, K]
type Same[T] = T
type Partly[K, V] = list[V]
type Nested = dict[str, Nested] | list[Nested] | Decimal
type Seen = Annotated[dict[str, Seen] | int, pydantic.BeforeValidator(lambda given: given)]

Root = pydantic.RootModel
KINDS: dict[str, tuple[Any, list[str]]] = {
    "int": (int, ["3"]),
    "str": (str, ['"3"']),
    "float": (float, ["2.5", "3"]),
    "Decimal": (Decimal, ["1.50"]),
    "bool": (bool, ["true"]),
    "date": (datetime.date, ['"2025-03-04"']),
    "datetime": (datetime.datetime, ['"2025-03-04T10:11:12"']),
    "timedelta": (datetime.timedelta, ['"PT1H"']),
    "enum": (Word, ['"open"']),
    "literal": (Literal["p", "q"], ['"p"']),
    "model": (Party, ['{"name": "A", "debt": null}', '{"name": "A", "debt": 1.50}']),
    "typed dict": (Typed, ['{"count": 1}']),
    "named tuple": (Named, ["[1, 2.50]"]),
    "dataclass": (Plain, ['{"x": 1.50, "y": "z"}']),
    "union of models": (Party | Other, ['{"count": 1, "tags": ["a"]}', '{"name": "A"}']),
    "union of scalars": (int | str, ["1", '"x"']),
    "set": (set[int], ["[1, 2]"]),
    "anything": (Any, ["null", '{"a": {"b": 1}}']),
    "deque": (collections.deque[Decimal], ["[1.50, 2]"]),
    "sequence": (Sequence[Party], ['[{"name": "A", "debt": 1.50}]']),
    "ordered dict": (collections.OrderedDict[str, Party], ['{"k": {"name": "A"}}']),
    "counter": (collections.Counter[str], ['{"k": 2}']),
    "generic alias": (Listed[Party], ['[{"name": "A"}]']),
    "alias that holds itself": (Nested, ['{"k": [1.50, {"l": 2}]}', "[]", "1"]),
    "alias of the user's own that holds itself": (Seen, ['{"k": {"l": 2}}']),
    "mixed words": (Mixed, ['"just in"', "3", "null"]),
    "uuid": (uuid.UUID, ['"6f9619ff-8b86-d011-b42d-00cf4fc964ff"']),
    "address": (pydantic.HttpUrl, ['"https://example.com/a"']),
    "past day": (pydantic.PastDate, ['"2025-03-04"']),
    "aware moment": (pydantic.AwareDatetime, ['"2025-03-04T10:11:12Z"']),
    "renamed key": (Renamed, ['{"theCount": 1}']),
    "pydantic's dataclass": (Checked, ['{"x": 1.50, "theY": "b"}', '{"x": 1}']),
    "renamed part of a dataclass": (Relabelled, ['{"theX": 1.50}']),
    "root of a float": (Root[float], ["2.5"]),
    "root of a datetime": (Root[datetime.datetime], ['"2025-03-04T10:11:12"']),
    "root of a dict": (Root[dict[str, int]], ['{"k": 1}', "{}"]),
    "root of a list": (Root[list[Party]], ['[{"name": "A"}]', "[]"]),
    "root of a model": (Root[Party | None], ['{"name": "A"}', "null"]),
}


def held(kind: Any, written: str) -> list[tuple[Any, str]]:
    """Types that hold a kind, each with a value in JSON."""
    return [
        (kind, written),
        (kind | None, "null"),
        (list[kind], f"[{written}, {written}]"),
        (list[kind] | None, "null"),
        (list[kind | None], f"[null, {written}]"),
        (dict[str, kind], f'{{"k": {written}, "l.m": {written}}}'),
        (dict[str, kind] | None, "null"),
        (tuple[kind, int], f"[{written}, 7]"),
        (list[dict[str, kind]], f'[{{"k": {written}}}, {{}}]'),
    ]


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_field_is_read_as_pydantic_takes_it(name: str) -> None:
    """Alone, or null, in lists, dicts and tuples; and in keys of other case, which are fitted."""
    kind, values = KINDS[name]
    for wanted, written in [each for value in values for each in held(kind, value)]:
        model = make("Made", value=(wanted, ...), other=(int | None, None))
        given = model.model_validate_json(f'{{"value": {written}}}').value
        for text in (f'{{"value": {written}, "other": null}}', f'{{"Value": {written}, "other": "5"}}'):
            found = Reader(model, enable_citations=False).read([Block("text", text)], "end_turn")
            assert found.error is None, (wanted, text, found.error)
            assert found.result.value == given  # type: ignore[union-attr]


HOLDERS: dict[str, tuple[Any, str]] = {
    "list": (list[Party], "[%s]"),
    "sequence": (Sequence[Party], "[%s]"),
    "deque": (collections.deque[Party], "[%s]"),
    "alias": (Listed[Party], "[%s]"),
    "dict": (dict[str, Party], '{"k": %s}'),
    "ordered dict": (collections.OrderedDict[str, Party], '{"k": %s}'),
    "union": (Party | Other, "%s"),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_what_holds_a_model_takes_nothing_away_from_it(name: str) -> None:
    """Keys that it does not know, amounts with two readings, and digits count the same in every holder."""
    kind, holding = HOLDERS[name]
    model = make("Made", value=(kind, ...))
    for lost in ('{"name": "A", "amount_owed": 5}', '{"name": "A", "debt": "1.234"}'):
        with pytest.raises(UnreadableAnswer):
            parse(f'{{"value": {holding % lost}}}', model)
    for given in ('{"name": "A", "debt": 12345678901234567.10}', '{"Name": "A", "Debt": "$1,234.50"}'):
        found = parse(f'{{"value": {holding % given}}}', model).value.model_dump_json()
        assert any(digits in found for digits in ("12345678901234567.10", "1234.50"))


class First(pydantic.BaseModel):
    a: int
    b: int | None = None


class Second(pydantic.BaseModel):
    a: int
    c: int | None = None


def test_a_key_that_no_type_of_a_union_knows_is_a_misfit() -> None:
    """Whichever of them is meant, the value is lost."""
    model = make("Made", value=(First | Second, ...))
    with pytest.raises(UnreadableAnswer, match='"d", which the schema does not know'):
        parse('{"value": {"a": 1, "d": 2}}', model)
    assert parse('{"value": {"a": 1}}', model).value.value.a == 1  # type: ignore[attr-defined]
    assert parse('{"value": {"a": 1, "d": null}}', model).value.value.a == 1  # type: ignore[attr-defined]


class One(pydantic.BaseModel):
    kind: Literal[1]
    x: Decimal


class Two(pydantic.BaseModel):
    kind: Literal[2]
    x: Decimal


@pytest.mark.parametrize("written", ['{"kind": "2", "x": 1.50}', '{"Kind": 2, "X": "1,50"}'])
def test_a_number_tells_the_types_of_a_union_apart(written: str) -> None:
    """However it is written; its place is found as that of a word is."""
    model = make("Made", value=(One | Two, pydantic.Field(discriminator="kind")))
    assert parse(f'{{"value": {written}}}', model).value.value == Two(kind=2, x=Decimal("1.50"))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "written", "meant"),
    [
        (Mixed, '"Just In"', Mixed.NEW), (Mixed, '"3"', Mixed.THREE), (Mixed, '"N/A"', Mixed.NONE),
        (Literal["1", "2"], "2", "2"), (int | Literal["many"], '"Many"', "many"),
        (int | Literal["many"], '"7"', 7),
        (uuid.UUID | None, '"N/A"', None), (pydantic.HttpUrl | None, '""', None),
        (pydantic.PastDate, '"4 March 2025"', datetime.date(2025, 3, 4)),
        (Decimal | list[Decimal], '"1,234.50"', Decimal("1234.50")), (int, '"5\u200b"', 5),
        (dict[datetime.date, int], '{"4 March 2025": 1}', {datetime.date(2025, 3, 4): 1}),
        (dict[int, int], '{"1,000,000": 1}', {1_000_000: 1}),
        (dict[Word, int], '{"Open": 1}', {Word.OPEN: 1}),
        (Turned[Decimal, str], '{"007": "1,234.50"}', {"007": Decimal("1234.50")}),
        (Same[Decimal], '"1,234.50"', Decimal("1234.50")),
        (Partly[str, Decimal], '["1,234.50"]', [Decimal("1234.50")]),
    ],
)  # fmt: skip
def test_a_value_of_a_rarer_kind_is_read_as_it_is_meant(kind: Any, written: str, meant: Any) -> None:
    """Words among numbers, numbers among words, nothing where a format is asked for, and keys of dicts.

    An alias may use its parameters in another order, or not all of them.
    """
    model = make("Made", value=(kind, ...))
    assert parse(f'{{"value": {written}}}', model).value.value == meant  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (datetime.timedelta, '"03:45"'), (pydantic.AwareDatetime, "45293"), (pydantic.PastDate, "45293"),
        (Decimal | list[Decimal], '"1.234"'), (dict[int, int], '{"1.000": 1}'),
        (uuid.UUID | None, '"unknown"'),
        (collections.deque[float], "[NaN]"), (list[Plain], '[{"x": 1, "y": "a", "y": "b"}]'),
    ],
)  # fmt: skip
def test_a_value_of_a_rarer_kind_with_two_readings_is_refused(kind: Any, written: str) -> None:
    """A length of 03:45 may be of minutes and seconds."""
    model = make("Made", value=(kind, ...))
    with pytest.raises(UnreadableAnswer):
        parse(f'{{"value": {written}}}', model)


@dataclasses.dataclass
class Measured:
    x: float


def test_a_dataclass_holds_only_numbers_that_json_has() -> None:
    """As everything else does."""
    model = make("Made", value=(Measured, ...))
    for number in ("NaN", "1e999"):
        with pytest.raises(UnreadableAnswer):
            parse(f'{{"value": {{"x": {number}}}}}', model)


class Extended(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Decimal]
    a: int


def test_other_keys_are_read_as_the_model_says_what_they_hold() -> None:
    """A Decimal keeps its digits, and an amount is read, or refused, as in a field."""
    assert str(parse('{"a": 1, "c": 2.50, "d": "1,50"}', Extended).value.model_extra) == str(
        {"c": Decimal("2.50"), "d": Decimal("1.50")}
    )
    with pytest.raises(UnreadableAnswer):
        parse('{"a": 1, "c": "1.234"}', Extended)


class Computing(pydantic.BaseModel):
    a: int
    b: int | None = None

    @pydantic.computed_field(alias="theDouble")  # type: ignore[prop-decorator]
    @property
    def double(self) -> int:
        return 2 * self.a


@pytest.mark.parametrize("key", ["double", "theDouble"])
def test_what_the_model_computes_by_itself_is_not_lost(key: str) -> None:
    """A model of this shape that was shown as an example has it in it."""
    assert parse(json.dumps({"a": 1, key: 2}), Computing).value == Computing(a=1)


@pytest.mark.parametrize("written", ['"5-6"', '"2024-01-02"', '"1e5e5"'])
def test_two_texts_that_look_like_numbers_are_no_fault_of_the_model(written: str) -> None:
    """They are refused, and asked for again."""
    model = make("Made", value=(Decimal, ...))
    with pytest.raises(UnreadableAnswer, match="comes twice"):
        parse(f'{{"value": {written}, "value": "7"}}', model)
