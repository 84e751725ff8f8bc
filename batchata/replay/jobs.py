"""Print the jobs of a run as a table that never cuts an id off."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import asdict
from rich.cells import cell_len

from batchata.core.state import Job
from batchata.replay.console import Paper, aligned
from batchata.text import JOB_STATUS, by_kind, clean, item_ranges, moment, number_of, span, usd
from batchata.views.history import History

_MOST_JOBS = 20
_HEADS = ("job", "items", "which", "status", "requests", "cost", "took", "submitted", "batch")
_NUMBERS = (0, 1, 5)
_BELOW = 3  # columns that go into a second line where the first would be too long


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
