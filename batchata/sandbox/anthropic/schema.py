"""Finds the JSON schema a request asks for, and what the service's schema compiler refuses in one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["resolve", "schema_of", "schema_problem"]

_decoder = json.JSONDecoder()
_UNSUPPORTED = {
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "string": ("minLength", "maxLength"),
    "array": ("maxItems", "uniqueItems"),
}


def schema_of(params: dict[str, Any], system: str) -> dict[str, Any] | None:
    """The schema of `output_config.format`, of a forced tool, or standing in the system prompt."""
    output_format = (params.get("output_config") or {}).get("format") or {}
    if isinstance(output_format.get("schema"), dict):
        return dict(output_format["schema"])
    tool = forced_tool(params)
    if tool is not None:
        return dict(tool.get("input_schema") or {})
    return next(schemas_in(system), None)


def forced_tool(params: dict[str, Any]) -> dict[str, Any] | None:
    choice = params.get("tool_choice") or {}
    tools = [tool for tool in params.get("tools") or [] if isinstance(tool, dict)]
    if choice.get("type") == "any":
        return next(iter(tools), None)
    if choice.get("type") == "tool":
        return next((tool for tool in tools if tool.get("name") == choice.get("name")), None)
    return None


def schemas_in(text: str) -> Iterator[dict[str, Any]]:
    """Every JSON object in a text that looks like a schema."""
    start = text.find("{")
    while start != -1:
        end = start + 1
        try:
            value, end = _decoder.raw_decode(text, start)
        except ValueError:
            value = None
        if isinstance(value, dict) and not value.keys().isdisjoint({"properties", "$ref", "$defs", "anyOf"}):
            yield value
        start = text.find("{", end)


def resolve(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """The schema with its `$ref` (into `$defs` or `definitions` of the root) and single `allOf` followed."""
    for _ in range(20):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            target: Any = root
            for part in reference.removeprefix("#").strip("/").split("/"):
                target = target.get(part, {}) if part and isinstance(target, dict) else target
            schema = {**target, **{k: v for k, v in schema.items() if k != "$ref"}}
        elif len(schema.get("allOf") or []) == 1:
            schema = {**schema["allOf"][0], **{k: v for k, v in schema.items() if k != "allOf"}}
        else:
            break
    return schema


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
