"""What the page shows of each job: its times, polls, state, requests and cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from batchata.core.state import Job, JobStatus
from batchata.replay.jobs import IN_WORDS
from batchata.replay.report.chronicle import Chronicle
from batchata.replay.wording import by_kind, item_ranges, usd

_MOST_POLLS = 100  # drawn of one job; fewer when there are very many jobs
_POLLS = 400_000  # drawn of all jobs
_FAILED = (JobStatus.FAILED, JobStatus.ABANDONED)


class Row(msgspec.Struct):
    """One job. Times are milliseconds; `ended` is when the provider was first seen to be done."""

    number: int
    state: str
    tone: str
    items: int
    which: str
    batch: str | None
    started: int
    submitted: int | None
    ended: int | None
    closed: int | None
    polls: list[int]
    polled: int
    requests: str
    cost: str
    reserved: str | None
    error: str | None


def job_rows(chronicle: Chronicle) -> bytes:
    """All jobs as JSON."""
    most = max(min(_MOST_POLLS, _POLLS // max(len(chronicle.history.run.jobs), 1)), 8)
    return msgspec.json.encode([_row(chronicle, job, most) for job in chronicle.history.run.jobs.values()])


def _row(chronicle: Chronicle, job: Job, most: int) -> Row:
    polls = chronicle.polls.get(job.number, ())
    refusal = chronicle.history.refusals.get(job.number) if job.batch_id is None else None
    return Row(
        number=job.number,
        state=IN_WORDS[job.status],
        tone=_tone(job),
        items=job.request_count,
        which=item_ranges(job.items, most=6),
        batch=job.batch_id,
        started=job.started_at // 1000,
        submitted=_ms(job.submitted_at),
        ended=_ms(chronicle.ended.get(job.number)),
        closed=_ms(job.completed_at),
        polls=[at // 1000 for at in _thinned(polls, most)],
        polled=len(polls),
        requests=_requests(job),
        cost=usd(chronicle.history.cost_of(job)),
        reserved=None if not job.held else usd(job.held),
        error=None if refusal is None else f"{refusal.kind}: {refusal.message}",
    )


def _tone(job: Job) -> str:
    if job.status in _FAILED:
        return "bad"
    if job.status is JobStatus.COMPLETED:
        return "good" if set(job.outcomes) <= {"succeeded"} else "mixed"
    return "odd" if job.status is JobStatus.UNKNOWN else "open"


def _requests(job: Job) -> str:
    if job.outcomes:
        return by_kind(job.outcomes)
    counts: dict[str, Any] = {} if job.counts is None else msgspec.structs.asdict(job.counts)
    return by_kind(counts)


def _thinned(polls: Any, most: int) -> Iterator[int]:
    """At most so many of them, and no two closer than their share of the whole time."""
    if not polls:
        return
    gap = (polls[-1] - polls[0]) // most
    last: int | None = None
    for at in polls:
        if last is None or at - last > gap:
            yield at
            last = at


def _ms(at: int | None) -> int | None:
    return None if at is None else at // 1000
