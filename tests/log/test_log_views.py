"""The views that make a log readable with any SQLite tool."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import log_samples as s
import pytest
from msgspec.structs import replace

from batchata.core import events as e
from batchata.core import values
from batchata.core.evolve import fold
from batchata.core.state import ItemStatus
from batchata.log.sqlite.log import SqliteLog

OVERLOADED = values.RequestError(kind="overloaded_error", message="Overloaded")
CUT_OFF = values.RequestError(kind="max_tokens", message="the answer was cut off")

# Four items in jobs of two. Item 1 fails and succeeds when sent again; item 2 never succeeds; item 3's
# second job failed to become a batch.
RUN: list[e.Event] = [
    s.started(),
    s.added(0, 3),
    s.added(3, 1),
    s.sending(1, (0, 1)),
    s.submitted(1),
    s.sending(2, (2, 3)),
    e.SubmissionUnknown(job=2, error=OVERLOADED),
    e.SubmissionSettled(
        job=2,
        verdict="adopted",
        batch_id="msgbatch_2",
        created_at=s.AT,
        expires_at=None,
        looked_at=s.AT,
        evidence="listed",
    ),
    s.polled(1, "ended"),
    s.outcome(1, 0, 4),
    s.charged(1, 0, "0.000012345678"),
    s.outcome(1, 1, 5, OVERLOADED, "errored"),
    s.finished(1),
    s.retry(2, (1, 1)),
    s.polled(2, "ended"),
    s.outcome(2, 2, 6, CUT_OFF),
    s.charged(2, 2, "0.5"),
    s.outcome(2, 3, 7, OVERLOADED, "errored"),
    s.finished(2),
    s.retry(2, (3, 3)),
    s.sending(3, (1, 1)),
    s.submitted(3),
    s.outcome(3, 1, 8),
    s.charged(3, 1, "0.25"),
    s.finished(3),
    s.sending(4, (3, 3)),
    e.SubmissionFailed(job=4, error=OVERLOADED, not_before=0),
]
UP_TO = range(1, len(RUN) + 1)
# Item 3 is sent a third time and answered uselessly, then its batch can no longer be found; a sixth job never
# became known at all.
GIVEN_UP: list[e.Event] = [
    *RUN,
    s.sending(5, (3, 3)),
    s.submitted(5),
    s.polled(5, "ended"),
    s.outcome(5, 3, 9, CUT_OFF),
    e.JobAbandoned(job=5, batch_id="msgbatch_5"),
    s.sending(6, (3, 3)),
    e.JobAbandoned(job=6, batch_id=None),
]


def rows(path: Path, query: str) -> list[dict[str, Any]]:
    """The rows of a query, by plain sqlite3."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    found = [dict(row) for row in connection.execute(query)]
    connection.close()
    return found


def write(path: Path, *runs: tuple[str, list[e.Event]]) -> Path:
    """A log with these runs, one second between two events."""
    log = SqliteLog(path)
    for stream, events in runs:
        claim = log.claim(stream, s.OWNER)
        for number, event in enumerate(events[:100]):
            claim.append(s.AT + number * s.SECOND, [event])
        claim.append(s.AT, events[100:])
        claim.release()
    log.close()
    return path


def test_items_by_their_latest_outcome(tmp_path: Path) -> None:
    """An item's latest outcome decides: a retry that succeeded is completed, one still to come pending."""
    path = write(tmp_path / "log.db", ("run", RUN))
    assert rows(path, "SELECT * FROM v_items") == [
        dict(
            run_id="run", item=0, status="completed", attempts=1, kind="succeeded", error_kind=None,
            error_message=None, stop_reason="end_turn", cost=0.000012345678,
        ),
        dict(
            run_id="run", item=1, status="completed", attempts=2, kind="succeeded", error_kind=None,
            error_message=None, stop_reason="end_turn", cost=0.25,
        ),
        dict(
            run_id="run", item=2, status="failed", attempts=1, kind="succeeded", error_kind="max_tokens",
            error_message="the answer was cut off", stop_reason="end_turn", cost=0.5,
        ),
        dict(
            run_id="run", item=3, status="pending", attempts=1, kind="errored", error_kind="overloaded_error",
            error_message="Overloaded", stop_reason=None, cost=0.0,
        ),
    ]  # fmt: skip


