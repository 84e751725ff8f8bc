"""Make a response model from a JSON Schema written by hand, such as the file behind `--schema`.

The schema itself is what is sent and what the log keeps; the model only reads the answers.
"""

from __future__ import annotations

import json
import keyword
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import pydantic
from pydantic_core import SchemaError

from batchata.answers.json_schema import mapped, references
from batchata.errors import InvalidInputError
from batchata.text import short
from batchata.views.rebuilt_models import model_from_schema

type Schema = dict[str, Any]

_UNUSABLE = (
    pydantic.PydanticUserError,
    SchemaError,
    AttributeError,
    LookupError,
    NameError,
    RecursionError,
    TypeError,
    ValueError,
)
_READ_AS_THEY_ARE = frozenset({"date", "date-time", "time"})  # other formats are texts
NOTE, BY_SCHEMA = "$comment", "the response model was given as a JSON Schema"  # in the schema of results


def model_of_file(path: Path) -> type[pydantic.BaseModel]:
    """Return the response model of the JSON Schema in a file.

    Raises InvalidInputError when there is none that answers can be read with.
    """
    try:
        schema = json.loads(path.read_bytes())
    except OSError as exc:
        raise InvalidInputError(f"the schema {path} cannot be read ({exc.strerror}); check the path") from exc
    except ValueError as exc:
        raise InvalidInputError(f"the schema {path} is not JSON ({exc})") from exc
    return model_of_schema(schema, str(path))


def model_of_schema(schema: Any, place: str = "the schema") -> type[pydantic.BaseModel]:
    """Return a response model that asks with exactly this JSON Schema, and reads what fits it.

    Raises InvalidInputError, naming the place, for a schema that is not an object's, or has parts that no
    model can be made from.
    """
    if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
        raise InvalidInputError(
            f"{place} is not the JSON Schema of an object with fields; wrap what it describes: "
            '{"type": "object", "properties": {"items": …}, "required": ["items"]}'
        )
    try:
        shaped = _shaped(schema, place)
        _check_references(shaped, place)
        written = _named(shaped)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a field may be called like a method of pydantic's
            base = model_from_schema(shaped, written)
    except _UNUSABLE as exc:
        if isinstance(exc, InvalidInputError):
            raise
        raise InvalidInputError(f"{place} cannot be read with: {short(str(exc))}; simplify it") from exc
    return _asking_with(schema, {**written, NOTE: BY_SCHEMA}, base)


def _asking_with(schema: Schema, written: Schema, base: type[pydantic.BaseModel]) -> type[pydantic.BaseModel]:
    def given(_cls: type, /, *_args: Any, mode: str = "validation", **_kwargs: Any) -> Schema:
        return deepcopy(written if mode == "serialization" else schema)

    inside = {"__module__": "schema", "model_json_schema": classmethod(given)}
    return cast("type[pydantic.BaseModel]", type(base.__name__, (base,), inside))


def _check_references(schema: Schema, place: str) -> None:
    missing = sorted(set(references(schema)) - set(schema.get("$defs", {})))
    if missing:
        raise InvalidInputError(f"{place} refers to {missing[0]!r}, which is not among its $defs")


def _shaped(part: Any, place: str) -> Any:
    """Write a part of a schema as pydantic would: what may be missing has a default, each part one type."""
    if isinstance(part, bool):
        return {}
    if not isinstance(part, dict):
        raise InvalidInputError(f"{place} is {json.dumps(part)[:40]}, where a schema is expected")
    found = _with_local_reference(_merged(part, place), place)
    if found.get("format") not in _READ_AS_THEY_ARE:
        found.pop("format", None)
    found = mapped(found, lambda inner, where: _shaped(inner, f"{place}{where}"))
    if older := found.pop("definitions", {}):
        found["$defs"] = {**found.get("$defs", {}), **older}
    found |= {"properties": _with_defaults(found)} if "properties" in found else {}
    return _one_type_each(found)


def _with_local_reference(part: Schema, place: str) -> Schema:
    reference = part.get("$ref")
    if not isinstance(reference, str):
        return part
    if not reference.startswith(("#/$defs/", "#/definitions/")):
        raise InvalidInputError(f"{place} refers to {reference!r}; put it among the $defs of the schema")
    return {**part, "$ref": reference.replace("#/definitions/", "#/$defs/", 1)}


def _with_defaults(schema: Schema) -> Schema:
    required = schema.get("required", [])
    return {
        name: field
        if name in required or "default" in field
        else {"anyOf": [field, {"type": "null"}], "default": None}
        for name, field in schema["properties"].items()
    }


def _one_type_each(found: Schema) -> Schema:
    kinds = found.get("type")
    nullable = found.pop("nullable", False) is True
    if isinstance(kinds, list):
        alone = {key: value for key, value in found.items() if key not in ("type", "default", "enum")}
        if "enum" in found:
            return {key: value for key, value in found.items() if key != "type"}
        options = [{"type": "null"} if kind == "null" else {**alone, "type": kind} for kind in kinds]
        found = {"anyOf": options, **{key: found[key] for key in ("default",) if key in found}}
    return {"anyOf": [found, {"type": "null"}]} if nullable else found


def _merged(part: Schema, place: str) -> Schema:
    """Return the part together with what its `allOf` says."""
    found = dict(part)
    for given in found.pop("allOf", []):
        other = _merged(given, place)
        if "$ref" in other and len(part.get("allOf", [])) > 1:
            raise InvalidInputError(f"{place} joins a reference with others in allOf; write its fields out")
        fields = {**found.get("properties", {}), **other.get("properties", {})}
        required = [*found.get("required", []), *other.get("required", [])]
        found = {**other, **found}
        found |= {"properties": fields} if fields else {}
        found |= {"required": required} if required else {}
    return found


def _named(schema: Any, _place: str = "") -> Any:
    """Return the schema with field names that Python allows, without defaults."""
    if not isinstance(schema, dict):
        return schema
    found = mapped({key: value for key, value in schema.items() if key != "default"}, _named)
    if "properties" in found:
        taken: set[str] = set()
        fields = found["properties"].items()
        found["properties"] = {_python_name(name, taken): field for name, field in fields}
    return found


def _python_name(name: str, taken: set[str]) -> str:
    found = name.lstrip("_") or "field"
    if hasattr(pydantic.BaseModel, found) or keyword.iskeyword(found):
        found += "_"
    while found in taken:
        found += "_"
    taken.add(found)
    return found
