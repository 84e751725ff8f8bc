"""Read events and bodies of a log file: on a connection that cannot write, or on that of its writer."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from batchata.errors import LogError
from batchata.log.sql import Row, SqlReader
from batchata.log.sqlite.connection import for_reading, translated
from batchata.log.sqlite.writer import Writer

# Connections that a forked process found open. Closing one there would disturb the parent's files.
_inherited: list[sqlite3.Connection] = []


class Reader(SqlReader):
    """Reads one log file. Every read is a short transaction of its own and sees all that was committed.

    With a writer it reads through that one's connection as long as it can: SQLite reads all tables, triggers
    and views anew for each connection, which takes longer than what a small run reads.
    """

    ELEMENTS = "json_each(?)"
    OLDEST_FIRST = "rowid"

    def __init__(self, path: str, busy_timeout: float, writer: Writer | None = None) -> None:
        super().__init__(path)
        self._busy_timeout = busy_timeout
        self._pid = os.getpid()
        self._writer = writer
        self._connection: sqlite3.Connection | None = None
        if writer is None:
            with translated(path):
                self._connection = for_reading(path, busy_timeout)

    def connection(self) -> sqlite3.Connection:
        """Return its own connection, a new one in a forked process: SQLite's cannot be carried across."""
        if self._pid != os.getpid():
            if self._connection is not None:
                _inherited.append(self._connection)
            self._connection, self._pid, self._writer = None, os.getpid(), None
        if self._connection is None:
            self._connection = for_reading(self.place, self._busy_timeout)
        return self._connection

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let every read inside the block see the file as it is now, whatever is appended meanwhile.

        Inside another such block it is as that one is.
        """
        with translated(self.place):
            connection = self.connection()
        if connection.in_transaction:
            yield
            return
        with translated(self.place):
            # A transaction begins with its first read, not with BEGIN.
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
        try:
            yield
        finally:
            with translated(self.place):
                connection.rollback()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Return all rows of one query."""
        if self._writer is not None and self._connection is None and self._pid == os.getpid():
            return self._writer.rows(sql, parameters)
        with translated(self.place):
            return self.connection().execute(sql, parameters).fetchall()

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
        if self._pid == os.getpid() and self._connection is not None:
            self._connection.close()
