"""Read events and bodies of a log file, on a connection of its own that cannot write."""

from __future__ import annotations

import json
import os
import sqlite3
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from batchata.core.codec import decoder
from batchata.core.events import ItemsAdded
from batchata.errors import LogError
from batchata.log.entries import event_at, every_event, from_version, stored_types
from batchata.log.format import BELIEVED_BODIES, Bodies, Commit, Committed, EventTuple, Segment
from batchata.log.port import Recorded, Written
from batchata.log.sqlite.connection import for_reading, translated

type Row = tuple[Any, ...]

_PAGE = 200  # rows per read, with pages of 40 KB; an open read would keep the -wal file from being emptied
_SEGMENTS_PAGE = 20  # a segment has a megabyte at most, or one body
_NO_END = (1 << 63) - 1
_HARMLESS = 100_000  # items that are believed to be there
_COUNTS = "SELECT count FROM segments WHERE stream = ? AND count > 0"
_COLUMNS = "version, type, schema_version, at, data"
_COMMITS = """
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

# Connections that a forked process found open. Closing one there would disturb the parent's files.
_inherited: list[sqlite3.Connection] = []


class Reader:
    """Reads one log file. Every read is a short transaction of its own and sees all that was committed."""

    def __init__(self, path: str, busy_timeout: float) -> None:
        self.path = path
        self._busy_timeout = busy_timeout
        self._pid = os.getpid()
        self._bodies = Bodies(self._segment, path)
        with translated(path):
            self._connection = for_reading(path, busy_timeout)

    def connection(self) -> sqlite3.Connection:
        """Return the connection, a new one in a forked process: SQLite's cannot be carried across."""
        if self._pid != os.getpid():
            _inherited.append(self._connection)
            self._connection = for_reading(self.path, self._busy_timeout)
            self._pid = os.getpid()
        return self._connection

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let every read inside the block see the file as it is now, whatever is appended meanwhile.

        Inside another such block it is as that one is.
        """
        if self.connection().in_transaction:
            yield
            return
        with translated(self.path):
            connection = self.connection()
            # A transaction begins with its first read, not with BEGIN.
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
        try:
            yield
        finally:
            with translated(self.path):
                connection.rollback()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Return all rows of one query."""
        with translated(self.path):
            return self.connection().execute(sql, parameters).fetchall()

    def streams(self) -> list[str]:
        """See `Log.streams`."""
        return [name for (name,) in self.rows("SELECT stream FROM commits WHERE number = 1 ORDER BY rowid")]

    def head(self, stream: str) -> str | None:
        """See `Log.head`."""
        last = self.last_commit(stream)
        return None if last is None else bytes(last.hash).hex()

    def events(self, stream: str, after: int, types: Collection[str] | None) -> Iterator[Recorded]:
        """See `Log.events`."""
        return every_event(self.entries(stream, after, None if types is None else stored_types(types)), types)

    def entries(self, stream: str, after: int, types: Collection[str] | None = None) -> Iterator[Written]:
        """See `Log.entries`; with `types` only rows of these types."""
        return from_version(self._written(stream, after, types), after)

    def _written(self, stream: str, after: int, types: Collection[str] | None) -> Iterator[Written]:
        """Yield the entries after a version, and perhaps one that ends before."""
        wanted = "" if types is None else "AND type IN (SELECT value FROM json_each(?))"
        listed = [] if types is None else [json.dumps(list(types))]
        sql = (
            f"SELECT {_COLUMNS} FROM events WHERE stream = ? AND version > ? {wanted} "
            f"ORDER BY version LIMIT {_PAGE}"
        )
        if after:
            ((holder,),) = self.rows(f"{_HOLDER} ?", (stream, after + 1))
            after = min(after, (holder or 1) - 1)
        while page := self.rows(sql, (stream, after, *listed)):
            yield from self._decoded(stream, page)
            if len(page) < _PAGE:
                return
            after = page[-1][0]

    def events_at(self, stream: str, versions: Sequence[int]) -> list[Recorded]:
        """See `Log.events_at`."""
        holders = f"SELECT ({_HOLDER} value) FROM json_each(?)"
        sql = f"SELECT {_COLUMNS} FROM events WHERE stream = ? AND version IN ({holders}) ORDER BY version"
        rows = self.rows(sql, (stream, stream, json.dumps(list(versions))))
        written = [*self._decoded(stream, rows)]
        begins = [entry.version for entry in written]
        found = []
        for version in versions:
            place = bisect_right(begins, version) - 1
            recorded = event_at(written[place], version) if place >= 0 else None
            if recorded is None:
                raise LogError(f"{self.path} holds no event {version} of {stream!r}")
            found.append(recorded)
        return found

    def bodies(self, stream: str, numbers: Iterable[int]) -> Iterator[bytes | None]:
        """See `Log.bodies`."""
        return self._bodies.read(stream, numbers)

    def forget_bodies(self) -> None:
        """Read bodies from the file again: some were purged."""
        self._bodies.forget()

    def commits(self, stream: str, after: int) -> Iterator[Committed]:
        """See `Log.commits`."""
        while page := self.rows(f"{_COMMITS} AND number > ? ORDER BY number LIMIT 200", (stream, after)):
            yield from map(_committed, page)
            after = page[-1][1]

    def last_commit(self, stream: str) -> Committed | None:
        """See `Log.last_commit`."""
        found = self.rows(f"{_COMMITS} ORDER BY number DESC LIMIT 1", (stream,))
        return _committed(found[0]) if found else None

    def event_rows(self, stream: str, first: int, last: int | None) -> Iterator[EventTuple]:
        """See `Log.rows`."""
        after, end = first - 1, _NO_END if last is None else last
        while page := self.rows(_EVENTS, (stream, after, end)):
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1][1]

    def segments(self, stream: str, first: int, below: int | None) -> Iterator[Segment]:
        """See `Log.segments`."""
        after, end = first - 1, _NO_END if below is None else below
        while page := self.rows(_SEGMENTS, (stream, after, end)):
            yield from (Segment(*row) for row in page)
            if len(page) < _SEGMENTS_PAGE:
                return
            after = page[-1][0]

    def faults(self) -> list[str]:
        """See `Log.faults`."""
        try:
            found = [str(text) for (text,) in self.rows("PRAGMA integrity_check(10)")]
        except LogError as exc:
            return [str(exc)]
        # It names the page in one line and what is wrong with it in the next.
        return [f"SQLite: {' '.join(text.split())}" for text in found if text != "ok"]

    def close(self) -> None:
        """Close the connection, unless it belongs to the process that this one was forked from."""
        if self._pid == os.getpid():
            self._connection.close()

    def _decoded(self, stream: str, rows: list[Row]) -> Iterator[Written]:
        # One at a time: a list of thousands of events would keep Python's garbage collector busy.
        for version, name, schema, at, data in rows:
            try:
                entry = decoder(name, schema)(data)
            except (msgspec.MsgspecError, UnicodeError, TypeError) as exc:  # of a type that no column has
                raise LogError(f"{self.path}: event {version} of {stream!r} is damaged ({exc})") from exc
            if type(entry) is ItemsAdded and entry.count > _HARMLESS:
                self._check_count(stream, version, entry)
            yield Written(version, at, entry)

    def _check_count(self, stream: str, version: int, event: ItemsAdded) -> None:
        """Check that the log holds a body for each item before memory for the items is allocated."""
        held = sum(min(count, BELIEVED_BODIES) for (count,) in self.rows(_COUNTS, (stream,)))
        if event.count > held:
            raise LogError(
                f"{self.path}: event {version} of {stream!r} is damaged (it adds {event.count:,} items, "
                f"and the log holds {held:,} bodies)"
            )

    def _segment(self, stream: str, number: int) -> Segment | None:
        """Return the last segment that begins with body `number` or a lower one."""
        found = self.rows(_SEGMENT, (stream, number))
        return Segment(*found[0]) if found else None


def _committed(row: Row) -> Committed:
    *values, digest = row
    return Committed(Commit(*values), digest)
