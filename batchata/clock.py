"""What time it is, and how much time has passed."""

from __future__ import annotations

import time


def now() -> int:
    """Microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000


def running() -> int:
    """Microseconds of a clock that nobody can set; it goes on in a machine's sleep, where it can."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
    return time.monotonic_ns() // 1000
