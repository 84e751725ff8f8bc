"""How long an answer of a given shape is likely to be."""

from __future__ import annotations

from typing import Any, Final

# Characters of a value of each kind, as the recorded answers have them in the middle.
_VALUES: Final = {"string": 24, "number": 6, "integer": 4, "boolean": 5, "null": 4}
_FORMATS: Final = {"date": 12, "date-time": 24, "time": 10, "uuid": 38, "email": 26, "uri": 42}
_ENTRIES: Final = 3  # of a list or a map whose length nobody knows
_DEEPEST: Final = 6


def answer_length(schema: dict[str, Any]) -> int:
    """Characters of an answer in JSON that fits the schema."""
    return _length(schema, schema.get("$defs", {}), 0)


def _length(schema: Any, named: dict[str, Any], depth: int) -> int:
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return _VALUES["null"]
    if "$ref" in schema:
        return _length(named.get(str(schema["$ref"]).rpartition("/")[2]), named, depth + 1)
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
