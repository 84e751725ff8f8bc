"""How a file gets its tables, triggers and views, and which files are too new."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import log_samples as s
import pytest

from batchata.errors import LogVersionError
from batchata.log import open_log, read_log
from batchata.log.sqlite import schema
from batchata.log.sqlite.connection import for_writing
from batchata.log.sqlite.log import SqliteLog

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

TRIGGERS = {
    "commits_dense", "commits_no_delete", "commits_no_update", "events_no_delete", "events_no_replace",
    "events_no_update", "segments_no_delete", "segments_no_replace", "segments_only_purge",
}  # fmt: skip
VIEWS = {"v_costs", "v_events", "v_items", "v_jobs", "v_runs"}
AFTER = {
    "0001": (TRIGGERS, set()),
    "0002": (TRIGGERS, VIEWS),
    "0003": (TRIGGERS, VIEWS),
    "0004": (TRIGGERS, VIEWS),
    "0005": (TRIGGERS, VIEWS),
    "0006": (TRIGGERS, VIEWS),
    "0007": (TRIGGERS, VIEWS | {"v_answers"}),
    "0008": (TRIGGERS, VIEWS | {"v_answers"}),
}


def names(path: Path, kind: str) -> set[str]:
    """The names of all triggers or views in a file."""
    with sqlite3.connect(path) as connection:
        return {
            name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = ?", (kind,))
        }


def at_revision(path: Path, revision: str) -> Path:
    """A log as the library of that revision made it."""
    import sqlalchemy as sa  # here, since each worker imports this file

    path.touch()
    engine = sa.create_engine("sqlite://", creator=lambda: for_writing(str(path), 1.0))
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN")
        schema.upgrade(connection, str(path), revision)
    engine.dispose()
    return path


def scripts() -> ScriptDirectory:
    """The migrations as Alembic sees them."""
    from alembic.script import ScriptDirectory  # here, since each worker imports this file

    return ScriptDirectory(str(schema.script_folder()))


def test_the_newest_revision_is_the_one_the_library_opens_without_asking_alembic() -> None:
    """The constants for the fast way equal the script directory's head and number of revisions."""
    assert scripts().get_current_head() == schema.HEAD
    assert len(list(scripts().walk_revisions())) == schema.NUMBER
    assert set(AFTER) == {script.revision for script in scripts().walk_revisions()}


@pytest.mark.parametrize("revision", AFTER)
def test_each_revision_has_its_triggers_and_views(tmp_path: Path, revision: str) -> None:
    """No migration loses a trigger (Alembic's batch mode does, silently) or a view."""
    path = at_revision(tmp_path / "log.db", revision)
    assert (names(path, "trigger"), names(path, "view")) == AFTER[revision]


@pytest.mark.parametrize("revision", AFTER)
def test_an_older_log_is_brought_to_todays_form_with_its_events(tmp_path: Path, revision: str) -> None:
    """Opening a log of any revision gives it all triggers and views and keeps what is in it."""
    path = at_revision(tmp_path / "log.db", revision)
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO events VALUES ('run', 1, 'x', 1, 1, NULL, NULL, '{}')")
    open_log(path).close()
    assert (names(path, "trigger"), names(path, "view")) == AFTER[schema.HEAD]
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (1,)
        assert connection.execute("PRAGMA user_version").fetchone() == (schema.NUMBER,)


def test_the_models_say_what_the_migrations_make(tmp_path: Path) -> None:
    """Tables, columns and indexes of a migrated file are those of the SQLModel tables."""
    import sqlalchemy as sa  # here, since each worker imports this file
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from batchata.log.sqlite.tables import LogTable

    path = tmp_path / "log.db"
    open_log(path).close()
    engine = sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(path))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), LogTable.metadata) == []
        found = sa.inspect(connection)
        for table in LogTable.metadata.sorted_tables:
            columns = {c["name"]: (str(c["type"]), c["nullable"]) for c in found.get_columns(table.name)}
            kinds = {c.name: (str(c.type.compile(engine.dialect)), c.nullable) for c in table.columns}
            assert columns == kinds
    engine.dispose()


def test_a_file_says_that_it_is_ours(tmp_path: Path) -> None:
    """The header of a closed log holds our application id; the schema's number is in user_version."""
    path = tmp_path / "log.db"
    open_log(path).close()
    assert path.read_bytes()[68:72] == b"Btch"


def test_opening_a_log_of_todays_form_does_not_load_alembic(tmp_path: Path) -> None:
    """Only a new or an older file needs Alembic; reading needs no SQLAlchemy either."""
    path = tmp_path / "log.db"
    open_log(path).close()
    code = (
        "import sys; from batchata.log import open_log, read_log; "
        f"read_log({str(path)!r}).close(); assert 'sqlalchemy' not in sys.modules; "
        "open_log(None).claim; assert 'sqlalchemy' not in sys.modules; "
        f"open_log({str(path)!r}).close(); assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_models_stay_out_of_the_users_metadata() -> None:
    """A user's SQLModel.metadata.create_all makes none of the log's tables."""
    from sqlmodel import SQLModel

    assert not {"events", "segments", "commits", "claims"} & set(SQLModel.metadata.tables)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE alembic_version SET version_num = '0099'",
        "PRAGMA user_version = 99",
        "UPDATE alembic_version SET version_num = 'abc'; PRAGMA user_version = 1",
    ],
)
def test_a_log_of_a_newer_version_is_refused(tmp_path: Path, change: str) -> None:
    """A revision that this library does not know: one clear line, and the file stays as it is."""
    path = tmp_path / "log.db"
    open_log(path).close()
    with sqlite3.connect(path) as connection:
        connection.executescript(change)
    connection.close()
    before = path.read_bytes()
    with pytest.raises(LogVersionError, match=r"log\.db was written by a newer version of Batchata"):
        open_log(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "change", ["UPDATE alembic_version SET version_num = '0099'", "PRAGMA user_version = 99"]
)
def test_a_reader_refuses_a_newer_version_too(tmp_path: Path, change: str) -> None:
    """Reading a newer log would leave things out without a word."""
    path = tmp_path / "log.db"
    open_log(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(change)
    with pytest.raises(LogVersionError, match="upgrade batchata"):
        read_log(path)


def test_a_reader_reads_an_older_log_and_leaves_it_as_it_is(tmp_path: Path) -> None:
    """Looking at a log does not migrate it."""
    path = at_revision(tmp_path / "log.db", "0001")
    assert read_log(path).streams() == []
    assert names(path, "view") == set()


def test_an_event_type_of_a_newer_version_is_an_error_not_a_skip(tmp_path: Path) -> None:
    """An event that this library does not know stops the reading."""
    path = tmp_path / "log.db"
    log = SqliteLog(path)
    log.claim("run", s.OWNER).append(s.AT, [s.submitted(1)])
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO events VALUES ('run', 2, 'batch_blessed', 1, 1, 1, NULL, '{}')")
    with pytest.raises(LogVersionError, match="batch_blessed"):
        list(log.events("run"))
