"""What pydantic takes for a field is read so, whatever holds it and however the rest is written."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypedDict

import pydantic
import pytest

from batchata.answers.answer import Block
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
