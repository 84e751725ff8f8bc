"""Tell what a PostgreSQL database holds, and make the tables of a log in it."""

from __future__ import annotations

from pathlib import Path

from batchata.errors import LogVersionError, LogWriteError, NotALogError
from batchata.log.postgres.connection import Connection

# The form of the tables is that of the file's revision of this number; see `migrations/versions`.
HEAD = "0008"
MARK = "Batchata event log"  # the comment of the table of events

_SQL = Path(__file__).with_name("schema.sql")
_TABLES = ["alembic_version", "events", "segments", "commits", "claims"]
# A view under a table's name, or a computed column, could make a read compute without end.
_FOUND = """
    SELECT name, relkind = 'r' AND NOT EXISTS (
            SELECT 1 FROM pg_attribute WHERE attrelid = c.oid AND attgenerated <> '' AND NOT attisdropped),
        obj_description(c.oid, 'pg_class')
    FROM unnest(%s::text[]) AS name
    JOIN pg_class c ON c.relname = name
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
"""
_ELSEWHERE = (
    "give the log a database of its own, or a schema of its own by adding ?options=-csearch_path%3Dits_name"
)
_TRIGGERS = """
    SELECT tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
    WHERE c.relname IN ('events', 'commits', 'segments') AND t.tgenabled IN ('O', 'A')
"""
TRIGGERS = (
    "events_append_only",
    "commits_append_only",
    "commits_dense",
    "segments_append_only",
    "segments_only_purge",
)


def is_begun(connection: Connection, place: str) -> bool:
    """Whether the database holds a log.

    Raises NotALogError for another program's tables and LogVersionError for a newer Batchata's log.
    """
    found = {name: (plain, mark) for name, plain, mark in connection.execute(_FOUND, (_TABLES,))}
    if not found:
        return False
    if "events" not in found or found["events"][1] != MARK:
        theirs = next(iter(found))
        raise NotALogError(
            f"{place} is not a Batchata log: it has another program's {theirs!r}; {_ELSEWHERE}"
        )
    for name in _TABLES:
        if name not in found or not found[name][0]:
            raise NotALogError(
                f"{place} is not a Batchata log: {name!r} is not a table of a log; {_ELSEWHERE}"
            )
    ((revision,),) = connection.execute("SELECT version_num FROM alembic_version").fetchall() or ((None,),)
    if revision != HEAD:
        raise LogVersionError(
            f"{place} was written by {_version(revision)} (log revision {revision}, known: {HEAD})"
        )
    return True


def _version(revision: str | None) -> str:
    if revision is not None and revision < HEAD:
        return "an older version of Batchata, whose tables are not brought up to date"
    return "a newer version of Batchata; upgrade batchata"


def make_ready(connection: Connection, place: str) -> None:
    """Make the tables, unless they are there; all or nothing, and once where several processes begin.

    Raises NotALogError, LogVersionError or LogWriteError.
    """
    if is_begun(connection, place):
        return
    ((encoding,),) = connection.execute("SHOW server_encoding").fetchall()
    if encoding != "UTF8":
        raise LogWriteError(f"{place} stores text as {encoding}; create the database with ENCODING 'UTF8'")
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('batchata log'))")
        if not is_begun(connection, place):
            connection.execute(_SQL.read_bytes())
            connection.execute("INSERT INTO alembic_version VALUES (%s)", (HEAD,))


def missing_triggers(connection: Connection) -> list[str]:
    """Return the names of the triggers that keep the log append-only and are missing or disabled."""
    there = {name for (name,) in connection.execute(_TRIGGERS)}
    return [name for name in TRIGGERS if name not in there]
