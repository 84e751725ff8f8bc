"""What the rest of Batchata needs of a log: streams of events, bodies beside them, one writer at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from batchata.core.events import Event
from batchata.core.values import Process


class Recorded(NamedTuple):
    """One event of a stream. Versions count 1, 2, 3, … without gaps; `at` is microseconds since 1970 UTC."""

    version: int
    at: int
    event: Event


class Claim(Protocol):
    """The right to append to one stream, held by one process at a time until it is released or taken over."""

    stream: str
    version: int  # of the last event, 0 in an empty stream
    next_body: int  # the number that the next appended body gets; bodies of a stream count 0, 1, 2, …

    def append(self, at: int, events: Sequence[Event], bodies: Sequence[bytes] = ()) -> None:
        """Write events and bodies in one transaction, durable when this returns; all or nothing.

        Bodies get the numbers `next_body`, `next_body + 1`, …, by which events refer to them. A body is
        bytes without a newline.

        Raises LogConflictError when somebody else appended or took the claim over, LogWriteError when the
        log cannot be written; in both cases nothing of it is in the log.
        """
        ...

    def secure(self) -> bool:
        """Put what was appended where a copy of the log has it that somebody takes now.

        False while something is in the way: try again.
        """
        ...

    def release(self) -> None:
        """Give the stream free for another process. May be called twice."""
        ...


class Log(Protocol):
    """Any number of streams (runs), each with its events and bodies."""

    def streams(self) -> list[str]:
        """The streams' names, oldest first."""
        ...

    def events(
        self, stream: str, *, after: int = 0, types: Collection[str] | None = None
    ) -> Iterator[Recorded]:
        """The stream's events with a version above `after`, ascending, of the given types (all if None)."""
        ...

    def events_at(self, stream: str, versions: Sequence[int]) -> list[Recorded]:
        """The events with exactly these versions, in the order given."""
        ...

    def bodies(self, stream: str, numbers: Iterable[int]) -> Iterator[bytes | None]:
        """The bodies with these numbers, in the order given; None where a body was purged."""
        ...

    def head(self, stream: str) -> str | None:
        """The hash that ties together all that is in the stream, in hex.

        Noted elsewhere, it proves later that nothing was changed or cut off. None for an empty stream, and
        where nothing outlives the process.
        """
        ...

    def claim(self, stream: str, owner: Process) -> Claim:
        """Become the one writer of a stream, which need not exist yet.

        Raises RunClaimedError, naming pid, host and time, while a living process holds it.
        """
        ...

    def close(self) -> None:
        """Release what this object holds open. May be called twice."""
        ...
