"""How long a reply asks us to wait: its Retry-After headers, believed within reason."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

__all__ = ["asked_pause"]

_LONGEST = 86_400.0  # seconds; the life of a batch. A longer one is a mistake, or a number of another kind
_EPOCH = 1_000_000_000.0  # what is beyond is no number of seconds to wait, but a time


def asked_pause(headers: Mapping[str, str]) -> float | None:
    """Seconds, above 0 and up to a day; None where nothing sensible is asked for.

    Read are `retry-after-ms`, and `retry-after` as seconds, as an HTTP date and, as some gateways give it,
    as seconds since 1970. Times are compared with the reply's own `date`, since our clock may be wrong.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return _sensible(milliseconds / 1000)
    asked = headers.get("retry-after")
    seconds = _number(asked)
    if seconds is not None and seconds < _EPOCH:
        return _sensible(seconds)
    moment = seconds if seconds is not None else _moment(asked)
    if moment is None:
        return None
    sent = _moment(headers.get("date"))
    return _sensible(moment - (time.time() if sent is None else sent))


def _sensible(seconds: float) -> float | None:
    return seconds if 0 < seconds <= _LONGEST else None


def _number(text: str | None) -> float | None:
    """A finite number; "inf", "nan" and digits of other scripts are none."""
    try:
        value = float(text) if text and text.isascii() else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _moment(text: str | None) -> float | None:
    """Seconds since 1970 of an HTTP date."""
    try:
        found = parsedate_to_datetime(text or "")
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
