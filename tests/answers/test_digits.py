"""What becomes a Decimal keeps the digits that a float does not hold, whoever sees the number first."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import pydantic
import pytest
from pydantic import BeforeValidator, PlainValidator, field_validator, model_validator

from batchata.answers.parsing import parse

LONG = "1234567890.12345678901"
WHOLE = "12345678901234567891"


class Amount(pydantic.BaseModel):
    """What the models below hold."""

    value: Decimal


class AllFirst(pydantic.BaseModel):
    """Sees the whole answer before it is read."""

    value: Decimal
    inner: Amount | None = None
    parts: list[Amount] = []
    by_name: dict[str, Decimal] = {}
    note: str = ""

    @model_validator(mode="before")
    @classmethod
    def _seen(cls, value: Any) -> Any:
        return value


class AroundIt(pydantic.BaseModel):
    """Sees it before and after."""

    value: Decimal

    @model_validator(mode="wrap")
    @classmethod
    def _seen(cls, value: Any, read: Any) -> Any:
        return read(value)


class FieldFirst(pydantic.BaseModel):
    """Sees what stands in fields before they are read, which may hold more of its kind."""

    value: list[Decimal]
    inner: list[FieldFirst] = []

    @field_validator("value", "inner", mode="before")
    @classmethod
    def _seen(cls, value: Any) -> Any:
        return value


class Annotations(pydantic.BaseModel):
    """Sees single numbers first."""

    value: Annotated[Decimal, BeforeValidator(lambda value: value)]
    parts: list[Annotated[Decimal, PlainValidator(lambda value: Decimal(str(value)))]] = []


class Choice(pydantic.BaseModel):
    """A float where it holds the number, else a Decimal."""

    value: float | Decimal
    parts: list[Decimal | float | None] = []


SEEN = [
    (AllFirst, '{"value": #, "note": "# and more"}'),
    (AllFirst, '{"value": 1, "inner": {"value": #}, "parts": [{"value": #}], "by_name": {"a": #}}'),
    (AroundIt, '{"value": #}'),
    (FieldFirst, '{"value": [#]}'),
    (FieldFirst, '{"value": [1], "inner": [{"value": [1, #], "inner": []}]}'),
    (Annotations, '{"value": #}'),
    (Annotations, '{"value": 1, "parts": [2.5, #]}'),
    (Choice, '{"value": #}'),
    (Choice, '{"value": 1, "parts": [#, null]}'),
]


@pytest.mark.parametrize("number", [LONG, WHOLE])
@pytest.mark.parametrize(("model", "answer"), SEEN)
def test_numbers_keep_all_digits(model: type[pydantic.BaseModel], answer: str, number: str) -> None:
    """In a fence, too, which is read in another way."""
    text = answer.replace("#", number)
    for whole in (text, f"Here it is:\n```json\n{text}\n```"):
        found = parse(whole, model).value
        assert f"Decimal('{number}')" in repr(found)
        assert repr(found).count(number) == text.count(number)


def test_what_a_float_holds_is_seen_as_the_number_that_it_is() -> None:
    """Code that computes with it gets no text, and a choice stays a float."""
    seen: list[Any] = []

    class Computes(pydantic.BaseModel):
        value: Decimal

        @field_validator("value", mode="before")
        @classmethod
        def _seen(cls, value: Any) -> Any:
            seen.append(value)
            return value

    assert parse('{"value": 1.50}', Computes).value.value == Decimal("1.5")
    assert {type(value) for value in seen} == {float}
    for number in ("1.5", "0.1", "12"):
        assert type(parse(f'{{"value": {number}}}', Choice).value.value) is float


def test_a_number_that_may_be_a_text_stays_a_number() -> None:
    """To keep its digits as a text would make a text of it."""

    class Either(pydantic.BaseModel):
        value: str | float | Decimal

    assert parse(f'{{"value": {LONG}}}', Either).value.value == float(LONG)
