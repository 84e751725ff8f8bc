"""Read the time, and measure how much of it has passed."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> int:
    """Return microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000


def utc() -> datetime:
    """Return the date and time in UTC."""
    return datetime.now(UTC)


def running() -> int:
    """Return microseconds of a clock that cannot be set; where possible it goes on in a machine's sleep."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
    return time.monotonic_ns() // 1000
