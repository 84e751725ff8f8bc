"""Choose how a response model reaches the provider: as a native output format, or as words in the prompt."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast, get_args, get_origin

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
        return (
            "is a dict; give a pydantic model: class Answer(BaseModel): name: str (a JSON Schema is taken by "
            "the command: batchata run --schema FILE)"
        )
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
