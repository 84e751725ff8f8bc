"""The provider's clock, by the Date header of its answers."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import httpx2

from batchata.clock import running


class Dates:
    """Notes when the last answer was given, by the clock of whoever gave it; exact to a second."""

    def __init__(self) -> None:
        self._noted: tuple[int, int] | None = None  # its date, and our running clock then

    def note(self, response: httpx2.Response) -> None:
        """A response hook. Refusals may come from somebody in between, with another clock."""
        if not response.is_success:
            return
        try:
            said = parsedate_to_datetime(response.headers["date"])
            self._noted = int(said.timestamp() * 1e6), running()
        except (KeyError, ValueError, OverflowError, OSError):
            return

    @property
    def now(self) -> int | None:
        """What that clock shows now, in microseconds since 1970 UTC."""
        if self._noted is None:
            return None
        date, then = self._noted
        return date + running() - then
