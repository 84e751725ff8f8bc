"""Hold the right to append to one stream of a log file: an OS lock, an epoch, and the append itself."""

from __future__ import annotations

import glob
import hashlib
import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from batchata.clock import now
from batchata.core.pages import Entry
from batchata.core.values import Process
from batchata.errors import LogConflictError, LogWriteError, RunClaimedError
from batchata.log.format import AtEnd, Committed, EventTuple, Segment, beginning, follow
from batchata.log.sql import EPOCH, LAST_COMMIT, TAKE_OVER, committed, driven_by
from batchata.log.sqlite import files
from batchata.log.sqlite.reader import Reader
from batchata.log.sqlite.writer import Writer

# Columns as in the tables. OR ROLLBACK: with the default, ABORT, SQLite copies each page aside for each row;
# see the migrations.
_INSERT_SEGMENT = "INSERT OR ROLLBACK INTO segments VALUES (?, ?, ?, ?, ?, ?)"
_INSERT_EVENT = "INSERT OR ROLLBACK INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_COMMIT = "INSERT OR ROLLBACK INTO commits VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_DIGITS = 12  # of a stream's digest in the name of its lock file
_TOGETHER = 50  # rows in one INSERT
_MANY = 500  # rows from which changing the connection's configuration pays
_INSERT_EVENTS = _INSERT_EVENT + ", (?, ?, ?, ?, ?, ?, ?, ?)" * (_TOGETHER - 1)


def _insert_events(connection: sqlite3.Connection, rows: list[EventTuple]) -> None:
    if len(rows) < _MANY:
        connection.executemany(_INSERT_EVENT, rows)
        return
    # The trigger that refuses REPLACE is for other programs: this INSERT cannot replace, and entering a
    # trigger for every row costs as much as the insert.
    connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, False)  # noqa: FBT003 - sqlite3's
    try:
        whole = len(rows) - len(rows) % _TOGETHER
        groups = (rows[first : first + _TOGETHER] for first in range(0, whole, _TOGETHER))
        connection.executemany(_INSERT_EVENTS, (tuple(chain.from_iterable(group)) for group in groups))
        connection.executemany(_INSERT_EVENT, rows[whole:])
    finally:
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, True)  # noqa: FBT003 - sqlite3's


def claim(writer: Writer, reader: Reader, stream: str, owner: Process) -> SqliteClaim:
    """Take the stream for this process; see `Log.claim`."""
    lock = _lock(writer.path, stream)
    try:
        lock.acquire(blocking=False)
    except Timeout as exc:
        raise RunClaimedError(driven_by(reader, stream)) from exc
    except OSError as exc:
        raise LogWriteError(f"{lock.lock_file} cannot be locked: {exc.strerror}") from exc
    try:
        # A claim that a power cut undoes has written nothing: its first append puts it on the disk as well.
        with writer.transaction(is_waited_for=False) as connection:
            epoch = _next_epoch(connection, stream, owner)
            last = _last_commit(connection, stream)
    except BaseException:
        lock.release()
        raise
    return SqliteClaim(writer, lock, epoch, beginning(stream) if last is None else last)


class SqliteClaim(AtEnd):
    """The claim of one stream; see `Claim`."""

    def __init__(self, writer: Writer, lock: Any, epoch: int, last: Committed) -> None:
        super().__init__(last)
        self._writer = writer
        self._lock = lock
        self._epoch = epoch
        self._file = files.identity(writer.path)

    def append(self, at: int, entries: Sequence[Entry], bodies: Sequence[bytes | Segment] = ()) -> None:
        """See `Claim.append`. Nothing to write is nothing done."""
        if not entries and not bodies:
            return
        self._must_hold()
        new = follow(self._last, self._epoch, at, entries, bodies)
        with self._writer.transaction() as connection:
            self._must_be_newest(connection)
            connection.executemany(_INSERT_SEGMENT, [(self.stream, *segment) for segment in new.segments])
            _insert_events(connection, new.rows)
            connection.execute(_INSERT_COMMIT, (*new.committed.commit, new.committed.hash))
        self._last = new.committed

    def secure(self) -> bool:
        """See `Claim.secure`; a copy of the main file without its -wal file then includes it too."""
        return self._writer.checkpoint()

    def release(self) -> None:
        """See `Claim.release`. In a forked child it does nothing: the lock stays the parent's."""
        self._lock.release()

    def retire(self) -> None:
        """See `Claim.retire`. The lock file is removed while it is locked: filelock takes no removed one."""
        if self._lock.is_locked:  # nor is it in a forked child
            with suppress(OSError):  # Windows keeps a file that is open
                os.unlink(self._lock.lock_file)
        self.release()

    def _must_hold(self) -> None:
        if not self._lock.is_locked:  # nor is it in a forked child
            raise LogConflictError(
                f"this process does not hold {self.stream!r} in {self._writer.path} (any more)"
            )
        if files.identity(self._writer.path) != self._file:
            raise LogWriteError(
                f"{self._writer.path} was deleted or replaced while it was in use; nothing more is written. "
                "Put the file back and start again"
            )

    def _must_be_newest(self, connection: sqlite3.Connection) -> None:
        # The OS lock does not reach a suspended machine or another host; the epoch does.
        if _epoch(connection, self.stream) != self._epoch:
            raise LogConflictError(
                f"another process took over {self.stream!r} in {self._writer.path}; "
                "this append was not written"
            )


def remove_free_locks(path: str) -> None:
    """Remove the lock files that processes left which were killed; those that are locked stay."""
    folder, name = os.path.split(path)
    for found in Path(folder).glob(f"{glob.escape(name)}.{'[0-9a-f]' * _DIGITS}.lock"):
        with suppress(OSError, Timeout), _lock_at(str(found)).acquire(blocking=False):
            found.unlink()


def _lock(path: str, stream: str) -> Any:
    # filelock is freed by a kill at once, even when the dead process had forked children; raw flock is not.
    # The lock file stays after a release; see `SqliteClaim.retire` for its removal.
    name = hashlib.sha256(stream.encode()).hexdigest()[:_DIGITS]
    return _lock_at(f"{path}.{name}.lock")


def _lock_at(path: str) -> Any:
    return FileLock(path, mode=0o600, thread_local=False, fallback_to_soft=False)


def _epoch(connection: sqlite3.Connection, stream: str) -> int:
    found = connection.execute(EPOCH, (stream,)).fetchone()
    return 0 if found is None else int(found[0])


def _next_epoch(connection: sqlite3.Connection, stream: str, owner: Process) -> int:
    epoch = _epoch(connection, stream) + 1
    connection.execute(TAKE_OVER, (stream, epoch, owner.pid, owner.host, now()))
    return epoch


def _last_commit(connection: sqlite3.Connection, stream: str) -> Committed | None:
    found = connection.execute(LAST_COMMIT, (stream,)).fetchone()
    return None if found is None else committed(found)
