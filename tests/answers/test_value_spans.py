"""Every value's place is found to the character, however the JSON is written and cut."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from json_printing import leaves, printed, values
from pydantic.alias_generators import to_camel

from batchata.answers.citations import value_spans
from batchata.answers.field_paths import ANYTHING, Shape
from batchata.answers.json_nodes import written
from batchata.answers.lenient_json import read_value


@given(st.data(), values, st.text("prose: ", max_size=10))
def test_every_span_parses_back_to_its_value(data: st.DataObject, value: Any, lead: str) -> None:
    """Whatever the value, its spacing and its escapes, and wherever it begins."""
    text = lead + data.draw(printed(value)) + " trailing {"
    places, end = value_spans(text, len(lead), ANYTHING)
    assert json.loads(text[len(lead) : end]) == value
    expected = leaves(value)
    assert list(places) == list(expected)
    for path, (start, stop) in places.items():
        quoted = f'"{text[start:stop]}"' if isinstance(expected[path], str) else text[start:stop]
        assert json.loads(quoted) == expected[path]


@given(st.data(), values)
def test_mending_leaves_json_as_it_is(data: st.DataObject, value: Any) -> None:
    """What is JSON already reads the same, and its places are its own."""
    text = data.draw(printed([value]))
    mended = written(*read_value(text, 0))
    assert json.loads(mended.json) == [value]
    for start, (first, last) in mended.places.items():
        assert mended.json[start:].startswith(text[first:last])


def paths(text: str, shape: Any) -> dict[str, str]:
    return {path: text[start:end] for path, (start, end) in value_spans(text, 0, Shape(shape)).places.items()}


class Price(pydantic.BaseModel):
    amount_: float = pydantic.Field(alias="amount")
    currency: str = pydantic.Field(validation_alias=pydantic.AliasChoices("cur", "currencyCode"))


@dataclass
class Note:
    text: str
    price: Price


class Extra(TypedDict):
    price: Price


type Lines = list[Line]


class Line(pydantic.BaseModel):
    kind: Literal["line"] = "line"
    price: Price | None = None
    inner: Lines = []


class Texts(pydantic.RootModel[list[Price]]):
    pass


class Order(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(alias_generator=to_camel)
    net_total: Price
    all_lines: list[Line]
    by_code: Mapping[str, Price] | None
    first_pair: tuple[Price, Line]
    many: tuple[Price, ...] = ()
    note: Annotated[Note | None, "x"] = None
    extra: Extra | None = None
    texts: Texts | None = None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"netTotal": {"amount": 1, "cur": "E"}}', {"net_total.amount_": "1", "net_total.currency": "E"}),
        ('{"netTotal": {"amount_": 1, "currencyCode": "EUR"}}',
         {"net_total.amount_": "1", "net_total.currency": "EUR"}),
        ('{"allLines": [{"kind": "line"}, {"price": {"amount": 2}, "inner": [{"price": {"amount": 3}}]}]}',
         {"all_lines[0].kind": "line", "all_lines[1].price.amount_": "2",
          "all_lines[1].inner[0].price.amount_": "3"}),
        ('{"byCode": {"A": {"amount": 4}, "b.c": {"amount": 5}, "N 1": {"amount": 6}}}',
         {"by_code.A.amount_": "4", 'by_code["b.c"].amount_': "5", "by_code.N 1.amount_": "6"}),
        ('{"firstPair": [{"amount": 7}, {"price": null}], "many": [{"amount": 8}]}',
         {"first_pair[0].amount_": "7", "first_pair[1].price": "null", "many[0].amount_": "8"}),
        ('{"note": {"text": "x", "price": {"amount": 9}}}', {"note.text": "x", "note.price.amount_": "9"}),
        ('{"extra": {"price": {"amount": 1}}, "texts": [{"amount": 2}]}',
         {"extra.price.amount_": "1", "texts[0].amount_": "2"}),
        ('{"unknown": {"amount": 1}}', {"unknown.amount": "1"}),
    ],
)  # fmt: skip
def test_fields_are_known_by_their_python_names(text: str, expected: dict[str, str]) -> None:
    """Through aliases, unions, lists, dicts, tuples, dataclasses, typed dicts and root models."""
    assert paths(text, Order) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1, "a": 2}', {"a": "2"}),
        ('{"a": {"b": 1, "c": 2}, "a": {"b": 3}}', {"a.b": "3"}),
        ('{"a": {"b": 1}, "a": null}', {"a": "null"}),
        ('{"a": 1, "ab": 5, "a": [2]}', {"ab": "5", "a[0]": "2"}),
        ('{"a": {"b": 1}, "a": {}}', {}),
        ('{"a": [], "b": 1, "a": 2}', {"b": "1", "a": "2"}),
    ],
)
def test_of_a_key_that_comes_twice_the_last_counts(text: str, expected: dict[str, str]) -> None:
    """As in the value itself: what was overwritten has no place."""
    assert json.loads(text)
    assert paths(text, Any) == expected


def test_not_every_place_is_remembered() -> None:
    """Open dicts have as many keys as answers have ideas: what is kept of a model has an end."""
    shape = Shape(dict[str, dict[str, int]])
    for first in range(24):
        text = json.dumps({f"k{first}": {f"{first}.{n}": n for n in range(1_000)}})
        assert len(value_spans(text, 0, shape).places) == 1_000
    inside = [step for first in shape.root.fields.values() for step in (first, *first.fields.values())]
    assert sum(len(step.fields) + len(step.moves) for step in inside) < 21_000


@given(st.data(), values)
def test_what_is_kept_of_one_answer_serves_another(data: st.DataObject, value: Any) -> None:
    """Printed in another way, and with prose around it or none, a value has the same paths."""
    shape = Shape(Any)
    for lead, tail in ("", ""), ("{see} ", '\n} "and ] so: on'), ("", "]"):
        text = lead + data.draw(printed([value])) + tail
        places, end = value_spans(text, len(lead), shape)
        assert json.loads(text[len(lead) : end]) == [value]
        assert list(places) == list(leaves([value]))


@pytest.mark.parametrize("behind", [" ", "]", '"', '"a": ', '"\\', "} {", "some words, "])
def test_what_stands_behind_costs_no_more_than_its_length(behind: str) -> None:
    """With a cost that grows with the square of it, one of these takes minutes."""
    places, end = value_spans('{"a": [1, {}]} ' + behind * 200_000, 0, Shape(Any))
    assert (list(places), end) == (["a[0]"], 14)
