"""Hold the right to append to one stream of a log in PostgreSQL: a lock, an epoch, and the append."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from batchata.clock import now
from batchata.core.pages import Entry
from batchata.core.values import Process
from batchata.errors import LogConflictError, RunClaimedError
from batchata.log.format import Append, AtEnd, Committed, Segment, beginning, follow
from batchata.log.postgres.connection import Connection
from batchata.log.postgres.reader import dialect
from batchata.log.postgres.writer import Writer
from batchata.log.sql import EPOCH, LAST_COMMIT, TAKE_OVER, SqlReader, committed, driven_by

# A server takes a moment to see that a process was killed, and to free its locks.
_TAKE_OVER_WAIT = 1.0  # seconds
_EPOCH = dialect(EPOCH)
_LOCK_EPOCH = dialect(f"{EPOCH} FOR UPDATE")
_STANDING = """
    SELECT epoch, (SELECT hash FROM commits WHERE stream = %s AND number = %s)
    FROM claims WHERE stream = %s FOR UPDATE
"""
_COMMIT = """
    INSERT INTO commits (stream, number, first_version, last_version, next_body, epoch, at, hash)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
_EVENTS = "events (stream, version, type, schema_version, at, job, item, data)"
_EVENT_TYPES = ("text", "int8", "text", "int8", "int8", "int8", "int8", "text")
_SEGMENTS = "segments (stream, first, count, codec, sha256, data)"
_SEGMENT_TYPES = ("text", "int8", "int8", "int8", "bytea", "bytea")


def claim(writer: Writer, reader: SqlReader, stream: str, owner: Process) -> PostgresClaim:
    """Take the stream for this process; see `Log.claim`."""
    if not writer.hold(stream, _TAKE_OVER_WAIT):
        raise RunClaimedError(driven_by(reader, stream))
    try:
        epoch, last = writer.transaction(lambda connection: _take_over(connection, stream, owner))
    except BaseException:
        writer.free(stream)
        raise
    return PostgresClaim(writer, epoch, beginning(stream) if last is None else last)


class PostgresClaim(AtEnd):
    """The claim of one stream; see `Claim`."""

    def __init__(self, writer: Writer, epoch: int, last: Committed) -> None:
        super().__init__(last)
        self._writer = writer
        self._epoch = epoch
        self._released = False

    def append(self, at: int, entries: Sequence[Entry], bodies: Sequence[bytes | Segment] = ()) -> None:
        """See `Claim.append`. Nothing to write is nothing done."""
        if not entries and not bodies:
            return
        self._check_held()
        new = follow(self._last, self._epoch, at, entries, bodies)
        self._writer.transaction(lambda connection: self._write(connection, new))
        self._last = new.committed

    def secure(self) -> bool:
        """See `Claim.secure`. A commit is in the server's own log, from which it is copied.

        Raises LogConflictError where another process has the run meanwhile, as it may after this computer has
        slept: it looks for what was to be sent here, and sends it where it finds nothing.
        """
        self._check_held()
        self._writer.transaction(self._check_epoch)
        return True

    def release(self) -> None:
        """See `Claim.release`. In a forked child it does nothing: the lock stays the parent's."""
        if not self._released:
            self._released = True
            self._writer.free(self.stream)

    def retire(self) -> None:
        """See `Claim.retire`."""
        self.release()

    def _check_held(self) -> None:
        if self._released or not self._writer.holds(self.stream):
            raise LogConflictError(
                f"this process does not hold {self.stream!r} in {self._writer.place} (any more)"
            )

    def _check_epoch(self, connection: Connection) -> None:
        standing = connection.execute(_EPOCH, (self.stream,)).fetchone()
        if standing is None or standing[0] != self._epoch:
            raise LogConflictError(f"another process took over {self.stream!r} in {self._writer.place}")

    def _write(self, connection: Connection, new: Append) -> None:
        commit, digest = new.committed
        standing = connection.execute(_STANDING, (self.stream, commit.number, self.stream)).fetchone()
        # The lock does not outlive a lost connection; the epoch says whether another had it meanwhile.
        if standing is None or standing[0] != self._epoch:
            raise LogConflictError(
                f"another process took over {self.stream!r} in {self._writer.place}; "
                "this append was not written"
            )
        if standing[1] == digest:
            return  # written before the connection was lost
        _copy(connection, _SEGMENTS, _SEGMENT_TYPES, [(self.stream, *segment) for segment in new.segments])
        _copy(connection, _EVENTS, _EVENT_TYPES, new.rows)
        connection.execute(_COMMIT, (*commit, digest))


def _copy(connection: Connection, table: str, types: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        return
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def _take_over(connection: Connection, stream: str, owner: Process) -> tuple[int, Committed | None]:
    before = connection.execute(_LOCK_EPOCH, (stream,)).fetchone()
    epoch = 1 if before is None else int(before[0]) + 1
    connection.execute(dialect(TAKE_OVER), (stream, epoch, owner.pid, owner.host, now()))
    found = connection.execute(dialect(LAST_COMMIT), (stream,)).fetchone()
    return epoch, None if found is None else committed(found)
