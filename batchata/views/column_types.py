"""Type the columns of a table of results by the schema of the response model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from batchata.answers.field_paths import inside
from batchata.answers.json_schema import definition_of

type Kind = Literal["text", "whole", "number", "yes_no", "date", "time", "money", "list", "object", "json"]
type Schema = Mapping[str, Any]

_KINDS: dict[str, Kind] = {"string": "text", "integer": "whole", "number": "number", "boolean": "yes_no"}
_FORMATS: dict[str, Kind] = {"date": "date", "date-time": "time"}


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a column: a `list` of `inner`, an `object` with `fields`, or one value.

    Whatever has no single type of its own (unions, open dicts, anything) is "json": JSON as a text.
    """

    kind: Kind
    inner: Type | None = None
    fields: dict[str, Type] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Column:
    """A column, and the steps from a result to its value."""

    name: str
    type: Type
    path: tuple[str, ...] = ()


TEXT, WHOLE, NUMBER, MONEY, YES_NO, JSON = (
    Type("text"),
    Type("whole"),
    Type("number"),
    Type("money"),
    Type("yes_no"),
    Type("json"),
)


def result_columns(schema: Schema | None) -> list[Column]:
    """Return `result` for texts; for a model one column per value, `result.vendor.name` for a nested one."""
    if schema is None:
        return [Column("result", TEXT)]
    top = _Types(schema).of(schema)
    return list(_flat("result", top, ()))


def _flat(name: str, type_: Type, path: tuple[str, ...]) -> Iterator[Column]:
    if type_.kind != "object":
        yield Column(name, type_, path)
        return
    for key, inner in type_.fields.items():
        yield from _flat(inside(name, key), inner, (*path, key))


class _Types:
    """Types by the definitions of one schema."""

    def __init__(self, schema: Schema) -> None:
        self._definitions: Schema = schema.get("$defs", {})
        self._under_way: list[str] = []

    def of(self, schema: Schema) -> Type:
        """Return the type of a part of the schema."""
        if "$ref" in schema:
            return self._referred(definition_of(schema["$ref"]))
        options = [o for o in schema.get("anyOf") or [] if o.get("type") != "null"]
        if len(options) == 1:
            return self.of(options[0])
        if "enum" in schema or "const" in schema:
            return _of_values(schema.get("enum") or [schema["const"]])
        match schema.get("type"):
            case "object":
                return self._object(schema)
            case "array" if isinstance(schema.get("items"), dict) and "prefixItems" not in schema:
                return Type("list", self.of(schema["items"]))
            case "string" if schema.get("format") in _FORMATS:
                return Type(_FORMATS[schema["format"]])
            case str() as kind if kind in _KINDS:
                return Type(_KINDS[kind])
        return JSON

    def _referred(self, name: str) -> Type:
        if name in self._under_way:  # a model that holds itself has no end
            return JSON
        self._under_way.append(name)
        found = self.of(self._definitions.get(name, {}))
        self._under_way.pop()
        return found

    def _object(self, schema: Schema) -> Type:
        properties = schema.get("properties")
        if not properties or schema.get("additionalProperties"):
            return JSON
        return Type("object", fields={name: self.of(part) for name, part in properties.items()})


def _of_values(values: list[Any]) -> Type:
    kinds = {type(value) for value in values if value is not None}
    simple: dict[type, Type] = {str: TEXT, int: WHOLE, float: NUMBER, bool: YES_NO}
    return simple.get(kinds.pop(), JSON) if len(kinds) == 1 else JSON


CITATION = Type(
    "object",
    fields={
        "field": TEXT,
        "type": TEXT,
        "cited_text": TEXT,
        "document_index": WHOLE,
        "document_title": TEXT,
        "start_page_number": WHOLE,
        "end_page_number": WHOLE,
        "start_char_index": WHOLE,
        "end_char_index": WHOLE,
        "start_content_block_index": WHOLE,
        "end_content_block_index": WHOLE,
        "source": TEXT,
        "url": TEXT,
        "grounded": YES_NO,
        "checked_at": TEXT,
        "supports": YES_NO,
    },
)
