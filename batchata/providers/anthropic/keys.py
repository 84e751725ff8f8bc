"""Find the key or token the SDK will send, and check that a header can carry it.

The names and their order are the SDK's (`Anthropic.__init__` of anthropic 2.14): the argument,
ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN, then profiles and workload identity; ANTHROPIC_CUSTOM_HEADERS come on
top of each.
No message quotes a key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from batchata.errors import ConfigurationError

__all__ = ["CUSTOM_HEADERS", "Key", "check_headers", "custom_headers", "find_key", "no_key"]

CUSTOM_HEADERS = "ANTHROPIC_CUSTOM_HEADERS"
_VARIABLES = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
_QUOTES = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb"
_LONGEST = 16_000  # servers take 8 to 16 KB of headers
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CREDENTIALS = ("x-api-key", "authorization")


@dataclass(frozen=True, slots=True)
class Key:
    """What the request sends to authenticate; `name` is the argument or variable that holds it."""

    name: str
    value: str = field(repr=False)


def find_key(api_key: str | None) -> Key | None:
    """Return the key that will be sent; None when it comes from a profile of the SDK, or is missing.

    Raises ConfigurationError for one that no header can carry.
    """
    headers = custom_headers()
    for name in _CREDENTIALS:
        if name in headers and api_key is not None:
            raise ConfigurationError(
                f"{CUSTOM_HEADERS} holds a header {name}, which would be used instead of api_key"
            )
    if api_key is not None:
        return _checked(Key("api_key", api_key))
    for name in _CREDENTIALS:
        if headers.get(name):  # "Basic …" is one too
            return Key(CUSTOM_HEADERS, headers[name].removeprefix("Bearer "))
    for variable in _VARIABLES:
        if value := os.environ.get(variable):
            return _checked(Key(variable, value))
    return None


def no_key() -> ConfigurationError:
    """Say what to do when there is no key."""
    blank = [name for name in _VARIABLES if os.environ.get(name) == ""]
    is_blank = f" ({' and '.join(blank)} is blank)" if blank else ""
    return ConfigurationError(
        f"no Anthropic API key{is_blank}: set the environment variable ANTHROPIC_API_KEY or give api_key "
        "(or run against the sandbox: python -m batchata.sandbox)"
    )


def custom_headers() -> dict[str, str]:
    """Return the headers that the environment adds, by lower-case name, read as the SDK reads them.

    Raises ConfigurationError for lines that are no header.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(os.environ.get(CUSTOM_HEADERS, "").split("\n"), 1):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise ConfigurationError(f"line {number} of {CUSTOM_HEADERS} has no colon; write 'Name: value'")
        if not _HEADER_NAME.fullmatch(name.strip()):
            raise ConfigurationError(f"line {number} of {CUSTOM_HEADERS} begins with no header's name")
        found[name.strip().lower()] = value.strip()
    check_headers(found, CUSTOM_HEADERS)
    return found


def check_headers(headers: dict[str, str], source: str) -> None:
    """Raise ConfigurationError for a value with a control character, naming the header."""
    for name, value in headers.items():
        if bad := _first(value, _is_control):
            raise ConfigurationError(f"the header {name} of {source} holds {bad}, which no header can carry")


def _checked(key: Key) -> Key:
    fault = _fault(key.value)
    if fault is not None:
        raise ConfigurationError(
            f"{key.name} {fault}: no HTTP header can carry that, so nothing was sent; "
            "set it to the key alone, as the Console shows it"
        )
    return key


def _fault(value: str) -> str | None:
    if not value.strip():
        return "is blank"
    if value[-1] in "\r\n":
        return "ends in a line break"
    if value != value.strip():
        return "has blanks or line breaks around it"
    if value[0] in _QUOTES or value[-1] in _QUOTES:
        return "has quotes around it"
    if bad := _first(value, lambda c: not c.isprintable() and not _is_half(c)):
        return f"holds {bad}"
    if value.lower().startswith("bearer "):
        return "begins with 'Bearer', which is added by itself"
    if " " in value:
        return "holds a blank"
    if bad := _first(value, lambda c: not c.isascii()):
        return f"holds {bad}, which is not ASCII"
    return "is longer than any key" if len(value) > _LONGEST else None


def _first(value: str, is_bad: Callable[[str], bool]) -> str | None:
    place = next((place for place, c in enumerate(value, 1) if is_bad(c)), None)
    return None if place is None else f"U+{ord(value[place - 1]):04X} as its {place}. character"


def _is_control(c: str) -> bool:
    return (ord(c) < 32 and c != "\t") or ord(c) == 127 or _is_half(c)


def _is_half(c: str) -> bool:
    return "\ud800" <= c <= "\udfff"
