"""Say where a run stands, in one line or in a few rows."""

from __future__ import annotations

from collections.abc import Iterator

from batchata.clock import now
from batchata.core import decide
from batchata.core.accounts import awaits_room
from batchata.core.caching import is_priming
from batchata.core.ranges import count, iterate
from batchata.core.state import ItemStatus, JobStatus, Run
from batchata.terminal.failures import failing, failing_in_words
from batchata.text import day, error_in_words, number_of, rounded, short, usd

_BAR = 24  # characters
_MOST_OF_AN_ERROR = 90  # characters


def rows_of(run: Run, width: int, elapsed: str) -> list[str]:
    """Split the line of a run into as many rows as it needs; the bar is dropped first, and no text is cut."""
    done = run.completed + run.failed
    parts = [f"{done:,}/{run.total:,} items", *_details(run), elapsed]
    whole = " · ".join(parts)
    if len(whole) + _BAR + 1 < width:
        filled = _BAR * done // run.total if run.total else 0
        return [f"{'━' * filled}{'─' * (_BAR - filled)} {whole}"]
    rows = [parts[0]]
    for part in parts[1:]:
        if len(rows[-1]) + len(part) + 3 < width:
            rows[-1] += f" · {part}"
        else:
            rows.append(part)
    return rows


def changing(run: Run) -> tuple[object, ...]:
    """Return what is worth a new line when it changes."""
    found = failing(run)
    fails = None if found is None else (found[0], found[1].since, found[1].times.bit_length())
    return run.completed, run.failed, len(run.jobs), run.status, fails


def line(run: Run) -> str:
    """Write where the run stands, in one line."""
    return f"{run.completed + run.failed:,}/{run.total:,} items · {details(run)}"


def details(run: Run) -> str:
    """Write failures, jobs, cost against the limit, and what is being waited for."""
    return " · ".join(_details(run))


def _details(run: Run) -> Iterator[str]:
    if run.failed:
        yield f"{run.failed:,} failed"
    if run.chosen is not None:
        yield f"a pilot of {number_of(count(run.chosen), 'item')}"
    yield f"jobs {run.jobs_completed:,}/{planned_jobs(run):,}"
    limit = run.settings.max_cost if run.settings else None
    cost = "cost unknown" if run.total_cost is None else rounded(run.total_cost)
    yield cost if limit is None else f"{cost} of {usd(limit)}"
    if run.status in ("completed", "interrupted") and run.accuracy.telling:
        yield f"estimate {error_in_words(run.accuracy.cost_error)}"
    yield waiting_for(run)
    if run.sending_ended is not None and run.status == "running":
        yield f"nothing more is sent ({short(run.sending_ended.message, _MOST_OF_AN_ERROR)})"


def planned_jobs(run: Run) -> int:
    """Count the jobs made so far and, as far as is known, those to come."""
    made = sum(job.status is not JobStatus.FAILED for job in run.jobs.values())
    if run.settings is None or run.status == "completed":
        return made
    status, each = run.items.status, run.settings.items_per_job
    if run.chosen is not None:
        fresh = sum(status[i] == ItemStatus.FRESH for i in iterate(run.chosen) if i not in run.items.same_as)
    else:
        fresh = status.count(ItemStatus.FRESH) - sum(status[i] == ItemStatus.FRESH for i in run.items.same_as)
    return made + -(-fresh // each) + -(-len(run.requeued) // each)


def waiting_for(run: Run) -> str:
    """Say what the run is waiting for right now."""
    if run.status == "completed":
        return "done"
    if run.status == "interrupted":
        return _stopped(run)
    if failing_now := failing_in_words(run):
        return failing_now
    if len(run.jobs_with(JobStatus.ENDED)):
        return "collecting results"
    if unsettled := len(run.jobs_with(JobStatus.UNKNOWN)):
        return f"looking for {number_of(unsettled, 'lost submission')}"
    if sending := len(run.jobs_with(JobStatus.STARTED)):
        return f"sending {number_of(sending, 'job')}"
    if is_priming(run):
        return "waiting for the request that fills the cache"
    if running := len(run.jobs_with(JobStatus.SUBMITTED)):
        then = "; then max_cost has room for more" if awaits_room(run) else ""
        return f"waiting for {number_of(running, 'batch', 'batches')}{then}"
    return resending(run) if len(run.requeued) else "planning"


def _stopped(run: Run) -> str:
    if run.interrupted_by == "pilot":
        return "the pilot is done"
    until = decide.kept_until(run)
    collect = f"; collect by {day(until)}" if until else ""
    submitted = sum(job.batch_id is not None for job in run.open.values())
    if run.interrupted_by == "max_wait_time":  # which is how submit() and collect() end
        if submitted:
            return f"{number_of(submitted, 'batch', 'batches')} submitted{collect}"
        if waiting := len(run.requeued):
            why = f" ({run.retry_reason})" if run.retry_reason else ""
            return f"{number_of(waiting, 'item waits', 'items wait')} to be sent again{why}"
        if run.pending and not run.open:
            return f"{number_of(run.pending, 'item')} still to be sent"
    return f"stopped ({run.interrupted_by}){collect}"


def resending(run: Run) -> str:
    """Say how many items wait to be sent again, why the last of them do, and how long the first waits."""
    count = len(run.requeued)
    items = f"{number_of(count, 'item waits', 'items wait')} to be sent again"
    why = f" ({run.retry_reason})" if run.retry_reason else ""
    left = ((run.requeued.earliest() or 0) - now()) / 1e6
    return f"{items}{why}" + (f", the first in {left:.0f} s" if left >= 1 else "")
