"""Apply each event to the state of a run: here those of the run and its items, beside it jobs and answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from batchata.core import events as e
from batchata.core import evolve_answers as answers
from batchata.core import evolve_jobs as jobs
from batchata.core import ranges
from batchata.core.accounts import together
from batchata.core.money import EXACT, amount_of
from batchata.core.pages import Entry, Page
from batchata.core.state import ItemStatus, JobStatus, Run
from batchata.core.values import Settings, known

# What folding raises at an event that does not fit those before it.
MISFITS = (LookupError, AssertionError, ArithmeticError, AttributeError, TypeError, ValueError)

_LONGEST_PAUSE, _LONGEST_DELAY = 60_000_000, 3_600_000_000  # microseconds, of calls and of retries

_COMPLETED, _FAILED = ItemStatus.COMPLETED, ItemStatus.FAILED


def evolve(run: Run, version: int, at: int, entry: Entry) -> None:
    """Apply one event, or the events of one page, to the run, in place: a copy per event would be quadratic.

    `version` is that of the event, or of the page's first event.
    """
    if isinstance(entry, Page):
        answers.page(run, version, entry)
        version += entry.length - 1
    else:
        _RULES[type(entry)](run, at, entry, version)
    run.version = version
    run.updated_at = at


def fold(recorded: Iterable[tuple[int, int, Entry]]) -> Run:
    """Return the state after all these (version, at, event or page)."""
    run = Run()
    for version, at, entry in recorded:
        evolve(run, version, at, entry)
    return run


def _checked(settings: Settings) -> Settings:
    """Return a limit as an amount of money, or raise ValueError."""
    if settings.max_cost is not None:
        amount_of(settings.max_cost)
    return settings


def _run_started(run: Run, at: int, event: e.RunStarted, version: int) -> None:
    run.started = event
    run.settings = _checked(event.settings)
    run.max_tokens = int(event.params.get("max_tokens", 0))
    run.route = event.output_route
    run.base_url = event.base_url
    run.key = event.key
    run.started_at = at
    run.starts += 1
    run.status = "running"


def _items_added(run: Run, at: int, event: e.ItemsAdded, version: int) -> None:
    if event.first != run.total or event.count < 0:
        raise ValueError(f"item {event.first} is added after {run.total}")
    run.first_bodies.append((event.first, event.first_body))
    run.items.grow(event.count)
    run.fingerprint = event.digest
    run.status = "running"
    for index, original in event.same_as:
        run.items.share(index, original)
        run.completed += run.items.status[index] == _COMPLETED
        run.failed += run.items.status[index] == _FAILED
    if event.same_as and run.chunks:
        # Copies at the end of what was sent will never be sent: they belong to the last job that was.
        number, (first, _) = list(run.chunks.items())[-1]
        run.next_fresh = jobs.not_sent(run, run.next_fresh)
        run.chunks[number] = (first, run.next_fresh - 1)


def _item_refused(run: Run, at: int, event: e.ItemRefused, version: int) -> None:
    items, index = run.items, event.index
    before = items.status[index]
    items.status[index] = _FAILED
    items.outcome[index] = version
    count = items.mirror(index)
    run.failed += 0 if before == _FAILED else count
    run.requeued.discard(index)
    run.refused[index] = version


def _item_mended(run: Run, at: int, event: e.ItemMended, version: int) -> None:
    items, index = run.items, event.index
    assert items.status[index] == _FAILED
    items.part(index)
    items.outcome[index], items.body[index] = 0, -1
    items.kept.pop(index, None)
    run.mended[index] = event.body
    if event.same_as is not None:
        items.share(index, event.same_as)


def _items_chosen(run: Run, at: int, event: e.ItemsChosen, version: int) -> None:
    for first, last in event.items or ():
        if not 0 <= first <= last < run.total:
            raise ValueError(f"items {first} to {last} are chosen of {run.total}")
    run.choice = event


def _run_resumed(run: Run, at: int, event: e.RunResumed, version: int) -> None:
    assert run.settings is not None
    changed = {name: new for name, (_, new) in event.changed.items()}
    run.max_tokens = int(changed.pop("max_tokens", run.max_tokens))
    run.base_url = str(changed.pop("base_url", run.base_url))
    run.settings = _checked(replace(run.settings, **changed))
    run.key = event.key
    run.resumed_at = at
    run.starts += 1
    run.failing = {}
    run.interrupted_by = run.sending_ended = None
    run.limit_reached = False
    run.needed = run.needed_for_all = None
    if run.status == "interrupted":
        run.status = "running"
    for job in run.open.values():
        # An earlier start may have had another clock: a time that lies far ahead is not waited for.
        job.not_before = min(job.not_before, at + _LONGEST_PAUSE)
        if at < job.alone_since:
            job.alone_since, job.alone_in = at, run.starts
        if job.missed_since is not None:
            job.missed_since = min(job.missed_since, at)
        if job.status is JobStatus.STARTED:  # the process that was sending it is gone
            job.status = JobStatus.UNKNOWN
            job.alone_since, job.alone_in = at, run.starts
    run.requeued.hasten(at + _LONGEST_DELAY)


def _submitting_stopped(run: Run, at: int, event: e.SubmittingStopped, version: int) -> None:
    run.sending_ended = event.error


def _schema_route_changed(run: Run, at: int, event: e.SchemaRouteChanged, version: int) -> None:
    run.route = event.route
    run.schema_refusal = None if event.job is None or event.error is None else (event.job, event.error)
    run.cached_at = run.cold_jobs = 0  # requests begin otherwise from now on


def _retry_scheduled(run: Run, at: int, event: e.RetryScheduled, version: int) -> None:
    for index in ranges.iterate(event.items):
        run.items.status[index] = ItemStatus.WAITING
        run.items.attempts[index] = event.attempt - 1
        run.requeued.put(index, event.not_before)
        run.failed -= run.items.mirror(index)
        run.retries += 1
        if (raised := known(event.max_tokens)) is not None:
            run.items.raised[index] = raised
    run.retry_reason = event.reason
    run.status = "running" if run.status == "completed" else run.status


def _cost_limit_reached(run: Run, at: int, event: e.CostLimitReached, version: int) -> None:
    run.limit_reached = True
    owed = together(amount_of(event.spent), amount_of(event.reserved), amount_of(event.withheld))
    run.needed = None if event.needed is None else EXACT.add(owed, amount_of(event.needed))
    more = event.needed_for_all
    run.needed_for_all = None if more is None else EXACT.add(owed, amount_of(more))


def _bodies_purged(run: Run, at: int, event: e.BodiesPurged, version: int) -> None:
    run.purged = max(run.purged, event.bodies)


def _run_interrupted(run: Run, at: int, event: e.RunInterrupted, version: int) -> None:
    run.status = "interrupted"
    run.interrupted_by = event.reason if event.error is None else f"error: {event.error.message}"


def _run_completed(run: Run, at: int, event: e.RunCompleted, version: int) -> None:
    run.status = "completed"


_RULES: dict[type[e.Event], Callable[[Run, int, Any, int], None]] = {
    e.RunStarted: _run_started,
    e.ItemsAdded: _items_added,
    e.ItemRefused: _item_refused,
    e.ItemMended: _item_mended,
    e.ItemsChosen: _items_chosen,
    e.RunResumed: _run_resumed,
    e.SubmissionStarted: jobs.submission_started,
    e.BatchSubmitted: jobs.batch_submitted,
    e.InputUploaded: jobs.input_uploaded,
    e.SubmissionFailed: jobs.submission_failed,
    e.BatchFailed: jobs.batch_failed,
    e.SubmittingStopped: _submitting_stopped,
    e.SubmissionUnknown: jobs.submission_unknown,
    e.SubmissionSettled: jobs.submission_settled,
    e.JobAbandoned: jobs.job_abandoned,
    e.BatchPolled: jobs.batch_polled,
    e.CallFailed: jobs.call_failed,
    e.SchemaRouteChanged: _schema_route_changed,
    e.OutcomeRecorded: answers.outcome_recorded,
    e.AnswerAccepted: answers.answer_accepted,
    e.StrayOutcomeRecorded: answers.stray_outcome_recorded,
    e.CostCharged: answers.cost_charged,
    e.JobCompleted: jobs.job_completed,
    e.CitationsChecked: answers.citations_checked,
    e.RetryScheduled: _retry_scheduled,
    e.CostLimitReached: _cost_limit_reached,
    e.BatchCancelRequested: jobs.batch_cancel_requested,
    e.BodiesPurged: _bodies_purged,
    e.RunInterrupted: _run_interrupted,
    e.RunCompleted: _run_completed,
}
