"""Read events and bodies of a log in PostgreSQL, on a connection of its own that cannot write."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from batchata.errors import LogError
from batchata.log.postgres.address import Address
from batchata.log.postgres.connection import READ, Connection, attempts, connect, stayed_away, translated
from batchata.log.postgres.schema import missing_triggers
from batchata.log.sql import Row, SqlReader

_SIZE = """
    SELECT coalesce(sum(pg_total_relation_size(format('%I.%I', current_schema(), name)::regclass)), 0)::bigint
    FROM unnest(ARRAY['events', 'segments', 'commits', 'claims']) AS name
"""


@cache
def dialect(sql: str) -> str:
    """Return a statement with the parameters as psycopg writes them."""
    return sql.replace("?", "%s")


class Reader(SqlReader):
    """Reads one database. It connects when it is first asked, and again where the connection was lost."""

    ELEMENTS = "json_array_elements_text(CAST(? AS json))"
    OLDEST_FIRST = "place"

    def __init__(self, address: Address) -> None:
        super().__init__(address.place)
        self._address = address
        self._pid = os.getpid()
        self._connection: Connection | None = None
        self._lock = threading.Lock()  # held while it connects

    def connection(self) -> Connection:
        """Return the connection, a new one in a forked process: the parent's cannot be carried across."""
        with self._lock:
            if self._connection is None or self._pid != os.getpid() or self._connection.closed:
                self._connection = connect(self._address, writes=False)
                self._pid = os.getpid()
            return self._connection

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let every read inside the block see the log as it is now, whatever is appended meanwhile.

        Inside another such block it is as that one is. Raises LogError where the connection was lost: what
        was read, and what could not be, says nothing of the log.
        """
        connection = self.connection()
        if connection.info.transaction_status != TransactionStatus.IDLE:
            yield
            return
        with translated(self.place, READ):
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.execute("SELECT 1 FROM commits LIMIT 1")  # the first read decides what is seen
        try:
            yield
            if connection.closed:
                raise LogError(f"{self.place}: the connection was lost while the log was read; do it again")
        finally:
            with suppress(psycopg.OperationalError):  # lost now, it has done what it was for
                connection.execute("ROLLBACK")

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Return all rows of one query.

        A server that goes away is waited for, as for a writer, but not in the middle of a snapshot.
        """
        with translated(self.place, READ):
            connection = self.connection()
            alone = connection.info.transaction_status == TransactionStatus.IDLE
            try:
                return _rows(connection, sql, parameters)
            except psycopg.OperationalError:
                if not alone or not connection.closed:
                    raise
            return self._rows_again(sql, parameters)

    def _rows_again(self, sql: str, parameters: Sequence[Any]) -> list[Row]:
        for _ in attempts(self._address.patience):
            try:
                return _rows(self.connection(), sql, parameters)
            except LogError:  # not back yet
                continue
            except psycopg.OperationalError:
                if self._connection is not None and not self._connection.closed:
                    raise
        raise LogError(stayed_away(self._address, READ))

    def size(self) -> int:
        """Return the bytes that the tables and their indexes take."""
        with translated(self.place, READ):
            ((size,),) = self.connection().execute(_SIZE).fetchall()
            return int(size)

    def faults(self) -> list[str]:
        """See `Log.faults`. The server checks its own pages when they are read."""
        with translated(self.place, READ):
            missing = missing_triggers(self.connection())
        return [f"PostgreSQL: the trigger {name} is gone or disabled" for name in missing]

    def close(self) -> None:
        """Close the connection, unless it belongs to the process that this one was forked from."""
        if self._connection is not None and self._pid == os.getpid():
            self._connection.close()


def _rows(connection: Connection, sql: str, parameters: Sequence[Any]) -> list[Row]:
    with connection.cursor(binary=True) as cursor:
        found: list[Row] = cursor.execute(dialect(sql), parameters).fetchall()
        return found
