"""Apply what happens to a job: it is sent, searched for, polled and ended; its items change with it."""

from __future__ import annotations

from batchata.core import error_kinds
from batchata.core import events as e
from batchata.core.money import EXACT, amount_of
from batchata.core.state import OPEN, UNSETTLED, Failing, ItemStatus, Job, JobStatus, Run
from batchata.core.values import RequestError, known

# Looks for a lost batch that settled nothing: one may yet turn out to be it, or cannot be read any more.
UNREADABLE = "not_readable"
UNTOLD = ("not_settled", UNREADABLE)

_FAILED = ItemStatus.FAILED
_OPEN_ITEM = (ItemStatus.SENT, ItemStatus.UNDECIDED)


def submission_started(run: Run, at: int, event: e.SubmissionStarted, version: int) -> None:
    """Open the job with its items, and move the mark behind the last item that was sent."""
    reserved = None if event.reserved is None else amount_of(event.reserved)
    job = Job(event.job, event.items, event.request_count, event.custom_ids, reserved, at, run.key, at)
    job.start = job.alone_in = run.starts
    job.expected, job.bytes = event.expected, event.bytes
    job.route = run.route
    job.max_tokens = known(event.max_tokens)
    run.given_prices = known(event.prices) or run.given_prices
    run.jobs[job.number] = run.open[job.number] = job
    items = run.items
    first, last = job.items[0][0], job.items[-1][1]
    is_fresh = items.status[first] == ItemStatus.FRESH
    is_next = is_fresh and first >= run.next_fresh and _leaves_out_none(run, last, event.request_count)
    for begin, end in job.items:
        items.send(begin, end, job.number, ItemStatus.SENT)
    for index in job.indexes() if items.copies or len(run.requeued) else ():
        items.mirror(index)
        run.requeued.discard(index)
    if is_next:
        begin = run.next_fresh if items.same_as or run.refused or run.choice else first
        run.next_fresh = not_sent(run, last + 1)
        run.chunks[job.number] = (begin, run.next_fresh - 1)


def _leaves_out_none(run: Run, last: int, count: int) -> bool:
    """Whether a job of so many items, up to `last`, holds every unsent item up to there.

    A sample leaves some out; what it holds belongs to the jobs that later carry the items around it.
    """
    if run.choice is None:
        return True
    status, same_as, coming = run.items.status, run.items.same_as, range(run.next_fresh, last + 1)
    return sum(status[i] == ItemStatus.FRESH and i not in same_as for i in coming) == count


def not_sent(run: Run, index: int) -> int:
    """Return the first item from `index` on that has its own request and was neither sent nor refused."""
    while index in run.items.same_as or index in run.refused or _is_sampled(run, index):
        index += 1
    return index


def _is_sampled(run: Run, index: int) -> bool:
    """Whether a sample has sent the item before its turn."""
    return run.choice is not None and index < run.total and run.items.status[index] != ItemStatus.FRESH


def batch_submitted(run: Run, at: int, event: e.BatchSubmitted, version: int) -> None:
    """Note the batch that the job became."""
    job = run.jobs[event.job]
    _submitted(job, at, event)
    run.failing.pop("submit", None)


def input_uploaded(run: Run, at: int, event: e.InputUploaded, version: int) -> None:
    """Note the file with the job's requests, which the provider holds."""
    job = run.jobs[event.job]
    assert job.status in UNSETTLED
    job.upload = event.handle


def batch_failed(run: Run, at: int, event: e.BatchFailed, version: int) -> None:
    """Halve the size of later jobs where this batch alone was too much for the provider's queue."""
    job = run.jobs[event.job]
    run.failing.pop("poll", None)
    alone = run.open.keys() == {job.number}  # nothing else of ours fills the queue
    if event.passing and event.error.kind == error_kinds.QUEUE_FULL and alone:
        run.most_bytes = min(run.most_bytes or job.bytes, job.bytes) // 2


def submission_failed(run: Run, at: int, event: e.SubmissionFailed, version: int) -> None:
    """Close the job, and return its items to waiting."""
    job = run.jobs[event.job]
    _close(run, job, JobStatus.FAILED, at)
    _take_back(run, job, event.not_before)
    if event.not_before > at:
        _fails(run, "submit", at, event.error, event.not_before)
    if event.error.kind == error_kinds.TOO_LARGE:
        run.most_bytes = min(run.most_bytes or job.bytes, job.bytes) // 2


