"""Read the fields of replies and result lines defensively: what is missing or of another type is absent."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final

import msgspec

from batchata.core import error_kinds as kinds
from batchata.core.pricing import MOST_TOKENS
from batchata.core.values import RequestError
from batchata.errors import IncompleteResultsError
from batchata.providers.mended_json import decoded
from batchata.text import kept, short

__all__ = [
    "LATEST",
    "NO_REASON",
    "UNKNOWN_SHAPE",
    "count_in",
    "cut_by_service",
    "decode",
    "message_of",
    "micros_of",
    "name_of",
    "object_in",
    "objects_in",
    "part_in",
    "rpc_kind",
    "size_of",
    "text_in",
    "whole_line",
    "whole_number",
]

NO_REASON: Final = "the provider gave no reason"
UNKNOWN_SHAPE: Final = (
    "the answer has an unknown shape; it is in the log as received, and a later version of "
    "Batchata may read it"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
LATEST: Final = 7_258_118_400_000_000  # microseconds; what lies behind 2200 is no time of a batch
_MOST_REQUESTS: Final = 10**9
_LONGEST_NAME: Final = 200
_DIGITS: Final = re.compile(r"\d{1,15}(\.0*)?", re.ASCII)
_LONGEST_MESSAGE: Final = 2_000  # characters of what an error says; the line itself is kept as received
# The codes of errors, of google.rpc.Code and of HTTP, by the names that the runner knows.
_KINDS: Final = {
    3: kinds.INVALID,
    4: kinds.TIMED_OUT,
    5: kinds.NOT_FOUND,
    7: kinds.FORBIDDEN,
    8: kinds.RATE_LIMITED,
    9: kinds.INVALID,
    11: kinds.INVALID,
    13: kinds.FAULT,
    14: kinds.OVERLOADED,
    16: kinds.UNAUTHENTICATED,
    400: kinds.INVALID,
    401: kinds.UNAUTHENTICATED,
    403: kinds.FORBIDDEN,
    404: kinds.NOT_FOUND,
    429: kinds.RATE_LIMITED,
    503: kinds.OVERLOADED,
    504: kinds.TIMED_OUT,
}

decode = msgspec.json.Decoder(float_hook=Decimal).decode


def whole_line(line: bytes) -> dict[str, Any]:
    """Return the JSON object of a line, an empty one for JSON of another kind.

    Raises IncompleteResultsError for a line that is not whole JSON.
    """
    try:
        value = decoded(decode, line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise IncompleteResultsError(f"a line of the results is not a whole result ({exc})") from exc
    return value if isinstance(value, dict) else {}


def object_in(holder: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the object under a name; an empty one where there is none."""
    found = holder.get(name)
    return found if isinstance(found, dict) else {}


def objects_in(holder: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the objects of the list under a name."""
    found = holder.get(name)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def text_in(holder: dict[str, Any], name: str) -> str | None:
    """Return the text under a name; None for an empty one."""
    found = holder.get(name)
    return found if isinstance(found, str) and found else None


def count_in(holder: dict[str, Any], name: str) -> int | None:
    """Return a number of tokens; None where there is none, or none that is possible."""
    return whole_number(holder.get(name), MOST_TOKENS)


def whole_number(found: object, most: int) -> int | None:
    """Return a number from 0 to `most`, written as 10, 10.0 or "10"; None for anything else."""
    if isinstance(found, str) and _DIGITS.fullmatch(found):
        found = Decimal(found)
    if isinstance(found, bool) or not isinstance(found, int | float | Decimal):
        return None
    return int(found) if 0 <= found <= most and found == int(found) else None


def size_of(found: object) -> int | None:
    """Return a number of requests, however it is written; None for anything else."""
    return whole_number(found, _MOST_REQUESTS)


def micros_of(text: object, zone: tzinfo | None = None) -> int | None:
    """Read an ISO time as microseconds since 1970 UTC; None for anything else, and for years from 2200 on.

    A time without a zone is in this one, or none at all.
    """
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    found = found if found is None or found.tzinfo is not None else found.replace(tzinfo=zone)
    if found is None or found.tzinfo is None:
        return None
    micros = (found - _EPOCH) // _MICROSECOND
    return micros if 0 < micros < LATEST else None


def part_in(holder: dict[str, Any], name: str) -> int | None:
    """Return a number of tokens that may be left out: 0 where it is missing."""
    return 0 if holder.get(name) is None else count_in(holder, name)


def name_of(text: str) -> str:
    """Return a name that another party gave, as it may be stored and shown."""
    return text if len(text) <= _LONGEST_NAME and text.isprintable() else short(text, _LONGEST_NAME)


def cut_by_service(said: str) -> RequestError:
    """Return the error of an answer that the service broke off for this reason."""
    message = f"the provider broke the answer off ({name_of(said)}); it is not finished"
    return RequestError(kind=kinds.BROKEN_OFF, message=message)


def message_of(text: str) -> str:
    """Return what an error says, as it may be stored and shown."""
    return kept(text, _LONGEST_MESSAGE)


def rpc_kind(code: object) -> str:
    """Return the kind of an error by its code."""
    return _KINDS.get(code, kinds.FAULT) if type(code) is int else kinds.FAULT
