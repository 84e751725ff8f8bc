"""Read HTTP replies of any provider defensively: bounds, JSON, the date, and when to ask again.

A reply that cannot be read is an UnreadableReplyError, never an error of Python's; no reply is read beyond
a bound, however small it was when it was packed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import msgspec

from batchata.clock import now, running
from batchata.errors import UnreadableReplyError

__all__ = [
    "RAW_STREAM",
    "Dates",
    "ReplyTooLargeError",
    "asked_pause",
    "bounded",
    "read_object",
    "read_value",
    "up_to",
]

RAW_STREAM = {"X-Stainless-Raw-Response": "stream"}  # the SDK's own header: hand over the reply unread
_MOST_BYTES = 16_000_000  # of a reply; a page of a hundred batches has 60,000
_MOST_ERROR_BYTES = 1_000_000  # what follows is not read: the status says what happened


class ReplyTooLargeError(Exception):
    """A reply is larger than any valid one."""


def bounded(response: httpx2.Response) -> None:
    """Unpack a body piece by piece, and only up to a bound: a response hook.

    Results are left as they are, since their lines are bounded one by one. An error's body ends at its bound
    or where it breaks off: its status says enough.
    """
    is_stream = response.request.headers.get(next(iter(RAW_STREAM))) == "stream"
    if response.is_success and (is_stream or _is_small(response.headers)):
        return
    whole = httpx2.Response(
        response.status_code, headers=response.headers, stream=response.stream, request=response.request
    )
    response.stream = _Bounded(whole)
    kept = [
        (n, v) for n, v in response.headers.raw if n.lower() not in (b"content-encoding", b"content-length")
    ]
    response.headers = httpx2.Headers(kept)


def _is_small(headers: httpx2.Headers) -> bool:
    """Return whether the reply states its length uncompressed: it is then read no further than that."""
    length = headers.get("content-length", "")
    is_as_it_stands = "content-encoding" not in headers and "transfer-encoding" not in headers
    return is_as_it_stands and length.isdecimal() and int(length) <= _MOST_BYTES


class _Bounded(httpx2.SyncByteStream):
    """The unpacked body of a response, as far as it is wanted."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        if self._response.is_success:
            yield from up_to(_MOST_BYTES, self._response.iter_bytes())
            return
        with suppress(ReplyTooLargeError, httpx2.TransportError, httpx2.DecodingError):
            yield from up_to(_MOST_ERROR_BYTES, self._response.iter_bytes())

    def close(self) -> None:
        self._response.close()


def up_to(most: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the pieces of a reply. Raises ReplyTooLargeError when they have more bytes than that."""
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > most:
            raise ReplyTooLargeError(f"the reply has more than {most:,} bytes")
        yield piece


def read_value(response: httpx2.Response, what: str, hint: str) -> Any:
    """Return the JSON value of a reply; `hint` is what to check when it is not JSON."""
    try:
        return msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise UnreadableReplyError(f"{what} is not JSON: {hint}", kind="not_the_api") from exc


def read_object(response: httpx2.Response, what: str, hint: str) -> dict[str, Any]:
    """Return the JSON object of a reply; `hint` is what to check when it is not one."""
    value = read_value(response, what, hint)
    if not isinstance(value, dict):
        raise UnreadableReplyError(f"{what} is not a JSON object: {hint}", kind="not_the_api")
    return value


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Dates:
    """Notes the date of the last answer, by the server's clock; exact to a second."""

    def __init__(self) -> None:
        self._noted: tuple[int, int] | None = None  # its date, and our running clock then

    def note(self, response: httpx2.Response) -> None:
        """Note the date: a response hook.

        Refusals may come from a gateway with another clock, and a cached reply has the date when it was
        stored.
        """
        if not response.is_success or response.headers.get("age", "0").strip() != "0":
            return
        try:
            said = parsedate_to_datetime(response.headers["date"])
        except (KeyError, ValueError, TypeError, IndexError, OverflowError):
            return
        if said.tzinfo is None:  # "-0000"
            said = said.replace(tzinfo=UTC)
        self._noted = (said - _EPOCH) // timedelta(microseconds=1), running()

    @property
    def now(self) -> int | None:
        """Return what that clock shows now, in microseconds since 1970 UTC."""
        if self._noted is None:
            return None
        date, then = self._noted
        return date + running() - then


_LONGEST = 86_400.0  # seconds; the life of a batch. A longer one is a mistake, or a number of another kind
_LEAST_TIME = 1_000_000_000.0  # what is beyond is not a number of seconds to wait, but a time


def asked_pause(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait, above 0 and up to a day; None where nothing sensible is asked for.

    Read are `retry-after-ms`, and `retry-after` as seconds, as an HTTP date and, as some gateways give it, as
    seconds since 1970. Times are compared with the reply's own `date`, since our clock may be wrong.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return _sensible(milliseconds / 1000)
    asked = headers.get("retry-after")
    seconds = _number(asked)
    if seconds is not None and seconds < _LEAST_TIME:
        return _sensible(seconds)
    moment = seconds if seconds is not None else _moment(asked)
    if moment is None:
        return None
    sent = _moment(headers.get("date"))
    return _sensible(moment - (now() / 1e6 if sent is None else sent))


def _sensible(seconds: float) -> float | None:
    return seconds if 0 < seconds <= _LONGEST else None


def _number(text: str | None) -> float | None:
    """Read a finite number; "inf", "nan" and digits of other scripts are not numbers."""
    try:
        value = float(text) if text and text.isascii() else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _moment(text: str | None) -> float | None:
    """Read an HTTP date as seconds since 1970."""
    try:
        found = parsedate_to_datetime(text or "")
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
