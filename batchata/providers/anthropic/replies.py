"""Read replies of the Message Batches API defensively: batches, its date, when to ask again.

A reply that cannot be read is an UnreadableReplyError, never an error of Python's; no reply is read beyond
a bound, however small it was when it was packed.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import msgspec

from batchata.clock import running
from batchata.core.values import Counts
from batchata.errors import UnreadableReplyError
from batchata.providers.port import Batch

__all__ = [
    "RAW_STREAM",
    "Dates",
    "Page",
    "ReplyTooLargeError",
    "asked_pause",
    "batch_of",
    "bounded",
    "page_of",
    "read_object",
]

RAW_STREAM = {"X-Stainless-Raw-Response": "stream"}  # the SDK's own header: hand over the reply unread
_MOST_BYTES = 16_000_000  # of a reply; a page of a hundred batches has 60,000
_MOST_ERROR_BYTES = 1_000_000  # what follows is not read: the status says what happened
# Longer ids than the API's are known of gateways; a slash or a blank would make another path of it.
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:=+~@-]{0,511}")
_MOST_REQUESTS = 10**9
_ODD = "odd_reply"
_LATEST = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp() * 1e6)


class ReplyTooLargeError(Exception):
    """A reply is larger than any valid one."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list: its batches, whether it was read completely, and where the next page begins.

    `doubt` says what is wrong with it, None when nothing is; `after` is None at the end of the list.
    """

    batches: list[Batch]
    after: str | None
    doubt: str | None


def bounded(response: httpx2.Response) -> None:
    """Unpack a body piece by piece, and only up to a bound: a response hook.

    Results are left as they are, since their lines are bounded one by one. An error's body ends at its bound,
    and where it breaks off: its status says enough.
    """
    is_stream = response.request.headers.get(next(iter(RAW_STREAM))) == "stream"
    if is_stream and response.is_success:
        return
    whole = httpx2.Response(
        response.status_code, headers=response.headers, stream=response.stream, request=response.request
    )
    response.stream = _Bounded(whole)
    kept = [
        (n, v) for n, v in response.headers.raw if n.lower() not in (b"content-encoding", b"content-length")
    ]
    response.headers = httpx2.Headers(kept)


class _Bounded(httpx2.SyncByteStream):
    """The unpacked body of a response, as far as it is wanted."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        if self._response.is_success:
            yield from self._up_to(_MOST_BYTES)
            return
        with suppress(ReplyTooLargeError, httpx2.TransportError, httpx2.DecodingError):
            yield from self._up_to(_MOST_ERROR_BYTES)

    def _up_to(self, most: int) -> Iterator[bytes]:
        size = 0
        for piece in self._response.iter_bytes():
            size += len(piece)
            if size > most:
                raise ReplyTooLargeError(f"the reply has more than {most:,} bytes")
            yield piece

    def close(self) -> None:
        self._response.close()


def read_object(response: httpx2.Response, what: str, hint: str) -> dict[str, Any]:
    """Return the JSON object of a reply; `hint` is what to check when it is not one."""
    try:
        value = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise UnreadableReplyError(f"{what} is not JSON: {hint}", kind="not_the_api") from exc
    if not isinstance(value, dict):
        raise UnreadableReplyError(f"{what} is no JSON object: {hint}", kind="not_the_api")
    return value


def batch_of(value: object, *, created: bool = False) -> Batch:
    """Read a batch from its description.

    Counts that cannot be read are 0, which no batch has in sum, and so are times. When a batch was `created`,
    its id is all that matters.
    """
    if not isinstance(value, dict):
        raise UnreadableReplyError("the provider described a batch by something that is no object", kind=_ODD)
    batch_id = value.get("id")
    if not isinstance(batch_id, str) or not _ID.fullmatch(batch_id):
        raise UnreadableReplyError(
            "the provider described a batch without an id that could be one", kind=_ODD
        )
    status = value.get("processing_status")
    if not isinstance(status, str) and not created:
        raise UnreadableReplyError(
            f"the provider described the batch {batch_id} without its status", kind=_ODD
        )
    return Batch(
        batch_id=batch_id,
        ended=status == "ended",
        status=status[:100] if isinstance(status, str) else "unknown",
        counts=_counts(value.get("request_counts")),
        created_at=_micros(value.get("created_at")) or 0,
        expires_at=_micros(value.get("expires_at")),
    )


def page_of(value: dict[str, Any], size: int, after: str | None) -> Page:
    """Read a page of the list that was requested with this size, starting behind `after`.

    What can be read of it is read, before anything about the rest or the next page is doubted.
    """
    entries = value.get("data")
    if not isinstance(entries, list):
        return Page([], None, "it holds no list of batches")
    batches: list[Batch] = []
    doubt = None
    for entry in entries:
        try:
            batches.append(batch_of(entry))
        except UnreadableReplyError as exc:
            doubt = str(exc)
    following, lost = _following(value, batches, len(entries) >= size, after)
    return Page(batches, following, lost or doubt)


def _following(
    value: dict[str, Any], batches: list[Batch], is_full: bool, after: str | None
) -> tuple[str | None, str | None]:
    """Return where the next page begins, and why that is unknown although there may be one."""
    more = value.get("has_more")
    if more is False or (more is None and not is_full):
        return None, None
    if more is not True:
        return None, "it does not say whether there is more"
    last = value.get("last_id")
    if not isinstance(last, str) or not _ID.fullmatch(last):
        last = batches[-1].batch_id if batches else None
    if last is None or last == after:
        return None, "it says that there is more, but not where"
    return last, None


def _counts(value: object) -> Counts:
    """Read the counts; an unreadable one makes all of them worthless, since only their sum is the size."""
    given = value if isinstance(value, dict) else {}
    counts = {name: _count(given.get(name)) for name in Counts.__struct_fields__}
    unknown = None in counts.values()
    return Counts(**{name: 0 if unknown else count or 0 for name, count in counts.items()})


def _count(value: object) -> int | None:
    """Return the count: 0 for null or a missing one; None for what is not a count."""
    if value is None:
        return 0
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= _MOST_REQUESTS else None


def _micros(text: object) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        micros = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000_000)
    except (ValueError, OverflowError):
        return None
    return micros if 0 < micros < _LATEST else None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Dates:
    """Notes the date of the last answer, by the clock of the server that gave it; exact to a second."""

    def __init__(self) -> None:
        self._noted: tuple[int, int] | None = None  # its date, and our running clock then

    def note(self, response: httpx2.Response) -> None:
        """Note the date: a response hook.

        Refusals may come from a gateway with another clock, and a cached reply bears the date of its storing.
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
_LEAST_TIME = 1_000_000_000.0  # what is beyond is no number of seconds to wait, but a time


def asked_pause(headers: Mapping[str, str]) -> float | None:
    """Return seconds to wait, above 0 and up to a day; None where nothing sensible is asked for.

    Read are `retry-after-ms`, and `retry-after` as seconds, as an HTTP date and, as some gateways give it,
    as seconds since 1970. Times are compared with the reply's own `date`, since our clock may be wrong.
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
    return _sensible(moment - (time.time() if sent is None else sent))


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
