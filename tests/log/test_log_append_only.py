"""What the file's triggers and its constraints refuse, also to other programs."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import log_samples as s
import pytest

from batchata.errors import LogConflictError
from batchata.log.sqlite.connection import for_writing
from batchata.log.sqlite.log import SqliteLog


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with three commits, 603 events and 250 bodies."""
    path = tmp_path_factory.mktemp("written") / "log.db"
    log = SqliteLog(path)
    claim = log.claim("run", s.OWNER)
    claim.append(s.AT, [s.submitted(1), s.submitted(2)])
    claim.append(s.AT, [s.submitted(3)], [b"%d" % n for n in range(250)])
    claim.append(s.AT, [s.submitted(n) for n in range(600)])
    claim.release()
    log.close()
    return path


@pytest.fixture
def path(written: Path, tmp_path: Path) -> Path:
    """A copy of it to be changed."""
    return shutil.copy(written, tmp_path / "log.db")


@pytest.fixture(params=["another program's", "the library's"])
def connection(request: pytest.FixtureRequest, path: Path) -> Iterator[sqlite3.Connection]:
    """A connection with SQLite's defaults, and one as the library opens it."""
    if request.param == "the library's":
        connection = for_writing(str(path), 1.0)
    else:
        connection = sqlite3.connect(path, isolation_level=None)
    yield connection
    connection.close()


def everything(connection: sqlite3.Connection) -> list[list[tuple[object, ...]]]:
    """All rows of the append-only tables."""
    return [
        connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
        for table in ("events", "segments", "commits")
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET data = '{}' WHERE version = 2",
        "UPDATE events SET job = 9",
        "DELETE FROM events WHERE version = 3",
        "DELETE FROM events",
        "REPLACE INTO events SELECT stream, version, type, schema_version, at, job, item, '{}' FROM events",
        "INSERT OR REPLACE INTO events VALUES ('run', 603, 'x', 1, 1, NULL, NULL, '{}')",
        "INSERT INTO events VALUES ('run', 2, 'x', 1, 1, NULL, NULL, '{}')",
        (
            "INSERT INTO events VALUES ('run', 2, 'x', 1, 1, NULL, NULL, '{}') "
            "ON CONFLICT (stream, version) DO UPDATE SET data = excluded.data"
        ),
        "UPDATE OR REPLACE events SET version = 1 WHERE version = 2",
        "UPDATE commits SET hash = x'00'",
        "DELETE FROM commits WHERE number = 3",
        "REPLACE INTO commits SELECT * FROM commits WHERE number = 3",
        "INSERT INTO commits VALUES ('run', 5, 604, 604, 250, 1, 1, x'00')",
        "INSERT INTO commits VALUES ('run', 4, 605, 604, 250, 1, 1, x'00')",
        "INSERT INTO commits VALUES ('run', 4, 604, 604, 250, 1, 1, x'00')",
        "INSERT INTO commits VALUES ('run', 4, 604, 603, 251, 1, 1, x'00')",
        "INSERT INTO commits VALUES ('new', 1, 1, 1, 0, 1, 1, x'00')",
        "DELETE FROM segments",
        "UPDATE segments SET data = x'00'",
        "UPDATE segments SET count = 1, data = NULL",
        "UPDATE segments SET sha256 = x'00', data = NULL",
        "REPLACE INTO segments SELECT stream, first, count, codec, sha256, x'00' FROM segments",
    ],
)
def test_history_cannot_be_changed(connection: sqlite3.Connection, statement: str) -> None:
    """Every way to change, remove or replace what is written, or to leave a gap, is refused."""
    before = everything(connection)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)
    assert everything(connection) == before


def test_bodies_can_be_purged_and_only_that(path: Path) -> None:
    """Setting a segment's data to NULL is allowed: its bodies read as None, the others stay."""
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE segments SET data = NULL WHERE first = 100")
    log = SqliteLog(path)
    assert [*log.bodies("run", [99, 100, 199, 200])] == [b"99", None, None, b"200"]


def test_a_segment_holds_a_hundred_bodies_or_a_megabyte(path: Path) -> None:
    """Bodies lie a hundred together, fewer when they are large."""
    log = SqliteLog(path)
    log.claim("big", s.OWNER).append(s.AT, [s.submitted(1)], [b"x" * 400_000] * 5)
    with sqlite3.connect(path) as connection:
        rows = connection.execute(
            "SELECT stream, first, count FROM segments ORDER BY stream DESC, first"
        ).fetchall()
    assert rows == [
        ("run", 0, 100),
        ("run", 100, 100),
        ("run", 200, 50),
        ("big", 0, 2),
        ("big", 2, 2),
        ("big", 4, 1),
    ]


@pytest.mark.parametrize("count", [1, 700])
def test_a_second_writer_gets_a_conflict_never_a_lost_event(path: Path, count: int) -> None:
    """When the next version is taken, the append is refused whole, whatever its size."""
    log = SqliteLog(path)
    claim = log.claim("run", s.OWNER)
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO events VALUES ('run', 604, 'x', 1, 1, NULL, NULL, '{}')")
    with pytest.raises(LogConflictError, match=r"another process appended .*log\.db"):
        claim.append(s.AT, [s.submitted(n) for n in range(count)], [b"body"])
    assert claim.version == 603
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (604,)
        assert connection.execute("SELECT count(*) FROM segments").fetchone() == (3,)


def test_triggers_guard_again_after_a_large_append(path: Path) -> None:
    """A large append turns triggers off for its one INSERT; its commit is checked for gaps again."""
    log = SqliteLog(path)
    claim = log.claim("run", s.OWNER)
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO events VALUES ('run', 2000, 'x', 1, 1, NULL, NULL, '{}')")
    with pytest.raises(LogConflictError):
        claim.append(s.AT, [s.submitted(n) for n in range(700)])
    assert claim.version == 603


def test_a_claim_of_an_earlier_epoch_cannot_append(path: Path) -> None:
    """A process that lost its claim without noticing is refused, though nobody appended since."""
    log = SqliteLog(path)
    claim = log.claim("run", s.OWNER)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE claims SET epoch = epoch + 1")
    with pytest.raises(LogConflictError, match="took over 'run'"):
        claim.append(s.AT, [s.submitted(1)])


def test_each_claim_counts_the_epoch_up(path: Path) -> None:
    """Commits carry the epoch of the claim that wrote them."""
    log = SqliteLog(path)
    claim = log.claim("run", s.OWNER)
    claim.append(s.AT, [s.submitted(1)])
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT epoch FROM commits ORDER BY number").fetchall() == [
            (1,),
            (1,),
            (1,),
            (2,),
        ]
        assert connection.execute("SELECT epoch, pid, host FROM claims").fetchall() == [
            (2, s.OWNER.pid, "here")
        ]
