"""The provider's clock, by the Date header of its answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx2

from batchata.clock import running

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Dates:
    """Notes when the last answer was given, by the clock of whoever gave it; exact to a second."""

    def __init__(self) -> None:
        self._noted: tuple[int, int] | None = None  # its date, and our running clock then

    def note(self, response: httpx2.Response) -> None:
        """A response hook. Refusals may come from somebody in between, with another clock, and what comes out
        of a cache bears the date of when it went in.
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
        """What that clock shows now, in microseconds since 1970 UTC."""
        if self._noted is None:
            return None
        date, then = self._noted
        return date + running() - then
