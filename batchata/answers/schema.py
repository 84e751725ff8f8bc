"""Choose how a response model reaches the provider: as a native output format, or as words in the prompt."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, cast, get_args, get_origin

import pydantic
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError

from batchata.errors import InvalidInputError

_create_model: Any = pydantic.create_model  # its overloads take no fields whose names are values
_ANY_TYPE = pydantic.ConfigDict(arbitrary_types_allowed=True)


def undescribable_field(model: type[pydantic.BaseModel], outer: tuple[Any, ...] = ()) -> str | None:
    """Return the path of the first field that JSON Schema cannot describe, as `lines.callback`; else None."""
    for name, field in model.model_fields.items():
        try:
            _create_model(
                "Alone", __config__=_ANY_TYPE, **{name: (field.annotation, field)}
            ).model_json_schema()
        except (PydanticInvalidForJsonSchema, PydanticUserError):
            inner = (
                undescribable_field(found, (*outer, model))
                for found in _models_in(field.annotation)
                if found not in outer and found is not model
            )
            return ".".join([name, *[path for path in inner if path][:1]])
    return None


def _models_in(annotation: Any) -> Iterator[type[pydantic.BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


class NotNative(Exception):
    """The native format cannot carry the schema; the message says which part, or why."""


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
    """Return the response model, if it is one.

    Raises InvalidInputError for anything but None or a subclass of pydantic.BaseModel, and for a RootModel:
    answers are JSON objects.
    """
    if response_model is None:
        return None
    is_class = isinstance(response_model, type) and response_model is not pydantic.BaseModel
    is_model = is_class and issubclass(response_model, pydantic.BaseModel)
    if is_model and not issubclass(response_model, pydantic.RootModel):
        return cast("type[pydantic.BaseModel]", response_model)
    raise InvalidInputError(f"response_model {_instead_of(response_model)}")


def _instead_of(given: Any) -> str:
    name = type(given).__name__
    if isinstance(given, pydantic.BaseModel) and not isinstance(given, pydantic.RootModel):
        return f"is an instance of {name}; give the class: response_model={name}"
    if isinstance(given, dict):
        return "is a dict; give a pydantic model (pydantic.create_model makes one)"
    if get_origin(given) is list:
        return (
            f"is {given}; give a model that has the list as a field: class Found(BaseModel): items: {given}"
        )
    return (
        "must be a class derived from pydantic.BaseModel, with fields (a RootModel's value goes into a field "
        f"of a model), not {given!r}"
    )


def json_schema(response_model: type[pydantic.BaseModel]) -> dict[str, Any]:
    """Return the model's JSON Schema.

    Raises InvalidInputError when a field cannot be described in JSON Schema.
    """
    try:
        return response_model.model_json_schema()
    except (PydanticInvalidForJsonSchema, PydanticUserError) as exc:
        field = undescribable_field(response_model)
        where = f", because of its field {field!r}" if field else ""
        raise InvalidInputError(
            f"response_model {response_model.__name__} cannot be described in JSON Schema{where}: "
            f"{str(exc).splitlines()[0]}; give the field a type that JSON has"
        ) from exc


def result_schema(response_model: type[pydantic.BaseModel]) -> dict[str, Any]:
    """Return the schema of results, by Python names; that of answers where serialization has no schema."""
    try:
        return response_model.model_json_schema(by_alias=False, mode="serialization")
    except (PydanticInvalidForJsonSchema, PydanticUserError):  # only how it writes cannot be described
        return response_model.model_json_schema(by_alias=False)


def choose_route(
    schema: dict[str, Any] | None,
    native: Callable[[dict[str, Any]], dict[str, Any]],
    *,
    citations: bool,
    wanted: str = "auto",
) -> Route:
    """Choose the native format where possible, else words in the prompt.

    `native` makes the provider's output format of a schema, or raises NotNative. `wanted` is "auto", or the
    way to take: "native" or "prompt".

    Raises InvalidInputError when the native format is wanted and cannot be had.
    """
    if schema is None:
        return Route("text")
    try:
        if wanted != "prompt":
            return Route("native", output_format=native(schema))
    except NotNative as exc:
        if wanted == "native":
            raise InvalidInputError(
                f"structured_output='native' cannot carry this: {exc}; give 'auto' or 'prompt'"
            ) from exc
    return Route("prompt", instructions=instructions(schema, citations=citations))


def instructions(schema: dict[str, Any], *, citations: bool) -> str:
    """Write the schema as words for the system prompt."""
    cite = " Cite the documents for the values you take from them." if citations else ""
    return (
        "Answer with one JSON object that is valid under this JSON Schema, and with nothing else: "
        f"no explanation, no code fence.{cite}\n{json.dumps(schema, ensure_ascii=False)}"
    )


def definition_of(reference: str) -> str:
    """Return the name of the definition that a `$ref` points at."""
    return reference.rpartition("/")[2].replace("~1", "/").replace("~0", "~")


def parts(schema: object) -> Iterator[dict[str, Any]]:
    """Yield every object in a schema, itself included, at any depth."""
    if isinstance(schema, dict):
        yield schema
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    for part in inner:
        yield from parts(part)


def references(schema: object) -> list[str]:
    """Return the names of the definitions that the schema refers to, in order."""
    found = (part.get("$ref") for part in parts(schema))
    return [definition_of(reference) for reference in found if isinstance(reference, str)]


# Characters of a value of each kind, as the recorded answers have them in the middle.
_VALUES: Final = {"string": 24, "number": 6, "integer": 4, "boolean": 5, "null": 4}
_FORMATS: Final = {"date": 12, "date-time": 24, "time": 10, "uuid": 38, "email": 26, "uri": 42}
_ENTRIES: Final = 3  # of a list or a map whose length nobody knows
_DEEPEST: Final = 6


def answer_length(schema: dict[str, Any]) -> int:
    """Return the length of an answer in JSON that fits the schema, in characters."""
    return _length(schema, schema.get("$defs", {}), 0)


def _length(schema: Any, named: dict[str, Any], depth: int) -> int:
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return _VALUES["null"]
    if "$ref" in schema:
        return _length(named.get(definition_of(str(schema["$ref"]))), named, depth + 1)
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
