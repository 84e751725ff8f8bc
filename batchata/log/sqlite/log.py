"""The log in a SQLite file."""

from __future__ import annotations

import os
from typing import Self

from batchata.core.values import Process
from batchata.errors import NotALogError
from batchata.log.port import Claim
from batchata.log.sql import PURGE, SqlLog
from batchata.log.sqlite import files
from batchata.log.sqlite.connection import translated
from batchata.log.sqlite.files import warn_if_networked
from batchata.log.sqlite.reader import Reader
from batchata.log.sqlite.schema import Form, blank, form
from batchata.log.sqlite.writer import Writer

BUSY_TIMEOUT = 30.0  # seconds to wait for another process's transaction


class SqliteLog(SqlLog[Reader, Writer]):
    """Any number of runs in one file; see `Log`.

    Opens the file for reading and writing: a missing or empty one becomes a log, one of an older version is
    brought to today's form. `busy_timeout` is in seconds.

    Raises NotALogError, LogVersionError or LogWriteError.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout: float = BUSY_TIMEOUT) -> None:
        # One name for one file, so that two names for it cannot be claimed twice; and no later chdir matters.
        self.path = os.path.realpath(path)
        files.make_ready(self.path, blank)
        warn_if_networked(self.path)
        writer = Writer(self.path, busy_timeout)
        super().__init__(Reader(self.path, busy_timeout, writer), writer)

    @classmethod
    def open_for_reading(cls, path: str | os.PathLike[str], *, busy_timeout: float = BUSY_TIMEOUT) -> Self:
        """Open the log without the right to write: the file is neither created nor changed.

        Raises NotALogError or LogVersionError.
        """
        log = cls.__new__(cls)
        log.path = os.path.realpath(path)
        files.must_hold_something(log.path)
        SqlLog.__init__(log, Reader(log.path, busy_timeout), None)
        try:
            with translated(log.path):
                if form(log.reader.connection(), log.path) is Form.FRESH:
                    raise NotALogError(f"{log.path} is an empty SQLite database, not a Batchata log")  # noqa: TRY301 - the reader is closed below
        except BaseException:
            log.reader.close()
            raise
        return log

    def claim(self, stream: str, owner: Process) -> Claim:
        """See `Log.claim`."""
        from batchata.log.sqlite.claim import claim

        return claim(self._must_write(), self.reader, stream, owner)

    def size(self) -> int:
        """See `Log.size`."""
        return os.path.getsize(self.path)

    def no_run_yet(self) -> str:
        """See `Log.no_run_yet`."""
        return files.no_run_yet(self.path)

    def maybe_half(self) -> str | None:
        """See `Log.maybe_half`."""
        return files.maybe_half(self.path)

    def purge(self, stream: str, below: int) -> int:
        """See `Log.purge`."""
        with self._must_write().transaction() as connection:
            purged = connection.execute(PURGE, (stream, below)).rowcount
        self._bodies.forget()
        return purged

    def finish(self) -> None:
        """See `Log.finish`. The file is then one that needs no -wal file, and no right to make one."""
        from batchata.log.sqlite.claim import remove_free_locks

        self.reader.close()
        if self._writer is not None and self._writer.leave_wal():  # else another process may want its lock
            remove_free_locks(self.path)
        self.close()
