"""Events and streams that the log's tests write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from charges import cost_charged

from batchata.core import events as e
from batchata.core import values

SHARED = Path(os.environ.get("BATCHATA_SHARED", Path(__file__).resolve().parents[2] / "../shared/data/dev"))
AT = 1_767_225_600_000_000  # 2026-01-01 00:00 UTC
SECOND = 1_000_000
OWNER = values.Process(pid=os.getpid(), host="here")


def shared(name: str) -> Path:
    """A file of the shared test data; the test is skipped where that is absent."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the test data {name} is not here; set BATCHATA_SHARED to its folder")
    return path


def submitted(job: int) -> e.BatchSubmitted:
    """A small event of a job."""
    return e.BatchSubmitted(job=job, batch_id=f"msgbatch_{job}", created_at=AT + job, expires_at=None)


def polled(job: int, status: str = "in_progress") -> e.BatchPolled:
    """A poll of a job's batch."""
    counts = values.Counts(processing=2, succeeded=0, errored=0, canceled=0, expired=0)
    return e.BatchPolled(job=job, batch_id=f"msgbatch_{job}", status=status, counts=counts)


def started(run_id: str = "run") -> e.RunStarted:
    """The first event of a run."""
    settings = values.Settings(
        items_per_job=2,
        max_parallel_jobs=1,
        max_attempts=3,
        max_cost="1.00",
        max_wait_time=None,
        poll_interval=None,
        retry_delay=None,
        settle_delay=None,
        results_dir=None,
        raw_results_dir=None,
        on_interrupt="detach",
    )
    return e.RunStarted(
        run_id=run_id,
        tag="t1",
        provider="anthropic",
        base_url="https://api.anthropic.com",
        library_version="0.1.0",
        model="claude-sonnet-5-5",
        params={"max_tokens": 100},
        prompt="Geben Sie «alles» an — 全部",
        response_model=None,
        response_schema=None,
        result_schema=None,
        enable_citations=False,
        output_route="text",
        input_kind="messages",
        input_count=4,
        input_fingerprint="f",
        settings=settings,
        process=OWNER,
    )


def added(first: int, count: int) -> e.ItemsAdded:
    """Items join the run."""
    return e.ItemsAdded(first=first, count=count, digest="d", first_body=first)


def sending(job: int, *items: tuple[int, int]) -> e.SubmissionStarted:
    """The intent to send a job."""
    count = sum(last - first + 1 for first, last in items)
    return e.SubmissionStarted(
        job=job, items=list(items), request_count=count, bytes=10, custom_ids="t1-{index}", reserved="0.5"
    )


def outcome(
    job: int, index: int, body: int, error: values.RequestError | None = None, kind: str = "succeeded"
) -> e.OutcomeRecorded:
    """What became of a request; with an error, no usable answer."""
    return e.OutcomeRecorded(
        job=job,
        index=index,
        kind=kind,
        stop_reason="end_turn" if kind == "succeeded" else None,
        error=error,
        usage=values.Usage(input_tokens=10, output_tokens=5),
        body=body,
    )


def charged(job: int, index: int, amount: str | None) -> e.CostCharged:
    """What a request cost."""
    used = {"input_tokens": 10, "output_tokens": 5}
    cached = {"cache_write_5m_tokens": 1, "cache_write_1h_tokens": 2, "cache_read_tokens": 3}
    return cost_charged(job, index, amount, **used, **cached, unit_prices={"input_tokens": "1.5"})


def finished(job: int) -> e.JobCompleted:
    """Every request of the job has an outcome."""
    return e.JobCompleted(job=job, batch_id=f"msgbatch_{job}", outcomes={"succeeded": 2}, strays={})


def retry(attempt: int, *items: tuple[int, int]) -> e.RetryScheduled:
    """The decision for another attempt."""
    return e.RetryScheduled(job=None, items=list(items), attempt=attempt, not_before=0, reason="overloaded")


def completed(done: int, failed: int) -> e.RunCompleted:
    """The run's end."""
    return e.RunCompleted(completed_items=done, failed_items=failed, total_cost="0.1")
