"""Decide with which key, to which address and over which sockets calls go; messages show no secret.

The names of the variables and their order are the SDK's (`Anthropic.__init__` of anthropic 2.14): the
argument, ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN, then profiles and workload identity;
ANTHROPIC_CUSTOM_HEADERS come on top of each.
"""

from __future__ import annotations

import os
import re
import socket
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2

from batchata.errors import ConfigurationError
from batchata.providers.address import Address, read_address

__all__ = [
    "BASE_URL",
    "CUSTOM_HEADERS",
    "Access",
    "Key",
    "check_headers",
    "custom_headers",
    "find_key",
    "no_key",
    "read_access",
]


CUSTOM_HEADERS = "ANTHROPIC_CUSTOM_HEADERS"
_VARIABLES = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
_QUOTES = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb"
_LONGEST = 16_000  # servers take 8 to 16 KB of headers
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CREDENTIALS = ("x-api-key", "authorization")


BASE_URL = "ANTHROPIC_BASE_URL"
_HIDDEN = "…"
_SHORTEST_SECRET = 4  # what is shorter would stand in any text
_LONGEST_TEXT = 2_000
# Closing a client closes its sockets, but a thread that waits in recv() on one would go on waiting: only
# shutdown() wakes it. The sockets are known through the client's documented "trace" request extension.
_CONNECTED = ("connection.connect_tcp.complete", "connection.start_tls.complete")
_NO_CONNECTION = ("connect_tcp.failed", "start_tls.failed", "setup_socks5_connection.failed")
_HEADERS_STARTED = "send_request_headers.started"
_HEADERS_FAILED = "send_request_headers.failed"


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


@dataclass(frozen=True, slots=True)
class Access:
    """A key and an address that can be used; None where the SDK finds them in ways of its own."""

    key: Key | None
    address: Address | None

    @property
    def address_name(self) -> str:
        """What the user sets to move the address."""
        return BASE_URL if self.address is None else self.address.name

    def said(self, text: object) -> str:
        """Return what another party said, for a message: printable, cut, and without secrets it may echo."""
        shown = str(text)
        for secret in self._secrets():
            shown = shown.replace(secret, _HIDDEN)
        shown = "".join(c if c.isprintable() else " " for c in shown[: 2 * _LONGEST_TEXT])
        return shown if len(shown) <= _LONGEST_TEXT else f"{shown[:_LONGEST_TEXT]}…"

    def _secrets(self) -> list[str]:
        login = None if self.address is None else self.address.login
        secrets = [*(login or ()), *([self.key.value] if self.key else [])]
        return [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]


def read_access(api_key: str | None, base_url: str | None) -> Access:
    """Read key and URL from the arguments, else from the SDK's environment variables.

    Raises ConfigurationError for a key that no header can carry and a URL that cannot be a base URL.
    """
    key = find_key(api_key)
    access = Access(key, _find_address(base_url))
    if access.address is not None and access.address.login is not None:
        _check_login(access.address, key)
    return access


def _find_address(base_url: str | None) -> Address | None:
    if base_url is not None:
        return read_address(base_url, "base_url")
    given = os.environ.get(BASE_URL)
    return None if given is None else read_address(given, BASE_URL)


def _check_login(address: Address, key: Key | None) -> None:
    """Refuse user and password in the URL unless an API key is used: both need the Authorization header."""
    if key is None or key.name == "ANTHROPIC_AUTH_TOKEN" or "authorization" in custom_headers():
        other = "a profile of the SDK" if key is None else key.name
        raise ConfigurationError(
            f"{address.name} holds a user and a password, which would take the place of {other} in the "
            "Authorization header; take them out of it, or give an API key (ANTHROPIC_API_KEY or api_key)"
        )


class Sockets:
    """Remembers the sockets that a client opens, from the moment its `watch` is a request hook of it.

    It also knows how far the call of the present thread has come, by what was seen of it.
    """

    def __init__(self) -> None:
        self._open: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._call = threading.local()

    def begin(self) -> None:
        """Note that the present thread is about to make a call, not yet handed to the client."""
        self._call.stage = "begun"

    @property
    def was_handed_over(self) -> bool:
        """Whether the call of this thread has reached the client, or may have."""
        return getattr(self._call, "stage", None) != "begun"

    @property
    def never_left(self) -> bool:
        """Whether the call of this thread certainly failed before a byte of it was sent."""
        return getattr(self._call, "stage", None) == "failed before"

    def watch(self, request: httpx2.Request) -> None:
        """Learn of the connection that this request opens, if it does: a request hook."""
        self._call.stage = "handed over"
        request.extensions = {**request.extensions, "trace": self._trace}

    def shut_down(self) -> None:
        """End every connection: reads and writes under way fail at once."""
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _trace(self, event: str, info: dict[str, Any]) -> None:
        if event in _CONNECTED:
            opened = info["return_value"].get_extra_info("socket")
            if isinstance(opened, socket.socket):
                self._open.add(opened)
        elif event.endswith(_NO_CONNECTION):
            self._call.stage = "failed before"
        elif event.endswith(_HEADERS_STARTED):
            self._call.stage = "on its way"
        elif event.endswith(_HEADERS_FAILED) and type(info["exception"]).__name__ == "LocalProtocolError":
            self._call.stage = "failed before"  # a header that cannot be sent
