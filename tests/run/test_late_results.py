"""Results that come late, in pieces, or not at all: what passes is waited out, the rest is told."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anthropic
import pytest
from freezegun import freeze_time
from resume_support import COUNT, check_complete, fresh, left_running, manager
from run_support import Echo, Runs, echo

from batchata.core.evolve import evolve
from batchata.core.state import ItemStatus, Run
from batchata.errors import (
    BatchNotFoundError,
    ExpiringResultsWarning,
    IncompleteResultsError,
    ResultsExpiredError,
    SpendLimitError,
)
from batchata.sandbox import Answer, Faults, Request


@contextmanager
def days_later(days: float) -> Iterator[None]:
    """That much later, for the script and the sandbox alike; time goes on from there."""
    with freeze_time(datetime.now(UTC) + timedelta(days=days), tick=True):
        yield


def kinds(runs: Runs) -> Counter[str]:
    """How many outcomes of which kind the log holds."""
    return Counter(r.event.kind for r in runs.events() if r.event.TYPE == "outcome_recorded")


@pytest.mark.parametrize(
    "faults",
    [
        {"poll_status": [500, 529, 429, 503], "list_status": [500, 529]},
        {"results_status": [500, 529, 429]},
        {"drop_results_after": [0, 1, 1]},
        {"truncate_results": [0, 1]},
        {"cut_last_line": 3},
        {"not_found_after_create": 2, "list_status": [500, 500]},
        {"results_status": [404, 404]},
    ],
    ids=["polls", "downloads", "dropped", "short", "cut", "unknown-at-first", "results-unknown-at-first"],
)
def test_what_passes_is_waited_out(runs: Runs, faults: dict[str, Any]) -> None:
    """Nothing is sent again, and every outcome is recorded once however often it was downloaded."""
    runs.sandbox.faults = Faults(**faults)
    check_complete(runs)
    assert (runs.creates(), kinds(runs)) == (2, {"succeeded": COUNT})
    assert "call_failed" in runs.types()


def test_a_long_wait_that_the_provider_asks_for_ends_with_max_wait_time(runs: Runs) -> None:
    """retry-after is honoured, but never beyond what the user gave."""
    runs.sandbox.faults = Faults(poll_status=[429] * 50, list_status=[429] * 50, retry_after=3600)
    began = time.monotonic()
    assert manager(runs, max_wait_time=0.8, items_per_job=COUNT).run()["pending_items"] == COUNT
    assert time.monotonic() - began < 10
    asked = [r.event for r in runs.events() if r.event.TYPE == "call_failed"]
    assert len(asked) == 1
    assert asked[0].not_before - runs.events()[-1].at > 3000 * 1_000_000
    assert runs.events()[-1].event.reason == "max_wait_time"


def test_a_wait_that_the_provider_asks_for_is_kept(runs: Runs) -> None:
    """No call about the batch comes before the second that was asked for has passed."""
    runs.sandbox.faults = Faults(poll_status=[429], list_status=[429], retry_after=1)
    check_complete(runs, items_per_job=COUNT)
    events = runs.events()
    failed = next(r for r in events if r.event.TYPE == "call_failed")
    polled = next(r for r in events if r.event.TYPE == "batch_polled")
    assert polled.at - failed.at >= 1_000_000


def test_a_used_up_spend_limit_is_told_at_once(runs: Runs) -> None:
    """It is no rate limit: waiting does not help, nothing failed, and the same script goes on afterwards."""
    runs.sandbox.faults = Faults(spend_limit=True)
    began = time.monotonic()
    with pytest.raises(SpendLimitError):
        manager(runs).run()
    assert time.monotonic() - began < 10
    assert manager(runs).stats()["pending_items"] == COUNT
    runs.sandbox.faults = Faults()
    check_complete(runs)


def test_a_line_that_nobody_can_read_costs_only_its_own_item(runs: Runs) -> None:
    """It is kept and counted, its item is asked again, and all others keep what they have."""
    runs.sandbox.faults = Faults(garbled={1}, only_batches={0})
    made = manager(runs, items_per_job=COUNT)
    assert made.run()["completed_items"] == COUNT
    assert made.stats()["stray_outcomes"] == {"unreadable": 1}
    assert kinds(runs) == {"succeeded": COUNT, "missing": 1}
    assert sum(runs.sandbox.billed().values()) == COUNT + 1


def test_downloads_that_are_always_cut_come_to_an_end(runs: Runs) -> None:
    """What can be read is recorded; what was answered and is cut off was paid for, and is not sent again."""
    runs.sandbox.faults = Faults(cut_last_line=10_000)
    made = manager(runs, items_per_job=COUNT, poll_interval=0.001)
    with pytest.raises(
        IncompleteResultsError, match=r"no line for 1 of its 4 requests.*manager\.abandon\(0\)"
    ):
        made.run()
    assert (made.stats()["completed_items"], made.stats()["pending_items"]) == (COUNT - 1, 1)
    runs.sandbox.faults = Faults()
    check_complete(runs, items_per_job=COUNT)


def test_missing_repeated_foreign_and_unknown_outcomes_are_counted(runs: Runs) -> None:
    """Each is recorded and reported for what it is, and none of them takes another's place."""
    runs.sandbox.faults = Faults(
        errored={0},
        missing={0},
        duplicated={1},
        unknown_kind={2},
        foreign=["not-ours"],
        only_batches={0},
    )
    made = manager(runs, items_per_job=COUNT, max_cost=None)
    assert made.run()["completed_items"] == COUNT
    stats = made.stats()
    assert stats["stray_outcomes"] == {"repeated": 1, "foreign": 1}
    assert stats["outcomes"] == {"succeeded": COUNT, "missing": 1, "paused_by_sandbox": 1}
    assert [entry["result"].said for entry in made.results()] == [f"message {i}" for i in range(COUNT)]


