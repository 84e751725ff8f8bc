"""End the sending of new jobs for this start, and doubt short results and missing batches.

Paid results come first: whatever is refused, what is at the provider is collected before the error is raised.
And what could cost money twice is never decided from the absence of a sign: a request without a line may have
been paid for, unless the batch's own counts, which have to add up to its size, say that it was not answered.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import astuple

from batchata.core import decide
from batchata.core.error_kinds import NOT_FOUND
from batchata.core.events import SubmittingStopped
from batchata.core.state import Job, Run
from batchata.core.values import RequestError
from batchata.errors import (
    BatchataError,
    BatchNotFoundError,
    IncompleteResultsError,
    ResultsExpiredError,
    SpendLimitError,
)
from batchata.logs import get_logger
from batchata.run.record import Collection
from batchata.text import day, moment, number_of

_logger = get_logger()
NO_CREDIT = (
    "nothing more is sent until the account has credit; what was not answered stays pending, and the next "
    "start of the same script goes on"
)


class Trouble:
    """The errors that waiting cannot cure, kept until nothing is left to collect."""

    def __init__(self) -> None:
        self.error: BatchataError | None = (
            None  # the first, which is the one to raise; the others are its notes
        )
        self.stuck: set[int] = set()  # jobs that no call would get any further in this start
        self._said: set[str] = set()

    def meet(self, run: Run, error: BatchataError, stuck: Iterable[int] = ()) -> list[SubmittingStopped]:
        """Remember the error, and decide to send nothing more, unless that was decided already."""
        self.stuck.update(stuck)
        if isinstance(error, SpendLimitError):
            error = SpendLimitError(f"{error}; {NO_CREDIT}", kind=error.kind, status=error.status)
        said = str(error)
        if self.error is None:
            self.error = error
        elif said not in self._said:
            self.error.add_note(f"also: {said}")
        self._said.add(said)
        if run.sending_ended is not None:
            return []
        name = None if run.started is None else run.started.run_id
        _logger.warning("submitting_stopped", run=name, open_jobs=len(run.open), error=said)
        return [SubmittingStopped(error=as_error(error))]


def as_error(error: BatchataError) -> RequestError:
    """Return the error as it stands in the log."""
    return RequestError(kind=error.kind, message=str(error))


def is_explained(job: Job, collection: Collection) -> bool:
    """Whether, by the counts, none of the missing lines is an answer.

    A line that cannot be read and names its request is not missing: it stays as it is.
    """
    read = job.outcomes.get("succeeded", 0) + len(collection.garbled)
    return job.counts is not None and _add_up(job) and read >= job.counts.succeeded


def is_foreign(job: Job, collection: Collection) -> bool:
    """Whether results are of other requests, and none of the job's: it may be another's batch."""
    is_ours = bool(job.recorded or collection.garbled)
    return bool(collection.stray_counts["foreign"]) and not is_ours


def _add_up(job: Job) -> bool:
    counts = job.counts
    if counts is None or counts.processing:
        return False
    return counts.succeeded + counts.errored + counts.canceled + counts.expired == job.request_count


def short(run: Run, job: Job, collection: Collection) -> IncompleteResultsError:
    """Say what to check, and what to do, when results lack lines again and again."""
    counted = 0 if job.counts is None else job.counts.succeeded
    said = f"the batch counts {counted} as answered" if _add_up(job) else "its counts do not add up"
    if job.cancel_requested and job.counts is not None and not sum(astuple(job.counts)):
        said = "it was cancelled before the provider told how many it had answered"
    return IncompleteResultsError(
        f"the results of {job.batch_id} (job {job.number}) have no line for {len(collection.expected)} of "
        f"its {job.request_count} requests, and {said}: they may have been paid for, so they are not sent "
        f"again. Look at the batch in the provider's console; the next start asks again{_kept(run, job)}. If "
        f"the lines never come, manager.abandon({job.number}) lets its open items be sent, and paid, again"
    )


def gone(job: Job) -> BatchNotFoundError:
    """Say that the batch was found neither by its id nor in the list for minutes."""
    said = f"the provider knows no batch {job.batch_id} (job {job.number}), and has not for minutes; "
    return BatchNotFoundError(
        said + (_never_seen(job) if job.polled_at is None else _deleted(job)),
        kind=NOT_FOUND,
        status=404,
    )


def _deleted(job: Job) -> str:
    return (
        "is the API key one of the workspace in which the run was started? If the batch was deleted, "
        f"manager.abandon({job.number}) lets its items be sent, and paid, again"
    )


def _never_seen(job: Job) -> str:
    """Say what to check where the id is known only from the answer to the creation, which may be wrong."""
    return (
        "no call has found it since the answer to its creation named it, so the batch may have another "
        "id, and be paid for. Look in the console of the workspace in which the run was started for a batch "
        f"of {job.request_count} requests created {moment(job.started_at)}. Only if there is none, call "
        f"manager.abandon({job.number}): it lets these items be sent, and paid, again"
    )


def expired(run: Run, job: Job) -> ResultsExpiredError:
    """Say that the results are gone, and their time is over by the provider's clock."""
    return ResultsExpiredError(
        f"the results of {job.batch_id} (job {job.number}) were kept until {_day(run, job)}, "
        f"{number_of(run.limits.results_days, 'day')} from the creation of the batch, and are gone. "
        f"manager.abandon({job.number}) lets its open items be sent, and paid, again",
        kind="results_expired",
    )


def _kept(run: Run, job: Job) -> str:
    return f" (results are kept until {_day(run, job)})" if job.created_at else ""


def _day(run: Run, job: Job) -> str:
    until = decide.collect_by(run, job)
    assert until is not None
    return day(until)
