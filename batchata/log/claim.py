"""The right to append to one stream of a log file: an OS lock, an epoch, and the append itself."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from filelock import FileLock, Timeout
from sqlalchemy.dialects.sqlite import insert

from batchata.core.codec import encode, hot_columns
from batchata.core.events import Event
from batchata.core.values import Process
from batchata.errors import LogConflictError, LogWriteError, RunClaimedError
from batchata.log import chain, place
from batchata.log.bulk import insert_commit, insert_events, insert_segments
from batchata.log.reader import Reader
from batchata.log.segments import pack
from batchata.log.tables import ClaimRow
from batchata.log.writer import Writer

_SELECT_EPOCH = "SELECT epoch FROM claims WHERE stream = ?"
_LAST_COMMIT = """
    SELECT number, last_version, next_body, hash FROM commits WHERE stream = ? ORDER BY number DESC LIMIT 1
"""


def claim(writer: Writer, reader: Reader, stream: str, owner: Process) -> SqliteClaim:
    """Take the stream for this process; see `Log.claim`."""
    lock = _lock(writer.path, stream)
    try:
        lock.acquire(blocking=False)
    except Timeout as exc:
        raise RunClaimedError(_who_has_it(reader, stream)) from exc
    except OSError as exc:
        raise LogWriteError(f"{lock.lock_file} cannot be locked: {exc.strerror}") from exc
    try:
        with writer.transaction() as connection:
            epoch = _next_epoch(connection, stream, owner)
            last = connection.exec_driver_sql(_LAST_COMMIT, (stream,)).one_or_none()
    except BaseException:
        lock.release()
        raise
    number, version, next_body, digest = last or (0, 0, 0, chain.START)
    return SqliteClaim(writer, lock, stream, epoch, number, version, next_body, digest)


class SqliteClaim:
    """The claim of one stream; see `Claim`."""

    def __init__(
        self,
        writer: Writer,
        lock: Any,
        stream: str,
        epoch: int,
        number: int,
        version: int,
        next_body: int,
        digest: bytes,
    ) -> None:
        self.stream = stream
        self.version = version
        self.next_body = next_body
        self._writer = writer
        self._lock = lock
        self._epoch = epoch
        self._number = number
        self._digest = digest
        self._file = place.identity(writer.path)

    def append(self, at: int, events: Sequence[Event], bodies: Sequence[bytes] = ()) -> None:
        """See `Claim.append`. Nothing to write is nothing done."""
        if not events and not bodies:
            return
        self._must_hold()
        rows: list[Any] = [
            (self.stream, version, event.TYPE, event.SCHEMA, at, *hot_columns(event), encode(event))
            for version, event in enumerate(events, self.version + 1)
        ]
        segments = pack(bodies, self.next_body)
        commit = chain.Commit(
            stream=self.stream,
            number=self._number + 1,
            first_version=self.version + 1,
            last_version=self.version + len(rows),
            next_body=self.next_body + len(bodies),
            epoch=self._epoch,
            at=at,
        )
        digest = chain.link(self._digest, commit, rows, [segment[:4] for segment in segments])
        with self._writer.transaction() as connection:
            self._must_be_newest(connection)
            insert_segments(connection, [(self.stream, *segment) for segment in segments])
            insert_events(connection, rows)
            insert_commit(connection, (*commit, digest))
        self.version, self.next_body = commit.last_version, commit.next_body
        self._number, self._digest = commit.number, digest

    def secure(self) -> bool:
        """See `Claim.secure`. Whoever copies the main file and forgets the -wal file has it too."""
        return self._writer.checkpoint()

    def release(self) -> None:
        """See `Claim.release`. In a forked child it does nothing: the lock stays the parent's."""
        self._lock.release()

    def _must_hold(self) -> None:
        if not self._lock.is_locked:  # nor is it in a forked child
            raise LogConflictError(
                f"this process does not hold {self.stream!r} in {self._writer.path} (any more)"
            )
        if place.identity(self._writer.path) != self._file:
            raise LogWriteError(
                f"{self._writer.path} was deleted or replaced while it was in use; nothing more is written. "
                "Put the file back and start again"
            )

    def _must_be_newest(self, connection: sa.Connection) -> None:
        # The OS lock does not reach a suspended machine or another host; the epoch does.
        if connection.exec_driver_sql(_SELECT_EPOCH, (self.stream,)).scalar() != self._epoch:
            raise LogConflictError(
                f"another process took over {self.stream!r} in {self._writer.path}; "
                "this append was not written"
            )


def _lock(path: str, stream: str) -> Any:
    # filelock is freed by a kill at once, even when the dead process had forked children; raw flock is not.
    # The lock file stays after a release: deleting it could give two processes two files of the same name.
    name = hashlib.sha256(stream.encode()).hexdigest()[:12]
    return FileLock(f"{path}.{name}.lock", mode=0o600, thread_local=False, fallback_to_soft=False)


def _next_epoch(connection: sa.Connection, stream: str, owner: Process) -> int:
    epoch = (connection.exec_driver_sql(_SELECT_EPOCH, (stream,)).scalar() or 0) + 1
    row = {"epoch": epoch, "pid": owner.pid, "host": owner.host, "since": time.time_ns() // 1000}
    statement = insert(ClaimRow).values(stream=stream, **row)
    connection.execute(statement.on_conflict_do_update(index_elements=["stream"], set_=row))
    return epoch


def _who_has_it(reader: Reader, stream: str) -> str:
    rows = reader.rows("SELECT pid, host, since FROM claims WHERE stream = ?", (stream,))
    if not rows:
        return f"another process has just started the run {stream!r} in {reader.path}"
    pid, host, since = rows[0]
    when = datetime.fromtimestamp(since / 1e6, UTC)
    return (
        f"the run {stream!r} in {reader.path} is driven by process {pid} on {host} "
        f"since {when:%Y-%m-%d %H:%M:%S} UTC; wait for it or stop it first"
    )
