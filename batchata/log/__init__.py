"""The event log: one port, a SQLite file and a log in memory behind it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchata.log.port import Log

__all__ = ["is_begun", "open_log", "read_log"]


def is_begun(path: str | os.PathLike[str]) -> bool:
    """Whether anything readable lies at the path; an empty file is a log that has not begun.

    Raises NotALogError where only a part of a log is there.
    """
    from batchata.log.sqlite.files import is_begun

    return is_begun(os.path.realpath(path))


def open_log(path: str | os.PathLike[str] | None) -> Log:
    """Open the log in this file, created if need be; None gives a log in memory.

    Raises NotALogError, LogVersionError or LogWriteError.
    """
    if path is None:
        from batchata.log.memory import MemoryLog

        return MemoryLog()
    from batchata.log.sqlite.log import SqliteLog

    return SqliteLog(path)


def read_log(path: str | os.PathLike[str]) -> Log:
    """Open the log in this file for reading only, also while a run is being written.

    Raises NotALogError or LogVersionError.
    """
    from batchata.log.sqlite.log import SqliteLog

    return SqliteLog.open_for_reading(path)
