"""Do a worker's calls for a job: plain functions from descriptions to reported values.

Nothing here touches the log or the state, so that threads need no locks.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from batchata.errors import (
    BatchataError,
    BatchNotFoundError,
    ConfigurationError,
    FileInputError,
    IncompleteResultsError,
    UnreadableReplyError,
)
from batchata.inputs import Source
from batchata.providers.exchange import Batch, Outcome, Upload
from batchata.providers.port import Client, Template

_ENOUGH_TO_TELL = 1_000  # result lines, none of them ours, that make a batch another's
_IN_MEMORY = 8_000_000  # bytes of a request body; what is bigger is built in a temporary file
_BUFFER = 1 << 20  # bytes written to that file at a time
# How far the provider's clock may be from ours, in microseconds.
_CLOCK_MARGIN = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Each[T]:
    """What belongs to each of some items, made when it is needed: many large jobs may wait for their turn."""

    make: Callable[[int], T]
    items: Sequence[int]

    def __iter__(self) -> Iterator[T]:
        return map(self.make, self.items)


@dataclass(frozen=True, slots=True)
class JobDescription:
    """Everything needed to send one job: custom ids, sources and notes of its items, in order.

    A note tells the model what was wrong with its previous answer; None where there is nothing to tell.
    """

    job: int
    custom_ids: Iterable[str]
    sources: Iterable[Source]
    notes: Sequence[str | None]
    template: Template
    bytes: int
    mark: str = ""  # what tells the job's batch from every other, where batches can bear a mark
    leaves_out: bool = False  # files that cannot be read any more, instead of failing as a whole


@dataclass(frozen=True, slots=True)
class Lost:
    """A submission with an unknown outcome: what a batch of it would look like.

    It was created between `since` and `until` (None: unknown), microseconds by the provider's clock. By ours
    it was sent within `about`, when the provider's was ahead by one of `ahead`, if any is known.
    `asked_at` is the time by ours. `not_ours` are batches known to be another's. `same_key` says that it was
    sent with today's key; if not, only a batch of the run that is still visible (`anchors`, newest first)
    shows that this is the workspace it was sent to.
    """

    job: int
    asked_at: int
    custom_ids: Sequence[str]
    since: int
    until: int | None
    about: tuple[int, int]
    ahead: Sequence[int]
    not_ours: frozenset[str]
    same_key: bool
    anchors: Sequence[str]
    upload: Upload


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
    """Nothing was sent: files that were good when they were checked cannot be used any more.

    By the places of their items in the job.
    """

    job: int
    refused: dict[int, str]


@dataclass(frozen=True, slots=True)
class Sought:
    """The search for a lost batch: those proven to be ours, and those that might yet turn out to be.

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


type Report = (
    Staged | Submitted | FilesRefused | Sought | Polled | Arrived | Exhausted | CancelAsked | CallFailed
)
type Put = Callable[[Report], None]


def submit(provider: Client, description: JobDescription, put: Put) -> None:
    """Build the job's body and create its batch with one HTTP request, or upload it first."""
    ready = prepare(provider, description)
    if isinstance(ready, Staged | FilesRefused):
        put(ready)
        return
    with ready as body:
        batch = provider.submit(body.getvalue() if isinstance(body, io.BytesIO) else body)
    put(Submitted(description.job, batch))


def prepare(provider: Client, description: JobDescription) -> Staged | FilesRefused | IO[bytes]:
    """Build the job's body, which the caller closes, or upload it where the provider takes files.

    Nothing of this is billed, and all of it may be repeated.
    """
    refused: dict[int, str] = {}
    body = _built(description, refused)
    if not refused and not provider.stages:
        return body
    with body:
        if refused:
            return FilesRefused(description.job, refused)
        requests = body.getvalue() if isinstance(body, io.BytesIO) else body
        return Staged(description.job, provider.stage(description.mark, requests))


def create(provider: Client, job: int, upload: Upload, put: Put) -> None:
    """Create the batch of requests that were uploaded, with one HTTP request."""
    put(Submitted(job, provider.submit(upload)))


def _built(description: JobDescription, refused: dict[int, str]) -> IO[bytes]:
    try:
        return build_body(description, refused)
    except OSError as exc:
        raise ConfigurationError(
            f"no room for the request of job {description.job} in {tempfile.gettempdir()} ({exc.strerror}); "
            "make room or set TMPDIR"
        ) from exc


def build_body(description: JobDescription, refused: dict[int, str] | None = None) -> IO[bytes]:
    """Build the body of the create call, positioned at its start.

    Files that cannot be used are put into `refused`, by place and with the reason, where the job leaves them
    out. Raises FileInputError where it does not.
    """
    in_memory = description.bytes <= _IN_MEMORY
    body: IO[bytes] = io.BytesIO() if in_memory else tempfile.TemporaryFile(buffering=_BUFFER)  # noqa: SIM115 - the caller closes it
    body.writelines(_pieces(description, refused))
    body.seek(0)
    return body


