"""Tell which form a log file has, and bring it to today's."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from batchata.errors import LogVersionError, NotALogError
from batchata.log.sqlite.connection import PAGE_SIZE, for_writing, immediate, meaning
from batchata.logs import hushed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

APPLICATION_ID = 0x42746368  # "Btch", in the file's header: tells our files from other SQLite databases
HEAD = "0008"  # the newest revision in migrations/versions; a constant, so that opening needs no Alembic
NUMBER = 8  # of revisions; the file's user_version

# Where a file's header says how it is written and read, and that this is by a -wal file (SQLite's description
# of its file format, "The Database Header").
_MODE, _WAL = slice(18, 20), b"\x02\x02"
PLAIN_SQL = Path(__file__).with_name("schema.sql")
TABLES = ("alembic_version", "events", "segments", "commits", "claims")
_SCHEMA = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid"
# What SQLite made of the file's schema, not what the file says of itself. Only a table has an index of its
# primary key, a view or virtual table has none; `table_list` would tell, too, but works out all views first,
# which takes three times as long as everything else that opening a log does.
_TABLES = """
    SELECT name.value, coalesce(max(column.hidden), 0),
        EXISTS (SELECT 1 FROM pragma_index_list(name.value, 'main') WHERE origin = 'pk')
    FROM json_each(?) AS name LEFT JOIN pragma_table_xinfo(name.value, 'main') AS column
    GROUP BY name.key
"""

# Alembic keeps the migration that runs in module globals.
_one_at_a_time = threading.Lock()


class Form(Enum):
    """How a file stands to this version of Batchata."""

    FRESH = "fresh"  # no tables yet
    OLDER = "older"
    CURRENT = "current"


def form(connection: sqlite3.Connection, path: str) -> Form:
    """Return the form of the file behind the connection.

    Raises NotALogError for another program's database and LogVersionError for a newer Batchata's log.
    """
    if connection.in_transaction:
        return _form(connection, path)
    connection.execute("BEGIN")  # else another process may make the log between two of these looks
    try:
        return _form(connection, path)
    finally:
        connection.execute("ROLLBACK")


def _form(connection: sqlite3.Connection, path: str) -> Form:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION_ID:
        if application == 0 and connection.execute("SELECT 1 FROM sqlite_schema").fetchone() is None:
            return Form.FRESH
        raise NotALogError(f"{path} is a SQLite database, but not a Batchata log; give another path")
    _check_tables(connection, path)
    number = connection.execute("PRAGMA user_version").fetchone()[0]
    revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
    if (number, revision) == (NUMBER, HEAD):
        return Form.CURRENT
    if number < NUMBER:
        return Form.OLDER
    raise _newer(path, revision)


def _check_tables(connection: sqlite3.Connection, path: str) -> None:
    """Check that the tables are plain tables.

    A view under a table's name, or a computed column, could make a read compute without end. Nothing of the
    kind is in a file whose schema is to the letter that of a new log: SQLite makes all it knows of it.

    Raises NotALogError.
    """
    if "".join(f"{sql};\n" for (sql,) in connection.execute(_SCHEMA)) == _plain_sql():
        return
    for name, hidden, is_table in connection.execute(_TABLES, (json.dumps(TABLES),)).fetchall():
        if not is_table:
            raise NotALogError(f"{path} is not a Batchata log: it has no table {name!r}; give another path")
        if hidden:
            raise NotALogError(
                f"{path} is not a Batchata log: {name!r} is not a table of a log; give another path"
            )


def bring_up_to_date(connection: sqlite3.Connection, path: str, busy_timeout: float) -> None:
    """Give the log today's tables, in one transaction; nothing to do costs three look-ups.

    A new log is made by plain SQL, which is what all migrations together make; only an older one needs
    Alembic. Raises NotALogError or LogVersionError.
    """
    found = form(connection, path)
    if found is Form.FRESH:
        with immediate(connection):
            found = form(connection, path)  # another process may have made it meanwhile
            if found is Form.FRESH:
                _create(connection)
                return
    if found is Form.OLDER:
        _migrate(path, busy_timeout)


def _create(connection: sqlite3.Connection) -> None:
    for statement in _plain_statements():
        connection.execute(statement)
    connection.execute("INSERT INTO alembic_version VALUES (?)", (HEAD,))
    connection.execute(f"PRAGMA user_version = {NUMBER}")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


@cache
def blank() -> bytes:
    """Return the content of a log without a run, in WAL mode."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute(f"PRAGMA {PAGE_SIZE}")
        with immediate(connection):
            _create(connection)
        content = bytearray(connection.serialize())
    content[_MODE] = _WAL
    return bytes(content)


@cache
def _plain_sql() -> str:
    return PLAIN_SQL.read_text("utf-8")


@cache
def _plain_statements() -> tuple[str, ...]:
    return tuple(statements(_plain_sql()))


def statements(script: str) -> Iterator[str]:
    """Yield the statements of a script, each of which ends at the end of a line."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _migrate(path: str, busy_timeout: float) -> None:
    # Here, since a log of today's form does without: importing SQLAlchemy and Alembic takes half a second.
    import sqlalchemy as sa

    # Errors never print parameters: they are users' prompts.
    engine = sa.create_engine(
        "sqlite+pysqlite://",
        creator=lambda: for_writing(path, busy_timeout),
        poolclass=sa.NullPool,
        hide_parameters=True,
    )
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        # Where another process did it while this one waited for the transaction, Alembic finds nothing to do.
        with engine.begin() as connection:
            upgrade(connection, path)
    except sa.exc.DBAPIError as exc:
        raise meaning(exc.orig, path) from exc


def upgrade(connection: Connection, path: str, revision: str = "head") -> None:
    """Run the migrations up to a revision, inside the connection's transaction."""
    with hushed("alembic"):  # it tells a program that logs what it does, line by line, from its import on
        _upgrade(connection, path, revision)
    number = NUMBER if revision == "head" else int(revision)
    connection.exec_driver_sql(f"PRAGMA user_version = {number}")
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")


def _upgrade(connection: Connection, path: str, revision: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(script_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        with _one_at_a_time:
            command.upgrade(config, revision)
    except CommandError as exc:
        raise _newer(path, "unknown") from exc


def script_folder() -> Path:
    """Return the folder of the migrations: inside an installed package, beside it in a checkout."""
    package = Path(__file__).resolve().parents[2]
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


def _newer(path: str, revision: str) -> LogVersionError:
    return LogVersionError(
        f"{path} was written by a newer version of Batchata (log revision {revision}, known: {HEAD}); "
        "upgrade batchata"
    )