def submission_unknown(run: Run, at: int, event: e.SubmissionUnknown, version: int) -> None:
    """Leave the job open until it is known whether it became a batch, and which: not the one it had."""
    job = run.jobs[event.job]
    job.is_misnamed = job.batch_id is not None
    job.is_confused = job.is_misnamed or event.error.kind == error_kinds.ODD_REPLY
    job.batch_id = job.created_at = job.expires_at = job.submitted_at = None
    job.counts = job.polled_at = job.missed_since = None
    job.missed = job.short_reads = job.not_before = 0
    job.cancel_requested = False
    job.status = JobStatus.UNKNOWN
    job.alone_since, job.alone_in = at, run.starts
    _fails(run, "submit", at, event.error, at)


def submission_settled(run: Run, at: int, event: e.SubmissionSettled, version: int) -> None:
    """Note the batch that was found for the job, or return its items to waiting."""
    run.failing.pop("settle", None)
    job = run.jobs[event.job]
    run.withheld = EXACT.fma(job.held, len(event.surplus), run.withheld)
    if event.verdict == "adopted":
        _submitted(job, at, event)
        job.is_adopted = True
    else:
        _close(run, job, JobStatus.FAILED, at)
        _take_back(run, job, 0)


def _submitted(job: Job, at: int, event: e.BatchSubmitted | e.SubmissionSettled) -> None:
    job.status = JobStatus.SUBMITTED
    job.batch_id = event.batch_id
    job.created_at = event.created_at
    job.expires_at = event.expires_at
    job.submitted_at = job.running_at = at
    job.not_before = 0


def job_abandoned(run: Run, at: int, event: e.JobAbandoned, version: int) -> None:
    """Close the job, withhold what it may have cost, and let its items wait with a fresh set of attempts."""
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


def batch_polled(run: Run, at: int, event: e.BatchPolled, version: int) -> None:
    """Note the batch's counts, and whether it has ended."""
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


def batch_cancel_requested(run: Run, at: int, event: e.BatchCancelRequested, version: int) -> None:
    """Note that the batch was asked to be cancelled."""
    run.jobs[event.job].cancel_requested = True


def call_failed(run: Run, at: int, event: e.CallFailed, version: int) -> None:
    """Count the failed call, and let its jobs wait until it is repeated."""
    for number in event.jobs:
        run.jobs[number].not_before = event.not_before
        _count(run.jobs[number], at, event)
    if event.error.kind not in UNTOLD:  # nothing failed: a batch that may be ours is still running
        _fails(run, event.doing, at, event.error, event.not_before)


def _count(job: Job, at: int, event: e.CallFailed) -> None:
    """Count decisions over all starts, so that "after so many times" includes earlier processes."""
    match event.doing, event.error.kind:
        case "settle", kind if kind in UNTOLD:
            job.looks += 1
            job.unreadable += kind == UNREADABLE
        case "poll" | "collect", error_kinds.NOT_FOUND:
            job.missed += 1
            job.missed_since = at if job.missed_since is None else job.missed_since
        case "collect", error_kinds.INCOMPLETE:
            job.short_reads += 1
            job.missed, job.missed_since = 0, None
        case _:
            pass


def _fails(run: Run, doing: str, at: int, error: RequestError, again: int) -> None:
    known = run.failing.get(doing)
    if known is None:
        run.failing[doing] = Failing(at, 1, error, again)
        return
    known.times += at >= known.again
    known.error = error
    known.again = max(known.again, again)


def job_completed(run: Run, at: int, event: e.JobCompleted, version: int) -> None:
    """Close the job; items that it left undecided have failed."""
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


def _close(run: Run, job: Job, status: JobStatus, at: int) -> None:
    assert job.status in OPEN
    job.status = status
    job.completed_at = at
    del run.open[job.number]


def _take_back(run: Run, job: Job, not_before: int) -> None:
    """Return the job's items to waiting, as if it had never been sent; the attempt does not count.

    Items that the provider refused the job for are not returned: they have failed.
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
