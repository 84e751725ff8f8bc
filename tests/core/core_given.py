"""Events, states and measures for tests of the core, with defaults for what a test does not speak of."""

from __future__ import annotations

import dataclasses
from array import array
from decimal import Decimal
from enum import Enum
from typing import Any

from charges import cost_charged

from batchata.core import events as e
from batchata.core import values
from batchata.core.evolve import evolve
from batchata.core.item_columns import Items, Requeued
from batchata.core.plan import Measures
from batchata.core.state import Run

SECOND = 1_000_000
START = 1_790_000_000 * SECOND
PROCESS = values.Process(pid=7, host="here")
USAGE = values.Usage(input_tokens=100, output_tokens=10)


def settings(**changed: Any) -> values.Settings:
    """The library's defaults, with some of them changed."""
    defaults: dict[str, Any] = {
        "items_per_job": 50,
        "max_parallel_jobs": 10,
        "max_attempts": 3,
        "max_cost": None,
        "max_wait_time": None,
        "poll_interval": None,
        "retry_delay": None,
        "settle_delay": None,
        "results_dir": None,
        "raw_results_dir": None,
        "on_interrupt": "detach",
    }
    return values.Settings(**{**defaults, **changed})


def run_started(**changed: Any) -> e.RunStarted:
    """A run without items; the arguments change its settings."""
    return e.RunStarted(
        run_id="run-1",
        tag="tag",
        provider="anthropic",
        base_url="https://api.anthropic.com",
        library_version="0.1.0",
        model="claude-sonnet-5-5",
        params={"max_tokens": 4096},
        prompt=None,
        response_model=None,
        response_schema=None,
        result_schema=None,
        enable_citations=False,
        output_route="text",
        input_kind="messages",
        input_count=0,
        input_fingerprint="",
        settings=settings(**changed),
        process=PROCESS,
    )


def items_added(first: int, count: int, *same_as: tuple[int, int]) -> e.ItemsAdded:
    digest = f"digest-{first + count}"
    return e.ItemsAdded(first=first, count=count, digest=digest, first_body=first, same_as=list(same_as))


def submission_started(
    job: int, *items: tuple[int, int], reserved: str | None = None, expected: values.Expected | None = None
) -> e.SubmissionStarted:
    count = sum(last - first + 1 for first, last in items)
    return e.SubmissionStarted(
        job=job,
        items=list(items),
        request_count=count,
        bytes=1000,
        custom_ids=f"tag-{job}-{{index}}",
        reserved=reserved,
        expected=expected,
    )


def batch_submitted(job: int) -> e.BatchSubmitted:
    return e.BatchSubmitted(job=job, batch_id=f"msgbatch_{job}", created_at=START, expires_at=None)


def submission_failed(job: int, not_before: int = 0) -> e.SubmissionFailed:
    return e.SubmissionFailed(job=job, error=error("overloaded_error"), not_before=not_before)


def submission_unknown(job: int) -> e.SubmissionUnknown:
    return e.SubmissionUnknown(job=job, error=error("no_answer"))


def settled(job: int, verdict: str) -> e.SubmissionSettled:
    adopted = verdict == "adopted"
    return e.SubmissionSettled(
        job=job,
        verdict=verdict,
        batch_id=f"msgbatch_{job}" if adopted else None,
        created_at=START if adopted else None,
        expires_at=None,
        looked_at=START,
        evidence="seen",
    )


def polled(job: int, status: str = "in_progress", size: int = 1) -> e.BatchPolled:
    running = size if status != "ended" else 0
    counts = values.Counts(processing=running, succeeded=size - running, errored=0, canceled=0, expired=0)
    return e.BatchPolled(job=job, batch_id=f"msgbatch_{job}", status=status, counts=counts)


def call_failed(*jobs: int, not_before: int) -> e.CallFailed:
    return e.CallFailed(doing="poll", jobs=list(jobs), error=error("rate_limit_error"), not_before=not_before)


def error(kind: str) -> values.RequestError:
    return values.RequestError(kind=kind, message=f"because of {kind}")


def outcome(
    job: int, index: int, kind: str = "succeeded", why: str | None = None, body: int | None = 0
) -> e.OutcomeRecorded:
    """A good answer, or with `why` one that is no good."""
    return e.OutcomeRecorded(
        job=job,
        index=index,
        kind=kind,
        stop_reason="end_turn" if kind == "succeeded" else None,
        error=None if why is None else error(why),
        usage=USAGE if kind == "succeeded" else None,
        body=body,
    )


def charged(job: int, index: int, amount: str | None) -> e.CostCharged:
    used = {"input_tokens": 100, "output_tokens": 10}
    cached = {"cache_write_5m_tokens": 1, "cache_write_1h_tokens": 2, "cache_read_tokens": 3}
    prices = {} if amount is None else {"input_tokens": "1.5"}
    return cost_charged(job, index, amount, **used, **cached, unit_prices=prices)


def job_completed(job: int, **outcomes: int) -> e.JobCompleted:
    return e.JobCompleted(job=job, batch_id=f"msgbatch_{job}", outcomes=outcomes, strays={})


def retry_scheduled(*items: tuple[int, int], attempt: int = 2, not_before: int = 0) -> e.RetryScheduled:
    return e.RetryScheduled(
        job=None, items=list(items), attempt=attempt, not_before=not_before, reason="overloaded_error"
    )


def given(*happened: e.Event, at: int = START, **changed: Any) -> Run:
    """The state after a run with these settings has started and all this has happened, at one moment."""
    run = Run()
    for event in (run_started(**changed), *happened):
        when(run, event, at=at)
    return run


def when(run: Run, *happened: e.Event, at: int = START) -> Run:
    """The same run after more has happened."""
    for event in happened:
        evolve(run, run.version + 1, at, event)
    return run


def submitted(job: int, *items: tuple[int, int], reserved: str | None = None) -> list[e.Event]:
    """What it takes for a job to be a batch."""
    return [submission_started(job, *items, reserved=reserved), batch_submitted(job)]


def measures(size: int = 1000, worst_cost: str | None = None) -> Measures:
    """Items that are all alike."""
    cost = None if worst_cost is None else Decimal(worst_cost)
    return Measures(size=lambda index: size, worst_cost=lambda index: cost)


def dump(value: Any) -> Any:
    """A state as plain values, private parts included and in their order, for comparisons."""
    if dataclasses.is_dataclass(value):
        return {f.name: dump(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Run | Items | Requeued):
        return {name: dump(part) for name, part in vars(value).items()}
    if isinstance(value, dict):
        return [(dump(key), dump(part)) for key, part in value.items()]
    if isinstance(value, bytearray | array | list | tuple):
        return [dump(part) for part in value]
    return str(value) if isinstance(value, Enum) else repr(value)
