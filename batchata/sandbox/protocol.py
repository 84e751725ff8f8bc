"""Define what the server and a protocol exchange: calls, replies, refusals, and forms of ids and times."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

__all__ = [
    "Application",
    "Call",
    "Dropped",
    "Headed",
    "Lines",
    "Page",
    "Refusal",
    "Reply",
    "new_id",
    "read_object",
    "rfc3339",
]

_BASE62 = (string.digits + string.ascii_letters).encode()
_LETTERS = bytes(_BASE62[byte % len(_BASE62)] for byte in range(256))  # one for each random byte


class Call(msgspec.Struct):
    """One HTTP request; `headers` by their names in lower case, `base_url` as the caller says it."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes
    base_url: str


class Lines(msgspec.Struct):
    """A JSONL answer, sent piece by piece."""

    pieces: Iterable[bytes]


class Page(msgspec.Struct):
    """The body of an error answer: its media type and its bytes."""

    media_type: str
    body: bytes


class Headed(msgspec.Struct):
    """A JSON answer with headers of its own."""

    value: dict[str, Any]
    headers: dict[str, str]


type Reply = dict[str, Any] | bytes | Lines | Headed


class Refusal(Exception):
    """An error answer; without a `message` or a `kind` the protocol has its usual ones for the status."""

    def __init__(
        self,
        status: int,
        message: str | None = None,
        *,
        kind: str | None = None,
        headers: dict[str, str] | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message or f"status {status}")
        self.status = status
        self.message = message
        self.kind = kind
        self.headers = headers or {}
        self.details = details
        self.page: Page | None = None  # the body, where the protocol that refuses has written it


class Dropped(Exception):
    """The connection is to break off here."""


class Application(Protocol):
    """Answers calls; raises Refusal for an error answer, Dropped for none at all."""

    def reply(self, call: Call) -> Reply: ...
    def error_page(self, refusal: Refusal, request_id: str) -> Page: ...
    def note(self, method: str, path: str, status: int) -> None: ...
    def now(self) -> float: ...


def new_id(prefix: str) -> str:
    """Make an id as the service does: a prefix, and 22 random letters and digits."""
    return f"{prefix}_01{secrets.token_bytes(22).translate(_LETTERS).decode()}"


def rfc3339(seconds: float | None) -> str | None:
    """Write a time as the service does; None stays None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def read_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body holds, or raise Refusal."""
    try:
        value = msgspec.json.decode(body)
    except msgspec.DecodeError as exc:
        raise Refusal(400, f"The request body is not valid JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise Refusal(400, "Input should be an object")
    return value
