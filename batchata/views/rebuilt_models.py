"""Rebuild a response model from the two schemas by which pydantic describes it.

It is the inverse of that description; a JSON Schema written by hand is brought into this form first.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import ipaddress
import pathlib
import uuid
from collections.abc import Mapping
from itertools import zip_longest
from typing import Annotated, Any, ForwardRef, Literal, Union

import pydantic

from batchata.answers.json_schema import definition_of

_NOTHING: dict[str, Any] = {}
_EXTRA: dict[Any, Literal["allow", "forbid"]] = {False: "forbid", True: "allow"}

type Schema = Mapping[str, Any]

_FORMATS: dict[str, Any] = {
    "date-time": datetime.datetime,
    "date": datetime.date,
    "time": datetime.time,
    "duration": datetime.timedelta,
    "uuid": uuid.UUID,
    "uri": pydantic.AnyUrl,
    "ipv4": ipaddress.IPv4Address,
    "ipv6": ipaddress.IPv6Address,
    "path": pathlib.Path,
    "binary": bytes,
    "password": pydantic.SecretStr,
}
_PLAIN: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "null": None,
}
_BOUNDS = {
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "multipleOf": "multiple_of",
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_length",
    "maxItems": "max_length",
    "pattern": "pattern",
}


def model_from_schema(answers: Schema, results: Schema) -> type[pydantic.BaseModel]:
    """Rebuild a model that takes and gives the same JSON as the one that these two schemas describe.

    The class's own validators, serializers and computed fields are in no schema, and so not in this model.
    """
    return _Builder(answers, results).build()


class _Builder:
    """Walks both schemas side by side; `results` is empty where it has no counterpart."""

    def __init__(self, answers: Schema, results: Schema) -> None:
        self._answers = answers
        self._results = results
        self._built: dict[str, Any] = {}
        self._under_way: set[str] = set()

    def build(self) -> type[pydantic.BaseModel]:
        if "properties" in self._answers:
            model = self._model("Result", self._answers, self._results)
        else:  # a model that holds itself is a reference to its own definition
            model = self._definition(self._answers["$ref"])
        for built in (model, *self._built.values()):
            if isinstance(built, type) and issubclass(built, pydantic.BaseModel):
                built.model_rebuild(_types_namespace=self._built, raise_errors=False)
        found: type[pydantic.BaseModel] = model
        return found

    def _model(self, name: str, schema: Schema, results: Schema) -> Any:
        written = results.get("properties", {})
        names = _python_names(schema["properties"], written)
        required = set(schema.get("required", []))
        fields: dict[str, Any] = {}
        for key, part in schema["properties"].items():
            field = names[key]
            default = ... if key in required else _default(part)
            alias: dict[str, Any] = {} if field == key else {"alias": key}
            given = written.get(field, {})
            unwritten: dict[str, Any] = {"exclude": True} if written and field not in written else {}
            unset: dict[str, Any] = {"validate_default": False} if default is None else {}
            fields[field] = (self._type(part, given), pydantic.Field(default, **alias, **unwritten, **unset))
        config = pydantic.ConfigDict(
            extra=_EXTRA.get(schema.get("additionalProperties"), "ignore"),
            validate_default=True,
            populate_by_name=True,
            protected_namespaces=(),
        )
        return pydantic.create_model(schema.get("title", name), __config__=config, **fields)

    def _definition(self, reference: str) -> Any:
        name = definition_of(reference)
        schema = self._answers.get("$defs", {}).get(name, {})
        if name in self._under_way:  # only a model can hold itself by its name
            return ForwardRef(name) if "properties" in schema else Any
        if name not in self._built:
            self._under_way.add(name)
            results = self._results.get("$defs", {}).get(name, {})
            self._built[name] = _enum(name, schema) if "enum" in schema else self._type(schema, results)
            self._under_way.discard(name)
        return self._built[name]

    def _type(self, schema: Schema, results: Schema) -> Any:
        found = self._unbounded(schema, results)
        bounds = {ours: schema[theirs] for theirs, ours in _BOUNDS.items() if theirs in schema}
        return Annotated[found, pydantic.Field(**bounds)] if bounds else found

    def _unbounded(self, schema: Schema, results: Schema) -> Any:
        if "$ref" in schema:
            return self._definition(schema["$ref"])
        if "const" in schema:
            return Literal[schema["const"]]
        if "enum" in schema:
            return Literal[tuple(schema["enum"])]
        if options := schema.get("anyOf") or schema.get("oneOf"):
            return self._union(options, results)
        match schema.get("type"):
            case "object":
                return self._object(schema, results)
            case "array":
                return self._array(schema, results)
            case "string" if schema.get("format") in _FORMATS:
                return _FORMATS[schema["format"]]
            case kind if kind in _PLAIN:
                return _PLAIN[kind]
        return Any

    def _union(self, options: list[Schema], results: Schema) -> Any:
        given = results.get("anyOf") or results.get("oneOf") or [results]
        parts: list[Any] = []
        if _is_decimal(options, given):
            bounds = {_BOUNDS[key]: value for key, value in options[0].items() if key in _BOUNDS}
            parts.append(Annotated[decimal.Decimal, pydantic.Field(**bounds)] if bounds else decimal.Decimal)
            options, given = options[2:], given[1:]
        parts += [
            self._type(*pair) for pair in zip_longest(options, given[: len(options)], fillvalue=_NOTHING)
        ]
        return Union[tuple(parts)]  # noqa: UP007 - the parts are values, known only now

    def _object(self, schema: Schema, results: Schema) -> Any:
        if "properties" in schema:
            return self._model("Part", schema, results)
        values, given = schema.get("additionalProperties"), results.get("additionalProperties")
        if not isinstance(values, dict):
            return dict[str, Any]
        return dict[str, self._type(values, given if isinstance(given, dict) else {})]  # type: ignore[misc]  # made at run time

    def _array(self, schema: Schema, results: Schema) -> Any:
        if "prefixItems" in schema:
            pairs = zip_longest(schema["prefixItems"], results.get("prefixItems", []), fillvalue=_NOTHING)
            return tuple[tuple(self._type(*pair) for pair in pairs)]  # type: ignore[misc]  # made at run time
        inner = self._type(schema.get("items", {}), results.get("items", {}))
        return set[inner] if schema.get("uniqueItems") else list[inner]  # type: ignore[valid-type]  # made at run time


def _python_names(answers: Schema, results: Schema) -> dict[str, str]:
    """Return each property's Python name: its own, or what stands in its place."""
    unnamed = [key for key in answers if key not in results]
    others = [name for name, part in results.items() if name not in answers and not part.get("readOnly")]
    return {key: key for key in answers} | dict(zip(unnamed, others, strict=False))


def _is_decimal(options: list[Schema], given: list[Schema]) -> bool:
    """Whether it is a Decimal: taken as number or text, and given as text; a float would lose digits."""
    kinds = [option.get("type") for option in options[:2]]
    return kinds == ["number", "string"] and len(given) < len(options) and given[0].get("type") == "string"


def _enum(name: str, schema: Schema) -> Any:
    return enum.Enum(schema.get("title", name), {f"V{n}": value for n, value in enumerate(schema["enum"])})


def _default(schema: Schema) -> Any:
    """Return the default in the schema; a default factory is not in it, and mostly makes an empty value."""
    if "default" in schema:
        return schema["default"]
    return {"array": [], "object": {}}.get(schema.get("type", ""))
