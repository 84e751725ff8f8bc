"""What SQLite's errors mean for somebody who uses a log."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from batchata.errors import LogConflictError, LogError, LogWriteError, NotALogError

_RESTORE = "restore it from a copy or give another path"

# By the first part of SQLite's error name, most specific first.
_MEANINGS: tuple[tuple[str, type[LogError], str], ...] = (
    (
        "SQLITE_CONSTRAINT",
        LogConflictError,
        "somebody else appended to this run in {path}; this append was not written",
    ),
    (
        "SQLITE_NOTADB",
        NotALogError,
        "{path} is no Batchata log: it is not a SQLite database; give another path",
    ),
    ("SQLITE_CORRUPT", LogError, f"{{path}} is damaged ({{error}}); {_RESTORE}"),
    ("SQLITE_BUSY", LogWriteError, "{path} is locked by another program; close that and start again"),
    ("SQLITE_LOCKED", LogWriteError, "{path} is locked by another program; close that and start again"),
    ("SQLITE_FULL", LogWriteError, "{path} cannot be written: the disk is full; make room and start again"),
    ("SQLITE_READONLY", LogWriteError, "{path} cannot be written: the file or its folder is read-only"),
    (
        "SQLITE_CANTOPEN",
        LogError,
        "{path} cannot be opened; check that it exists and that its folder is writable",
    ),
    ("SQLITE_IOERR_READ", LogError, "{path} cannot be read ({error}); check the disk"),
    ("SQLITE_IOERR_SHORT_READ", LogError, f"{{path}} is cut off; {_RESTORE}"),
    (
        "SQLITE_IOERR",
        LogWriteError,
        "{path} cannot be written ({error}); check that the disk is there and not full",
    ),
)


def meaning(error: BaseException | None, path: str) -> LogError:
    """The error to raise for an error of SQLite; its message names the path and never a value."""
    name = getattr(error, "sqlite_errorname", "")
    for prefix, kind, message in _MEANINGS:
        if name.startswith(prefix):
            return kind(message.format(path=path, error=error))
    return LogError(f"{path} cannot be used as a log: {error}")


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turn errors of sqlite3 inside the block into errors about the log."""
    try:
        yield
    except sqlite3.Error as exc:
        raise meaning(exc, path) from exc
    except UnicodeDecodeError as exc:  # sqlite3 cannot say what is wrong where the damage is in a name
        raise LogError(f"{path} is damaged ({exc.object!r}); {_RESTORE}") from exc
