"""How a response model is told to the provider: natively in the subset it takes, else in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pydantic
import pytest
from pydantic import Field, create_model

from batchata.answers.schema import (
    NotNative,
    Route,
    check_response_model,
    choose_route,
    instructions,
    json_schema,
)
from batchata.errors import InvalidInputError
from batchata.providers.anthropic.models import Model
from batchata.providers.anthropic.output_format import native_schema, output_format


def routed(schema: dict[str, Any] | None, *, native: bool, citations: bool) -> Route:
    """The route for a Claude model that has the native format or not."""
    model = Model(id="claude-x", structured_output=native)
    return choose_route(schema, partial(output_format, model=model, cited=citations), citations=citations)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Line(pydantic.BaseModel):
    text: str
    price: Decimal


class Invoice(pydantic.BaseModel):
    """What is on an invoice."""

    number: str = Field(description="as printed", min_length=1, pattern=r"^\S+$")
    total: float = Field(ge=0)
    issued: date
    lines: list[Line]
    colour: Colour
    kind: Literal["invoice", "receipt"]
    vendor: str | None = None
    copies: int = 1


class Tree(pydantic.BaseModel):
    children: list[Tree]


NATIVE = native_schema(json_schema(Invoice))
ALLOWED = {
    "type", "enum", "const", "title", "description", "anyOf", "allOf", "format", "items", "properties",
    "required", "additionalProperties", "$defs", "$ref",
}  # fmt: skip


def parts(schema: Any) -> list[dict[str, Any]]:
    """Every schema inside a schema, itself included."""
    inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
    inner += [*schema.get("anyOf", []), *schema.get("allOf", [])] + (
        [schema["items"]] if "items" in schema else []
    )
    return [schema, *(found for part in inner for found in parts(part))]


def test_the_native_schema_stays_in_the_subset() -> None:
    """Only keywords that `output_config.format` takes, at every depth."""
    for part in parts(NATIVE):
        assert part.keys() <= ALLOWED, part


def test_every_object_is_closed() -> None:
    """The API wants `additionalProperties: false` on each."""
    objects = [part for part in parts(NATIVE) if part.get("type") == "object"]
    assert len(objects) == 2
    assert all(part["additionalProperties"] is False for part in objects)


def test_names_types_and_required_fields_are_kept() -> None:
    """What the model demands is demanded, what it does not is optional."""
    assert list(NATIVE["properties"]) == list(Invoice.model_fields)
    assert NATIVE["required"] == ["number", "total", "issued", "lines", "colour", "kind"]
    assert NATIVE["properties"]["issued"]["format"] == "date"
    assert NATIVE["properties"]["kind"]["enum"] == ["invoice", "receipt"]
    assert NATIVE["properties"]["colour"] == {"$ref": "#/$defs/Colour"}
    assert NATIVE["$defs"].keys() == {"Colour", "Line"}
    assert NATIVE["properties"]["lines"]["items"] == {"$ref": "#/$defs/Line"}
    assert NATIVE["$defs"]["Colour"]["enum"] == ["red", "blue"]


def test_bounds_become_words() -> None:
    """What the format cannot enforce is at least said to the model."""
    assert NATIVE["properties"]["number"]["description"] == 'as printed (minLength: 1; pattern: "^\\\\S+$")'
    assert NATIVE["properties"]["total"]["description"] == "(minimum: 0)"
    assert NATIVE["properties"]["copies"]["description"] == "(default: 1)"


def test_formats_that_are_not_taken_become_words() -> None:
    """A format the API refuses would fail every request of the batch."""
    model = create_model("M", at=(pydantic.FilePath, ...), when=(date, ...))
    properties = native_schema(json_schema(model))["properties"]
    assert "format" not in properties["at"]
    assert properties["at"]["description"] == "(format: file-path)"
    assert properties["when"]["format"] == "date"


class Party(pydantic.BaseModel):
    """A company or a person."""

    name: str = Field(description="in full", examples=["Acme GmbH"])


class Sale(pydantic.BaseModel):
    """What was sold."""

    buyer: Party = Field(description="who pays")
    seller: Party = Field(description="who is paid", alias="Sold by")
    colour: Colour = Field(Colour.RED, description="of the paint")
    others: list[Party] = Field(description="who else is named")


def test_all_that_is_said_of_a_field_reaches_the_model() -> None:
    """Docstrings, descriptions and examples, also beside references, where the API would drop them."""
    native = native_schema(json_schema(Sale))
    found = native["properties"]
    assert native["description"] == "What was sold."
    assert found["buyer"]["description"] == "who pays A company or a person."
    assert found["Sold by"]["description"] == "who is paid A company or a person."
    assert found["Sold by"]["properties"]["name"]["description"] == 'in full (examples: ["Acme GmbH"])'
    assert found["colour"]["description"] == 'of the paint (default: "red")'
    assert found["colour"]["enum"] == ["red", "blue"]
    assert found["others"]["description"] == "who else is named"
    assert found["others"]["items"] == {"$ref": "#/$defs/Party"}
    assert native["$defs"].keys() == {"Party"}
    words = instructions(json_schema(Sale), citations=False)
    for said in ("What was sold.", "who pays", "A company or a person.", "in full", "Acme GmbH"):
        assert said in words


def wide(optional: int, unions: int) -> type[pydantic.BaseModel]:
    fields: dict[str, Any] = {f"o{n}": (int, 0) for n in range(optional)}
    fields |= {f"u{n}": (int | str, ...) for n in range(unions)}
    return create_model("Wide", first=(int, ...), **fields)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (create_model("M", counts=(dict[str, int], ...)), "open dict"),
        (create_model("M", anything=(dict[str, Any], ...)), "open dict"),
        (create_model("M", pair=(tuple[int, str], ...)), "tuple"),
        (create_model("M", value=(Any, ...)), "may be anything"),
        (create_model("M", values=(list[Any], ...)), "may be anything"),
        (create_model("M", __config__=pydantic.ConfigDict(extra="allow"), x=(int, ...)), "open dict"),
        (Tree, "contains itself"),
        (wide(25, 0), "25 optional fields"),
        (wide(0, 17), "17 union fields"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_carried_goes_into_the_prompt(model: type[pydantic.BaseModel], why: str) -> None:
    """Such a schema would be refused a day later, or answered with an empty object."""
    schema = json_schema(model)
    with pytest.raises(NotNative, match=why):
        native_schema(schema)
    route = routed(schema, native=True, citations=False)
    assert (route.kind, route.output_format) == ("prompt", None)


def test_the_limits_themselves_are_carried() -> None:
    """24 optional and 16 union fields are allowed."""
    assert native_schema(json_schema(wide(24, 16)))


def test_without_a_response_model_nothing_is_asked_for() -> None:
    """Text is text."""
    assert routed(None, native=True, citations=True).kind == "text"


def test_the_native_format_is_used_where_it_can_be() -> None:
    """Where the model has it and nothing forbids it."""
    route = routed(json_schema(Invoice), native=True, citations=False)
    assert (route.kind, route.instructions) == ("native", None)
    assert route.output_format == {"type": "json_schema", "schema": NATIVE}


@pytest.mark.parametrize(("native", "citations"), [(True, True), (False, False), (False, True)])
def test_elsewhere_the_schema_stands_in_the_prompt(native: bool, citations: bool) -> None:
    """Citations and the native format together are refused by the API; older models lack it."""
    route = routed(json_schema(Invoice), native=native, citations=citations)
    assert (route.kind, route.output_format) == ("prompt", None)
    assert route.instructions is not None
    assert json.loads(route.instructions.split("\n", 1)[1]) == json_schema(Invoice)
    assert ("Cite" in route.instructions) == citations


def test_instructions_keep_every_script() -> None:
    """Descriptions reach the model as they were written."""
    model = create_model("M", n=(str, Field(description="番号 · Nº")))
    assert "番号 · Nº" in instructions(json_schema(model), citations=False)


class Decoy:
    """No pydantic type."""


class Lines(pydantic.RootModel[list[Line]]):
    """A list in the place of an object."""


NOT_MODELS = [
    dict,
    int,
    "Invoice",
    pydantic.BaseModel,
    pydantic.RootModel,
    Lines,
]


@pytest.mark.parametrize("wrong", NOT_MODELS, ids=repr)
def test_only_a_model_class_with_fields_is_a_response_model(wrong: Any) -> None:
    """The error says what to give instead."""
    with pytest.raises(
        InvalidInputError, match=r"response_model must be a class derived from pydantic.BaseModel"
    ):
        check_response_model(wrong)


NEARLY: dict[str, tuple[Any, str]] = {
    "an instance": (
        Line(text="a", price=Decimal(1)),
        "instance of Line; give the class: response_model=Line",
    ),
    "a schema": ({"type": "object"}, "a dict; give a pydantic model"),
    "a list of models": (list[Line], "give a model that has the list as a field"),
}


@pytest.mark.parametrize(("nearly", "cure"), NEARLY.values(), ids=NEARLY)
def test_what_is_nearly_a_response_model_is_told_how_to_become_one(nearly: Any, cure: str) -> None:
    """An instance, a schema and a list of models are what is given by mistake."""
    with pytest.raises(InvalidInputError, match=f"^response_model is .*{cure}"):
        check_response_model(nearly)


def test_a_response_model_is_taken_as_it_is() -> None:
    """A class, or nothing."""
    assert check_response_model(Invoice) is Invoice
    assert check_response_model(None) is None


ANY_TYPE = pydantic.ConfigDict(arbitrary_types_allowed=True)
Inner = create_model("Inner", text=(str, ...), call=(Callable[[int], int], ...))


@pytest.mark.parametrize(
    ("model", "field"),
    [
        (create_model("Strange", n=(int, 1), f=(Callable[[int], int], ...)), "f"),
        (create_model("Strange", inner=(list[Inner] | None, ...)), "inner.call"),
        (create_model("Strange", __config__=ANY_TYPE, p=(Path, ...), d=(list[Decoy], ...)), "d"),
    ],
)  # fmt: skip
def test_a_field_without_a_json_schema_is_a_clear_error(model: type[pydantic.BaseModel], field: str) -> None:
    """Before anything is sent, with the names of the model and of the field."""
    with pytest.raises(InvalidInputError, match=f"Strange cannot be described .* its field '{field}'"):
        json_schema(model)


def test_schemas_that_the_api_accepted_are_carried(recordings: Any) -> None:
    """Every recorded output format passes, with the same fields and demands."""
    found = recordings("structured")
    assert len(found) > 20
    for name, said, _ in found:
        request = said["request"]
        asked = request.get("output_format") or request["output_config"]["format"]
        carried = native_schema(asked["schema"])
        for key in ("properties", "required"):
            assert list(carried[key]) == list(asked["schema"][key]), name
