"""The log in memory, for runs that need not outlive their process."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter

from batchata.core.codec import decoder
from batchata.core.events import Event
from batchata.core.values import Process
from batchata.errors import LogConflictError, LogError, RunClaimedError
from batchata.log.format import Append, Bodies, Committed, EventTuple, Segment, beginning, follow
from batchata.log.port import Claim, Recorded

_first = attrgetter("first")


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
        return _Stream(self.rows[: last.last_version], segments, commits)


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
        for row in self.rows(stream, after + 1):
            if types is None or row[2] in types:
                yield _recorded(row)

    def events_at(self, stream: str, versions: Sequence[int]) -> list[Recorded]:
        """See `Log.events_at`."""
        rows = self._stream(stream).rows
        for version in versions:
            if not 1 <= version <= len(rows):
                raise LogError(f"the log holds no event {version} of {stream!r}")
        return [_recorded(rows[version - 1]) for version in versions]

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
        for version in range(max(first, 1), len(rows) + 1 if last is None else min(last, len(rows)) + 1):
            yield rows[version - 1]

    def segments(self, stream: str, first: int, below: int | None = None) -> Iterator[Segment]:
        """See `Log.segments`."""
        segments = self._stream(stream).segments
        end = len(segments) if below is None else bisect_left(segments, below, key=_first)
        yield from segments[bisect_left(segments, first, key=_first) : end]

    def faults(self) -> list[str]:
        """See `Log.faults`. Memory has none of its own."""
        return []

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

    def close(self) -> None:
        """Nothing is open."""

    def _stream(self, name: str) -> _Stream:
        return self._streams.get(name) or _Stream()

    def _segment(self, stream: str, number: int) -> Segment | None:
        segments = self._stream(stream).segments
        place = bisect_right(segments, number, key=_first)
        return segments[place - 1] if place else None


class MemoryClaim:
    """The claim of one stream; see `Claim`."""

    def __init__(self, stream: str, content: _Stream) -> None:
        self.stream = stream
        self._content: _Stream | None = content
        self._epoch = content.epoch
        self._last = content.commits[-1] if content.commits else beginning(stream)

    @property
    def version(self) -> int:
        """See `Claim`."""
        return self._last.commit.last_version

    @property
    def next_body(self) -> int:
        """See `Claim`."""
        return self._last.commit.next_body

    def append(self, at: int, events: Sequence[Event], bodies: Sequence[bytes] = ()) -> None:
        """See `Claim.append`."""
        if self._content is None:
            raise LogConflictError(f"the claim of {self.stream!r} was released")
        if not events and not bodies:
            return
        new = follow(self._last, self._epoch, at, events, bodies)
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


def _recorded(row: EventTuple) -> Recorded:
    _, version, name, schema, at, _, _, data = row
    return Recorded(version, at, decoder(name, schema)(data))
