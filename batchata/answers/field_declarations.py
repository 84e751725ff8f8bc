"""Read what a field declares beside its type: aliases, validators, percentages."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, get_args, get_origin

import pydantic
from pydantic.fields import FieldInfo

_PERCENT = re.compile(
    r"percent|per cent|%|(?<![a-z])pct(?![a-z])|prozent|pourcent|porcent|procent", re.IGNORECASE
)
_SHARE = re.compile(r"fraction|ratio\b|decimal|between 0 and 1|\b0\.\d", re.IGNORECASE)
# Validators of pydantic's own that see a value before its type has; more are told by their method.
_BEFORE = (pydantic.BeforeValidator, pydantic.WrapValidator, pydantic.PlainValidator)
_HARMLESS = (
    "annotated_types",
    "pydantic.types",
    "pydantic.functional_serializers",
    "pydantic._internal._fields",
)
_REQUIRED: Any = ...


def declared(kind: Any) -> dict[str, FieldInfo]:
    """Return the fields of a dataclass, NamedTuple or TypedDict as pydantic reads their declarations.

    Raises NameError or TypeError for types that are only known where they were written.
    """
    if own := vars(kind).get("__pydantic_fields__"):
        return dict(own)
    hints = typing.get_type_hints(kind, include_extras=True)
    if hasattr(kind, "_fields"):
        return {
            name: _field(hints.get(name, Any), kind._field_defaults.get(name, _REQUIRED))
            for name in kind._fields
        }
    if dataclasses.is_dataclass(kind):
        parts = [part for part in dataclasses.fields(kind) if part.init]
        return {part.name: _field(hints.get(part.name, Any), _default_of(part)) for part in parts}
    required = kind.__required_keys__
    return {
        name: _field(_plain_hint(hint), _REQUIRED if name in required else None)
        for name, hint in hints.items()
    }


def _field(hint: Any, default: Any) -> FieldInfo:
    if default is _REQUIRED:
        return FieldInfo.from_annotation(hint)
    return FieldInfo.from_annotated_attribute(hint, default)


def _default_of(part: dataclasses.Field[Any]) -> Any:
    if part.default_factory is not dataclasses.MISSING:
        return pydantic.Field(default_factory=part.default_factory)
    return _REQUIRED if part.default is dataclasses.MISSING else part.default


def extra_of(model: Any) -> Any:
    """Return what a model says that stands under the keys that are no fields."""
    try:
        said = typing.get_type_hints(model, include_extras=True).get("__pydantic_extra__")
    except (NameError, TypeError):
        return Any
    return get_args(said)[1] if get_origin(said) is dict else Any


def _plain_hint(hint: Any) -> Any:
    """Return what a key of a TypedDict holds; ReadOnly is not in `typing` before Python 3.13."""
    while str(get_origin(hint)).rpartition(".")[2] in ("Required", "NotRequired", "ReadOnly"):
        (hint,) = get_args(hint)
    return hint


def fields_with_validators(decorators: Any, *, before: bool) -> set[str]:
    """Return the fields that a class's validators see; with `before`, those seen before parsing."""
    found = {
        name
        for part in decorators.field_validators.values()
        if not before or part.info.mode != "after"
        for name in part.info.fields
    }
    return found | {name for part in decorators.validators.values() for name in part.info.fields}


def aliases_of(info: FieldInfo) -> tuple[list[str], list[str]]:
    """Return the names that a field is taken by, and the outer keys that lead to it."""
    given = info.validation_alias or info.alias
    choices = given.choices if isinstance(given, pydantic.AliasChoices) else [given]
    names = [choice for choice in choices if isinstance(choice, str)]
    return names, [str(choice.path[0]) for choice in choices if isinstance(choice, pydantic.AliasPath)]


def is_own(metadata: Iterable[Any]) -> bool:
    """Whether the user's code, or a text that holds JSON, comes between the JSON and the type."""
    return any(
        isinstance(part, _BEFORE)
        or part is pydantic.Json
        or isinstance(part, pydantic.Json)
        or _is_foreign(part)
        for part in metadata
    )


def _is_foreign(part: Any) -> bool:
    if isinstance(part, FieldInfo):
        return is_own(part.metadata)
    takes_part = hasattr(part, "__get_pydantic_core_schema__")
    return takes_part and not type(part).__module__.startswith((*_HARMLESS, "pydantic."))


def asks_for_percents(names: list[str], info: FieldInfo | None) -> bool:
    """Whether a field of these names is to hold a number of percents, by its names and its description."""
    said = list(names)
    if info is not None:
        said += [part for part in (info.title, info.description) if part]
        bounds = [getattr(part, "le", getattr(part, "lt", None)) for part in info.metadata]
        if any(isinstance(bound, int | float | Decimal) and bound <= 1 for bound in bounds):
            return False
    words = " ".join(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", part).replace("_", " ") for part in said)
    return bool(_PERCENT.search(words)) and not _SHARE.search(words)
