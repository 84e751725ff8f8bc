"""Apply each event to the state of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import gcd
from typing import Any

from msgspec.structs import replace

from batchata.core import events as e
from batchata.core import ranges
from batchata.core.accounts import together
from batchata.core.money import EXACT, INPUT_KINDS, amount_of, pico_of
from batchata.core.pages import ACCEPTED, Entry, Page
from batchata.core.pricing import prompt_tokens, quantities
from batchata.core.retry import QUEUE_FULL, UNSUPPORTED
from batchata.core.state import OPEN, UNSETTLED, Failing, ItemStatus, Job, JobStatus, Run
from batchata.core.values import RequestError, Settings, known

# What folding raises at an event that does not fit those before it.
MISFITS = (LookupError, AssertionError, ArithmeticError, AttributeError, TypeError, ValueError)

_LONGEST_PAUSE, _LONGEST_DELAY = 60_000_000, 3_600_000_000  # microseconds, of calls and of retries

# Looks for a lost batch that told nothing: one may yet turn out to be it, or has ended and cannot be read.
UNREADABLE = "not_readable"
UNTOLD = ("not_settled", UNREADABLE)

_COMPLETED, _FAILED = ItemStatus.COMPLETED, ItemStatus.FAILED
_OPEN_ITEM = (ItemStatus.SENT, ItemStatus.UNDECIDED)


def evolve(run: Run, version: int, at: int, entry: Entry) -> None:
    """Apply one event, or the events of one page, to the run, in place: a copy per event would be quadratic.

    `version` is that of the event, or of the page's first event.
    """
    if isinstance(entry, Page):
        _page(run, version, entry)
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
    """Check that a limit is an amount of money."""
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
        run.next_fresh = _not_sent(run, run.next_fresh)
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
    run.failing = {}
    run.interrupted_by = run.sending_ended = None
    run.limit_reached = False
    run.needed = run.needed_for_all = None
    if run.status == "interrupted":
        run.status = "running"
    for job in run.open.values():
        # An earlier start may have had another clock: nobody waits for a time that lies far ahead.
        job.not_before = min(job.not_before, at + _LONGEST_PAUSE)
        job.alone_since = min(job.alone_since, at)
        if job.missed_since is not None:
            job.missed_since = min(job.missed_since, at)
        if job.status is JobStatus.STARTED:  # whoever was sending it is gone
            job.status = JobStatus.UNKNOWN
            job.alone_since = at
    run.requeued.hasten(at + _LONGEST_DELAY)


def _submission_started(run: Run, at: int, event: e.SubmissionStarted, version: int) -> None:
    reserved = None if event.reserved is None else amount_of(event.reserved)
    job = Job(event.job, event.items, event.request_count, event.custom_ids, reserved, at, run.key, at)
    job.expected, job.bytes = event.expected, event.bytes
    job.route = run.route
    job.max_tokens = known(event.max_tokens)
    run.jobs[job.number] = run.open[job.number] = job
    items = run.items
    first, last = job.items[0][0], job.items[-1][1]
    is_fresh = items.status[first] == ItemStatus.FRESH
    is_next = is_fresh and first >= run.next_fresh and _leaves_out_none(run, last, event.request_count)
    for index in job.indexes():
        items.status[index] = ItemStatus.SENT
        items.attempts[index] += 1
        items.sends[index] += 1
        items.job[index] = job.number
        items.mirror(index)
        run.requeued.discard(index)
    if is_next:
        begin = run.next_fresh if items.same_as or run.refused or run.choice else first
        run.next_fresh = _not_sent(run, last + 1)
        run.chunks[job.number] = (begin, run.next_fresh - 1)


def _leaves_out_none(run: Run, last: int, count: int) -> bool:
    """Whether a job of so many items up to `last` holds every item until there that was not sent yet.

    A sample leaves some out; what it holds belongs to the jobs that carry those around it later.
    """
    if run.choice is None:
        return True
    status, same_as, coming = run.items.status, run.items.same_as, range(run.next_fresh, last + 1)
    return sum(status[i] == ItemStatus.FRESH and i not in same_as for i in coming) == count


def _batch_submitted(run: Run, at: int, event: e.BatchSubmitted, version: int) -> None:
    job = run.jobs[event.job]
    _submitted(job, at, event)
    run.failing.pop("submit", None)


def _input_uploaded(run: Run, at: int, event: e.InputUploaded, version: int) -> None:
    job = run.jobs[event.job]
    assert job.status in UNSETTLED
    job.upload = event.handle


def _batch_failed(run: Run, at: int, event: e.BatchFailed, version: int) -> None:
    job = run.jobs[event.job]
    run.failing.pop("poll", None)
    alone = run.open.keys() == {job.number}  # nothing else of ours fills the queue
    if event.passing and event.error.kind == QUEUE_FULL and alone:
        run.most_bytes = min(run.most_bytes or job.bytes, job.bytes) // 2


def _submission_failed(run: Run, at: int, event: e.SubmissionFailed, version: int) -> None:
    job = run.jobs[event.job]
    _close(run, job, JobStatus.FAILED, at)
    _take_back(run, job, event.not_before)
    if event.not_before > at:
        _fails(run, "submit", at, event.error, event.not_before)
    if event.error.kind == "request_too_large":
        run.most_bytes = min(run.most_bytes or job.bytes, job.bytes) // 2


def _submitting_stopped(run: Run, at: int, event: e.SubmittingStopped, version: int) -> None:
    run.sending_ended = event.error


def _submission_unknown(run: Run, at: int, event: e.SubmissionUnknown, version: int) -> None:
    job = run.jobs[event.job]
    job.status = JobStatus.UNKNOWN
    job.alone_since = at
    _fails(run, "submit", at, event.error, at)


def _submission_settled(run: Run, at: int, event: e.SubmissionSettled, version: int) -> None:
    run.failing.pop("settle", None)
    job = run.jobs[event.job]
    run.withheld = EXACT.fma(job.held, len(event.surplus), run.withheld)
    if event.verdict == "adopted":
        _submitted(job, at, event)
    else:
        _close(run, job, JobStatus.FAILED, at)
        _take_back(run, job, 0)


def _job_abandoned(run: Run, at: int, event: e.JobAbandoned, version: int) -> None:
    job = run.jobs[event.job]
    run.withheld = EXACT.add(run.withheld, job.held)
    _close(run, job, JobStatus.ABANDONED, at)
    for index in job.indexes():
        if run.items.job[index] == job.number and run.items.status[index] in _OPEN_ITEM:
            run.items.status[index] = ItemStatus.WAITING
            run.items.attempts[index] = 0
            run.items.mirror(index)
            run.requeued.put(index, 0)
    job.undecided, job.unanswered = {}, {}


def _batch_polled(run: Run, at: int, event: e.BatchPolled, version: int) -> None:
    job = run.jobs[event.job]
    run.polls += 1
    run.failing.pop("poll", None)
    job.polled_at = at
    job.counts = event.counts
    job.not_before = job.missed = 0
    job.missed_since = None
    if event.status != "ended":
        job.running_at = at
    elif job.status is JobStatus.SUBMITTED:
        job.status = JobStatus.ENDED


def _call_failed(run: Run, at: int, event: e.CallFailed, version: int) -> None:
    for number in event.jobs:
        run.jobs[number].not_before = event.not_before
        _count(run.jobs[number], at, event)
    if event.error.kind not in UNTOLD:  # nothing failed: a batch that may be ours is still running
        _fails(run, event.doing, at, event.error, event.not_before)


def _count(job: Job, at: int, event: e.CallFailed) -> None:
    """Count decisions over all starts: "after so many times" includes earlier processes."""
    match event.doing, event.error.kind:
        case "settle", kind if kind in UNTOLD:
            job.looks += 1
            job.unreadable += kind == UNREADABLE
        case "poll" | "collect", "not_found_error":
            job.missed += 1
            job.missed_since = at if job.missed_since is None else job.missed_since
        case "collect", "incomplete_results":
            job.short_reads += 1
            job.missed, job.missed_since = 0, None
        case _:
            pass


def _schema_route_changed(run: Run, at: int, event: e.SchemaRouteChanged, version: int) -> None:
    run.route = event.route
    run.schema_refusal = None if event.job is None or event.error is None else (event.job, event.error)
    run.cached_at = run.cold_jobs = 0  # requests begin otherwise from now on


def _outcome_recorded(run: Run, at: int, event: e.OutcomeRecorded, version: int) -> None:
    job = run.jobs[event.job]
    _drop_unanswered(job, event.index)
    job.recorded += 1
    if event.body is not None:
        ranges.extend(job.bodies, event.body)
    job.outcomes[event.kind] = job.outcomes.get(event.kind, 0) + 1
    items = run.items
    items.outcome[event.index] = version
    items.body[event.index] = -1 if event.body is None else event.body
    if event.error is None:
        items.kept.pop(event.index, None)
        items.status[event.index] = _COMPLETED
        run.completed += items.mirror(event.index)
    else:
        if event.error.kind == UNSUPPORTED and event.kind == ACCEPTED and event.body is not None:
            items.kept[event.index] = (event.job, version, event.body)
        items.status[event.index] = ItemStatus.UNDECIDED
        items.mirror(event.index)
        job.undecided[event.index] = event.error.kind
        if event.kind != "succeeded":
            job.unanswered[event.index] = event.kind


def _answer_accepted(run: Run, at: int, event: e.AnswerAccepted, version: int) -> None:
    items, index = run.items, event.index
    assert items.status[index] == _FAILED
    assert index not in items.same_as
    items.kept.pop(index, None)
    items.status[index] = _COMPLETED
    items.outcome[index], items.body[index] = event.outcome, event.body
    count = items.mirror(index)
    run.failed -= count
    run.completed += count
    run.status = "running" if run.status == "completed" else run.status


def _drop_unanswered(job: Job, index: int) -> None:
    """Forget an outcome that was no answer: another line of the results says more of the request."""
    before = job.unanswered.pop(index, None)
    if before is None:
        return
    job.recorded -= 1
    del job.undecided[index]
    job.outcomes[before] -= 1
    if not job.outcomes[before]:
        del job.outcomes[before]


def _stray_outcome_recorded(run: Run, at: int, event: e.StrayOutcomeRecorded, version: int) -> None:
    ranges.extend(run.jobs[event.job].bodies, event.body)
    run.strays[event.reason] = run.strays.get(event.reason, 0) + 1


def _cost_charged(run: Run, at: int, event: e.CostCharged, version: int) -> None:
    job, text = run.jobs[event.job], event.amount
    prompt = prompt_tokens(event)
    _answered(job, 1, prompt, event.input_tokens, event.output_tokens)
    if text is None:
        run.unpriced += 1
        job.unpriced += 1
        if not prompt and not event.output_tokens:
            run.unmeasured += 1
            job.unmeasured += 1
        run.items.charge(event.index, None)
    else:
        pico = pico_of(text)
        run.charged.add(text, pico)
        job.charged.add(text, pico)
        if pico is None:
            run.items.charge(event.index, amount_of(text))
        else:
            run.items.charge_picos((event.index,), (pico,))
    if event.ticks:
        run.ticks += event.ticks
        for kind, number in quantities(event):
            run.usage[kind] += number
            run.stated[kind] += number
        return
    _use(run, quantities(event), event.price_source, event.unit_prices)


def _answered(job: Job, answers: int, prompt: int, fresh: int, output: int) -> None:
    """Count answers of the job, and the tokens of their prompts, of which `fresh` met no cache."""
    job.answers += answers
    job.cached = job.cached or prompt > fresh
    job.used = (job.used[0] + prompt, job.used[1] + output)


def _use(run: Run, used: Iterable[tuple[str, int]], source: str, units: dict[str, str]) -> None:
    """Count what was used, by kind, and at which prices."""
    usage, numbers = run.usage, dict(used)
    for kind, number in numbers.items():
        usage[kind] += number
    tariff = source, tuple(units.items())
    priced = run.ledger.get(tariff)
    if priced is None:
        if not units.keys() <= usage.keys():
            raise ValueError(f"unit prices of {', '.join(units)}")
        for unit in units.values():
            amount_of(unit)
        priced = run.ledger[tariff] = dict.fromkeys(units, 0)
    for kind in priced:
        priced[kind] += numbers.get(kind, 0)


def _page(run: Run, version: int, page: Page) -> None:
    """Do what `_outcome_recorded` and `_cost_charged` do, for all answers of the page at once."""
    job, items, indexes, body = run.jobs[page.job], run.items, page.index, page.first_body
    count = len(indexes)
    if job.unanswered:
        for index in indexes:
            _drop_unanswered(job, index)
    job.recorded += count
    ranges.extend(job.bodies, body)
    job.bodies[-1] = (job.bodies[-1][0], body + count - 1)
    job.outcomes[ACCEPTED] = job.outcomes.get(ACCEPTED, 0) + count
    run.completed += count
    status, outcome, bodies, copies = items.status, items.outcome, items.body, items.copies
    for index in indexes if items.kept else ():
        items.kept.pop(index, None)
    for index in indexes:
        status[index] = _COMPLETED
        outcome[index] = version
        bodies[index] = body
        version += 2
        body += 1
        if copies:
            run.completed += items.mirror(index) - 1
    items.charge_picos(indexes, page.amount)
    amount, divisor = sum(page.amount), gcd(*page.amount)
    run.charged.add_pico(amount, divisor)
    job.charged.add_pico(amount, divisor)
    totals = {kind: sum(column) for kind, column in page.used.items()}
    fresh, output = totals.get("input_tokens", 0), totals.get("output_tokens", 0)
    prompt = sum(totals.get(kind, 0) for kind in INPUT_KINDS)
    _answered(job, count, prompt, fresh, output)
    _use(run, totals.items(), page.price_source, page.unit_prices)


def _job_completed(run: Run, at: int, event: e.JobCompleted, version: int) -> None:
    job = run.jobs[event.job]
    if job.uncertain:
        run.withheld = EXACT.add(run.withheld, job.held)
    run.failing.pop("collect", None)
    if job.cached:
        run.cached_at = max(run.cached_at, job.running_at)
    elif job.answers:
        run.cold_jobs += 1
    measured = job.answers - job.unmeasured
    if job.expected is not None and measured:
        cost = None if job.unpriced else job.cost
        run.accuracy.add(job.expected, job.request_count, measured, job.used, cost)
    _close(run, job, JobStatus.COMPLETED, at)
    run.jobs_completed += 1
    _fail_undecided(run, job)


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


def _batch_cancel_requested(run: Run, at: int, event: e.BatchCancelRequested, version: int) -> None:
    run.jobs[event.job].cancel_requested = True


def _bodies_purged(run: Run, at: int, event: e.BodiesPurged, version: int) -> None:
    run.purged = max(run.purged, event.bodies)


def _run_interrupted(run: Run, at: int, event: e.RunInterrupted, version: int) -> None:
    run.status = "interrupted"
    run.interrupted_by = event.reason if event.error is None else f"error: {event.error.message}"


def _run_completed(run: Run, at: int, event: e.RunCompleted, version: int) -> None:
    run.status = "completed"


def _fails(run: Run, doing: str, at: int, error: RequestError, again: int) -> None:
    known = run.failing.get(doing)
    if known is None:
        run.failing[doing] = Failing(at, 1, error, again)
        return
    known.times += at >= known.again
    known.error = error
    known.again = max(known.again, again)


def _submitted(job: Job, at: int, event: e.BatchSubmitted | e.SubmissionSettled) -> None:
    job.status = JobStatus.SUBMITTED
    job.batch_id = event.batch_id
    job.created_at = event.created_at
    job.expires_at = event.expires_at
    job.submitted_at = job.running_at = at
    job.not_before = 0


def _close(run: Run, job: Job, status: JobStatus, at: int) -> None:
    assert job.status in OPEN
    job.status = status
    job.completed_at = at
    del run.open[job.number]


def _take_back(run: Run, job: Job, not_before: int) -> None:
    """Return the job's items to waiting, as if it had never been sent; the attempt does not count.

    Except for items that it was refused for: they have failed.
    """
    _fail_undecided(run, job)
    for index in job.indexes():
        run.items.attempts[index] -= 1
        run.items.sends[index] -= 1
        if run.items.status[index] == ItemStatus.SENT:
            run.items.status[index] = ItemStatus.WAITING
            run.requeued.put(index, not_before)
        run.items.mirror(index)


def _fail_undecided(run: Run, job: Job) -> None:
    for index in job.undecided:
        run.items.status[index] = _FAILED
        run.failed += run.items.mirror(index)
    job.undecided, job.unanswered = {}, {}


def _not_sent(run: Run, index: int) -> int:
    """Return the first item from `index` on that has its own request and was neither sent nor refused."""
    while index in run.items.same_as or index in run.refused or _is_sampled(run, index):
        index += 1
    return index


def _is_sampled(run: Run, index: int) -> bool:
    """Whether a sample has sent the item before its turn."""
    return run.choice is not None and index < run.total and run.items.status[index] != ItemStatus.FRESH


_RULES: dict[type[e.Event], Callable[[Run, int, Any, int], None]] = {
    e.RunStarted: _run_started,
    e.ItemsAdded: _items_added,
    e.ItemRefused: _item_refused,
    e.ItemMended: _item_mended,
    e.ItemsChosen: _items_chosen,
    e.RunResumed: _run_resumed,
    e.SubmissionStarted: _submission_started,
    e.BatchSubmitted: _batch_submitted,
    e.InputUploaded: _input_uploaded,
    e.SubmissionFailed: _submission_failed,
    e.BatchFailed: _batch_failed,
    e.SubmittingStopped: _submitting_stopped,
    e.SubmissionUnknown: _submission_unknown,
    e.SubmissionSettled: _submission_settled,
    e.JobAbandoned: _job_abandoned,
    e.BatchPolled: _batch_polled,
    e.CallFailed: _call_failed,
    e.SchemaRouteChanged: _schema_route_changed,
    e.OutcomeRecorded: _outcome_recorded,
    e.AnswerAccepted: _answer_accepted,
    e.StrayOutcomeRecorded: _stray_outcome_recorded,
    e.CostCharged: _cost_charged,
    e.JobCompleted: _job_completed,
    e.RetryScheduled: _retry_scheduled,
    e.CostLimitReached: _cost_limit_reached,
    e.BatchCancelRequested: _batch_cancel_requested,
    e.BodiesPurged: _bodies_purged,
    e.RunInterrupted: _run_interrupted,
    e.RunCompleted: _run_completed,
}
