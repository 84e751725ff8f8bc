"""The provider's clock is read off its answers, as far as these are its own and of now."""

from __future__ import annotations

import httpx2
import pytest

from batchata.providers.rest.replies import Dates

NOON = 1_790_251_200_000_000  # microseconds


@pytest.mark.parametrize("zone", ["GMT", "+0000", "-0000"])
def test_a_date_is_that_of_universal_time(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the computer is, and however the zone is written."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    dates = Dates()
    dates.note(httpx2.Response(200, headers={"date": f"Thu, 24 Sep 2026 12:00:00 {zone}"}))
    assert dates.now is not None
    assert 0 <= dates.now - NOON < 60_000_000


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (403, {"date": "Thu, 24 Sep 2026 12:00:00 GMT"}),
        (200, {"date": "Thu, 24 Sep 2026 12:00:00 GMT", "age": "250000"}),
        (200, {"date": "yesterday"}),
        (200, {"date": ""}),
        (200, {"date": "Thu, 99 Sep 2026 12:00:00 GMT"}),
        (200, {}),
    ],
)
def test_other_dates_tell_nothing(status: int, headers: dict[str, str]) -> None:
    """A refusal may be somebody else's, and what comes out of a cache is of an earlier day."""
    dates = Dates()
    dates.note(httpx2.Response(status, headers=headers))
    assert dates.now is None
