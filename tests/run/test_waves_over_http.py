"""A limit between what is expected and the worst case, over HTTP: what `estimate()` says of it holds."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from resume_support import fresh
from run_support import Runs

from batchata import BatchManager, Estimate
from batchata.core.events import SubmissionStarted
from batchata.sandbox import Answer

COUNT = 60
DOZEN = {"items_per_job": 6, "response_model": None, "max_tokens": 1_000}
ANSWER = Answer("fine", usage={"output_tokens": 200})


def manager(runs: Runs, **given: Any) -> BatchManager:
    return runs.manager(COUNT, **{**DOZEN, **given})


def estimated(runs: Runs, **given: Any) -> Estimate:
    return manager(runs, **given).estimate(output_tokens=200)


def sizes(runs: Runs) -> list[int]:
    return [r.event.request_count for r in runs.events() if isinstance(r.event, SubmissionStarted)]


def open_at_once(runs: Runs) -> int:
    """How many jobs were sent before the first had come back."""
    types = runs.types()
    return types[: types.index("job_completed")].count("submission_started")


def test_a_limit_that_needs_waves_says_how_many_and_what_would_do_with_one(tmp_path: Path) -> None:
    """In words and as values."""
    with fresh(tmp_path / "run", answers=ANSWER) as runs:
        free = estimated(runs)
        assert (free.waves, free.waves_without_limit, free.unsent_items) == (1, 1, 0)
        assert (free.one_wave_max_cost, free.one_wave_max_tokens) == (free.worst_cost, None)
        assert free.cost is not None
        tight = estimated(runs, max_cost=free.cost * Decimal("1.1"))
        assert tight.waves is not None
        assert tight.waves > 3
        assert tight.jobs_under_limit is not None
        assert tight.jobs_under_limit > tight.jobs == 10
        text = " ".join(str(tight).split())
        assert "enough for what is expected, but not for the worst case" in text
        assert f"about {tight.jobs_under_limit} jobs in {tight.waves} waves, one after another" in text
        assert "All at once: max_cost=" in text
        assert f"with max_tokens={tight.sparing_max_tokens}" in text
        short = estimated(runs, max_cost=free.cost / 2)
        assert short.unsent_items
        assert f"only for about {COUNT - short.unsent_items} items" in str(short)


@pytest.mark.parametrize("cure", ["max_cost", "max_tokens", "both"])
def test_what_would_do_with_one_wave_does(tmp_path: Path, cure: str) -> None:
    """All ten jobs are sent before the first is back: by a higher limit, by shorter answers, or by both."""
    with fresh(tmp_path / "run", answers=ANSWER) as runs:
        free = estimated(runs)
        assert free.cost is not None
        limit = free.cost * (3 if cure == "max_tokens" else Decimal("1.2"))
        tight = estimated(runs, max_cost=limit)
        assert tight.waves is not None
        assert tight.waves > 1
        given = {
            "max_cost": {"max_cost": tight.one_wave_max_cost},
            "max_tokens": {"max_cost": limit, "max_tokens": tight.one_wave_max_tokens},
            "both": {"max_cost": tight.sparing_max_cost, "max_tokens": tight.sparing_max_tokens},
        }[cure]
        assert estimated(runs, **given).waves == 1
        less = dict(given)
        if cure == "max_tokens":
            less["max_tokens"] += 1
        else:
            # A lower max_tokens may have a digit less, which counts as a byte and so as a token.
            less["max_cost"] -= Decimal("0.0002")
        assert estimated(runs, **less).waves == 2
        assert manager(runs, **given).run()["completed_items"] == COUNT
        assert sizes(runs) == [6] * 10
        assert open_at_once(runs) == 10


def test_a_run_makes_about_the_jobs_that_were_said(tmp_path: Path) -> None:
    """Never a job below half the size while another is open, and hardly more of them than were said."""
    with fresh(tmp_path / "run", answers=ANSWER) as runs:
        cost = estimated(runs).cost
        assert cost is not None
        tight = manager(runs, max_cost=cost * Decimal("1.5"))
        said = tight.estimate(output_tokens=200)
        assert said.jobs_under_limit is not None
        assert tight.run()["completed_items"] == COUNT
        assert len(sizes(runs)) <= said.jobs_under_limit + 5
        open_jobs = 0
        for recorded in runs.events():
            if isinstance(recorded.event, SubmissionStarted):
                last = recorded.event.items[-1][1] == COUNT - 1
                assert open_jobs == 0 or last or recorded.event.request_count >= 3
                open_jobs += 1
            open_jobs -= recorded.event.TYPE == "job_completed"


def test_a_run_that_has_begun_says_what_remains(tmp_path: Path) -> None:
    """What was spent counts, what is under way is released, and a lower `max_tokens` is counted with."""
    with fresh(tmp_path / "run", answers=ANSWER) as runs:
        free = estimated(runs)
        assert free.cost is not None
        limit = free.cost / 2
        assert manager(runs, max_cost=limit).run()["cost_limit_reached"]
        more = limit + free.cost
        rest = estimated(runs, max_cost=more)
        assert rest.spent is not None
        assert rest.worst_cost is not None
        assert rest.one_wave_max_cost == rest.spent + rest.worst_cost
        assert rest.waves is not None
        assert rest.waves > 1
        shorter = estimated(runs, max_cost=more, max_tokens=rest.one_wave_max_tokens)
        assert shorter.waves == 1
        final = manager(runs, max_cost=more, max_tokens=rest.one_wave_max_tokens).run()
        assert final["completed_items"] == COUNT
