"""The event log: one port, a SQLite file and a log in memory behind it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchata.log.port import Log
    from batchata.log.sqlite.log import SqliteLog

__all__ = ["open_log", "read_log"]


def open_log(path: str | os.PathLike[str] | None) -> Log:
    """The log in this file, made if need be; None gives a log in memory.

    Raises NotALogError, LogVersionError or LogWriteError.
    """
    if path is None:
        from batchata.log.memory import MemoryLog

        return MemoryLog()
    from batchata.log.sqlite.log import SqliteLog

    return SqliteLog(path)


def read_log(path: str | os.PathLike[str]) -> SqliteLog:
    """The log in this file, for reading only, also while a run is being written.

    Raises NotALogError or LogVersionError.
    """
    from batchata.log.sqlite.log import SqliteLog

    return SqliteLog.open_for_reading(path)
