"""The marks that ask for prompt caching: how many a request may hold, and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from batchata.errors import InvalidInputError

_MOST: Final = 4  # documented: a request with more is refused
_TTLS: Final = ("5m", "1h")


def param_marks(params: Mapping[str, Any]) -> list[str]:
    """How long each mark in the parameters holds, in the order in which a request is cached.

    Raises InvalidInputError for what is no mark.
    """
    return [
        *marks_in(params.get("tools") or (), "tools"),
        *marks_in(params.get("system") or (), "system"),
    ]


def automatic_mark(params: Mapping[str, Any]) -> list[str]:
    """The one that the service puts on the last block of the request, if asked to."""
    control = params.get("cache_control")
    return [] if control is None else [_ttl(control, "cache_control")]


def marks_in(value: Any, place: str) -> Iterator[str]:
    """The marks in blocks and what they hold, in their order."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("cache_control", "input", "input_schema"):
                yield from marks_in(inner, f"{place}.{key}")
        if value.get("cache_control") is not None:
            yield _ttl(value["cache_control"], f"{place}.cache_control")
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from marks_in(inner, f"{place}[{number}]")


def check_marks(marks: Sequence[str], place: str) -> None:
    """Raises InvalidInputError when a request with these marks would be refused."""
    if len(marks) > _MOST:
        raise InvalidInputError(
            f"{place} has {len(marks)} cache_control marks, with those of the parameters; a request takes at "
            f"most {_MOST}: keep the last ones of what all requests share"
        )
    if "5m" in marks and "1h" in marks[marks.index("5m") :]:
        raise InvalidInputError(
            f"{place} has a cache_control of 1h behind one of 5m (tools come first, then system, then "
            "messages); give the earlier ones 1h too"
        )


def _ttl(control: Any, place: str) -> str:
    ttl = control.get("ttl", "5m") if isinstance(control, dict) else None
    if ttl is None and isinstance(control, dict):
        ttl = "5m"
    if not isinstance(control, dict) or control.get("type") != "ephemeral" or ttl not in _TTLS:
        raise InvalidInputError(
            f"{place} is {control!r}; it has to be {{'type': 'ephemeral'}}, with 'ttl' '5m' or '1h' if any"
        )
    return str(ttl)
