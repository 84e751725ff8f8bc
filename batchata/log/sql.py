"""Read events and bodies from tables of a database in SQL, whichever it is.

The statements are what the dialects have in common, with `?` for a parameter; where they differ, the reader
of a database says how it writes it.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar, Protocol, Self

import msgspec

from batchata.core.codec import decoder
from batchata.core.events import ItemsAdded
from batchata.errors import LogError, LogWriteError
from batchata.log.entries import event_at, every_event, from_version, stored_types
from batchata.log.format import (
    BELIEVED_BODIES,
    Bodies,
    Commit,
    Committed,
    EventTuple,
    Segment,
    SegmentTuple,
)
from batchata.log.port import Recorded, Written
from batchata.text import moment

type Row = tuple[Any, ...]

_PAGE = 200  # rows per read, with pages of 40 KB; an open read would keep SQLite's -wal file
_SEGMENTS_PAGE = 20  # a segment has a megabyte at most, or one body
_NO_END = (1 << 63) - 1
_HARMLESS = 100_000  # items that are believed to be there
_COUNTS = "SELECT count FROM segments WHERE stream = ? AND count > 0"
_COLUMNS = "version, type, schema_version, at, data"
COMMITS = """
    SELECT stream, number, first_version, last_version, next_body, epoch, at, hash
    FROM commits WHERE stream = ?
"""
_EVENTS = f"""
    SELECT stream, version, type, schema_version, at, job, item, data
    FROM events WHERE stream = ? AND version > ? AND version <= ? ORDER BY version LIMIT {_PAGE}
"""
# The row that holds a version, which may be a page that begins before it.
_HOLDER = "SELECT max(version) FROM events WHERE stream = ? AND version <= "
_SEGMENT = """
    SELECT first, count, codec, sha256, data FROM segments
    WHERE stream = ? AND first <= ? ORDER BY first DESC LIMIT 1
"""
_SEGMENTS = f"""
    SELECT first, count, codec, sha256, data FROM segments
    WHERE stream = ? AND first > ? AND first < ? ORDER BY first LIMIT {_SEGMENTS_PAGE}
"""
_HASHES = f"""
    SELECT first, count, codec, sha256 FROM segments
    WHERE stream = ? AND first > ? ORDER BY first LIMIT {_PAGE}
"""

LAST_COMMIT = f"{COMMITS} ORDER BY number DESC LIMIT 1"
EPOCH = "SELECT epoch FROM claims WHERE stream = ?"
TAKE_OVER = """
    INSERT INTO claims (stream, epoch, pid, host, since) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (stream) DO UPDATE SET epoch = excluded.epoch, pid = excluded.pid, host = excluded.host,
        since = excluded.since
"""
PURGE = "UPDATE segments SET data = NULL WHERE stream = ? AND first + count <= ? AND data IS NOT NULL"


class SqlReader(ABC):
    """A connection that reads a log; what is read with it, `SqlLog` knows.

    `place` is the log's name in messages.
    """

    ELEMENTS: ClassVar[str]  # the elements of an array in JSON as rows of one column, `value`
    OLDEST_FIRST: ClassVar[str]  # what orders commits of several streams as they were written

    def __init__(self, place: str) -> None:
        self.place = place

    @abstractmethod
    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Return all rows of one query: a short transaction of its own, which sees all that was committed."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[None]:
        """Let every read inside the block see the log as it is now."""

    @abstractmethod
    def faults(self) -> list[str]:
        """See `Log.faults`."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection, unless it belongs to the process that this one was forked from."""


