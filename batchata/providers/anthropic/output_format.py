"""Convert a JSON Schema to the subset that `output_config.format` takes."""

from __future__ import annotations

import json
from typing import Any

from batchata.answers.json_schema import definition_of, mapped, parts, references
from batchata.answers.schema import NotNative
from batchata.providers.anthropic.models import Model

# What output_config.format takes; anything else is refused by the API or answered with an empty object.
_MOST_OPTIONAL, _MOST_UNIONS = 24, 16
_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_BOUNDS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "pattern",
    "default",
    "examples",
)


def output_format(schema: dict[str, Any], model: Model, cited: bool) -> dict[str, Any]:
    """Return the `output_config.format` for answers that fit the schema.

    Raises NotNative where the model or the schema rules it out, or citations are on.
    """
    if not model.structured_output:
        raise NotNative("the model has no native output format")
    if cited:
        raise NotNative("the API refuses its output format together with citations")
    return {"type": "json_schema", "schema": native_schema(schema)}


def native_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema in the subset that `output_config.format` takes; bounds become words in descriptions.

    Raises NotNative when a part cannot be carried: open dicts, tuples, untyped values, recursion, or too
    many optional or union fields.
    """
    _refuse_recursion(schema)
    conversion = _Conversion(schema.get("$defs", {}))
    converted = conversion.convert(schema, schema.get("title", "the model"))
    conversion.add_definitions(converted)
    _refuse_excess(converted)
    return converted


class _Conversion:
    """Converts the parts of one schema."""

    def __init__(self, definitions: dict[str, Any]) -> None:
        self._definitions = definitions

    def convert(self, part: dict[str, Any], where: str) -> dict[str, Any]:
        if "$ref" in part:
            return self._referred(part, where)
        if "prefixItems" in part:
            raise NotNative(f"{where} is a tuple")
        if not {"type", "enum", "const", "anyOf", "oneOf", "allOf"} & part.keys():
            raise NotNative(f"{where} may be anything")
        kept: dict[str, Any] = {key: part[key] for key in ("type", "enum", "const", "title") if key in part}
        kept |= _described(part)
        if choices := part.get("oneOf") or part.get("anyOf"):
            kept["anyOf"] = choices
        if "allOf" in part:
            kept["allOf"] = part["allOf"]
        if part.get("format") in _FORMATS:
            kept["format"] = part["format"]
        if part.get("type") == "array":
            kept["items"] = part.get("items") or {}
        if part.get("type") == "object":
            kept |= _closed(part, where)
        return mapped(kept, lambda inner, place: self.convert(inner, f"{where}{place}"))

    def _referred(self, part: dict[str, Any], where: str) -> dict[str, Any]:
        """Copy a definition that has more said about it: the API drops what stands beside a $ref."""
        said = _described(part)
        if not said:
            return {"$ref": part["$ref"]}
        copied: dict[str, Any] = self._definitions[definition_of(part["$ref"])]
        both = [said["description"], *([copied["description"]] if copied.get("description") else [])]
        return self.convert({**copied, "description": " ".join(both)}, where)

    def add_definitions(self, converted: dict[str, Any]) -> None:
        """Add the definitions that are still referred to."""
        used: dict[str, Any] = {}
        todo = references(converted)
        while todo:
            name = todo.pop()
            if name not in used:
                used[name] = self.convert(self._definitions[name], name)
                todo += references(used[name])
        if used:
            converted["$defs"] = {name: used[name] for name in self._definitions if name in used}


def _closed(part: dict[str, Any], where: str) -> dict[str, Any]:
    if part.get("additionalProperties") not in (None, False) or "patternProperties" in part:
        raise NotNative(f"{where} is an open dict")
    if "properties" not in part:
        raise NotNative(f"{where} is an object without fields")
    return {
        "properties": part["properties"],
        "required": part.get("required", []),
        "additionalProperties": False,
    }


def _described(part: dict[str, Any]) -> dict[str, str]:
    bounds = [f"{key}: {json.dumps(part[key], ensure_ascii=False)}" for key in _BOUNDS if key in part]
    if "format" in part and part["format"] not in _FORMATS:
        bounds.append(f"format: {part['format']}")
    words = [part["description"]] if part.get("description") else []
    words += [f"({'; '.join(bounds)})"] if bounds else []
    return {"description": " ".join(words)} if words else {}


def _refuse_recursion(schema: dict[str, Any]) -> None:
    uses = {name: set(references(part)) for name, part in schema.get("$defs", {}).items()}
    for name, direct in uses.items():
        seen: set[str] = set()
        todo = set(direct)
        while todo:
            used = todo.pop()
            if used == name:
                raise NotNative(f"{name} contains itself")
            if used not in seen:
                seen.add(used)
                todo |= uses.get(used, set())


def _refuse_excess(schema: dict[str, Any]) -> None:
    objects = [part for part in parts(schema) if isinstance(part.get("properties"), dict)]
    optional = sum(len(part["properties"]) - len(part.get("required", [])) for part in objects)
    unions = sum("anyOf" in part or isinstance(part.get("type"), list) for part in parts(schema))
    if optional > _MOST_OPTIONAL:
        raise NotNative(f"{optional} optional fields, more than {_MOST_OPTIONAL}")
    if unions > _MOST_UNIONS:
        raise NotNative(f"{unions} union fields, more than {_MOST_UNIONS}")
