"""The key, the address and the sockets of HTTP calls; messages show no secret."""

from __future__ import annotations

import os
import socket
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import httpx2

from batchata.errors import ConfigurationError
from batchata.providers.address import Address

__all__ = ["Access", "Key", "Sockets", "check_headers", "checked", "fingerprint", "no_key"]

_QUOTES = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb"
_LONGEST = 16_000  # servers take 8 to 16 KB of headers
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


def fingerprint(secret: str | None, *place: str | None) -> str | None:
    """Return 32 bits of a hash, of a secret far too long to be guessed from them; None without anything.

    With the same key another project or workspace, as `place` names them, has other batches. A place alone
    does not tell keys apart: its fingerprint begins with a question mark.
    """
    told = [part for part in (secret, *place) if part]
    found = sha256(f"batchata {' '.join(told)}".encode()).hexdigest()[:8]
    return (found if secret else f"?{found}") if told else None


def no_key(whose: str, variable: str, *others: str) -> ConfigurationError:
    """Say what to do where neither the variable nor one of the others has a key."""
    blank = [name for name in (variable, *others) if os.environ.get(name) == ""]
    is_blank = f" ({' and '.join(blank)} {'is' if len(blank) == 1 else 'are'} blank)" if blank else ""
    cure = f"no {whose} API key{is_blank}: set the environment variable {variable}"
    error = ConfigurationError(
        f"{cure} or give api_key (offline, without a key: batchata.sandbox.use() in the script, or "
        "python -m batchata.sandbox)"
    )
    error.in_a_shell = f"{cure}, here or in a .env file (offline, without a key: python -m batchata.sandbox)"
    return error


def check_headers(headers: dict[str, str], source: str) -> None:
    """Raise ConfigurationError for a value that HTTP does not allow, naming the header."""
    for name, value in headers.items():
        around = "" if value == value.strip() else "a blank at its beginning or end"
        if bad := _first(value, _is_control) or around:
            raise ConfigurationError(
                f"the header {name} of {source} holds {bad}, which an HTTP header cannot carry"
            )


def checked(key: Key) -> Key:
    """Return the key as it is; raise ConfigurationError for one that no header can carry."""
    fault = _fault(key.value)
    if fault is not None:
        raise ConfigurationError(
            f"{key.name} {fault}: no HTTP header can carry that, so nothing was sent; "
            "set it to the key alone, as its provider shows it"
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
    return None if place is None else f"U+{ord(value[place - 1]):04X} at position {place}"


def _is_control(c: str) -> bool:
    return (ord(c) < 32 and c != "\t") or ord(c) == 127 or _is_half(c)


def _is_half(c: str) -> bool:
    return "\ud800" <= c <= "\udfff"


@dataclass(frozen=True, slots=True)
class Access:
    """A key and an address that can be used; None where the SDK finds them in ways of its own."""

    key: Key | None
    address: Address | None
    variable: str  # that names the address, where no argument does

    @property
    def address_name(self) -> str:
        """What the user sets to move the address."""
        return self.variable if self.address is None else self.address.name

    def said(self, text: object) -> str:
        """Return another party's words for a message: printable, cut, and without secrets that they echo."""
        shown = str(text)
        for secret in self._secrets():
            shown = shown.replace(secret, _HIDDEN)
        shown = "".join(c if c.isprintable() else " " for c in shown[: 2 * _LONGEST_TEXT])
        return shown if len(shown) <= _LONGEST_TEXT else f"{shown[:_LONGEST_TEXT]}…"

    def _secrets(self) -> list[str]:
        login = None if self.address is None else self.address.login
        secrets = [*(login or ()), *([self.key.value] if self.key else [])]
        return [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]


class Sockets:
    """Remembers the sockets that a client opens, from the moment its `watch` is a request hook of the client.

    It also knows how far the present thread's call has come, from what it saw of it.
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
        """Note the connection that this request opens, if it opens one: a request hook."""
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