def test_jobs_by_their_latest_step(tmp_path: Path) -> None:
    """A job's batch, size, times and cost; an adopted batch counts, a job without batch is failed."""
    path = write(tmp_path / "log.db", ("run", RUN))
    assert rows(path, "SELECT job, request_count, batch_id, status, cost FROM v_jobs") == [
        dict(job=1, request_count=2, batch_id="msgbatch_1", status="completed", cost=0.000012345678),
        dict(job=2, request_count=2, batch_id="msgbatch_2", status="completed", cost=0.5),
        dict(job=3, request_count=1, batch_id="msgbatch_3", status="completed", cost=0.25),
        dict(job=4, request_count=1, batch_id=None, status="failed", cost=0.0),
    ]
    (first,) = rows(path, "SELECT submitted_at, completed_at FROM v_jobs WHERE job = 1")
    assert first == {
        "submitted_at": "2026-01-01T00:00:00.000001Z",
        "completed_at": "2026-01-01T00:00:12.000000Z",
    }


def test_runs_at_a_glance(tmp_path: Path) -> None:
    """One row per run, each with its own counts; total is always completed + failed + pending."""
    path = write(tmp_path / "log.db", ("one", RUN), ("two", [s.started("two"), s.added(0, 2)]))
    assert rows(path, "SELECT * FROM v_runs") == [
        dict(
            run_id="one", model="claude-sonnet-5-5", started_at="2026-01-01T00:00:00.000000Z", total_items=4,
            completed_items=2, failed_items=1, pending_items=1, total_cost=0.750012345678, status="running",
        ),
        dict(
            run_id="two", model="claude-sonnet-5-5", started_at="2026-01-01T00:00:00.000000Z", total_items=2,
            completed_items=0, failed_items=0, pending_items=2, total_cost=0.0, status="running",
        ),
    ]  # fmt: skip


# The same, with two more items that share the requests of the first and the third.
SHARED = [
    replace(event, count=3, same_as=[(4, 0), (5, 2)]) if event == s.added(3, 1) else event
    for event in GIVEN_UP
]


@pytest.mark.parametrize("events", [GIVEN_UP, SHARED], ids=["given up", "shared"])
@pytest.mark.parametrize("version", range(1, len(GIVEN_UP) + 1))
def test_views_agree_with_the_library_at_every_version(
    tmp_path: Path, events: list[e.Event], version: int
) -> None:
    """Whatever has happened so far, the views say of items and jobs what folding the events says."""
    path = write(tmp_path / "log.db", ("run", events[:version]))
    run = fold((n, s.AT, event) for n, event in enumerate(events[:version], 1))
    names = {ItemStatus.COMPLETED: "completed", ItemStatus.FAILED: "failed"}
    items = [
        (names.get(ItemStatus(status), "pending"), sends, cost)
        for status, sends, cost in zip(
            run.items.status, run.items.sends, map(run.items.cost, range(run.total)), strict=True
        )
    ]
    found = [(row["status"], row["attempts"], row["cost"]) for row in rows(path, "SELECT * FROM v_items")]
    assert [item[:2] for item in found] == [item[:2] for item in items]
    assert [item[2] for item in found] == pytest.approx([float(item[2] or 0) for item in items], abs=1e-9)
    jobs = [(job.number, str(job.status), job.batch_id) for job in run.jobs.values()]
    assert [(r["job"], r["status"], r["batch_id"]) for r in rows(path, "SELECT * FROM v_jobs")] == jobs
    (row,) = rows(path, "SELECT * FROM v_runs")
    assert (row["completed_items"], row["failed_items"], row["pending_items"]) == (
        run.completed,
        run.failed,
        run.pending,
    )
    assert row["status"] == run.status


INTERRUPTED = e.RunInterrupted(reason="keyboard", error=None, pending_items=1)
RESUMED = e.RunResumed(process=s.OWNER, library_version="1", changed={})


