"""Hold the one connection of a process that writes to a log in PostgreSQL, and what it has locked."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable

import psycopg

from batchata.errors import LogConflictError, LogError, LogWriteError
from batchata.log.postgres.address import Address
from batchata.log.postgres.connection import (
    WRITTEN,
    Connection,
    attempts,
    connect,
    meaning,
    stayed_away,
    translated,
)
from batchata.log.postgres.schema import make_ready

_LOOK_AGAIN = 0.02  # seconds between two looks whether a lock is free
_TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended(current_schema(), %s))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtextextended(current_schema(), %s))"


class Writer:
    """Owns the write connection, whose session holds the locks of streams.

    Opening it makes the tables. A server that goes away is waited for, as long as the address says: a
    database that is restarted, or whose standby takes over, does not end a run.
    """

    def __init__(self, address: Address) -> None:
        self.place = address.place
        self._address = address
        self._pid = os.getpid()
        self._lock = threading.Lock()  # one thread at a time
        self._held: set[str] = set()  # streams; a session may take a lock twice
        self._connection = connect(address, writes=True)
        try:
            with translated(self.place, WRITTEN):
                make_ready(self._connection, self.place)
        except BaseException:
            self._connection.close()
            raise

    def transaction[T](self, work: Callable[[Connection], T]) -> T:
        """Do the work in one transaction; again from its start on a new connection where one was lost.

        A connection may be lost after the commit and before its acknowledgement: the work must look whether
        it is done already.

        Raises LogConflictError or LogWriteError; after these nothing of it is in the log, unless the server
        did not come back.
        """
        if self._pid != os.getpid():
            raise LogWriteError(
                f"{self.place} was opened before this process was forked; open it again in here"
            )
        with self._lock:
            while True:
                try:
                    with self._connection.transaction():
                        return work(self._connection)
                except psycopg.Error as exc:
                    if not self._connection.closed:
                        raise meaning(exc, self.place, WRITTEN) from None  # see `translated`
                self._connect_again()

    def hold(self, stream: str, wait: float) -> bool:
        """Take the lock of a stream; False when it is held by another, `wait` seconds long."""
        if stream in self._held:
            return False
        end = time.monotonic() + wait
        while not self.transaction(lambda connection: _try(connection, stream)):
            if time.monotonic() > end:
                return False
            time.sleep(_LOOK_AGAIN)
        self._held.add(stream)
        return True

    def holds(self, stream: str) -> bool:
        """Whether this process has the lock of a stream; a forked child has none."""
        return stream in self._held and self._pid == os.getpid()

    def free(self, stream: str) -> None:
        """Free the lock of a stream."""
        if not self.holds(stream):
            return
        self._held.discard(stream)
        with self._lock:
            if self._connection.closed:
                return
            try:
                self._connection.execute(_UNLOCK, (_seed(stream),))
            except psycopg.Error as exc:
                if not self._connection.closed:  # else its session is gone, and its locks
                    raise meaning(exc, self.place, WRITTEN) from None

    def compact(self) -> bool:
        """See `Log.compact`."""
        with self._lock, translated(self.place, WRITTEN):
            database = self._connection
            try:
                database.execute("SET lock_timeout = 3000")
                database.execute("VACUUM (FULL, ANALYZE) segments")
            except (psycopg.errors.LockNotAvailable, psycopg.errors.InsufficientPrivilege):
                return False
            finally:
                database.execute("SET lock_timeout = '30s'")
            return True

    def close(self) -> None:
        """Close the connection, which frees all locks; in a forked child it is the parent's."""
        if self._pid == os.getpid():
            self._connection.close()

    def _connect_again(self) -> None:
        """Connect anew and take the locks that were held, before another process has them."""
        why: LogError = LogWriteError(stayed_away(self._address, WRITTEN))
        for _ in attempts(self._address.patience):
            try:
                connection = connect(self._address, writes=True)
            except (LogError, psycopg.OperationalError):  # not back yet
                continue
            try:
                # The session that was lost may be there for a moment yet, with its locks.
                taken = all(_try(connection, stream) for stream in self._held)
            except psycopg.OperationalError:  # gone once more; locks that it took would shut the next one out
                connection.close()
                continue
            if taken:
                self._connection = connection
                return
            connection.close()
            why = LogConflictError(
                f"the connection to {self.place} was lost, and another process has the run since then; "
                "this append was not written"
            )
        raise why from None


def _try(connection: Connection, stream: str) -> bool:
    ((taken,),) = connection.execute(_TRY_LOCK, (_seed(stream),)).fetchall()
    return bool(taken)


def _seed(stream: str) -> int:
    return int.from_bytes(hashlib.sha256(stream.encode()).digest()[:8], signed=True)
