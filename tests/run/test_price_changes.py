"""Prices that change at a date: each request costs what held when it was sent, and limits look ahead."""

from __future__ import annotations

import time
import warnings
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from crash_support import GEMINI, check_verified
from freezegun import freeze_time
from resume_support import fresh
from run_support import MODEL

from batchata import BatchataWarning
from batchata.sandbox import Answer, Request

CHANGE = datetime(
    2026, 12, 1, tzinfo=UTC
)  # of the table: batches of this model cost twice as much from then on


def _priced(request: Request) -> Answer:
    """An answer with a usage that is easily multiplied."""
    return Answer(
        f'{{"said": "{request.text}", "length": 1}}', usage={"input_tokens": 1000, "output_tokens": 100}
    )


@pytest.mark.filterwarnings("ignore::batchata.BatchataWarning")
def test_a_price_that_changes_while_a_run_lasts(tmp_path: Path) -> None:
    """What was sent the day before costs the old price, though it is collected later; the rest the new one.

    The day before, as much is held for a job as it would cost the day after: the limit holds in either case.
    """
    with fresh(tmp_path / "run", answers=_priced, clock=lambda: time.time()) as runs:  # noqa: PLW0108 - looked up anew
        made = runs.manager(3, model=GEMINI, items_per_job=1, max_parallel_jobs=1, max_tokens=100, max_cost=1)
        for day in ("2026-11-20", "2026-11-30", "2026-12-02"):
            with freeze_time(f"{day}T12:00:00Z", tick=True):
                made.submit()
        with freeze_time("2026-12-02T13:00:00Z", tick=True):
            assert made.run()["total_cost"] == Decimal("0.006")
            check_verified(runs.place)
        events = [recorded.event for recorded in runs.events()]
        costs = [event for event in events if event.TYPE == "cost_charged"]
        assert [event.amount and Decimal(event.amount) for event in costs] == [
            Decimal("0.0015"),
            Decimal("0.0015"),
            Decimal("0.003"),
        ]
        held = [Decimal(event.reserved) for event in events if event.TYPE == "submission_started"]
        assert held[0] * 2 == held[1] == held[2]


def test_prices_that_are_not_given_again_are_missed(tmp_path: Path) -> None:
    """The log keeps what was charged by them, and not the list: what follows would be counted by another."""
    prices = {MODEL: {"input": 20, "output": 100}}
    with fresh(tmp_path / "run", answers=_priced) as runs:
        one_by_one = {"items_per_job": 1, "max_parallel_jobs": 1}
        runs.manager(2, max_cost=5, prices=prices, **one_by_one).submit()
        assert "cost_charged" not in runs.types()
        with pytest.warns(BatchataWarning, match=r"prices argument.* go by genai-prices .* with prices="):
            runs.manager(2, max_cost=5, **one_by_one).submit()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            runs.manager(2, max_cost=5, prices=prices).run()
            runs.manager(2, max_cost=5).run()  # nothing is left to be charged
