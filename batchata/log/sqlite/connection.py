"""Open and set up a connection to a log file, and translate SQLite's errors."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from batchata.errors import LogConflictError, LogError, LogWriteError, NotALogError

WRITER_CACHE = -4096  # KB; appends go forwards, and sixteen times as much is no faster

# page_size counts only in a file without tables: 4 KB pages waste a third of the space on rows of 3 KB.
# recursive_triggers makes INSERT OR REPLACE fire the triggers that refuse DELETE.
# synchronous=FULL: a lost "batch submitted" is paid twice, and appends are batched, so it costs little.
PAGE_SIZE = "page_size = 16384"
_WRITER_PRAGMAS = (
    PAGE_SIZE,
    "synchronous = FULL",
    "recursive_triggers = ON",
    "foreign_keys = ON",
    "wal_autocheckpoint = 1000",
    "journal_size_limit = 67108864",
    f"cache_size = {WRITER_CACHE}",
)
# Reading goes forwards: four times the cache is no faster, and would be most of a small command's memory.
_READER_PRAGMAS = ("query_only = ON", "trusted_schema = OFF", "cache_size = -4096")


def for_writing(path: str, busy_timeout: float) -> sqlite3.Connection:
    """Open a connection that may append; `busy_timeout` in seconds. The file must exist."""
    return _connect(path, "mode=rw", busy_timeout, _WRITER_PRAGMAS)


def for_reading(path: str, busy_timeout: float) -> sqlite3.Connection:
    """Open a connection that changes nothing, neither events nor files that others rely on."""
    try:
        return _connect(path, "mode=ro", busy_timeout, _READER_PRAGMAS)
    except sqlite3.OperationalError as exc:
        # The process that made the log was killed in its first commit; SQLite undoes that before a read.
        if exc.sqlite_errorname == "SQLITE_READONLY_ROLLBACK":
            return _connect(path, "mode=rw", busy_timeout, _READER_PRAGMAS)
        # WAL mode wants a -shm file. In a folder where none can be made, and without a -wal file, nothing
        # writes: the file may be read as it lies there.
        if not exc.sqlite_errorname.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
            raise
        if os.path.exists(path + "-wal") and os.path.getsize(path + "-wal"):
            raise
        return _connect(path, "mode=ro&immutable=1", busy_timeout, _READER_PRAGMAS)


@contextmanager
def immediate(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Run a transaction that holds the write lock from its start; rolled back when the block raises.

    A deferred BEGIN that reads first and writes later fails at once when another process wrote in between,
    whatever the busy timeout.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # else SQLite has rolled it back
            connection.execute("ROLLBACK")
        raise


def _connect(path: str, how: str, busy_timeout: float, pragmas: tuple[str, ...]) -> sqlite3.Connection:
    # Only one thread uses a connection at a time, but a run may be made in one thread and driven in another.
    connection = sqlite3.connect(
        f"file:{quote(os.fsencode(path))}?{how}",
        uri=True,
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)  # noqa: FBT003 - sqlite3's
    return connection


_RESTORE = "restore it from a copy or give another path"

# By the first part of SQLite's error name, most specific first.
_MEANINGS: tuple[tuple[str, type[LogError], str], ...] = (
    (
        "SQLITE_CONSTRAINT",
        LogConflictError,
        "another process appended to this run in {path}; this append was not written",
    ),
    (
        "SQLITE_NOTADB",
        NotALogError,
        "{path} is not a Batchata log: it is not a SQLite database; give another path",
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
    """Return the error to raise for an error of SQLite; its message names the path and never a value."""
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
