"""How a response model is told to the provider: as a native output format, or as words in the prompt."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

import pydantic
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError

from batchata.errors import InvalidInputError

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


class NotNative(Exception):
    """The native format cannot carry the schema; the text says which part."""


@dataclass(frozen=True, slots=True)
class Route:
    """How the answer's shape is asked for.

    `kind` is "text" (no response model), "native" (`output_format` goes into the request) or "prompt"
    (`instructions` go into the system prompt).
    """

    kind: str
    output_format: dict[str, Any] | None = None
    instructions: str | None = None


def check_response_model(response_model: Any) -> type[pydantic.BaseModel] | None:
    """The response model, if it is one.

    Raises InvalidInputError for anything but None or a subclass of pydantic.BaseModel, and for a RootModel:
    answers are JSON objects.
    """
    if response_model is None:
        return None
    is_class = isinstance(response_model, type) and response_model is not pydantic.BaseModel
    is_model = is_class and issubclass(response_model, pydantic.BaseModel)
    if is_model and not issubclass(response_model, pydantic.RootModel):
        return cast(type[pydantic.BaseModel], response_model)
    raise InvalidInputError(
        "response_model must be a class derived from pydantic.BaseModel, with fields (a RootModel's value "
        f"goes into a field of a model), not {response_model!r}"
    )


def json_schema(response_model: type[pydantic.BaseModel]) -> dict[str, Any]:
    """The model's JSON Schema.

    Raises InvalidInputError when a field cannot be described in JSON Schema.
    """
    try:
        return response_model.model_json_schema()
    except (PydanticInvalidForJsonSchema, PydanticUserError) as exc:
        raise InvalidInputError(
            f"response_model {response_model.__name__} cannot be described in JSON Schema: "
            f"{str(exc).splitlines()[0]}; give each field a type that JSON has"
        ) from exc


def result_schema(response_model: type[pydantic.BaseModel]) -> dict[str, Any]:
    """How the model writes results, by Python names; with `json_schema` enough to read without it."""
    try:
        return response_model.model_json_schema(by_alias=False, mode="serialization")
    except (PydanticInvalidForJsonSchema, PydanticUserError):  # only how it writes cannot be described
        return response_model.model_json_schema(by_alias=False)


def choose_route(schema: dict[str, Any] | None, *, native: bool, citations: bool) -> Route:
    """The native format where the model has it and no citations are asked for (both together are refused)."""
    if schema is None:
        return Route("text")
    if native and not citations:
        try:
            return Route("native", output_format={"type": "json_schema", "schema": native_schema(schema)})
        except NotNative:
            pass
    return Route("prompt", instructions=instructions(schema, citations=citations))


def instructions(schema: dict[str, Any], *, citations: bool) -> str:
    """The schema as words for the system prompt."""
    cite = " Cite the documents for the values you take from them." if citations else ""
    return (
        "Answer with one JSON object that is valid under this JSON Schema, and with nothing else: "
        f"no explanation, no code fence.{cite}\n{json.dumps(schema, ensure_ascii=False)}"
    )


def native_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema in the subset that `output_config.format` takes; bounds become words in the description.

    Raises NotNative when a part cannot be carried: open dicts, tuples, untyped values, recursion, or too
    many optional or union fields.
    """
    _refuse_recursion(schema)
    converted: dict[str, Any] = _convert(schema, schema.get("title", "the model"))
    if "$defs" in schema:
        converted["$defs"] = {name: _convert(part, name) for name, part in schema["$defs"].items()}
    _refuse_excess(converted)
    return converted


def _convert(part: dict[str, Any], where: str) -> dict[str, Any]:
    if "$ref" in part:
        return {"$ref": part["$ref"]}  # siblings of a $ref are dropped by the API
    if "prefixItems" in part:
        raise NotNative(f"{where} is a tuple")
    if not {"type", "enum", "const", "anyOf", "oneOf", "allOf"} & part.keys():
        raise NotNative(f"{where} may be anything")
    kept: dict[str, Any] = {key: part[key] for key in ("type", "enum", "const", "title") if key in part}
    kept |= _described(part)
    for union in ("anyOf", "oneOf"):
        if union in part:
            kept["anyOf"] = [_convert(option, where) for option in part[union]]
    if "allOf" in part:
        kept["allOf"] = [_convert(option, where) for option in part["allOf"]]
    if part.get("format") in _FORMATS:
        kept["format"] = part["format"]
    if part.get("type") == "array":
        kept["items"] = _convert(part.get("items") or {}, f"{where}[]")
    if part.get("type") == "object":
        kept |= _object(part, where)
    return kept


def _object(part: dict[str, Any], where: str) -> dict[str, Any]:
    if part.get("additionalProperties") not in (None, False) or "patternProperties" in part:
        raise NotNative(f"{where} is an open dict")
    if "properties" not in part:
        raise NotNative(f"{where} is an object without fields")
    return {
        "properties": {name: _convert(p, f"{where}.{name}") for name, p in part["properties"].items()},
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
    uses = {name: set(_references(part)) for name, part in schema.get("$defs", {}).items()}
    for name in uses:
        seen: set[str] = set()
        todo = set(uses[name])
        while todo:
            used = todo.pop()
            if used == name:
                raise NotNative(f"{name} contains itself")
            if used not in seen:
                seen.add(used)
                todo |= uses.get(used, set())


def _references(part: object) -> list[str]:
    if isinstance(part, list):
        return [name for value in part for name in _references(value)]
    if not isinstance(part, dict):
        return []
    own = [part["$ref"].rsplit("/", 1)[-1]] if isinstance(part.get("$ref"), str) else []
    return own + [name for value in part.values() for name in _references(value)]


def _refuse_excess(schema: object) -> None:
    optional, unions = _count(schema)
    if optional > _MOST_OPTIONAL:
        raise NotNative(f"{optional} optional fields, more than {_MOST_OPTIONAL}")
    if unions > _MOST_UNIONS:
        raise NotNative(f"{unions} union fields, more than {_MOST_UNIONS}")


def _count(part: object) -> tuple[int, int]:
    if isinstance(part, list):
        totals = [_count(value) for value in part]
    elif isinstance(part, dict):
        totals = [_count(value) for value in part.values()]
        if isinstance(part.get("properties"), dict):
            totals.append((len(part["properties"]) - len(part.get("required", [])), 0))
        if "anyOf" in part or isinstance(part.get("type"), list):
            totals.append((0, 1))
    else:
        return 0, 0
    return sum(o for o, _ in totals), sum(u for _, u in totals)
