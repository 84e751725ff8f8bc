"""Decide what a run does next, given its state, the time and the calls under way."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from batchata.core.plan import Measures, OverBudget, Plan, TooSmall, plan_job
from batchata.core.state import UNSETTLED, Job, JobStatus, Run

SECOND = 1_000_000
DEFAULT_SETTLE_DELAY = 30.0
SHORTEST_POLL, LONGEST_POLL = 2.0, 60.0
_DAY = 24 * 3600 * SECOND
ROUND_SHARE = 0.003  # seconds for each batch that is open: 2,000 of them are polled every six seconds
POLL_SHARE = 0.1  # a batch that has run for ten minutes is polled once a minute


# What has to change before more of a job may fit: the jobs that are open, and the times of due retries.
type Outlook = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Submit:
    """Send these items as job `number`."""

    number: int
    plan: Plan


@dataclass(frozen=True, slots=True)
class Settle:
    """Find out whether this job became a batch."""

    job: int


@dataclass(frozen=True, slots=True)
class Poll:
    """Ask how far the batches of these jobs are."""

    jobs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Collect:
    """Fetch the results of this job's batch."""

    job: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Ask for this job's batch to be cancelled."""

    job: int


@dataclass(frozen=True, slots=True)
class StopAtLimit:
    """Record once that nothing more fits into the cost limit."""

    over: OverBudget


@dataclass(frozen=True, slots=True)
class AwaitRoom:
    """What fits into `max_cost` is too little for a job: plan nothing until that amount changes."""

    outlook: Outlook


@dataclass(frozen=True, slots=True)
class Finish:
    """Complete the run: every item is completed or failed."""


type Step = Submit | Settle | Poll | Collect | Cancel | StopAtLimit | AwaitRoom | Finish


@dataclass(frozen=True, slots=True)
class Situation:
    """What the state does not know: the jobs with a call under way, and what the caller wants."""

    busy: AbstractSet[int]
    cancelled: AbstractSet[int] = frozenset()  # jobs whose batch was asked to be cancelled
    submitting: bool = True  # False: nothing new is sent
    cancelling: bool = False  # open batches are to be cancelled
    check_now: bool = False  # poll whether due or not
    awaiting: Outlook | None = None  # of the last AwaitRoom


def next_steps(run: Run, now: int, measures: Measures, situation: Situation) -> list[Step]:
    """Return everything that may be started now. The caller carries the steps out and asks again."""
    steps: list[Step] = []
    free = [job for job in run.open.values() if job.number not in situation.busy]
    steps += [Settle(job.number) for job in free if job.status in UNSETTLED and job.not_before <= now]
    steps += [Collect(job.number) for job in free if job.status is JobStatus.ENDED and job.not_before <= now]
    cancels = _cancels(free, now, situation)
    steps += cancels or _polls(run, now, free, situation)
    steps += submissions(run, now, measures, situation)
    if run.total == run.completed + run.failed and not run.open:
        steps.append(Finish())
    return steps


def _cancels(free: list[Job], now: int, situation: Situation) -> list[Step]:
    if not situation.cancelling:
        return []
    running = [job for job in free if job.status is JobStatus.SUBMITTED and job.not_before <= now]
    return [Cancel(job.number) for job in running if job.number not in situation.cancelled]


def _polls(run: Run, now: int, free: list[Job], situation: Situation) -> list[Step]:
    submitted = [job for job in free if job.status is JobStatus.SUBMITTED]
    waiting = [job for job in submitted if situation.check_now or job.not_before <= now]
    due = [job for job in waiting if situation.check_now or poll_due(run, job) <= now]
    if not due:
        return []
    # Batches that are due soon come along in the same call, so that one round an interval answers for all:
    # those that are polled as often from a quarter of their interval on, which makes two rounds one, and
    # others from half of theirs. A young batch must not drag those along that are polled once a minute.
    pace = max(poll_interval(run, job) for job in due)
    soon = [job for job in waiting if situation.check_now or _is_soon(run, job, now, pace)]
    return [Poll(tuple(job.number for job in soon))]


def _is_soon(run: Run, job: Job, now: int, pace: int) -> bool:
    interval = poll_interval(run, job)
    early = interval - interval // 4 if interval <= pace else interval // 2
    return poll_due(run, job) - early <= now


def submissions(run: Run, now: int, measures: Measures, situation: Situation) -> list[Step]:
    """Plan at most one submission: the state must know of it before the next is planned."""
    assert run.settings is not None
    if (
        not situation.submitting
        or run.sending_ended is not None
        or len(run.open) >= run.settings.max_parallel_jobs
    ):
        return []
    if situation.awaiting is not None and situation.awaiting == _outlook(run, now):
        return []  # a plan looks at all items that fit, and results arrive many times before a job ends
    match plan_job(run, now, measures):
        case Plan() as plan:
            return [Submit(len(run.jobs), plan)]
        case OverBudget() as over if not run.limit_reached and not run.open:
            return [StopAtLimit(over)]
        case TooSmall():
            return [AwaitRoom(_outlook(run, now))]
        case _:
            return []


def _outlook(run: Run, now: int) -> Outlook:
    return tuple(run.open), tuple(sorted(time for time in run.requeued.times() if time <= now))


def poll_due(run: Run, job: Job) -> int:
    """Return when the job's batch is due for the next poll."""
    return max((job.polled_at or job.started_at) + poll_interval(run, job), job.not_before)


def poll_interval(run: Run, job: Job) -> int:
    """Return microseconds between two polls of a batch: short for young ones, within 2 to 60 seconds.

    Where hundreds are open, a round takes a call for each hundred of them, and may take its time.
    """
    assert run.settings is not None
    chosen = run.settings.poll_interval
    if chosen is None:
        age = (job.polled_at or job.started_at) - (job.submitted_at or job.started_at)
        shortest = max(SHORTEST_POLL, len(run.open) * ROUND_SHARE)
        chosen = min(max(age / SECOND * POLL_SHARE, shortest), LONGEST_POLL)
    return int(chosen * SECOND)


def wake_at(run: Run, busy: AbstractSet[int], now: int) -> int | None:
    """Return the earliest time after `now` at which something is due; None when nothing will be.

    What is due already waits for something other than time: a free place among the jobs, or money.
    """
    times = [job_due(run, job) for job in run.open.values() if job.number not in busy]
    return min((time for time in [*times, *run.requeued.times()] if time > now), default=None)


def job_due(run: Run, job: Job) -> int:
    """Return when an open job needs the next step."""
    return poll_due(run, job) if job.status is JobStatus.SUBMITTED else job.not_before


def collect_by(run: Run, job: Job) -> int | None:
    """Return until when the provider keeps the results of the job's batch; None without a batch."""
    return job.created_at + run.limits.results_days * _DAY if job.created_at else None


def kept_until(run: Run) -> int | None:
    """Return until when the provider keeps the results of every open batch; None without one."""
    return min((by for job in run.open.values() if (by := collect_by(run, job)) is not None), default=None)


def settle_by(run: Run, job: Job) -> int:
    """Return the time from which a batch that has not appeared counts as never created.

    The delay begins when the sending ended, not when it began: an upload may take minutes, and its last byte
    may create the batch.
    """
    assert run.settings is not None
    delay = DEFAULT_SETTLE_DELAY if run.settings.settle_delay is None else run.settings.settle_delay
    return job.alone_since + int(delay * SECOND)
