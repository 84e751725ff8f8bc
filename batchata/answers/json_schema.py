"""Walk a JSON Schema: what stands inside it, what it refers to, and how long a value is that fits it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

# By where the keywords of JSON Schema have schemas: under names, in a list, or alone.
_BY_NAME: Final = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")
_LISTED: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
_ALONE: Final = (
    *("items", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else"),
    *("unevaluatedItems", "unevaluatedProperties"),
)


def mapped(schema: dict[str, Any], change: Callable[[Any, str], Any]) -> dict[str, Any]:
    """Return a schema with each schema directly inside it replaced by `change(part, place)`.

    Places say which part it is: `.vendor` for a field or a definition, `[]` for the entries of a list, and
    nothing for a choice. What is not a schema stays: a field called "items", an `enum`, a `default`.
    """
    return {key: _replaced(key, value, change) for key, value in schema.items()}


def _replaced(key: str, value: Any, change: Callable[[Any, str], Any]) -> Any:
    if key in _BY_NAME and isinstance(value, dict):
        return {name: change(part, f".{name}") for name, part in value.items()}
    if key in _LISTED and isinstance(value, list):
        return [change(part, "") for part in value]
    if key in _ALONE and isinstance(value, dict):
        return change(value, "[]" if key == "items" else "")
    return value


def parts(schema: object) -> Iterator[dict[str, Any]]:
    """Yield every schema in a schema, itself included, at any depth."""
    if isinstance(schema, dict):
        yield schema
        for part in inner(schema):
            yield from parts(part)


def inner(schema: dict[str, Any]) -> list[Any]:
    """Return the schemas that stand directly inside a schema."""
    found: list[Any] = []
    mapped(schema, lambda part, _place: found.append(part))
    return found


def definition_of(reference: str) -> str:
    """Return the name of the definition that a `$ref` points at."""
    return reference.rpartition("/")[2].replace("~1", "/").replace("~0", "~")


def references(schema: object) -> list[str]:
    """Return the names of the definitions that the schema refers to, in order."""
    found = (part.get("$ref") for part in parts(schema))
    return [definition_of(reference) for reference in found if isinstance(reference, str)]


# Characters of a value of each kind, as the recorded answers have them in the middle.
_VALUES: Final = {"string": 24, "number": 6, "integer": 4, "boolean": 5, "null": 4}
_FORMATS: Final = {"date": 12, "date-time": 24, "time": 10, "uuid": 38, "email": 26, "uri": 42}
_ENTRIES: Final = 3  # of a list or a map of unknown length
_DEEPEST: Final = 6


def answer_length(schema: dict[str, Any]) -> int:
    """Return how long an answer in JSON that fits the schema is expected to be, in characters."""
    return _length(schema, schema.get("$defs", {}), 0)


def _length(schema: Any, named: dict[str, Any], depth: int) -> int:
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return _VALUES["null"]
    if "$ref" in schema:
        return _length(named.get(definition_of(str(schema["$ref"]))), named, depth + 1)
    if "const" in schema:
        return len(str(schema["const"])) + 2
    if schema.get("enum"):
        return sum(len(str(value)) + 2 for value in schema["enum"]) // len(schema["enum"])
    if choices := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        return max(_length(choice, named, depth + 1) for choice in choices)
    return _of_type(schema, named, depth)


def _of_type(schema: dict[str, Any], named: dict[str, Any], depth: int) -> int:
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        fields: dict[str, Any] = schema.get("properties") or {}
        if not fields:
            entry = _length(schema.get("additionalProperties"), named, depth + 1)
            return 2 + _ENTRIES * (entry + _VALUES["string"])
        return 2 + sum(len(name) + 5 + _length(field, named, depth + 1) for name, field in fields.items())
    if kind == "array":
        return 2 + _ENTRIES * (2 + _length(schema.get("items"), named, depth + 1))
    if kind == "string":
        return _FORMATS.get(str(schema.get("format")), _VALUES["string"])
    return _VALUES.get(str(kind), _VALUES["string"])
