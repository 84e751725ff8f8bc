"""Enumerated values in another case than the schema has them: the native format does not promise the case."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

type Schema = dict[str, Any]


def with_schema_casing(value: Any, schema: Schema) -> Any:
    """A copy of a JSON value in which enumerated strings are written as the schema writes them.

    A string is changed only where the schema takes no other strings than enumerated ones, none of them is
    the string itself, and exactly one differs in nothing but its case.
    """
    return _recase(value, [schema], schema)


def _recase(value: Any, schemas: list[Schema], root: Schema) -> Any:
    options = [option for schema in schemas for option in _options(schema, root)]
    if isinstance(value, str):
        return _recased(value, options)
    if isinstance(value, list):
        return [_recase(item, _item_schemas(options, n), root) for n, item in enumerate(value)]
    if isinstance(value, dict):
        names = [names for o in options for names in _options(o.get("propertyNames"), root)]
        return {
            _recased(key, names): _recase(inner, _value_schemas(options, key), root)
            for key, inner in value.items()
        }
    return value


def _options(schema: Any, root: Schema, depth: int = 0) -> Iterable[Schema]:
    """The schemas that a value may follow here, references and unions resolved."""
    if not isinstance(schema, dict) or depth > 20:
        return
    reference = schema.get("$ref")
    if isinstance(reference, str):
        yield from _options(_referred(reference, root), root, depth + 1)
        return
    unions = [option for key in ("anyOf", "oneOf", "allOf") for option in schema.get(key, [])]
    if not unions:
        yield schema
    for option in unions:
        yield from _options(option, root, depth + 1)


def _referred(reference: str, root: Schema) -> Any:
    found: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        found = found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, dict) else {}
    return found


def _item_schemas(options: list[Schema], number: int) -> list[Schema]:
    found = []
    for option in options:
        prefix = option.get("prefixItems", [])
        found.append(prefix[number] if number < len(prefix) else option.get("items"))
    return [schema for schema in found if isinstance(schema, dict)]


def _value_schemas(options: list[Schema], key: str) -> list[Schema]:
    found = [o.get("properties", {}).get(key, o.get("additionalProperties")) for o in options]
    return [schema for schema in found if isinstance(schema, dict)]


def _recased(text: str, options: list[Schema]) -> str:
    allowed: set[str] = set()
    for option in options:
        words = option.get("enum", [option["const"]] if "const" in option else None)
        if words is None:
            if option.get("type") in (None, "string"):
                return text  # any string may stand here
            continue
        allowed.update(word for word in words if isinstance(word, str))
    if text in allowed:
        return text
    close = [word for word in allowed if word.casefold() == text.strip().casefold()]
    return close[0] if len(close) == 1 else text
