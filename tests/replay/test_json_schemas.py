"""A JSON Schema that somebody wrote is a response model: sent as it is, and read as it means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from batchata.answers.answer import Block
from batchata.answers.reader import Reader
from batchata.answers.schema import json_schema, result_schema
from batchata.errors import InvalidInputError
from batchata.views.json_schemas import BY_SCHEMA, NOTE, model_of_file, model_of_schema


def an_object(fields: dict[str, Any], required: list[str] | None = None, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": required or list(fields), **more}


LINE = an_object({"text": {"type": "string"}, "price": {"type": "number", "minimum": 0}}, ["text"])

# A schema, an answer in JSON, and the result; None where the answer does not fit.
READINGS: dict[str, tuple[dict[str, Any], str, dict[str, Any] | None]] = {
    "several types": (an_object({"a": {"type": ["number", "null"]}}), '{"a": null}', {"a": None}),
    "several types, another": (an_object({"a": {"type": ["string", "integer"]}}), '{"a": 3}', {"a": 3}),
    "may be missing": (an_object({"a": {"type": "string"}}, ["b"]), '{"a": "x"}', {"a": "x"}),
    "is missing": (
        an_object({"a": {"type": "integer"}, "b": {"type": "string"}}, ["b"]),
        '{"b": "x"}',
        {"a": None, "b": "x"},
    ),
    "has to be there": (an_object({"a": {"type": "integer"}, "b": {"type": "string"}}), '{"b": "x"}', None),
    "a default": (
        an_object({"a": {"type": "integer", "default": 4}, "b": {}}, ["b"]),
        '{"b": 1}',
        {"a": 4, "b": 1},
    ),
    "old definitions": (
        an_object(
            {"lines": {"type": "array", "items": {"$ref": "#/definitions/line"}}}, definitions={"line": LINE}
        ),
        '{"lines": [{"text": "a", "price": "2.50"}]}',
        {"lines": [{"text": "a", "price": 2.5}]},
    ),
    "a bound": (an_object({"line": LINE}), '{"line": {"text": "a", "price": -1}}', None),
    "names that are none in Python": (
        an_object(
            {"invoice-number": {"type": "string"}, "_id": {"type": "string"}, "copy": {"type": "string"}}
        ),
        '{"invoice-number": "1", "_id": "2", "copy": "3"}',
        {"invoice-number": "1", "id": "2", "copy_": "3"},
    ),
    "an enum with a type": (an_object({"a": {"type": "string", "enum": ["x", "y"]}}), '{"a": "z"}', None),
    "a constant": (an_object({"a": {"const": "x"}}), '{"a": "x"}', {"a": "x"}),
    "all of": (
        {**an_object({"a": {"type": "string"}}), "allOf": [an_object({"b": {"type": "integer"}})]},
        '{"a": "x", "b": 2}',
        {"a": "x", "b": 2},
    ),
    "nullable, as OpenAPI says": (
        an_object({"a": {"type": "string", "nullable": True}}),
        '{"a": null}',
        {"a": None},
    ),
    "a format that is a text": (
        an_object({"a": {"type": "string", "format": "uri"}}),
        '{"a": "x.org"}',
        {"a": "x.org"},
    ),
    "a date": (an_object({"a": {"type": "string", "format": "date"}}), '{"a": "not known"}', None),
    "a map": (
        an_object({"a": {"type": "object", "additionalProperties": {"type": "integer"}}}),
        '{"a": {"k": 1}}',
        {"a": {"k": 1}},
    ),
    "anything": (an_object({"a": True}), '{"a": [1]}', {"a": [1]}),
    "itself": (
        an_object(
            {"top": {"$ref": "#/$defs/node"}},
            **{
                "$defs": {
                    "node": an_object({"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}})
                }
            },
        ),
        '{"top": {"next": {"next": null}}}',
        {"top": {"next": {"next": None}}},
    ),
}


@pytest.mark.parametrize(("schema", "answer", "wanted"), READINGS.values(), ids=READINGS)
def test_answers_are_read_by_the_schema(
    schema: dict[str, Any], answer: str, wanted: dict[str, Any] | None
) -> None:
    """What fits is read, what does not fails; the schema is sent to the letter."""
    model = model_of_schema(schema)
    assert json_schema(model) == schema
    assert result_schema(model)[NOTE] == BY_SCHEMA
    found = Reader(model, False).judge([Block(type="text", text=answer)], "end_turn")
    assert (None if found.error else found.result.model_dump(mode="json")) == wanted


USELESS: dict[str, tuple[Any, str]] = {
    "a list": ({"type": "array", "items": {}}, "wrap what it describes"),
    "no schema": (["a"], "not the JSON Schema of an object"),
    "a foreign reference": (an_object({"a": {"$ref": "https://example.org/x"}}), "put it among the \\$defs"),
    "a missing definition": (an_object({"a": {"$ref": "#/$defs/x"}}), "not among its \\$defs"),
    "a pattern of another language": (
        an_object({"a": {"type": "string", "pattern": "(?=x)"}}),
        "simplify it",
    ),
    "a text for a schema": (an_object({"a": "string"}), "where a schema is expected"),
}


@pytest.mark.parametrize(("schema", "told"), USELESS.values(), ids=USELESS)
def test_what_answers_cannot_be_read_with_is_refused(schema: Any, told: str) -> None:
    """With the place, before anything is sent."""
    with pytest.raises(InvalidInputError, match=told):
        model_of_schema(schema)


def test_a_file_that_is_no_schema_is_refused(tmp_path: Path) -> None:
    """Missing, or no JSON."""
    with pytest.raises(InvalidInputError, match="cannot be read"):
        model_of_file(tmp_path / "none.json")
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(InvalidInputError, match="is not JSON"):
        model_of_file(tmp_path / "x.json")