def test_the_counts_add_up_after_every_event(runs: Runs) -> None:
    """Total = completed + failed + pending, counted from the items themselves, at every version."""

    def moody(request: Request) -> Any:
        return Answer(text="no JSON") if request.text.startswith("message 3") else echo(request)

    runs.sandbox._kinds[0]._setup.answering._ask = moody
    runs.sandbox.faults = Faults(errored={0, 1}, missing={1}, duplicated={2}, foreign=2, only_batches={0, 2})
    manager(runs, 9).run()
    run = Run()
    for recorded in runs.events():
        evolve(run, recorded.version, recorded.at, recorded.event)
        counted = Counter(run.items.status)
        assert counted[ItemStatus.COMPLETED] == run.completed
        assert counted[ItemStatus.FAILED] == run.failed
        assert run.total == run.completed + run.failed + run.pending == len(run.items)
    assert run.pending == 0


def test_a_deleted_batch_is_told_and_can_be_given_up(patient: tuple[Runs, list[float]]) -> None:
    """A batch that nobody knows after minutes is no passing trouble: the run stops and names the way out."""
    runs, delay = patient
    given = {"items_per_job": COUNT}
    left_running(runs, 1, **given)
    runs.sandbox.end_all()
    (batch,) = runs.sandbox.batches
    anthropic.Anthropic(max_retries=0).messages.batches.delete(batch.id)
    delay[0] = 0.0
    with days_later(0.01):
        made = manager(runs, **given)
        with pytest.raises(BatchNotFoundError, match=r"manager\.abandon\(0\)") as raised:
            made.run()
        assert batch.id in str(raised.value)
        made.abandon(0)
        assert made.run()["completed_items"] == COUNT
        assert made.results()[0]["result"] == Echo(said="message 0", length=9)


def test_results_that_will_soon_be_gone_are_announced(patient: tuple[Runs, list[float]]) -> None:
    """A start on the 27th day says until when the results are kept, and collects them."""
    runs, _ = patient
    left_running(runs)
    stats = manager(runs).stats()
    assert abs((stats["collect_by"] - runs.sandbox.batches[0].created_at).total_seconds() - 29 * 86_400) < 1
    with days_later(27), pytest.warns(ExpiringResultsWarning, match="of job 0, 1 are kept until"):
        manager(runs).run()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert manager(runs).stats()["completed_items"] == COUNT


@pytest.mark.parametrize(("ours", "theirs", "warned"), [(27, 0, False), (0, 27, True)])
def test_the_providers_clock_says_which_results_will_soon_be_gone(
    tmp_path: Path, ours: float, theirs: float, warned: bool
) -> None:
    """One of the clocks was set on since: only by the provider's are results kept."""
    off = [0.0]
    with fresh(tmp_path / "a", delay=60.0 * 86_400, clock=lambda: time.time() + off[0]) as runs:
        left_running(runs)
        off[0] = (theirs - ours) * 86_400
        with warnings.catch_warnings(record=True) as caught, days_later(ours):
            warnings.simplefilter("always")
            manager(runs).submit()
        assert any(issubclass(each.category, ExpiringResultsWarning) for each in caught) is warned


def test_results_that_are_gone_are_told_and_can_be_paid_again(patient: tuple[Runs, list[float]]) -> None:
    """After 29 days nothing fails silently and nothing is sent again without the user's word."""
    runs, delay = patient
    given = {"items_per_job": COUNT}
    left_running(runs, 1, **given)
    runs.sandbox.end_all()
    delay[0] = 0.0
    with days_later(30):
        made = manager(runs, **given)
        with (
            pytest.warns(ExpiringResultsWarning, match="were kept until"),
            pytest.raises(ResultsExpiredError, match=r"manager\.abandon\(0\)"),
        ):
            made.run()
        assert made.stats()["pending_items"] == COUNT
        made.abandon(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExpiringResultsWarning)
            assert made.run()["completed_items"] == COUNT
