"""The log in memory, for runs that need not outlive their process."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter

from batchata.core.codec import decoder
from batchata.core.pages import Entry
from batchata.core.values import Process
from batchata.errors import LogConflictError, LogError, RunClaimedError
from batchata.log.entries import event_at, every_event, from_version
from batchata.log.format import (
    Append,
    AtEnd,
    Bodies,
    Committed,
    EventTuple,
    Segment,
    SegmentTuple,
    beginning,
    follow,
)
from batchata.log.port import Claim, Recorded, Written

_first = attrgetter("first")
_version = itemgetter(1)


@dataclass(slots=True)
class _Stream:
    """One stream, in the form in which a file holds it in its tables."""

    rows: list[EventTuple] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    commits: list[Committed] = field(default_factory=list)
    epoch: int = 0
    owner: Process | None = None

    def add(self, new: Append) -> None:
        """Add an append, the commit last: a snapshot counts on everything before it."""
        self.rows += new.rows
        self.segments += new.segments
        self.commits.append(new.committed)

    def now(self) -> _Stream:
        """Copy all that is committed; its contents never change, so only the lists are copied."""
        commits = self.commits[:]
        if not commits:
            return _Stream()
        last = commits[-1].commit
        segments = self.segments[: bisect_left(self.segments, last.next_body, key=_first)]
        rows = self.rows[: bisect_right(self.rows, last.last_version, key=_version)]
        return _Stream(rows, segments, commits)

    def row_at(self, version: int) -> int:
        """Return the place of the row that holds this version, or of the first row."""
        return max(0, bisect_right(self.rows, version, key=_version) - 1)


class MemoryLog:
    """Any number of runs, gone with the process; see `Log`. They are kept as a file keeps them."""

    def __init__(self) -> None:
        self._streams: dict[str, _Stream] = {}
        self._bodies = Bodies(self._segment, "the log")

    def streams(self) -> list[str]:
        """Return the streams' names, oldest first."""
        return [name for name, stream in [*self._streams.items()] if stream.commits]

    def events(
        self, stream: str, *, after: int = 0, types: Collection[str] | None = None
    ) -> Iterator[Recorded]:
        """See `Log.events`."""
        return every_event(self.entries(stream, after=after), types)

    def entries(self, stream: str, *, after: int = 0) -> Iterator[Written]:
        """See `Log.entries`."""
        held = self._stream(stream)
        rows = held.rows
        there = range(held.row_at(after + 1), len(rows))
        return from_version((_written(rows[place]) for place in there), after)

    def events_at(self, stream: str, versions: Sequence[int]) -> list[Recorded]:
        """See `Log.events_at`."""
        held = self._stream(stream)
        found = []
        for version in versions:
            recorded = event_at(_written(held.rows[held.row_at(version)]), version) if held.rows else None
            if recorded is None:
                raise LogError(f"the log holds no event {version} of {stream!r}")
            found.append(recorded)
        return found

    def bodies(self, stream: str, numbers: Iterable[int]) -> Iterator[bytes | None]:
        """See `Log.bodies`."""
        return self._bodies.read(stream, numbers)

    def head(self, stream: str) -> str | None:  # noqa: ARG002 - the port's signature
        """See `Log.head`."""
        return None

    def claim(self, stream: str, owner: Process) -> Claim:
        """See `Log.claim`."""
        held = self._streams.setdefault(stream, _Stream())
        if held.owner is not None:
            raise RunClaimedError(
                f"the run {stream!r} is driven by process {held.owner.pid} on {held.owner.host}"
            )
        held.owner = owner
        held.epoch += 1
        return MemoryClaim(stream, held)

    @contextmanager
    def snapshot(self) -> Iterator[MemoryLog]:
        """See `Log.snapshot`."""
        copy = MemoryLog()
        copy._streams = {name: stream.now() for name, stream in [*self._streams.items()]}
        yield copy

    def commits(self, stream: str, *, after: int = 0) -> Iterator[Committed]:
        """See `Log.commits`."""
        yield from self._stream(stream).commits[after:]

    def last_commit(self, stream: str) -> Committed | None:
        """See `Log.last_commit`."""
        commits = self._stream(stream).commits
        return commits[-1] if commits else None

    def rows(self, stream: str, first: int, last: int | None = None) -> Iterator[EventTuple]:
        """See `Log.rows`."""
        rows = self._stream(stream).rows
        end = len(rows) if last is None else bisect_right(rows, last, key=_version)
        yield from rows[bisect_left(rows, first, key=_version) : end]

    def segments(self, stream: str, first: int, below: int | None = None) -> Iterator[Segment]:
        """See `Log.segments`."""
        segments = self._stream(stream).segments
        end = len(segments) if below is None else bisect_left(segments, below, key=_first)
        yield from segments[bisect_left(segments, first, key=_first) : end]

    def segment_hashes(self, stream: str, first: int) -> Iterator[SegmentTuple]:
        """See `Log.segment_hashes`."""
        return (segment[:4] for segment in self.segments(stream, first))

    def faults(self) -> list[str]:
        """See `Log.faults`. Memory has none of its own."""
        return []

    def size(self) -> int:
        """See `Log.size`. It takes no room on a disk."""
        return 0

    def no_run_yet(self) -> str:
        """See `Log.no_run_yet`."""
        return "the log in memory holds no run yet"

    def maybe_half(self) -> str | None:
        """See `Log.maybe_half`. Nothing was ever copied."""
        return None

    def purge(self, stream: str, below: int) -> int:
        """See `Log.purge`."""
        segments = self._stream(stream).segments
        purged = 0
        for place, segment in enumerate(segments):
            if segment.first + segment.length <= below and segment.data is not None:
                segments[place] = segment._replace(data=None)
                purged += 1
        self._bodies.forget()
        return purged

    def compact(self) -> bool:
        """See `Log.compact`. What was purged is gone already."""
        return True

    def finish(self) -> None:
        """See `Log.finish`. Nothing is open."""

    def close(self) -> None:
        """Nothing is open."""

    def _stream(self, name: str) -> _Stream:
        return self._streams.get(name) or _Stream()

    def _segment(self, stream: str, number: int) -> Segment | None:
        segments = self._stream(stream).segments
        place = bisect_right(segments, number, key=_first)
        return segments[place - 1] if place else None


class MemoryClaim(AtEnd):
    """The claim of one stream; see `Claim`."""

    def __init__(self, stream: str, content: _Stream) -> None:
        super().__init__(content.commits[-1] if content.commits else beginning(stream))
        self._content: _Stream | None = content
        self._epoch = content.epoch

    def append(self, at: int, entries: Sequence[Entry], bodies: Sequence[bytes | Segment] = ()) -> None:
        """See `Claim.append`."""
        if self._content is None:
            raise LogConflictError(f"the claim of {self.stream!r} was released")
        if not entries and not bodies:
            return
        new = follow(self._last, self._epoch, at, entries, bodies)
        self._content.add(new)
        self._last = new.committed

    def secure(self) -> bool:
        """See `Claim.secure`. There is nothing to copy."""
        return True

    def release(self) -> None:
        """See `Claim.release`."""
        if self._content is not None:
            self._content.owner = None
            self._content = None

    def retire(self) -> None:
        """See `Claim.retire`."""
        self.release()


def _written(row: EventTuple) -> Written:
    _, version, name, schema, at, _, _, data = row
    return Written(version, at, decoder(name, schema)(data))
