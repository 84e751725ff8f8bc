"""How events and bodies are read from a log file, on a connection of its own that cannot write."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import msgspec

from batchata.core.codec import decoder
from batchata.core.events import ItemsAdded
from batchata.errors import LogError
from batchata.log.format import BELIEVED_BODIES, Segment, unpack
from batchata.log.port import Recorded
from batchata.log.sqlite import connection
from batchata.log.sqlite.failures import translated

type Row = tuple[Any, ...]

_PAGE = 2_000  # events per read: an open read would keep the -wal file from being emptied
_MOST_BODIES = 1_024  # looked up together
_MOST_BYTES = 8_000_000  # of bodies held while they are handed out, about
_HARMLESS = 100_000  # items that are believed to be there
_COUNTS = "SELECT count FROM segments WHERE stream = ? AND count > 0"
_COLUMNS = "version, type, schema_version, at, data"

# Connections that a forked process found open. Closing one there would disturb the parent's files.
_inherited: list[sqlite3.Connection] = []


class Reader:
    """Reads one log file. Every read is a short transaction of its own and sees all that was committed."""

    def __init__(self, path: str, busy_timeout: float) -> None:
        self.path = path
        self._busy_timeout = busy_timeout
        self._pid = os.getpid()
        self._last: tuple[str, Segment, list[bytes | None]] | None = None
        with translated(path):
            self._connection = connection.for_reading(path, busy_timeout)

    def connection(self) -> sqlite3.Connection:
        """The connection, a new one in a forked process: SQLite's cannot be carried across."""
        if self._pid != os.getpid():
            _inherited.append(self._connection)
            self._connection = connection.for_reading(self.path, self._busy_timeout)
            self._pid = os.getpid()
        return self._connection

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Every read inside the block sees the file as it is now, whatever is appended meanwhile."""
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
        """All rows of one query."""
        with translated(self.path):
            return self.connection().execute(sql, parameters).fetchall()

    def streams(self) -> list[str]:
        """See `Log.streams`."""
        return [name for (name,) in self.rows("SELECT stream FROM commits WHERE number = 1 ORDER BY rowid")]

    def head(self, stream: str) -> str | None:
        """See `Log.head`."""
        found = self.rows("SELECT hash FROM commits WHERE stream = ? ORDER BY number DESC LIMIT 1", (stream,))
        return bytes(found[0][0]).hex() if found else None

    def events(self, stream: str, after: int, types: Collection[str] | None) -> Iterator[Recorded]:
        """See `Log.events`."""
        wanted = "" if types is None else "AND type IN (SELECT value FROM json_each(?))"
        listed = [] if types is None else [json.dumps(list(types))]
        sql = (
            f"SELECT {_COLUMNS} FROM events WHERE stream = ? AND version > ? {wanted} "
            f"ORDER BY version LIMIT {_PAGE}"
        )
        while page := self.rows(sql, (stream, after, *listed)):
            yield from self._decoded(stream, page)
            if len(page) < _PAGE:
                return
            after = page[-1][0]

    def events_at(self, stream: str, versions: Sequence[int]) -> list[Recorded]:
        """See `Log.events_at`."""
        sql = (
            f"SELECT {_COLUMNS} FROM events WHERE stream = ? AND version IN (SELECT value FROM json_each(?))"
        )
        found = {
            recorded.version: recorded
            for recorded in self._decoded(stream, self.rows(sql, (stream, json.dumps(list(versions)))))
        }
        try:
            return [found[version] for version in versions]
        except KeyError as exc:
            raise LogError(f"{self.path} holds no event {exc} of {stream!r}") from exc

    def bodies(self, stream: str, numbers: Iterable[int]) -> Iterator[bytes | None]:
        """See `Log.bodies`. Numbers are taken some at a time, so that a segment is unpacked once for many."""
        remaining = iter(numbers)
        window = 1
        while wanted := list(islice(remaining, window)):
            found = self._bodies(stream, wanted)
            yield from (found[number] for number in wanted)
            held = sum(len(body) for body in found.values() if body is not None)
            window = min(_MOST_BODIES, window * 4) if held < _MOST_BYTES / 4 else max(1, window // 2)

    def close(self) -> None:
        """Close the connection, unless it belongs to the process that this one was forked from."""
        if self._pid == os.getpid():
            self._connection.close()

    def _decoded(self, stream: str, rows: list[Row]) -> Iterator[Recorded]:
        # One at a time: a list of thousands of events would keep Python's garbage collector busy.
        for version, name, schema, at, data in rows:
            try:
                event = decoder(name, schema)(data)
            except (msgspec.MsgspecError, UnicodeError, TypeError) as exc:  # of a type that no column has
                raise LogError(f"{self.path}: event {version} of {stream!r} is damaged ({exc})") from exc
            if type(event) is ItemsAdded and event.count > _HARMLESS:
                self._check_count(stream, version, event)
            yield Recorded(version, at, event)

    def _check_count(self, stream: str, version: int, event: ItemsAdded) -> None:
        """Memory for so many items is asked for only where the log holds a body for each of them."""
        held = sum(min(count, BELIEVED_BODIES) for (count,) in self.rows(_COUNTS, (stream,)))
        if event.count > held:
            raise LogError(
                f"{self.path}: event {version} of {stream!r} is damaged (it adds {event.count:,} items, "
                f"and the log holds {held:,} bodies)"
            )

    def _bodies(self, stream: str, numbers: list[int]) -> dict[int, bytes | None]:
        found: dict[int, bytes | None] = {}
        for number in sorted(set(numbers)):
            first, bodies = self._segment(stream, number)
            found[number] = bodies[number - first]
        return found

    def _segment(self, stream: str, number: int) -> tuple[int, list[bytes | None]]:
        """The number of the first body in the segment that holds body `number`, and all its bodies."""
        if (
            self._last
            and self._last[0] == stream
            and 0 <= number - self._last[1].first < self._last[1].length
        ):
            return self._last[1].first, self._last[2]
        rows = self.rows(
            "SELECT first, count, codec, sha256, data FROM segments "
            "WHERE stream = ? AND first <= ? ORDER BY first DESC LIMIT 1",
            (stream, number),
        )
        segment = Segment(*rows[0]) if rows else None
        if segment is None or number >= segment.first + segment.length:
            raise LogError(f"{self.path} holds no body {number} of {stream!r}")
        try:
            bodies = unpack(segment)
        except ValueError as exc:
            raise LogError(f"{self.path}: body {number} of {stream!r} is damaged ({exc})") from exc
        self._last = stream, segment, bodies
        return segment.first, bodies