def _pieces(description: JobDescription, refused: dict[int, str] | None) -> Iterator[bytes]:
    encode, (head, between, tail) = description.template.encode, description.template.envelope
    yield head
    requests = zip(description.custom_ids, description.sources, description.notes, strict=True)
    for position, (custom_id, source, note) in enumerate(requests):
        try:
            request = encode(custom_id, source, note)
        except FileInputError as exc:
            if refused is None or not description.leaves_out:
                raise
            refused[position] = str(exc)
            continue
        if position:
            yield between
        yield request
    yield tail


def settle(provider: Client, lost: Lost, put: Put) -> None:
    """Look for a batch that the lost submission may have created.

    A batch shows its custom ids only once it has ended; until then one of the right time that may have the
    right size counts as undecided.
    """
    found, doubt = _candidates(provider, lost)
    proven: list[Batch] = []
    others: dict[str, list[str]] = {"running": [], "unreadable": [], "stranger": []}
    for batch in found:
        verdict = _whose(provider, batch, lost.custom_ids)
        if verdict == "ours":
            proven.append(batch)
        else:
            others[verdict].append(batch.batch_id)
    if doubt is not None and not (proven or others["running"]):
        raise doubt  # the job's batch may be among what cannot be read
    same_place = bool(proven) or lost.same_key or _sees_any(provider, lost.anchors)
    proven.sort(key=lambda batch: batch.created_at)
    put(
        Sought(
            job=lost.job,
            looked_at=lost.asked_at,
            proven=proven,
            running=others["running"],
            unreadable=others["unreadable"],
            strangers=others["stranger"],
            same_place=same_place,
        )
    )


def _candidates(provider: Client, lost: Lost) -> tuple[list[Batch], UnreadableReplyError | None]:
    """Yield the batches that may be the job's, and why there may be more that cannot be read."""
    found: list[Batch] = []
    try:
        for batch in provider.find(lost.since, len(lost.custom_ids), lost.upload):
            may_be = batch.is_marked or _may_be(batch, lost, provider.clock)
            if may_be and batch.batch_id not in lost.not_ours:
                found.append(batch)
    except UnreadableReplyError as exc:
        return found, exc
    return found, None


def _may_be(batch: Batch, lost: Lost, clock: int | None) -> bool:
    """Return whether it was created in time; one whose counts speak against it, at about the time as well.

    Where the time is unknown, the results of all that a workspace has ever sent would be fetched otherwise.
    `clock` is the time by the provider: the list that is read here may be the first that tells it.
    """
    if lost.until is not None and batch.created_at > lost.until:
        return False
    if not batch.ended or batch.size in (0, len(lost.custom_ids)) or not batch.created_at:
        return True
    ahead = lost.ahead or [0, (clock or lost.asked_at) - lost.asked_at]
    first, last = lost.about
    return first + min(ahead) <= batch.created_at <= last + max(ahead)


def _whose(provider: Client, batch: Batch, custom_ids: Sequence[str]) -> str:
    """Judge whose batch it is by the first thousand lines of results: a single one might be a stray one.

    Foreign lines alone prove nothing where they are not as many as the requests: our own may be missing, or
    the download may have ended early. Where there are no results any more, the counts tell.
    """
    if batch.is_marked:
        return "ours"
    if not batch.ended:
        return "running"
    ours, seen = frozenset(custom_ids), set[str]()
    try:
        for outcomes in provider.outcomes(batch.batch_id):
            seen.update(outcome.custom_id for outcome in outcomes if outcome.custom_id)
            if not seen.isdisjoint(ours):
                return "ours"
            if len(seen) >= _ENOUGH_TO_TELL:
                return "stranger"
    except BatchNotFoundError:
        return "unreadable" if batch.size in (0, len(ours)) else "stranger"
    except IncompleteResultsError:
        return "unreadable"
    # 0 where the counts cannot be read: then a single foreign line could seem to be all
    return "stranger" if len(seen) == batch.size > 0 else "unreadable"


def _sees_any(provider: Client, batch_ids: Sequence[str]) -> bool:
    """Whether a batch of the run is visible: a key sees the batches of its own workspace only."""
    return any(provider.poll([batch_id], 0) for batch_id in batch_ids)


def poll(provider: Client, batch_ids: dict[int, str], since: int, put: Put) -> None:
    """Ask how far the batches of these jobs are."""
    put(Polled(list(batch_ids), provider.poll(batch_ids.values(), since - _CLOCK_MARGIN)))


def collect(provider: Client, job: int, batch_id: str, doubted: bool, put: Put) -> None:
    """Hand over the results of an ended batch, some hundred at a time.

    Where they were `doubted` before, the batch is asked again too, whose counts may have been wrong.
    """
    for outcomes in provider.outcomes(batch_id):
        put(Arrived(job, outcomes))
    put(Exhausted(job, provider.poll([batch_id], 0).get(batch_id) if doubted else None))


def cancel(provider: Client, job: int, batch_id: str, put: Put) -> None:
    """Ask for the job's batch to be cancelled."""
    provider.cancel(batch_id)
    put(CancelAsked(job))
