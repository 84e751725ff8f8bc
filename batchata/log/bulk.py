"""How rows get into the tables fast: plain tuples, straight to the driver."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import dialect

from batchata.log.migrate import driver
from batchata.log.tables import CommitRow, EventRow, SegmentRow


def _insert(model: Any) -> str:
    # OR ROLLBACK: with the default, ABORT, SQLite copies each page aside for each row; see the migrations.
    statement = sa.insert(model).prefix_with("OR ROLLBACK")
    return str(statement.compile(dialect=dialect(paramstyle="qmark")))


_TOGETHER = 50  # rows in one INSERT
_MANY = 500  # rows from which changing the connection's configuration pays
_INSERT_SEGMENT, _INSERT_EVENT, _INSERT_COMMIT = map(_insert, (SegmentRow, EventRow, CommitRow))
_INSERT_EVENTS = _INSERT_EVENT + ", (?, ?, ?, ?, ?, ?, ?, ?)" * (_TOGETHER - 1)


def insert_segments(connection: sa.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows of segments; columns as in the table."""
    if rows:
        connection.exec_driver_sql(_INSERT_SEGMENT, list(rows))


def insert_commit(connection: sa.Connection, row: tuple[Any, ...]) -> None:
    """Insert one row of commits; columns as in the table."""
    connection.exec_driver_sql(_INSERT_COMMIT, row)


def insert_events(connection: sa.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows of events; columns as in the table."""
    if len(rows) < _MANY:
        if rows:
            connection.exec_driver_sql(_INSERT_EVENT, list(rows))
        return
    # The trigger that refuses REPLACE is for other programs: this INSERT cannot replace, and entering a
    # trigger for every row costs as much as the insert.
    driver(connection).setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, False)
    try:
        whole = len(rows) - len(rows) % _TOGETHER
        groups = (rows[first : first + _TOGETHER] for first in range(0, whole, _TOGETHER))
        connection.exec_driver_sql(_INSERT_EVENTS, [tuple(chain.from_iterable(group)) for group in groups])
        if whole < len(rows):
            connection.exec_driver_sql(_INSERT_EVENT, list(rows[whole:]))
    finally:
        driver(connection).setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, True)
