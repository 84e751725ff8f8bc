"""The tables of the event log and the triggers that keep it append-only.

Never use batch mode (`op.batch_alter_table`) on these tables: it copies the table and drops its triggers.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Rowid tables with a unique index, not WITHOUT ROWID: rows of some kilobytes would be twice as slow there.
TABLES = (
    """
    CREATE TABLE events (
        stream TEXT NOT NULL,
        version INTEGER NOT NULL,
        type TEXT NOT NULL,
        schema_version INTEGER NOT NULL,
        at INTEGER NOT NULL,
        job INTEGER,
        item INTEGER,
        data TEXT NOT NULL,
        PRIMARY KEY (stream, version)
    )
    """,
    """
    CREATE TABLE segments (
        stream TEXT NOT NULL,
        first INTEGER NOT NULL,
        count INTEGER NOT NULL,
        codec INTEGER NOT NULL,
        sha256 BLOB NOT NULL,
        data BLOB,
        PRIMARY KEY (stream, first)
    )
    """,
    """
    CREATE TABLE commits (
        stream TEXT NOT NULL,
        number INTEGER NOT NULL,
        first_version INTEGER NOT NULL,
        last_version INTEGER NOT NULL,
        next_body INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        at INTEGER NOT NULL,
        hash BLOB NOT NULL,
        PRIMARY KEY (stream, number)
    )
    """,
    "CREATE INDEX commits_first ON commits (stream) WHERE number = 1",
    """
    CREATE TABLE claims (
        stream TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        pid INTEGER NOT NULL,
        host TEXT NOT NULL,
        since INTEGER NOT NULL,
        PRIMARY KEY (stream)
    )
    """,
)

APPEND_ONLY = tuple(
    f"""
    CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table}
    BEGIN SELECT RAISE(ABORT, '{table} is append-only: no {verb}'); END
    """
    for table, verb in (
        ("events", "UPDATE"),
        ("events", "DELETE"),
        ("commits", "UPDATE"),
        ("commits", "DELETE"),
        ("segments", "DELETE"),
    )
)

PURGE_ONLY = """
    CREATE TRIGGER segments_only_purge BEFORE UPDATE ON segments
    WHEN NEW.data IS NOT NULL OR NEW.stream IS NOT OLD.stream OR NEW.first IS NOT OLD.first
        OR NEW.count IS NOT OLD.count OR NEW.codec IS NOT OLD.codec OR NEW.sha256 IS NOT OLD.sha256
    BEGIN SELECT RAISE(ABORT, 'segments is append-only: data can only become NULL'); END
"""

# INSERT OR REPLACE deletes without firing DELETE triggers, unless the connection has recursive_triggers on.
# RAISE(ROLLBACK) and the library's INSERT OR ROLLBACK go together: an ABORT on either side makes SQLite copy
# each page aside before each row, which triples the cost of an insert.
NO_REPLACE = tuple(
    f"""
    CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}
    WHEN EXISTS (SELECT 1 FROM {table} WHERE stream = NEW.stream AND {key} = NEW.{key})
    BEGIN SELECT RAISE(ROLLBACK, '{table} is append-only: the {key} is taken'); END
    """
    for table, key in (("events", "version"), ("segments", "first"))
)

# Once per commit, not per event. It refuses a taken number too, so REPLACE needs no trigger of its own here.
DENSE = """
    CREATE TRIGGER commits_dense BEFORE INSERT ON commits
    WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM commits WHERE stream = NEW.stream)
        OR NEW.first_version <> coalesce(
            (SELECT last_version FROM commits WHERE stream = NEW.stream ORDER BY number DESC LIMIT 1), 0) + 1
        OR NEW.last_version - NEW.first_version + 1 <> (
            SELECT count(*) FROM events
            WHERE stream = NEW.stream AND version BETWEEN NEW.first_version AND NEW.last_version)
        OR NEW.last_version < (SELECT coalesce(max(version), 0) FROM events WHERE stream = NEW.stream)
        OR NEW.next_body <> coalesce(
            (SELECT first + count FROM segments WHERE stream = NEW.stream ORDER BY first DESC LIMIT 1), 0)
    BEGIN SELECT RAISE(ABORT, 'commits: versions and bodies must follow on without gaps'); END
"""


def upgrade() -> None:
    for statement in (*TABLES, *APPEND_ONLY, PURGE_ONLY, *NO_REPLACE, DENSE):
        op.execute(statement)