@pytest.mark.parametrize(
    "ending",
    [
        [INTERRUPTED],
        [INTERRUPTED, RESUMED],
        [INTERRUPTED, RESUMED, INTERRUPTED],
        [INTERRUPTED, RESUMED, s.completed(3, 1)],
        [s.completed(3, 1)],
        [s.completed(3, 1), RESUMED],
        [s.completed(3, 1), RESUMED, s.retry(1, (2, 2))],
        [s.completed(3, 1), s.retry(1, (2, 2)), INTERRUPTED],
        [s.completed(3, 1), s.added(4, 1)],
    ],
)
def test_the_status_of_a_run_follows_its_last_turn(tmp_path: Path, ending: list[e.Event]) -> None:
    """Interrupted, resumed, completed, retried and extended runs have the library's status."""
    events = RUN + ending
    path = write(tmp_path / "log.db", ("run", events))
    expected = fold((n, s.AT, event) for n, event in enumerate(events, 1)).status
    assert rows(path, "SELECT status FROM v_runs") == [{"status": expected}]


def test_sums_of_many_small_amounts_do_not_drift(tmp_path: Path) -> None:
    """A thousand charges of a tenth of a cent are a dollar."""
    charges: list[e.Event] = [s.charged(1, 0, "0.001") for _ in range(1_000)]
    path = write(tmp_path / "log.db", ("run", RUN[:9] + charges))
    assert rows(path, "SELECT total_cost FROM v_runs") == [{"total_cost": 1.0}]


def test_an_unknown_price_makes_a_cost_unknown_never_zero(tmp_path: Path) -> None:
    """One charge without an amount: the sums that contain it are NULL, the others are not."""
    path = write(tmp_path / "log.db", ("run", [*RUN, s.charged(3, 1, None)]))
    assert rows(path, "SELECT total_cost FROM v_runs") == [{"total_cost": None}]
    assert rows(path, "SELECT cost FROM v_items WHERE item IN (1, 2)") == [{"cost": None}, {"cost": 0.5}]
    assert rows(path, "SELECT cost FROM v_jobs WHERE job IN (2, 3)") == [{"cost": 0.5}, {"cost": None}]


def test_costs_show_every_charge_as_it_was_written(tmp_path: Path) -> None:
    """Amounts are the exact text of the event, beside the tokens by kind and where the price came from."""
    path = write(tmp_path / "log.db", ("run", RUN))
    found = rows(path, "SELECT * FROM v_costs")
    assert [row["amount"] for row in found] == ["0.000012345678", "0.5", "0.25"]
    assert found[0] == dict(
        run_id="run", version=11, at="2026-01-01T00:00:10.000000Z", job=1, item=0, amount="0.000012345678",
        input_tokens=10, output_tokens=5, cache_write_5m_tokens=1, cache_write_1h_tokens=2,
        cache_read_tokens=3, web_search_requests=0, unit_prices='{"input_tokens":"1.5"}', price_source="test",
    )  # fmt: skip


def test_web_searches_are_counted(tmp_path: Path) -> None:
    """They are paid beside the tokens; a charge that says nothing of them had none."""
    searched = replace(s.charged(1, 0, "0.02"), web_search_requests=2)
    path = write(tmp_path / "log.db", ("run", [*RUN, searched]))
    found = rows(path, "SELECT web_search_requests FROM v_costs ORDER BY version")
    assert [row["web_search_requests"] for row in found] == [0, 0, 0, 2]


def test_events_with_readable_time(tmp_path: Path) -> None:
    """`v_events` has every event, its time as text in UTC and its data as JSON."""
    path = write(tmp_path / "log.db", ("run", RUN))
    found = rows(path, "SELECT * FROM v_events")
    assert [row["version"] for row in found] == list(UP_TO)
    assert found[4] == dict(
        run_id="run", version=5, type="batch_submitted", schema_version=1, at="2026-01-01T00:00:04.000000Z",
        job=1, item=None,
        data='{"job":1,"batch_id":"msgbatch_1","created_at":1767225600000001,"expires_at":null}',
    )  # fmt: skip
