"""The log in a PostgreSQL database."""

from __future__ import annotations

from typing import Self

from batchata.core.values import Process
from batchata.errors import NotALogError
from batchata.log.port import Claim
from batchata.log.postgres import schema
from batchata.log.postgres.address import address
from batchata.log.postgres.claim import claim
from batchata.log.postgres.connection import READ, connect, translated
from batchata.log.postgres.reader import Reader, dialect
from batchata.log.postgres.writer import Writer
from batchata.log.sql import PURGE, SqlLog


def is_begun(url: str) -> bool:
    """Whether the database holds a log.

    Raises NotALogError, LogVersionError, or LogError for a server that does not answer.
    """
    found = address(url)
    connection = connect(found, writes=False)
    try:
        with translated(found.place, READ):
            return schema.is_begun(connection, found.place)
    finally:
        connection.close()


class PostgresLog(SqlLog[Reader, Writer]):
    """Any number of runs in the tables of one schema of a database; see `Log`.

    Opens it for reading and writing: a schema without these tables gets them.

    Raises NotALogError, LogVersionError, LogWriteError, or LogError for a server that does not answer.
    """

    def __init__(self, url: str) -> None:
        found = address(url)
        writer = Writer(found)
        super().__init__(Reader(found), writer)

    @classmethod
    def open_for_reading(cls, url: str) -> Self:
        """Open the log without the right to write: nothing in the database is made or changed.

        Raises NotALogError, LogVersionError, or LogError for a server that does not answer.
        """
        log = cls.__new__(cls)
        found = address(url)
        SqlLog.__init__(log, Reader(found), None)
        try:
            with translated(found.place, READ):
                begun = schema.is_begun(log.reader.connection(), found.place)
        except BaseException:
            log.reader.close()
            raise
        if not begun:
            log.reader.close()
            raise NotALogError(f"{found.place} holds no Batchata log")
        return log

    def claim(self, stream: str, owner: Process) -> Claim:
        """See `Log.claim`."""
        return claim(self._must_write(), self.reader, stream, owner)

    def size(self) -> int:
        """See `Log.size`."""
        return self.reader.size()

    def no_run_yet(self) -> str:
        """See `Log.no_run_yet`."""
        return f"{self.place} holds no run yet"

    def maybe_half(self) -> str | None:
        """See `Log.maybe_half`. A database is copied whole."""
        return None

    def purge(self, stream: str, below: int) -> int:
        """See `Log.purge`."""
        purged: int = self._must_write().transaction(
            lambda connection: connection.execute(dialect(PURGE), (stream, below)).rowcount
        )
        self._bodies.forget()
        return purged

    def finish(self) -> None:
        """See `Log.finish`. A database has one form only."""
        self.close()
