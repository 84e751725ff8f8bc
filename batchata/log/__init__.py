"""The event log: one port, and behind it a SQLite file, a PostgreSQL database or a log in memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from batchata.log.postgres.address import address, is_address

if TYPE_CHECKING:
    from batchata.log.port import Log

__all__ = ["A_LOG", "is_begun", "open_log", "place_of", "read_log"]

A_LOG = (
    "the path of a log's file or the URL of its PostgreSQL database"  # what may be given as one, for messages
)


def place_of(path: str | os.PathLike[str]) -> str:
    """Return the name of a log in messages: its path, or its URL without the password.

    Raises InvalidInputError for a URL that cannot be one of a log.
    """
    text = os.fspath(path)
    return address(text).place if is_address(text) else text


def is_begun(path: str | os.PathLike[str]) -> bool:
    """Whether anything readable lies at the path; an empty file or database is a log that has not begun.

    Raises NotALogError where only a part of a log is there, or another program's data.
    """
    if is_address(os.fspath(path)):
        from batchata.log.postgres import log

        return log.is_begun(os.fspath(path))
    from batchata.log.sqlite.files import is_begun

    return is_begun(os.path.realpath(path))


def open_log(path: str | os.PathLike[str] | None) -> Log:
    """Open the log in this file or database, created if need be; None gives a log in memory.

    Raises NotALogError, LogVersionError, LogWriteError, or ConfigurationError without PostgreSQL's client.
    """
    if path is None:
        from batchata.log.memory import MemoryLog

        return MemoryLog()
    if is_address(os.fspath(path)):
        from batchata.log.postgres.log import PostgresLog

        return PostgresLog(os.fspath(path))
    from batchata.log.sqlite.log import SqliteLog

    return SqliteLog(path)


def read_log(path: str | os.PathLike[str]) -> Log:
    """Open the log in this file or database for reading only, also while a run is being written.

    Raises NotALogError, LogVersionError, or ConfigurationError without PostgreSQL's client.
    """
    if is_address(os.fspath(path)):
        from batchata.log.postgres.log import PostgresLog

        return PostgresLog.open_for_reading(os.fspath(path))
    from batchata.log.sqlite.log import SqliteLog

    return SqliteLog.open_for_reading(path)
