"""What the service's schema compiler refuses in a schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from batchata.sandbox.json_schema import resolve

__all__ = ["schema_problem"]

_UNSUPPORTED = {
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "string": ("minLength", "maxLength"),
    "array": ("maxItems", "uniqueItems"),
}


def schema_problem(schema: dict[str, Any]) -> str | None:
    """Why the service would refuse this schema, or None."""
    return _problem(schema, schema, ())


def _problem(schema: Any, root: dict[str, Any], followed: tuple[str, ...]) -> str | None:
    if not isinstance(schema, dict):
        return None
    reference = schema.get("$ref")
    if isinstance(reference, str):
        if not reference.startswith("#"):
            return f"External $ref '{reference}' is not supported"
        if reference in followed:
            return f"Circular reference detected in schema definitions: {reference}"
        return _problem(resolve(schema, root), root, (*followed, reference))
    return _own_problem(schema) or next(
        (problem for child in _children(schema) if (problem := _problem(child, root, followed))), None
    )


def _own_problem(schema: dict[str, Any]) -> str | None:
    kinds = schema.get("type")
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if kind == "object" and schema.get("additionalProperties") is not False:
            return "For 'object' type, 'additionalProperties' must be explicitly set to false"
        refused = [key for key in _UNSUPPORTED.get(str(kind), ()) if key in schema]
        if refused:
            return f"For '{kind}' type, property '{refused[0]}' is not supported"
        if kind == "array" and schema.get("minItems", 0) not in (0, 1):
            return "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
    if "oneOf" in schema:
        return "Schema type 'oneOf' is not supported"
    return None


def _children(schema: dict[str, Any]) -> Iterator[Any]:
    yield from (schema.get("properties") or {}).values()
    for key in ("anyOf", "allOf"):
        yield from schema.get(key) or []
    yield schema.get("items")
