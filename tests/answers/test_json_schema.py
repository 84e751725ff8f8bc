"""The walker of JSON Schema goes where schemas stand, and nowhere else."""

from __future__ import annotations

from typing import Any

from batchata.answers.json_schema import inner, mapped, parts, references

_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "anyOf": {"type": "string", "default": {"$ref": "#/$defs/InADefault"}},
        "$ref": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
        "kind": {"enum": [{"$ref": "#/$defs/InAChoice"}]},
    },
    "additionalProperties": False,
    "$defs": {"Line": {"anyOf": [{"type": "null"}, {"not": {"type": "number"}}]}, "default": {}},
}


def test_references_are_those_of_schemas_alone() -> None:
    """A default or a choice that looks like a reference is a value."""
    assert references(_SCHEMA) == ["Line"]


def test_parts_are_every_schema_once() -> None:
    """Fields that are called like keywords are fields, and their maps are no schemas."""
    assert [part.get("type") for part in parts(_SCHEMA)] == [
        *("object", "string", "array", None, None),
        *(None, "null", None, "number", None),
    ]


def test_mapped_changes_what_stands_directly_inside_and_says_where() -> None:
    """Names of fields and definitions are places, entries of a list `[]`; the rest is left as it is."""
    places: list[str] = []
    found = mapped(_SCHEMA, lambda part, place: places.append(place) or part)
    assert found == _SCHEMA
    assert places == [".anyOf", ".$ref", ".kind", ".Line", ".default"]
    assert inner({"items": {"a": 1}, "additionalProperties": True}) == [{"a": 1}]
