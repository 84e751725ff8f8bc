"""Say in words where a run and its jobs stand, and what happens next."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import asdict
from rich.cells import cell_len

from batchata.core import decide
from batchata.core.state import ItemStatus, Job, JobStatus, Run
from batchata.core.values import Process
from batchata.replay.console import Paper, aligned
from batchata.text import (
    JOB_STATUS,
    ago,
    all_of,
    by_kind,
    clean,
    day,
    item_ranges,
    moment,
    number_of,
    short,
    span,
    usd,
)
from batchata.views.history import History

_INTERRUPTIONS = {
    "max_wait_time": "max_wait_time had passed",
    "cost_limit": "max_cost left no room for more",
    "pilot": "the items chosen for a pilot are done",
    "cancelled": "it was cancelled",
    "detached": "it was detached",
    "keyboard": "Ctrl-C",
    "terminated": "SIGTERM",
}


_MOST_JOBS = 20
_HEADS = ("job", "items", "which", "status", "requests", "cost", "took", "submitted", "batch")
_NUMBERS = (0, 1, 5)
_BELOW = 3  # columns that go into a second line where the first would be too long


def status_in_words(run: Run, process: Process | None, alive: bool | None, now: int) -> str:
    """Say the status, and how far to trust it: the log of a killed process says that the run is running."""
    match run.status:
        case "completed":
            failed = f", {number_of(run.failed, 'item')} without a result" if run.failed else ""
            return f"completed{failed}"
        case "interrupted":
            return f"interrupted: {_interruption(run)}"
        case "running":
            return f"{_running(process, alive)}; last event {ago(run.updated_at, now)}"
        case other:
            return short(other)


def _interruption(run: Run) -> str:
    reason = run.interrupted_by or ""
    limit = None if run.settings is None else run.settings.max_wait_time
    waited = run.updated_at - max(run.started_at, run.resumed_at)
    if reason == "max_wait_time" and (limit is None or waited < limit * 1_000_000):
        return "submit() or collect() had done its pass"
    return _INTERRUPTIONS.get(reason, short(reason, 500))


def status_then(run: Run, process: Process | None) -> str:
    """Say the status at a moment of the past, when some process drove the run."""
    if run.status != "running" or process is None:
        return status_in_words(run, process, None, run.updated_at)
    return f"running (process {process.pid} on {short(process.host)})"


def _running(process: Process | None, alive: bool | None) -> str:
    if process is None:
        return "running, or its process has ended"
    who = f"process {process.pid} on {short(process.host)}"
    match alive:
        case True:
            return f"running ({who} exists)"
        case False:
            return f"not being driven ({who} ended without closing the run)"
        case None:
            return f"running, or its process has ended ({who}, not visible from here)"


def what_next(run: Run, alive: bool | None, now: int) -> str:
    """Say what will happen by itself, or what the reader has to do."""
    if run.status == "completed":
        if run.failed:
            failed = number_of(run.failed, "failed item")
            return f"nothing by itself: the run is complete; retry_failed() sends {failed} again"
        return "nothing: the run is complete"
    goes_on = run.status == "running" and alive is True
    todo = all_of(_remaining(run, now, sends=not (goes_on and run.sending_ended))) + _kept_until(run, now)
    if goes_on:
        return f"its process goes on: it {todo}"
    again = _again(run, alive)
    if run.limit_reached and run.settings is not None and not run.open:
        enough = _enough(run)
        return f"raise max_cost (now {usd(run.settings.max_cost)}{enough}) and {again}: it {todo}"
    return f"{again}: it {todo}"


def _again(run: Run, alive: bool | None) -> str:
    """Say how the run is continued."""
    if run.status == "interrupted" and run.interrupted_by == "pilot":
        return "run() without limit or sample"
    if run.status == "interrupted" or alive is False:
        return "run the same script again"
    return "if its process has ended, run the same script again"


def _enough(run: Run) -> str:
    """Say which limit would be enough, as far as the log shows."""
    parts = [
        f"{usd(limit)} for {what}"
        for limit, what in ((run.needed, "the next item"), (run.needed_for_all, "all"))
        if limit is not None
    ]
    return f", {' and '.join(parts)} would do" if parts else ""


def _remaining(run: Run, now: int, *, sends: bool) -> list[str]:
    """Name every kind of open work, for the next process or for one that may send no more."""
    unsettled = len(run.jobs_with(JobStatus.STARTED, JobStatus.UNKNOWN))
    ended, running = len(run.jobs_with(JobStatus.ENDED)), len(run.jobs_with(JobStatus.SUBMITTED))
    items = run.items
    fresh = items.status.count(ItemStatus.FRESH) - sum(not items.status[index] for index in items.same_as)
    doing: list[str] = []
    if unsettled:
        doing.append(f"finds out whether {number_of(unsettled, 'submission')} became a batch")
    if ended:
        doing.append(f"collects {number_of(ended, 'ended batch', 'ended batches')}")
    if running:
        doing.append(f"collects {number_of(running, 'batch', 'batches')} once the provider is done")
    if len(run.requeued) and sends:
        doing.append(f"sends {number_of(len(run.requeued), 'item')} again{_not_before(run, now)}")
    if fresh and sends:
        doing.append(f"sends {number_of(fresh, 'item')} for the first time")
    return doing or ["finds nothing left to do and completes the run"]


def _kept_until(run: Run, now: int) -> str:
    """Say until when the provider keeps the results."""
    until = decide.kept_until(run)
    if until is None:
        return ""
    return f"; results {'are' if now < until else 'were'} kept until {day(until)}"


def _not_before(run: Run, now: int) -> str:
    earliest = run.requeued.earliest()
    return "" if earliest is None or earliest <= now else f" (the first in {span(earliest - now)})"


def print_jobs(paper: Paper, history: History, now: int, *, every_job: bool) -> None:
    """Print all jobs; of many, the open ones and the last."""
    jobs = list(history.run.jobs.values())
    shown = jobs if every_job else most_telling(jobs, set(history.run.open))
    rows = [_HEADS, *(_row(history, job, now) for job in shown)]
    lines = aligned(rows, _NUMBERS)
    paper.columns(lines if max(map(cell_len, lines)) <= paper.width else _two_lines_each(rows))
    if len(shown) < len(jobs):
        hidden = number_of(len(jobs) - len(shown), "more job")
        paper.line(
            f"{hidden} not shown: open jobs and the last ones come first; --all shows all {len(jobs):,}"
        )


def most_telling(jobs: list[Job], open_jobs: set[int]) -> list[Job]:
    """Return at most 20 jobs in their order: open ones before closed ones, later before earlier."""
    ranked = sorted(jobs, key=lambda job: (job.number in open_jobs, job.number))
    return sorted(ranked[-_MOST_JOBS:], key=lambda job: job.number)


def _two_lines_each(rows: Sequence[Sequence[str]]) -> list[str]:
    cut = len(_HEADS) - _BELOW
    upper = aligned([row[:cut] for row in rows], _NUMBERS)
    lower = aligned([row[cut:] for row in rows])
    return [f"{above}\n     {below}" for above, below in zip(upper, lower, strict=True)]


def _row(history: History, job: Job, now: int) -> list[str]:
    return [
        str(job.number),
        f"{job.request_count:,}",
        item_ranges(job.items, most=2),
        JOB_STATUS[job.status],
        _requests(history, job),
        usd(job.known_cost),
        _took(job, now),
        "-" if job.submitted_at is None else moment(job.submitted_at),
        "-" if job.batch_id is None else clean(job.batch_id),
    ]


def _requests(history: History, job: Job) -> str:
    """Say what became of its requests, or why there are none."""
    refusal = history.refusals.get(job.number)
    if refusal is not None and job.batch_id is None:
        return clean(refusal.kind)
    if job.outcomes:
        return by_kind(job.outcomes)
    return "-" if job.counts is None else by_kind(asdict(job.counts))


def _took(job: Job, now: int) -> str:
    """Return the time from the intent to the last result; an open job counts on."""
    end = job.completed_at
    return f"{span(now - job.started_at)} so far" if end is None else span(end - job.started_at)
