"""Find JSON schemas in a text, and follow their references, whichever protocol carries them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["resolve", "schemas_in"]

_decoder = json.JSONDecoder()


def schemas_in(text: str) -> Iterator[dict[str, Any]]:
    """Yield every JSON object in a text that looks like a schema."""
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
    """Follow the schema's `$ref` (into `$defs` or `definitions` of the root) and single `allOf`."""
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
