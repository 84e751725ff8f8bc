"""The log in memory, for runs that need not outlive their process."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from batchata.core.codec import decoder, encode
from batchata.core.events import Event
from batchata.core.values import Process
from batchata.errors import LogConflictError, LogError, RunClaimedError
from batchata.log.port import Claim, Recorded

type Row = tuple[str, int, int, str]  # type, schema version, time, JSON


@dataclass(slots=True)
class _Stream:
    rows: list[Row] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    owner: Process | None = None


class MemoryLog:
    """Any number of runs, gone with the process; see `Log`. Events are kept encoded, as a file would."""

    def __init__(self) -> None:
        self._streams: dict[str, _Stream] = {}

    def streams(self) -> list[str]:
        """The streams' names, oldest first."""
        return [name for name, stream in self._streams.items() if stream.rows]

    def events(
        self, stream: str, *, after: int = 0, types: Collection[str] | None = None
    ) -> Iterator[Recorded]:
        """See `Log.events`."""
        rows = self._stream(stream).rows
        for version in range(after + 1, len(rows) + 1):
            if types is None or rows[version - 1][0] in types:
                yield _recorded(version, rows[version - 1])

    def events_at(self, stream: str, versions: Sequence[int]) -> list[Recorded]:
        """See `Log.events_at`."""
        rows = self._stream(stream).rows
        for version in versions:
            if not 1 <= version <= len(rows):
                raise LogError(f"the log holds no event {version} of {stream!r}")
        return [_recorded(version, rows[version - 1]) for version in versions]

    def bodies(self, stream: str, numbers: Iterable[int]) -> Iterator[bytes | None]:
        """See `Log.bodies`."""
        bodies = self._stream(stream).bodies
        for number in numbers:
            if not 0 <= number < len(bodies):
                raise LogError(f"the log holds no body {number} of {stream!r}")
            yield bodies[number]

    def head(self, stream: str) -> str | None:
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
        return MemoryClaim(stream, held)

    def close(self) -> None:
        """Nothing is open."""

    def _stream(self, name: str) -> _Stream:
        return self._streams.get(name) or _Stream()


class MemoryClaim:
    """The claim of one stream; see `Claim`."""

    def __init__(self, stream: str, content: _Stream) -> None:
        self.stream = stream
        self._content: _Stream | None = content
        self.version = len(content.rows)
        self.next_body = len(content.bodies)

    def append(self, at: int, events: Sequence[Event], bodies: Sequence[bytes] = ()) -> None:
        """See `Claim.append`."""
        if self._content is None:
            raise LogConflictError(f"the claim of {self.stream!r} was released")
        if any(b"\n" in body for body in bodies):
            raise ValueError("a body must not contain a newline")
        rows = [(event.TYPE, event.SCHEMA, at, encode(event)) for event in events]
        self._content.rows.extend(rows)
        self._content.bodies.extend(bodies)
        self.version += len(rows)
        self.next_body += len(bodies)

    def secure(self) -> bool:
        """See `Claim.secure`. There is nothing to copy."""
        return True

    def release(self) -> None:
        """See `Claim.release`."""
        if self._content is not None:
            self._content.owner = None
            self._content = None


def _recorded(version: int, row: Row) -> Recorded:
    name, schema, at, data = row
    return Recorded(version, at, decoder(name, schema)(data))
