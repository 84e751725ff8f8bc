"""The log in a SQLite file."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from batchata.core.values import Process
from batchata.errors import LogWriteError, NotALogError
from batchata.log.format import Committed, EventTuple, Segment
from batchata.log.port import Claim, Recorded, Written
from batchata.log.sql import PURGE
from batchata.log.sqlite import files
from batchata.log.sqlite.connection import translated
from batchata.log.sqlite.files import warn_if_networked
from batchata.log.sqlite.reader import Reader
from batchata.log.sqlite.schema import Form, form
from batchata.log.sqlite.writer import Writer

BUSY_TIMEOUT = 30.0  # seconds to wait for another process's transaction


class SqliteLog:
    """Any number of runs in one file; see `Log`.

    Opens the file for reading and writing: a missing or empty one becomes a log, one of an older version is
    brought to today's form. `busy_timeout` is in seconds.

    Raises NotALogError, LogVersionError or LogWriteError.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout: float = BUSY_TIMEOUT) -> None:
        # One name for one file, so that two names for it cannot be claimed twice; and no later chdir matters.
        self.path = os.path.realpath(path)
        files.make_ready(self.path)
        warn_if_networked(self.path)
        self._writer: Writer | None = Writer(self.path, busy_timeout)
        try:
            self.reader = Reader(self.path, busy_timeout)
        except BaseException:
            self._writer.close()
            raise

    @classmethod
    def open_for_reading(cls, path: str | os.PathLike[str], *, busy_timeout: float = BUSY_TIMEOUT) -> Self:
        """Open the log without the right to write: the file is neither created nor changed.

        Raises NotALogError or LogVersionError.
        """
        log = cls.__new__(cls)
        log.path = os.path.realpath(path)
        files.must_hold_something(log.path)
        log._writer = None  # noqa: SLF001 - its own
        log.reader = Reader(log.path, busy_timeout)
        try:
            with translated(log.path):
                if form(log.reader.connection(), log.path) is Form.FRESH:
                    raise NotALogError(f"{log.path} is an empty SQLite database, not a Batchata log")  # noqa: TRY301 - the reader is closed below
        except BaseException:
            log.reader.close()
            raise
        return log

    def streams(self) -> list[str]:
        """Return the streams' names, oldest first."""
        return self.reader.streams()

    def events(
        self, stream: str, *, after: int = 0, types: Collection[str] | None = None
    ) -> Iterator[Recorded]:
        """See `Log.events`."""
        return self.reader.events(stream, after, types)

    def entries(self, stream: str, *, after: int = 0) -> Iterator[Written]:
        """See `Log.entries`."""
        return self.reader.entries(stream, after)

    def events_at(self, stream: str, versions: Sequence[int]) -> list[Recorded]:
        """See `Log.events_at`."""
        return self.reader.events_at(stream, versions)

    def bodies(self, stream: str, numbers: Iterable[int]) -> Iterator[bytes | None]:
        """See `Log.bodies`."""
        return self.reader.bodies(stream, numbers)

    def head(self, stream: str) -> str | None:
        """See `Log.head`."""
        return self.reader.head(stream)

    def claim(self, stream: str, owner: Process) -> Claim:
        """See `Log.claim`."""
        from batchata.log.sqlite.claim import claim

        if self._writer is None:
            raise LogWriteError(f"{self.path} was opened for reading only")
        return claim(self._writer, self.reader, stream, owner)

    @contextmanager
    def snapshot(self) -> Iterator[Self]:
        """See `Log.snapshot`."""
        with self.reader.snapshot():
            yield self

    def commits(self, stream: str, *, after: int = 0) -> Iterator[Committed]:
        """See `Log.commits`."""
        return self.reader.commits(stream, after)

    def last_commit(self, stream: str) -> Committed | None:
        """See `Log.last_commit`."""
        return self.reader.last_commit(stream)

    def rows(self, stream: str, first: int, last: int | None = None) -> Iterator[EventTuple]:
        """See `Log.rows`."""
        return self.reader.event_rows(stream, first, last)

    def segments(self, stream: str, first: int, below: int | None = None) -> Iterator[Segment]:
        """See `Log.segments`."""
        return self.reader.segments(stream, first, below)

    def faults(self) -> list[str]:
        """See `Log.faults`."""
        return self.reader.faults()

    def no_run_yet(self) -> str:
        """See `Log.no_run_yet`."""
        return files.no_run_yet(self.path)

    def maybe_half(self) -> str | None:
        """See `Log.maybe_half`."""
        return files.maybe_half(self.path)

    def purge(self, stream: str, below: int) -> int:
        """See `Log.purge`."""
        if self._writer is None:
            raise LogWriteError(f"{self.path} was opened for reading only")
        with self._writer.transaction() as connection:
            purged = connection.execute(PURGE, (stream, below)).rowcount
        self.reader.forget_bodies()
        return purged

    def compact(self) -> bool:
        """See `Log.compact`."""
        if self._writer is None:
            raise LogWriteError(f"{self.path} was opened for reading only")
        return self._writer.compact()

    def close(self) -> None:
        """Close both connections. May be called twice."""
        self.reader.close()
        if self._writer is not None:
            self._writer.close()
