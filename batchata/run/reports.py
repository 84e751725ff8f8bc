"""Say what calls have found: the values that workers hand to the loop, which alone judges them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from batchata.errors import BatchataError
from batchata.providers.exchange import Batch, Outcome, Upload

NO_JOB = -1  # the number that stands for a job in calls that are about none


@dataclass(frozen=True, slots=True)
class Submitted:
    """The job has become this batch."""

    job: int
    batch: Batch


@dataclass(frozen=True, slots=True)
class Staged:
    """The job's requests are uploaded; the batch is created in a call of its own, once the log says so."""

    job: int
    upload: Upload


@dataclass(frozen=True, slots=True)
class FilesRefused:
    """Nothing was sent: files that passed their checks cannot be used any more.

    They are listed by the places of their items in the job.
    """

    job: int
    refused: dict[int, str]


@dataclass(frozen=True, slots=True)
class Sought:
    """The search for a lost batch: batches proven to be ours, and those that may still turn out to be.

    `looked_at` is when the search began, by our clock in microseconds. `proven`, oldest first, is more than
    one when the call was repeated on its way. `running` will show their custom ids once they have ended;
    `unreadable` have ended and do not; `strangers` have ended and hold other requests. `same_place` says
    whether this is known to be the workspace that the job was sent to.
    """

    job: int
    looked_at: int
    proven: Sequence[Batch]
    running: Sequence[str]
    unreadable: Sequence[str]
    strangers: Sequence[str]
    same_place: bool


@dataclass(frozen=True, slots=True)
class LookedForNewer:
    """Batches of the run that no job in the log has sent; none where the look failed, or saw none."""

    batches: Sequence[str]
    job: int = NO_JOB


@dataclass(frozen=True, slots=True)
class Polled:
    """The batches of these jobs, by id; those that were not found are missing."""

    jobs: Sequence[int]
    batches: dict[str, Batch]


@dataclass(frozen=True, slots=True)
class Arrived:
    """Some outcomes of a job; more may follow."""

    job: int
    outcomes: list[Outcome]


@dataclass(frozen=True, slots=True)
class Exhausted:
    """The results of a job have been read to their end. `batch` is how it is described then, if asked."""

    job: int
    batch: Batch | None = None


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """The provider has accepted the request to cancel the job's batch."""

    job: int


@dataclass(frozen=True, slots=True)
class CallFailed:
    """A call about these jobs failed; `doing` is submit, settle, poll, collect or cancel."""

    doing: str
    jobs: Sequence[int]
    error: BatchataError


type OfJobs = (
    Staged | Submitted | FilesRefused | Sought | Polled | Arrived | Exhausted | CancelAsked | CallFailed
)
type Report = OfJobs | LookedForNewer
type Put = Callable[[Report], None]
