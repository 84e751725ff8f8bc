"""Find the moment of a run's past that is meant: a version, a time, or so long before now."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from batchata.errors import InvalidInputError

_BACK = re.compile(r"-(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)(?:m|min))?(?:(\d+)s)?")
_UNITS = (86_400, 3_600, 60, 1)  # seconds, in the order of the groups
_LAST = 2**62


@dataclass(frozen=True, slots=True)
class At:
    """The state after event `version`, or after the last event up to `time` (microseconds since 1970 UTC)."""

    text: str
    version: int | None = None
    time: int | None = None

    def __str__(self) -> str:
        return self.text

    def includes(self, version: int, at: int) -> bool:
        """Whether an event of this version and time had happened by then."""
        if self.version is not None:
            return version <= self.version
        return self.time is not None and at <= self.time


def parse_at(text: str, now: int) -> At:
    """Parse the moment that a text names: "120", "2026-11-22T10:00" (UTC by default) or "-1h30m".

    Raises InvalidInputError.
    """
    text = text.strip()
    if text.isascii() and text.isdecimal():
        version = int(text[:20])
        if not 1 <= version <= _LAST:
            raise InvalidInputError(f"there is no version {text[:20]}: versions count 1, 2, 3, …")
        return At(f"version {version}", version=version)
    back = _BACK.fullmatch(text) if len(text) < 40 else None
    if back and any(back.groups()):
        seconds = sum(int(n) * unit for n, unit in zip(back.groups(), _UNITS, strict=True) if n)
        return At(text, time=now - seconds * 1_000_000)
    try:
        when = datetime.fromisoformat(text)
    except ValueError as exc:
        raise InvalidInputError(
            f"{text!r} is not a moment of a run; give a version (120), a time in UTC (2026-11-22T10:00) "
            "or how long ago (-1h, -90s, -2d)"
        ) from exc
    return At(text, time=microseconds(when))


def microseconds(when: datetime) -> int:
    """Return a time as microseconds since 1970 UTC; without a zone it is UTC."""
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
    delta = when - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
