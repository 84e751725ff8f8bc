"""Write a JSON Schema in the subset of OpenAPI that `responseSchema` takes.

In batches `responseJsonSchema` was seen to be ignored, and `responseSchema` to be kept.
"""

from __future__ import annotations

from typing import Any, Final

from batchata.answers.json_schema import definition_of
from batchata.answers.schema import NotNative

__all__ = ["response_schema"]

_KEPT: Final = (
    "title",
    "description",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
)
_UNSUPPORTED: Final = ("patternProperties", "prefixItems", "allOf", "oneOf", "not", "if")
_FORMATS: Final = ("date-time",)
_DEEPEST: Final = 16  # a schema that refers to itself has no end
_MOST_PARTS: Final = 2_000


class _Writer:
    """Writes one schema; Gemini has no `$ref`, so each reference is replaced by what it refers to."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._named: dict[str, Any] = root.get("$defs") or {}
        self._left = _MOST_PARTS

    def write(self, part: Any, depth: int = 0) -> dict[str, Any]:
        if not isinstance(part, dict):
            raise NotNative("a field may have any value")
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            raise NotNative("the schema refers to itself, or is too large")
        if isinstance(part.get("$ref"), str):
            own = {key: value for key, value in part.items() if key != "$ref"}
            return self.write({**self._named.get(definition_of(part["$ref"]), {}), **own}, depth + 1)
        if found := next((key for key in _UNSUPPORTED if key in part), None):
            raise NotNative(f"Gemini's schemas have no {found}")
        kept = {key: part[key] for key in _KEPT if key in part}
        if choices := part.get("anyOf"):
            return {**kept, **self._choice(choices, depth)}
        return {**kept, **self._of_type(part, depth)}

    def _choice(self, choices: list[Any], depth: int) -> dict[str, Any]:
        nulls = [choice for choice in choices if choice == {"type": "null"}]
        others = [self.write(choice, depth + 1) for choice in choices if choice not in nulls]
        nullable = {"nullable": True} if nulls else {}
        if len(others) == 1:
            return {**others[0], **nullable}
        return {"anyOf": others, **nullable}

    def _of_type(self, part: dict[str, Any], depth: int) -> dict[str, Any]:
        values = part.get("enum", [part["const"]] if "const" in part else None)
        if values is not None:
            if not all(isinstance(value, str) for value in values):
                raise NotNative("Gemini's schemas have choices of texts alone")
            return {"type": "STRING", "format": "enum", "enum": values}
        match part.get("type"):
            case "object":
                return self._object(part, depth)
            case "array":
                return {"type": "ARRAY", "items": self.write(part.get("items"), depth + 1)}
            case "string":
                named = part.get("format")
                return {"type": "STRING", **({"format": named} if named in _FORMATS else {})}
            case "number" | "integer" | "boolean" as kind:
                return {"type": kind.upper()}
        raise NotNative("a field may have any value")

    def _object(self, part: dict[str, Any], depth: int) -> dict[str, Any]:
        fields = part.get("properties")
        if not fields or part.get("additionalProperties") not in (None, False):
            raise NotNative("Gemini's schemas have no open dicts")
        return {
            "type": "OBJECT",
            "properties": {name: self.write(field, depth + 1) for name, field in fields.items()},
            "required": [name for name in fields if name in part.get("required", ())],
            "propertyOrdering": list(fields),
        }


def response_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema as `responseSchema`. Raises NotNative where it would not mean the same."""
    return _Writer(schema).write(schema)
