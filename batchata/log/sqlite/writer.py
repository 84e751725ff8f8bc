"""Hold the one connection of a process that writes to a log file, and its transactions."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from batchata.errors import LogWriteError
from batchata.log.sqlite.connection import WRITER_CACHE, for_writing, meaning
from batchata.log.sqlite.schema import bring_up_to_date, driver

_PATIENCE = 3_000  # milliseconds to wait for readers when the file is rebuilt


class Writer:
    """Owns the write connection. Opening it brings the file to today's form."""

    def __init__(self, path: str, busy_timeout: float) -> None:
        self.path = path
        self._busy_timeout = busy_timeout
        self._pid = os.getpid()
        self._engine = _engine(path, busy_timeout)
        try:
            with self._translated():
                bring_up_to_date(self._engine, path)
                self._switch_to_wal(busy_timeout)
        except BaseException:
            self._engine.dispose()
            raise

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Run a transaction that holds the write lock from its start; rolled back when the block raises."""
        if self._pid != os.getpid():
            raise LogWriteError(
                f"{self.path} was opened before this process was forked; open it again in here"
            )
        with self._translated(), self._engine.begin() as connection:
            yield connection

    def compact(self) -> bool:
        """See `SqliteLog.compact`. The pages that were freed and the -wal file held what was removed."""
        with self._translated(), self._engine.connect() as connection:
            database = driver(connection)
            try:
                database.execute(f"PRAGMA busy_timeout = {_PATIENCE}")
                database.execute("PRAGMA cache_size = -8192")  # VACUUM fills all there is, twice
                database.execute("VACUUM")
                # A reader that stays keeps the -wal file, and with it the old length of the file.
                busy, _, _ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.OperationalError as exc:
                if exc.sqlite_errorname != "SQLITE_BUSY":
                    raise
                return False
            finally:
                database.execute(f"PRAGMA busy_timeout = {round(self._busy_timeout * 1000)}")
                database.execute(f"PRAGMA cache_size = {WRITER_CACHE}")
            return not busy

    def checkpoint(self) -> bool:
        """Move what was committed from the -wal file into the main file, durably.

        False when some of it had to stay: a reader needs the file as it was before.
        """
        with self._translated(), self._engine.connect() as connection:
            # Passive: it moves what it can, and makes neither readers nor writers wait.
            row = driver(connection).execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            busy, pages, moved = row
            return not busy and pages == moved

    def close(self) -> None:
        """Close the connection; the last one to close empties the -wal file."""
        self._engine.dispose(close=self._pid == os.getpid())

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as exc:
            raise meaning(exc.orig, self.path) from exc
        except sqlite3.Error as exc:
            raise meaning(exc, self.path) from exc

    def _switch_to_wal(self, patience: float) -> None:
        # Only now: a file that appears with its tables and header in place is never half a log. SQLite does
        # not wait here for others who are opening the same new file.
        end = time.monotonic() + patience
        with self._engine.connect() as connection:
            while True:
                try:
                    driver(connection).execute("PRAGMA journal_mode = WAL")
                except sqlite3.OperationalError as exc:
                    if exc.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > end:
                        raise
                else:
                    return
                time.sleep(0.01)


def _engine(path: str, busy_timeout: float) -> sa.Engine:
    """Create an engine with one connection. Errors never print parameters: they are users' prompts."""
    engine = sa.create_engine(
        "sqlite+pysqlite://",
        creator=lambda: for_writing(path, busy_timeout),
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        hide_parameters=True,
    )
    # A deferred BEGIN that reads first and writes later fails at once when another process wrote in between,
    # whatever the busy timeout.
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine
