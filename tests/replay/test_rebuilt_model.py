"""A model rebuilt from the schemas in the log reads and writes, byte for byte, what the class itself does."""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import uuid
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import pydantic
import pytest
from pydantic import BaseModel, ConfigDict, Field

from batchata.answers.schema import json_schema, result_schema
from batchata.views.rebuilt_models import model_from_schema


class Color(enum.Enum):
    """Two colors."""

    RED = "red"
    BLUE = "blue"


class Line(BaseModel):
    text: str
    price: decimal.Decimal
    quantity: int = Field(1, ge=0, alias="Qty-No")


class Node(BaseModel):
    name: str
    children: list[Node] = []


class Everything(BaseModel):
    vendor: str = Field(description="who sells", alias="Vendor")
    total: float
    at: datetime.datetime
    kind: Literal["a", "b"]
    when: datetime.date | None = None
    lines: list[Line] = Field(default_factory=list)
    color: Color = Color.RED
    tags: dict[str, int] = {}
    node: Node | None = None
    pair: tuple[int, str] | None = None
    anything: Any = None
    big: decimal.Decimal | None = None
    loose: float | str = "none"
    mixed: str | int | None = None
    key: uuid.UUID | None = None
    lasted: datetime.timedelta | None = None
    positive: Annotated[decimal.Decimal, Field(gt=0)] = decimal.Decimal("0.10")


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    code: str = Field(pattern="^[A-Z]{2}$")
    share: float = Field(ge=0, le=1)


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


class Awkward(BaseModel):
    """Names that come from outside."""

    schema_: str = Field(alias="schema")
    model_name: str = Field("m", alias="class")
    hidden: int = Field(3, exclude=True)


class Optionally(TypedDict):
    name: str
    price: NotRequired[decimal.Decimal]


type Nested = dict[str, Nested] | list[Nested] | str | int | None


class Unusual(BaseModel):
    """Keys that may be missing without a default, and a type that holds itself without being a model."""

    parts: list[Optionally]
    tree: Nested
    day: datetime.date = Field(default_factory=datetime.date.today)


WHOLE = {
    "Vendor": "é «x»",
    "total": 3,
    "at": "2026-01-01T00:00:00Z",
    "kind": "a",
    "when": "2020-02-03",
    "lines": [{"text": "a", "price": "1.50", "Qty-No": 3}, {"text": "b", "price": 2.5}],
    "color": "blue",
    "tags": {"x": 1},
    "node": {"name": "q", "children": [{"name": "z"}]},
    "pair": [1, "b"],
    "anything": {"k": [1, None]},
    "big": 1.10,
    "loose": 2.5,
    "mixed": 5,
    "key": "12345678-1234-5678-1234-567812345678",
    "lasted": "PT1H",
    "positive": "2.00",
}
LEAST = {"Vendor": "v", "total": 1.5, "at": "2026-01-01T02:00:00+02:00", "kind": "b"}


def test_what_was_never_given_does_not_keep_a_rebuilt_model_from_reading() -> None:
    """It has no value there; and what holds itself is read as JSON has it."""
    rebuilt = model_from_schema(json_schema(Unusual), result_schema(Unusual))
    answer = {"parts": [{"name": "a"}, {"name": "b", "price": 1.5}], "tree": {"a": [1, "x", {"b": None}]}}
    assert rebuilt.model_validate_json(json.dumps(answer)).model_dump(mode="json") == {
        "parts": [{"name": "a", "price": None}, {"name": "b", "price": "1.5"}],
        "tree": answer["tree"],
        "day": None,
    }


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        (Everything, WHOLE),
        (Everything, LEAST),
        (Everything, {**LEAST, "kind": "c"}),
        (Everything, {**LEAST, "positive": 0}),
        (Everything, {**LEAST, "color": "green"}),
        (Everything, {**LEAST, "lines": [{"text": "a", "price": "x"}]}),
        (Everything, {"vendor": "v"}),
        (Line, {"text": "t", "price": 1, "Qty-No": -1}),
        (Node, {"name": "q", "children": [{"name": "z", "children": [{"name": "y"}]}]}),
        (Strict, {"code": "AB", "share": 1}),
        (Strict, {"code": "ABC", "share": 1}),
        (Strict, {"code": "AB", "share": 1.1}),
        (Strict, {"code": "AB", "share": 1, "more": 1}),
        (Open, {"name": "n", "more": [1]}),
        (Awkward, {"schema": "s", "class": "c"}),
    ],
)
def test_a_rebuilt_model_takes_and_gives_the_same(model: type[BaseModel], answer: dict[str, Any]) -> None:
    """What the class refuses is refused, and what it accepts is written as the class writes it."""
    rebuilt = model_from_schema(json_schema(model), result_schema(model))
    text = json.dumps(answer)
    try:
        expected = model.model_validate_json(text).model_dump_json()
    except pydantic.ValidationError:
        with pytest.raises(pydantic.ValidationError):
            rebuilt.model_validate_json(text)
    else:
        written = rebuilt.model_validate_json(text).model_dump_json()
        assert written == expected


def test_the_schemas_survive_the_log() -> None:
    """They are JSON, and nothing but these two are needed."""
    stored = json.loads(json.dumps([json_schema(Everything), result_schema(Everything)]))
    rebuilt = model_from_schema(*stored)
    assert rebuilt.__name__ == "Everything"
    assert list(rebuilt.model_fields) == list(Everything.model_fields)
