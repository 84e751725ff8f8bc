"""Define what the rest of Batchata needs of a log: streams of events, bodies, and one writer at a time.

Every log keeps the same rows, tied by the same chain of hashes (see `batchata.log.format`): that is why a log
can be verified through this port, whatever stores it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from batchata.core.events import Event
from batchata.core.pages import Entry
from batchata.core.values import Process
from batchata.log.format import Committed, EventTuple, Segment, SegmentTuple


class Recorded(NamedTuple):
    """One event of a stream. Versions count 1, 2, 3, … without gaps; `at` is microseconds since 1970 UTC."""

    version: int
    at: int
    event: Event


class Written(NamedTuple):
    """One entry of a stream as it was written: an event, or a page whose first event has `version`."""

    version: int
    at: int
    entry: Entry


class Claim(Protocol):
    """The right to append to one stream, held by one process at a time until it is released or taken over."""

    stream: str

    @property
    def version(self) -> int:
        """The version of the last event, 0 in an empty stream."""
        ...

    @property
    def next_body(self) -> int:
        """The number that the next appended body gets; bodies of a stream count 0, 1, 2, …."""
        ...

    @property
    def last(self) -> Committed:
        """The record of the last append; one with the number 0 in an empty stream."""
        ...

    def append(self, at: int, entries: Sequence[Entry], bodies: Sequence[bytes | Segment] = ()) -> None:
        """Write events and bodies in one transaction, durable when this returns; all or nothing.

        Events may come as pages, and like events become some. Bodies get the numbers `next_body`,
        `next_body + 1`, …, by which events refer to them. A body is bytes without a newline; a segment made
        by `format.pack` stands for all bodies in it, and gets its number here.

        Raises LogConflictError when another process appended or took the claim over, LogWriteError when the
        log cannot be written; in both cases nothing of it is in the log.
        """
        ...

    def secure(self) -> bool:
        """Put what was appended where a copy of the log taken now includes it.

        False while something is in the way: try again. Raises LogConflictError where the stream is another's.
        """
        ...

    def release(self) -> None:
        """Release the stream for another process. May be called twice."""
        ...

    def retire(self) -> None:
        """Release it and leave nothing beside the log; for a stream that may never be claimed again."""
        ...


class Log(Protocol):
    """Any number of streams (runs), each with its events and bodies."""

    def streams(self) -> list[str]:
        """Return the streams' names, oldest first."""
        ...

    def events(
        self, stream: str, *, after: int = 0, types: Collection[str] | None = None
    ) -> Iterator[Recorded]:
        """Yield the stream's events with a version above `after`, ascending, of these types (None: all)."""
        ...

    def entries(self, stream: str, *, after: int = 0) -> Iterator[Written]:
        """Yield the same as `events`, with those that were written as a page still together.

        Of a page that `after` cuts, the events that remain come one by one.
        """
        ...

    def events_at(self, stream: str, versions: Sequence[int]) -> list[Recorded]:
        """Yield the events with exactly these versions, in the order given."""
        ...

    def bodies(self, stream: str, numbers: Iterable[int]) -> Iterator[bytes | None]:
        """Yield the bodies with these numbers, in the order given; None where a body was purged."""
        ...

    def head(self, stream: str) -> str | None:
        """Return the hash that ties together all that is in the stream, in hex.

        Noted elsewhere, it proves later that nothing was changed or cut off. None for an empty stream, and
        where nothing outlives the process.
        """
        ...

    def claim(self, stream: str, owner: Process) -> Claim:
        """Become the one writer of a stream, which need not exist yet.

        Raises RunClaimedError, naming pid, host and time, while a living process holds it.
        """
        ...

    def snapshot(self) -> AbstractContextManager[Log]:
        """Hold the log as it is now: reads inside the block do not see later appends."""
        ...

    # What an audit reads: nothing is decoded and nothing believed.

    def commits(self, stream: str, *, after: int = 0) -> Iterator[Committed]:
        """Yield the record of each append, with its hash: those numbered above `after`, ascending."""
        ...

    def last_commit(self, stream: str) -> Committed | None:
        """Return the newest of `commits`; None in an empty stream."""
        ...

    def rows(self, stream: str, first: int, last: int | None = None) -> Iterator[EventTuple]:
        """Yield what is stored from version `first` to `last` (to the end if None); a page is one row."""
        ...

    def segments(self, stream: str, first: int, below: int | None = None) -> Iterator[Segment]:
        """Yield the stored pieces of bodies that begin with body `first` or a later one, ascending.

        With `below` only those that begin with a lower body than that.
        """
        ...

    def segment_hashes(self, stream: str, first: int) -> Iterator[SegmentTuple]:
        """Yield what the chain holds of the same pieces, without reading their data."""
        ...

    def faults(self) -> list[str]:
        """Return what only the store can find wrong with the whole log, a sentence each; reads all of it."""
        ...

    def size(self) -> int:
        """Return the bytes that the log takes where it is stored."""
        ...

    # What lies beside the log, and what is taken out of it.

    def no_run_yet(self) -> str:
        """Say of a log without a run that the run may be in a part that was not copied with it."""
        ...

    def maybe_half(self) -> str | None:
        """Say where newer events may lie after a run broke off; None where they cannot."""
        ...

    def purge(self, stream: str, below: int) -> int:
        """Remove the bodies numbered below, keep their hashes; return how many segments held any.

        The stream must be claimed, and must say in an event that they are purged.

        Raises LogWriteError when the log cannot be written.
        """
        ...

    def compact(self) -> bool:
        """Rebuild the log without what was purged; False when another program prevents it.

        Raises LogWriteError when the log cannot be written, for which a file needs as much room again.
        """
        ...

    def finish(self) -> None:
        """Close it and leave it in the form that other programs open without the right to write.

        Where others have it open it stays as it is.
        """
        ...

    def close(self) -> None:
        """Release what this object holds open. May be called twice."""
        ...
