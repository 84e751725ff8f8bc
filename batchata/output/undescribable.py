"""Which field of a model has no JSON Schema, for an error that names it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pydantic
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError

_create_model: Any = pydantic.create_model  # its overloads take no fields whose names are values
_ANY_TYPE = pydantic.ConfigDict(arbitrary_types_allowed=True)


def undescribable_field(model: type[pydantic.BaseModel], outer: tuple[Any, ...] = ()) -> str | None:
    """The path of the first such field, as `lines.callback`; None when no field alone is the reason."""
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
