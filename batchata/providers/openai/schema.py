"""Write a JSON Schema as OpenAI's strict structured output takes it, within its documented limits.

What it refuses shows only in the results, so a schema beyond them goes by the prompt from the beginning.
"""

from __future__ import annotations

from typing import Any, Final

from batchata.answers.json_schema import inner, mapped, parts
from batchata.answers.schema import NotNative

__all__ = ["strict_format"]

_UNSUPPORTED: Final = ("patternProperties", "prefixItems", "allOf", "oneOf", "not", "if")
# Bounds that cannot be said there; the response model checks them in the answer.
_DROPPED: Final = ("default", "examples", "minLength", "maxLength", "uniqueItems", "discriminator")
_FORMATS: Final = (
    *("date-time", "time", "date", "duration"),
    *("email", "hostname", "ipv4", "ipv6", "uuid"),
)
# By the guide (2026).
_MOST_FIELDS: Final = 5_000
_MOST_LEVELS: Final = 10
_MOST_CHARACTERS: Final = 120_000  # of names and choices together
_MOST_CHOICES: Final = 1_000
_MANY_CHOICES: Final = 250  # of one field; then their characters are bounded, too
_MOST_CHOICE_CHARACTERS: Final = 15_000


def strict_format(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema as a strict `text.format`: every field required, no other allowed.

    Raises NotNative where that would change what answers mean, and beyond the limits.
    """
    name = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in schema.get("title", ""))
    made = _strict(schema)
    if made.get("type") != "object" or "anyOf" in made:
        raise NotNative("strict output is one object")
    _check_limits(made)
    return {"type": "json_schema", "name": name[:64] or "answer", "schema": made, "strict": True}


def _strict(part: Any, _place: str = "") -> Any:
    if not isinstance(part, dict):
        return part
    if found := next((key for key in _UNSUPPORTED if key in part), None):
        raise NotNative(f"strict output has no {found}")
    kept = mapped({key: value for key, value in part.items() if key not in _DROPPED}, _strict)
    if kept.get("format", _FORMATS[0]) not in _FORMATS:
        del kept["format"]
    return {**kept, **_closed(part)} if part.get("type") == "object" else kept


def _closed(part: dict[str, Any]) -> dict[str, Any]:
    if part.get("additionalProperties") not in (None, False) or "properties" not in part:
        raise NotNative("strict output has no open dicts")
    fields = part["properties"]
    for name, field in fields.items():
        if name not in part.get("required", ()) and {"type": "null"} not in field.get("anyOf", ()):
            raise NotNative(f"{name} may be left out, and strict output leaves no field out")
    return {"required": list(fields), "additionalProperties": False}


def _check_limits(schema: dict[str, Any]) -> None:
    objects = [part["properties"] for part in parts(schema) if part.get("additionalProperties") is False]
    choices = [part["enum"] for part in parts(schema) if isinstance(part.get("enum"), list)]
    names = [name for fields in objects for name in fields]
    written = [*names, *schema.get("$defs", ()), *(str(value) for values in choices for value in values)]
    many = [values for values in choices if len(values) > _MANY_CHOICES]
    levels = max(map(_levels, [schema, *schema.get("$defs", {}).values()]))
    beyond = {
        f"{_MOST_FIELDS:,} fields": len(names) > _MOST_FIELDS,
        f"{_MOST_CHOICES:,} choices": sum(map(len, choices)) > _MOST_CHOICES,
        f"{_MOST_CHARACTERS:,} characters of names": sum(map(len, written)) > _MOST_CHARACTERS,
        f"{_MOST_CHOICE_CHARACTERS:,} characters of one field's choices": any(
            sum(len(str(value)) for value in values) > _MOST_CHOICE_CHARACTERS for values in many
        ),
        f"{_MOST_LEVELS} levels": levels > _MOST_LEVELS,
    }
    if found := next((limit for limit, is_beyond in beyond.items() if is_beyond), None):
        raise NotNative(f"strict output has at most {found}")


def _levels(part: Any) -> int:
    """Count how deep objects are nested; each definition is counted by itself."""
    if not isinstance(part, dict):
        return 0
    own = {key: value for key, value in part.items() if key != "$defs"}
    deepest = max(map(_levels, inner(own)), default=0)
    return deepest + 1 if part.get("type") == "object" else deepest
