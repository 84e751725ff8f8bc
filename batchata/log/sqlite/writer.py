"""Hold the one connection of a process that writes to a log file, and its transactions."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from batchata.errors import LogWriteError
from batchata.log.sql import Row
from batchata.log.sqlite.connection import WRITER_CACHE, for_writing, immediate, translated
from batchata.log.sqlite.schema import bring_up_to_date
from batchata.logs import get_logger

_logger = get_logger()
_LOOK_UP = 10  # milliseconds
_SHORT_WAIT = 2.0  # seconds for which others may keep a log that is opened for writing without a word from us
_HELD = (
    "another program reads the log of a finished run (a command that prints or exports it, a database "
    "browser, a backup); it is waited for, {:.0f} s at most"
)
_PATIENCE = 3_000  # milliseconds to wait for readers when the file is rebuilt

# Connections that a forked process found open. Closing one there would disturb the parent's files.
_inherited: list[sqlite3.Connection] = []


class Writer:
    """Owns the write connection. Opening it brings the file to today's form."""

    def __init__(self, path: str, busy_timeout: float) -> None:
        self.path = path
        self._busy_timeout = busy_timeout
        self._pid = os.getpid()
        self._lock = threading.Lock()  # one thread at a time
        with translated(path):
            self._connection = for_writing(path, busy_timeout)
            try:
                bring_up_to_date(self._connection, path, busy_timeout)
                self._switch_to_wal(busy_timeout)
            except BaseException:
                self._connection.close()
                raise

    @contextmanager
    def transaction(self, *, is_waited_for: bool = True) -> Iterator[sqlite3.Connection]:
        """Run a transaction that holds the write lock from its start; rolled back when the block raises.

        The disk has it afterwards, or, where it need not be waited for, with the next one.
        """
        if self._pid != os.getpid():
            raise LogWriteError(
                f"{self.path} was opened before this process was forked; open it again in here"
            )
        with translated(self.path), self._lock:
            if not is_waited_for:
                self._connection.execute("PRAGMA synchronous = NORMAL")
            try:
                with immediate(self._connection) as connection:
                    yield connection
            finally:
                if not is_waited_for:
                    self._connection.execute("PRAGMA synchronous = FULL")

    def rows(self, sql: str, parameters: Sequence[Any]) -> list[Row]:
        """Return all rows of one query, as they are between two transactions."""
        with translated(self.path), self._lock:
            return self._connection.execute(sql, parameters).fetchall()

    def compact(self) -> bool:
        """See `SqliteLog.compact`. The pages that were freed and the -wal file held what was removed."""
        with translated(self.path), self._lock:
            database = self._connection
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
        with translated(self.path), self._lock:
            # Passive: it moves what it can, and makes neither readers nor writers wait.
            row = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            busy, pages, moved = row
            return not busy and pages == moved

    def leave_wal(self) -> bool:
        """Take the mark of WAL mode out of the file: with it, readers want to make files beside it.

        False where others have the file open. Everything is durable before, so that no failure matters.
        """
        if self._pid != os.getpid():
            return False
        with self._lock, suppress(sqlite3.Error):
            self._connection.execute("PRAGMA busy_timeout = 0")
            return bool(self._connection.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",))
        return False

    def close(self) -> None:
        """Close the connection; the last one to close empties the -wal file."""
        if self._pid == os.getpid():
            self._connection.close()
        else:
            _inherited.append(self._connection)

    def _switch_to_wal(self, patience: float) -> None:
        # Only now: a file that appears with its tables and header in place is never half a log. SQLite does
        # not wait here for others who are opening the same new file.
        began, told = time.monotonic(), False
        self._connection.execute(f"PRAGMA busy_timeout = {_LOOK_UP}")  # so that we can say why it takes long
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as exc:
                if exc.sqlite_errorname != "SQLITE_BUSY":
                    raise
                waited = time.monotonic() - began
                if waited > min(_SHORT_WAIT, patience / 2) and not told:
                    told = True  # also where it was all that there was time for
                    _logger.warning("log_held_by_reader", log=self.path, advice=_HELD.format(patience))
                if waited > patience:
                    raise
            else:
                break
            time.sleep(0.01)
        self._connection.execute(f"PRAGMA busy_timeout = {round(patience * 1000)}")
