"""How a response model is told to the provider: as a native output format, or as words in the prompt."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

import pydantic
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError

from batchata.errors import InvalidInputError
from batchata.output.native import NotNative, native_schema
from batchata.output.undescribable import undescribable_field


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
        field = undescribable_field(response_model)
        where = f", because of its field {field!r}" if field else ""
        raise InvalidInputError(
            f"response_model {response_model.__name__} cannot be described in JSON Schema{where}: "
            f"{str(exc).splitlines()[0]}; give the field a type that JSON has"
        ) from exc


def result_schema(response_model: type[pydantic.BaseModel]) -> dict[str, Any]:
    """How the model writes results, by Python names; with `json_schema` enough to read without it."""
    try:
        return response_model.model_json_schema(by_alias=False, mode="serialization")
    except (PydanticInvalidForJsonSchema, PydanticUserError):  # only how it writes cannot be described
        return response_model.model_json_schema(by_alias=False)


def choose_route(
    schema: dict[str, Any] | None, *, native: bool, citations: bool, wanted: str = "auto"
) -> Route:
    """The native format where the model has it and no citations are asked for (both together are refused).

    `wanted` is "auto", or the way to take: "native" or "prompt".

    Raises InvalidInputError when the native format is wanted and cannot be had.
    """
    if schema is None:
        return Route("text")
    try:
        if wanted != "prompt":
            return _native_route(schema, native=native, citations=citations)
    except NotNative as exc:
        if wanted == "native":
            raise InvalidInputError(
                f"structured_output='native' cannot carry this: {exc}; give 'auto' or 'prompt'"
            ) from exc
    return Route("prompt", instructions=instructions(schema, citations=citations))


def _native_route(schema: dict[str, Any], *, native: bool, citations: bool) -> Route:
    if not native:
        raise NotNative("the model has no native output format")
    if citations:
        raise NotNative("the API refuses its output format together with citations")
    return Route("native", output_format={"type": "json_schema", "schema": native_schema(schema)})


def instructions(schema: dict[str, Any], *, citations: bool) -> str:
    """The schema as words for the system prompt."""
    cite = " Cite the documents for the values you take from them." if citations else ""
    return (
        "Answer with one JSON object that is valid under this JSON Schema, and with nothing else: "
        f"no explanation, no code fence.{cite}\n{json.dumps(schema, ensure_ascii=False)}"
    )
