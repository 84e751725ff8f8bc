"""How a connection to a log file is opened and set up."""

from __future__ import annotations

import os
import sqlite3
from urllib.parse import quote

WRITER_CACHE = -65536  # KB

# page_size counts only in a file without tables: 4 KB pages waste a third of the space on rows of 3 KB.
# recursive_triggers makes INSERT OR REPLACE fire the triggers that refuse DELETE.
# synchronous=FULL: a lost "batch submitted" is paid twice, and appends are batched, so it costs little.
_WRITER_PRAGMAS = (
    "page_size = 16384",
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
    """A connection that may append; `busy_timeout` in seconds. The file must exist."""
    return _connect(path, "mode=rw", busy_timeout, _WRITER_PRAGMAS)


def for_reading(path: str, busy_timeout: float) -> sqlite3.Connection:
    """A connection that changes nothing, neither events nor files that others rely on."""
    try:
        return _connect(path, "mode=ro", busy_timeout, _READER_PRAGMAS)
    except sqlite3.OperationalError as exc:
        # Whoever made the log was killed in its first commit: SQLite undoes that before anybody reads.
        if exc.sqlite_errorname == "SQLITE_READONLY_ROLLBACK":
            return _connect(path, "mode=rw", busy_timeout, _READER_PRAGMAS)
        # WAL mode wants a -shm file. In a folder where none can be made, and without a -wal file, nobody
        # is writing: the file may be read as it lies there.
        if not exc.sqlite_errorname.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
            raise
        if os.path.exists(path + "-wal") and os.path.getsize(path + "-wal"):
            raise
        return _connect(path, "mode=ro&immutable=1", busy_timeout, _READER_PRAGMAS)


def _connect(path: str, how: str, busy_timeout: float, pragmas: tuple[str, ...]) -> sqlite3.Connection:
    # Only one thread uses a connection at a time, but a run may be made in one thread and driven in another.
    connection = sqlite3.connect(
        f"file:{quote(path)}?{how}",
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
    connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)
    return connection
