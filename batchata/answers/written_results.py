"""Read a result again from the JSON that its model writes of it, and tell where that gives another value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import pydantic

from batchata.answers.direct_reading import reads_in_its_own_way
from batchata.answers.values_by_path import members

# Kinds that pydantic writes as JSON that means the same value again, and only that.
_SAFE = frozenset({
    "bool", "date", "datetime", "decimal", "default", "definition-ref", "definitions", "dict", "enum",
    "float", "int", "list", "literal", "model", "model-field", "model-fields", "none", "nullable", "str",
})  # fmt: skip
# What makes a field or model read or write in another way than its kind does, unless it is empty.
_OWN = (
    "serialization",
    "serialization_exclude",
    "serialization_exclude_if",
    "validation_alias",
    "computed_fields",
    "custom_init",
    "post_init",
)
_HARMLESS_CONFIG = {"title", "extra_fields_behavior"}
_MASK = b"**********"  # what pydantic writes of a secret; looking at every value takes far longer
_INSIDE = ("schema", "fields", "items_schema", "values_schema", "definitions", "extras_schema")


@lru_cache(maxsize=256)
def reads_what_it_writes(model: type[pydantic.BaseModel]) -> bool:
    """Return whether any instance is sure to be read again, the same, from its JSON by field names.

    Not sure are those with validators, serializers, aliases, unions, secrets and whatever else may keep
    something to itself; then each value has to be tried.
    """
    usual: Any = pydantic.BaseModel
    if model.model_dump_json is not usual.model_dump_json or reads_in_its_own_way(model):
        return False
    return all(_is_safe(part) for part in _parts(model.__pydantic_core_schema__))


def _is_safe(part: Mapping[str, Any]) -> bool:
    if part["type"] not in _SAFE or any(part.get(name) for name in _OWN):
        return False
    if part["type"] == "dict" and not ("values_schema" in part and part["keys_schema"]["type"] == "str"):
        return False
    return bool(part.get("config", {}).keys() <= _HARMLESS_CONFIG)


def _parts(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield schema
    for name in _INSIDE:
        inner = schema.get(name, ())
        if isinstance(inner, Mapping):
            inner = [inner] if "type" in inner and isinstance(inner["type"], str) else inner.values()
        for part in inner:
            yield from _parts(part)


def read_back[M: pydantic.BaseModel](model: type[M], written: str | bytes) -> M:
    """Read a result from its JSON by field names, as files have it."""
    return model.model_validate_json(written, by_alias=True, by_name=True)


def is_read_back(value: pydantic.BaseModel, written: bytes) -> bool:
    """Return whether this JSON of the value gives the same value again."""
    try:
        again = read_back(type(value), written)
        is_same = again == value and again.model_dump_json().encode() == written
        return is_same and not (_MASK in written and has_mask(value))
    except Exception:  # noqa: BLE001 - validators, serializers and == are the caller's code
        return False


def has_mask(value: Any) -> bool:
    """Return whether a secret in the value is what pydantic writes in place of one."""
    match value:
        case pydantic.SecretStr() | pydantic.SecretBytes():
            secret = value.get_secret_value()
            return bool(secret) and str(secret) == str(value)
        case pydantic.RootModel():
            return has_mask(value.root)
        case set() | frozenset():
            return any(map(has_mask, value))
    keys = value if isinstance(value, Mapping) else ()
    return any(map(has_mask, keys)) or any(has_mask(inner) for _, inner in members(value))
