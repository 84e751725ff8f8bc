"""A new log is made by plain SQL, which must make what all migrations together make."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import log_samples as s
import pytest

from batchata.log import open_log
from batchata.log.sqlite import schema
from batchata.log.sqlite.connection import for_writing

_PRAGMAS = ("user_version", "application_id", "page_size", "journal_mode")


def migrated(path: Path) -> Path:
    """A log that Alembic made from nothing."""
    import sqlalchemy as sa  # here, since each worker imports this file

    path.touch()
    engine = sa.create_engine("sqlite://", creator=lambda: for_writing(str(path), 1.0), poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN")
        schema.upgrade(connection, str(path))
    return path


def made_of(path: Path) -> list[tuple[str, str, str]]:
    """Every table, index, trigger and view, in the order in which they were made."""
    with sqlite3.connect(path) as connection:
        return connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY rowid").fetchall()


def script(path: Path) -> str:
    """The plain SQL that makes the same."""
    return "".join(f"{sql};\n" for _, _, sql in made_of(path) if sql is not None)


def test_plain_sql_makes_what_the_migrations_make(tmp_path: Path) -> None:
    """To the letter; after a new migration, write this file anew: `python tests/log/test_log_schema.py`."""
    open_log(tmp_path / "plain.db").close()
    open_log(migrated(tmp_path / "migrated.db")).close()
    assert schema.PLAIN_SQL.read_text() == script(tmp_path / "migrated.db")
    assert made_of(tmp_path / "plain.db") == made_of(tmp_path / "migrated.db")
    for pragma in _PRAGMAS:
        found = [
            sqlite3.connect(path).execute(f"PRAGMA {pragma}").fetchone() for path in tmp_path.glob("*.db")
        ]
        assert found[0] == found[1], pragma
    with sqlite3.connect(tmp_path / "plain.db") as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(schema.HEAD,)]


def test_a_log_that_appears_as_a_whole_is_what_sqlite_makes_of_an_empty_file(tmp_path: Path) -> None:
    """Which is the way where a file system cannot give a name to a file afterwards."""
    whole, made = tmp_path / "whole.db", tmp_path / "made.db"
    made.touch(0o600)
    for path in (whole, made):
        log = open_log(path)
        assert log.streams() == log.faults() == []
        log.close()
        assert path.stat().st_mode & 0o777 == 0o600
    assert made_of(whole) == made_of(made)
    for pragma in (*_PRAGMAS, "encoding", "auto_vacuum", "page_count", "freelist_count"):
        first, second = (
            sqlite3.connect(path).execute(f"PRAGMA {pragma}").fetchone() for path in (whole, made)
        )
        assert first == second, pragma


_USE = """
import sys
from batchata.core.values import Process
from batchata.core.events import BatchCancelRequested
from batchata.log import open_log, read_log
log = open_log(sys.argv[1])
claim = log.claim("run", Process(pid=1, host="here"))
claim.append(1, [BatchCancelRequested(job=1, batch_id="b", reason="r")], [b"body"])
claim.secure()
claim.release()
assert log.purge("run", 1) == 1
assert log.compact()
log.close()
heavy = {"sqlalchemy", "sqlmodel", "alembic"}
print(len(list(read_log(sys.argv[1]).events("run"))), *heavy & sys.modules.keys())
"""


@pytest.mark.parametrize("is_new", [True, False])
def test_a_log_of_todays_form_needs_no_sqlalchemy(tmp_path: Path, is_new: bool) -> None:
    """New or not, it is written, purged, compacted and read without SQLAlchemy, SQLModel and Alembic."""
    path = tmp_path / "log.db"
    if not is_new:
        log = open_log(path)
        log.claim("run", s.OWNER).append(s.AT, [s.submitted(1)])
        log.close()
    done = subprocess.run([sys.executable, "-c", _USE, path], capture_output=True, text=True, check=True)
    assert done.stdout == ("1\n" if is_new else "2\n")


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        schema.PLAIN_SQL.write_text(script(migrated(Path(folder) / "log.db")))
