"""What a worker does for a job: plain functions from picklable descriptions to values that it reports.

Nothing here touches the log or the state, so that threads need no locks and any executor could do it.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

from batchata.errors import BatchataError, BatchNotFoundError, ConfigurationError, IncompleteResultsError
from batchata.inputs import RequestTemplate, Source
from batchata.journal import now
from batchata.providers.port import Batch, Outcome, Provider

_IN_MEMORY = 8_000_000  # bytes of a request body; what is bigger is built in a temporary file
# How far the provider's clock may be behind ours, in microseconds. Wide, since ownership is proven by custom
# ids: a wrong clock must not make our own batch look absent, and a wider look costs only pages of a list.
_CLOCK_MARGIN = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class JobDescription:
    """Everything needed to send one job: custom ids and sources of its items, in order."""

    job: int
    custom_ids: Sequence[str]
    sources: Sequence[Source]
    template: RequestTemplate
    bytes: int


@dataclass(frozen=True, slots=True)
class Lost:
    """A submission whose fate is unknown: what a batch of it would look like."""

    job: int
    custom_ids: Sequence[str]
    started_at: int
    owned: frozenset[str]


@dataclass(frozen=True, slots=True)
class Submitted:
    job: int
    batch: Batch


@dataclass(frozen=True, slots=True)
class Sought:
    """The search for a lost batch: the one proven to be ours, and those that might yet turn out to be.

    `looked_at` is when the search began, by our clock in microseconds.
    """

    job: int
    looked_at: int
    batch: Batch | None
    undecided: Sequence[str]


@dataclass(frozen=True, slots=True)
class Polled:
    jobs: Sequence[int]
    batches: dict[str, Batch]


@dataclass(frozen=True, slots=True)
class Arrived:
    """Some outcomes of a job; more may follow."""

    job: int
    outcomes: list[Outcome]


@dataclass(frozen=True, slots=True)
class Exhausted:
    """The results of a job have been read to their end."""

    job: int


@dataclass(frozen=True, slots=True)
class CancelAsked:
    job: int


@dataclass(frozen=True, slots=True)
class CallFailed:
    """A call about these jobs failed; `doing` is submit, settle, poll, collect or cancel."""

    doing: str
    jobs: Sequence[int]
    error: BatchataError


type Report = Submitted | Sought | Polled | Arrived | Exhausted | CancelAsked | CallFailed
type Put = Callable[[Report], None]


def submit(provider: Provider, description: JobDescription, put: Put) -> None:
    """Build the job's body and create its batch, with one HTTP request."""
    with _built(description) as body:
        batch = provider.submit(body.getvalue() if isinstance(body, io.BytesIO) else body)
    put(Submitted(description.job, batch))


def _built(description: JobDescription) -> IO[bytes]:
    try:
        return build_body(description)
    except OSError as exc:
        raise ConfigurationError(
            f"no room for the request of job {description.job} in {tempfile.gettempdir()} ({exc.strerror}); "
            "make room or set TMPDIR"
        ) from exc


def build_body(description: JobDescription) -> IO[bytes]:
    """The JSON body of the create call, positioned at its start."""
    in_memory = description.bytes <= _IN_MEMORY
    body: IO[bytes] = io.BytesIO() if in_memory else tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    encode = description.template.encode
    body.write(b'{"requests":[')
    for position, (custom_id, source) in enumerate(
        zip(description.custom_ids, description.sources, strict=True)
    ):
        body.write(b"," if position else b"")
        body.write(encode(custom_id, source))
    body.write(b"]}")
    body.seek(0)
    return body


def settle(provider: Provider, lost: Lost, put: Put) -> None:
    """Look for a batch that the lost submission may have created.

    A batch shows its custom ids only once it has ended; until then one of the right size and time counts
    as undecided.
    """
    looked_at = now()
    found = provider.find(lost.started_at - _CLOCK_MARGIN, len(lost.custom_ids))
    ours = set(lost.custom_ids)
    undecided: list[str] = []
    for batch in found:
        if batch.batch_id in lost.owned:
            continue
        seen = _first_custom_ids(provider, batch) if batch.ended else None
        if seen is None:
            undecided.append(batch.batch_id)
        elif not ours.isdisjoint(seen):
            put(Sought(lost.job, looked_at, batch, []))
            return
    put(Sought(lost.job, looked_at, None, undecided))


def _first_custom_ids(provider: Provider, batch: Batch) -> list[str] | None:
    """Those of the first chunk: a single line might be one that belongs nowhere. None if unreadable."""
    try:
        return [outcome.custom_id for outcome in next(provider.outcomes(batch.batch_id), [])]
    except (BatchNotFoundError, IncompleteResultsError):
        return None


def poll(provider: Provider, batch_ids: dict[int, str], since: int, put: Put) -> None:
    """Ask how far the batches of these jobs are."""
    put(Polled(list(batch_ids), provider.poll(batch_ids.values(), since - _CLOCK_MARGIN)))


def collect(provider: Provider, job: int, batch_id: str, put: Put) -> None:
    """Hand over the results of an ended batch, some hundred at a time."""
    for outcomes in provider.outcomes(batch_id):
        put(Arrived(job, outcomes))
    put(Exhausted(job))


def cancel(provider: Provider, job: int, batch_id: str, put: Put) -> None:
    """Ask for the job's batch to be cancelled."""
    provider.cancel(batch_id)
    put(CancelAsked(job))