class SqlWriter(Protocol):
    """A connection that writes a log."""

    def compact(self) -> bool:
        """See `Log.compact`."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class SqlLog[R: SqlReader, W: SqlWriter]:
    """What is the same of every log in a database; see `Log`. One opened for reading only has no writer."""

    def __init__(self, reader: R, writer: W | None) -> None:
        self.place = reader.place
        self.reader = reader
        self._writer = writer
        self._bodies = Bodies(self._segment, reader.place)

    def streams(self) -> list[str]:
        """Return the streams' names, oldest first."""
        sql = f"SELECT stream FROM commits WHERE number = 1 ORDER BY {self.reader.OLDEST_FIRST}"
        return [name for (name,) in self.reader.rows(sql)]

    def head(self, stream: str) -> str | None:
        """See `Log.head`."""
        last = self.last_commit(stream)
        return None if last is None else bytes(last.hash).hex()

    def events(
        self, stream: str, *, after: int = 0, types: Collection[str] | None = None
    ) -> Iterator[Recorded]:
        """See `Log.events`."""
        stored = None if types is None else stored_types(types)
        return every_event(from_version(self._written(stream, after, stored), after), types)

    def entries(self, stream: str, *, after: int = 0) -> Iterator[Written]:
        """See `Log.entries`."""
        return from_version(self._written(stream, after, None), after)

    def _written(self, stream: str, after: int, types: Collection[str] | None) -> Iterator[Written]:
        """Yield the entries after a version, and perhaps one that ends before."""
        wanted = "" if types is None else f"AND type IN (SELECT value FROM {self.reader.ELEMENTS})"
        listed = [] if types is None else [json.dumps(list(types))]
        sql = (
            f"SELECT {_COLUMNS} FROM events WHERE stream = ? AND version > ? {wanted} "
            f"ORDER BY version LIMIT {_PAGE}"
        )
        if after:
            ((holder,),) = self.reader.rows(f"{_HOLDER} ?", (stream, after + 1))
            after = min(after, (holder or 1) - 1)
        while page := self.reader.rows(sql, (stream, after, *listed)):
            yield from self._decoded(stream, page)
            if len(page) < _PAGE:
                return
            after = page[-1][0]

    def events_at(self, stream: str, versions: Sequence[int]) -> list[Recorded]:
        """See `Log.events_at`."""
        holders = f"SELECT ({_HOLDER} CAST(value AS BIGINT)) FROM {self.reader.ELEMENTS}"
        sql = f"SELECT {_COLUMNS} FROM events WHERE stream = ? AND version IN ({holders}) ORDER BY version"
        rows = self.reader.rows(sql, (stream, stream, json.dumps(list(versions))))
        written = [*self._decoded(stream, rows)]
        begins = [entry.version for entry in written]
        found = []
        for version in versions:
            place = bisect_right(begins, version) - 1
            recorded = event_at(written[place], version) if place >= 0 else None
            if recorded is None:
                raise LogError(f"{self.place} holds no event {version} of {stream!r}")
            found.append(recorded)
        return found

    def bodies(self, stream: str, numbers: Iterable[int]) -> Iterator[bytes | None]:
        """See `Log.bodies`."""
        return self._bodies.read(stream, numbers)

    def commits(self, stream: str, *, after: int = 0) -> Iterator[Committed]:
        """See `Log.commits`."""
        while page := self.reader.rows(
            f"{COMMITS} AND number > ? ORDER BY number LIMIT 200", (stream, after)
        ):
            yield from map(committed, page)
            after = page[-1][1]

    def last_commit(self, stream: str) -> Committed | None:
        """See `Log.last_commit`."""
        found = self.reader.rows(LAST_COMMIT, (stream,))
        return committed(found[0]) if found else None

    def rows(self, stream: str, first: int, last: int | None = None) -> Iterator[EventTuple]:
        """See `Log.rows`."""
        after, end = first - 1, _NO_END if last is None else last
        while page := self.reader.rows(_EVENTS, (stream, after, end)):
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1][1]

    def segments(self, stream: str, first: int, below: int | None = None) -> Iterator[Segment]:
        """See `Log.segments`."""
        after, end = first - 1, _NO_END if below is None else below
        while page := self.reader.rows(_SEGMENTS, (stream, after, end)):
            yield from (Segment(*row) for row in page)
            if len(page) < _SEGMENTS_PAGE:
                return
            after = page[-1][0]

    def segment_hashes(self, stream: str, first: int) -> Iterator[SegmentTuple]:
        """See `Log.segment_hashes`."""
        after = first - 1
        while page := self.reader.rows(_HASHES, (stream, after)):
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1][0]

    @contextmanager
    def snapshot(self) -> Iterator[Self]:
        """See `Log.snapshot`."""
        with self.reader.snapshot():
            yield self

    def faults(self) -> list[str]:
        """See `Log.faults`."""
        return self.reader.faults()

    def compact(self) -> bool:
        """See `Log.compact`. Copies that a server or its operator keeps are theirs to remove."""
        return self._must_write().compact()

    def close(self) -> None:
        """Close both connections. May be called twice."""
        self.reader.close()
        if self._writer is not None:
            self._writer.close()

    def _must_write(self) -> W:
        if self._writer is None:
            raise LogWriteError(f"{self.place} was opened for reading only")
        return self._writer

    def _decoded(self, stream: str, rows: list[Row]) -> Iterator[Written]:
        # One at a time: a list of thousands of events would keep Python's garbage collector busy.
        for version, name, schema, at, data in rows:
            try:
                entry = decoder(name, schema)(data)
            except (msgspec.MsgspecError, UnicodeError, TypeError) as exc:  # of a type that no column has
                raise LogError(f"{self.place}: event {version} of {stream!r} is damaged ({exc})") from exc
            if type(entry) is ItemsAdded and entry.count > _HARMLESS:
                self._check_count(stream, version, entry)
            yield Written(version, at, entry)

    def _check_count(self, stream: str, version: int, event: ItemsAdded) -> None:
        """Check that the log holds a body for each item before memory for the items is allocated."""
        held = sum(min(count, BELIEVED_BODIES) for (count,) in self.reader.rows(_COUNTS, (stream,)))
        if event.count > held:
            raise LogError(
                f"{self.place}: event {version} of {stream!r} is damaged (it adds {event.count:,} items, "
                f"and the log holds {held:,} bodies)"
            )

    def _segment(self, stream: str, number: int) -> Segment | None:
        """Return the last segment that begins with body `number` or a lower one."""
        found = self.reader.rows(_SEGMENT, (stream, number))
        return Segment(*found[0]) if found else None


def driven_by(reader: SqlReader, stream: str) -> str:
    """Say who drives a stream that is claimed."""
    rows = reader.rows("SELECT pid, host, since FROM claims WHERE stream = ?", (stream,))
    if not rows:
        return f"another process has just started the run {stream!r} in {reader.place}"
    pid, host, since = rows[0]
    return (
        f"the run {stream!r} in {reader.place} is driven by process {pid} on {host} "
        f"since {moment(since)}; wait for it or stop it first"
    )


def committed(row: Row) -> Committed:
    """Return the commit in a row of `COMMITS`."""
    *values, digest = row
    return Committed(Commit(*values), digest)
