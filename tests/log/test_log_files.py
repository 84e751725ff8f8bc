"""Files that are no log, cannot be used, or go away."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import log_samples as s
import pytest
from rights import as_nobody

from batchata.errors import LogConflictError, LogError, LogWriteError, NotALogError
from batchata.log import open_log, read_log
from batchata.log.sqlite.log import SqliteLog


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed log with one run."""
    path = tmp_path_factory.mktemp("written") / "log.db"
    log = open_log(path)
    claim = log.claim("run", s.OWNER)
    claim.append(s.AT, [s.submitted(n) for n in range(3_000)], [b"body %d" % n for n in range(3_000)])
    claim.release()
    log.close()
    return path


@pytest.fixture
def path(written: Path, tmp_path: Path) -> Path:
    """A copy of it to be changed."""
    return shutil.copy(written, tmp_path / "log.db")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that a user without rights may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    folder.chmod(0o777)
    shutil.rmtree(folder)


def make_folder(path: Path) -> None:
    path.mkdir()


def make_text(path: Path) -> None:
    path.write_text("run_id,model\n1,claude\n")


def make_foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE events (id)")


def make_foreign_application(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA application_id = 7")


def make_json_state(path: Path) -> None:
    path.write_text('\n  {"jobs": [], "total_cost": 0.1}')


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_garbage_after_magic(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"\x07" * 5_000)


@pytest.mark.parametrize("open_", [open_log, read_log])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (make_folder, "is a folder"),
        (make_text, "is not a SQLite database"),
        (make_foreign, "is a SQLite database, but not a Batchata log"),
        (make_foreign_application, "is a SQLite database, but not a Batchata log"),
        (make_json_state, r"is a JSON state file .* event log.* give another state_path"),
        (make_pipe, "is not a regular file"),
        (make_garbage_after_magic, "is not a SQLite database"),
    ],
)
def test_what_is_no_log_is_refused_and_left_alone(
    tmp_path: Path, open_: Callable[[Path], object], make: Callable[[Path], None], message: str
) -> None:
    """One clear line that names the path, for writing and for reading; the file stays as it was."""
    path = tmp_path / "something.db"
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(NotALogError, match=message) as error:
        open_(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert not path.is_file() or path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["something.db"]


def test_an_empty_file_becomes_a_log(tmp_path: Path) -> None:
    """A file of 0 bytes, as tempfile makes it, holds nothing that could be lost."""
    path = tmp_path / "empty"
    path.touch()
    with pytest.raises(NotALogError, match="is an empty file"):
        read_log(path)
    assert open_log(path).streams() == []


def test_reading_never_creates_a_file(tmp_path: Path) -> None:
    """A wrong path for reading is an error, not a new log."""
    with pytest.raises(NotALogError, match="does not exist"):
        read_log(tmp_path / "typo.db")
    assert list(tmp_path.iterdir()) == []


def test_a_log_opened_for_reading_refuses_a_claim(path: Path) -> None:
    """Whoever asked to read cannot write by accident."""
    with pytest.raises(LogWriteError, match="for reading only"):
        read_log(path).claim("run", s.OWNER)


def test_a_folder_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    """Somebody's file stands where the log's folder should be."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(LogWriteError, match=r"log\.db cannot be created"):
        open_log(tmp_path / "file" / "log.db")


@pytest.mark.parametrize("keep", [100, 20_000, 0.5, -20_000])
def test_a_cut_off_log_is_a_clear_error(path: Path, keep: float) -> None:
    """A log that lost its end says so when it is opened or read, never gives half a run."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)] if 0 < keep < 1 else content[: int(keep)])
    with pytest.raises(LogError, match=r"log\.db") as error:
        list(read_log(path).bodies("run", range(3_000)))
    assert "\n" not in str(error.value)
    with pytest.raises(LogError, match=r"log\.db"):
        list(open_log(path).bodies("run", range(3_000)))


def test_a_damaged_event_is_an_error_that_names_it(path: Path) -> None:
    """A byte changed inside an event's JSON: the error names path, stream and version."""
    content = path.read_bytes()
    path.write_bytes(content.replace(b'{"job":1234,', b'{"job":12X4,', 1))
    with pytest.raises(LogError, match=r"log\.db: event 1235 of 'run' is damaged"):
        list(read_log(path).events("run"))


def test_a_read_only_file_is_refused_before_anything_is_written(folder: Path) -> None:
    """SQLite would open it and fail later, at the first append; reading it is fine."""
    path = folder / "log.db"
    open_log(path).close()
    path.chmod(0o444)
    with as_nobody():
        with pytest.raises(LogWriteError, match=r"log\.db is read-only"):
            open_log(path)
        assert read_log(path).streams() == []


def test_a_log_in_a_read_only_folder_can_only_be_read(folder: Path) -> None:
    """Writing needs files beside the log; reading works although SQLite can create none."""
    path = folder / "log.db"
    log = open_log(path)
    log.claim("run", s.OWNER).append(s.AT, [s.submitted(1)])
    log.close()
    path.chmod(0o666)
    folder.chmod(0o555)
    with as_nobody():
        with pytest.raises(LogWriteError, match="read-only"):
            open_log(path)
        with pytest.raises(LogWriteError, match=r"new\.db cannot be created"):
            open_log(folder / "new.db")
        assert read_log(path).streams() == ["run"]


def test_another_programs_lock_is_waited_for_and_then_named(path: Path) -> None:
    """After the busy timeout: one line that says what to do, and nothing is written."""
    log = SqliteLog(path, busy_timeout=0.05)
    claim = log.claim("run", s.OWNER)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LogWriteError, match=r"log\.db is locked by another program"):
        claim.append(s.AT, [s.submitted(1)])
    other.execute("COMMIT")
    claim.append(s.AT, [s.submitted(1)])
    assert claim.version == 3_001


@pytest.mark.parametrize("replaced", [False, True])
def test_a_log_deleted_while_in_use_is_noticed(path: Path, replaced: bool) -> None:
    """Appending to a file that no path leads to would lose everything at the end."""
    log = open_log(path)
    claim = log.claim("run", s.OWNER)
    moved = path.rename(path.with_name("moved"))
    if replaced:
        shutil.copy(moved, path)
    with pytest.raises(LogWriteError, match=r"log\.db was deleted or replaced"):
        claim.append(s.AT, [s.submitted(1)])


def test_errors_never_show_what_was_to_be_written(path: Path) -> None:
    """Prompts must not end up in tracebacks: neither our error nor its cause shows a parameter."""
    log = open_log(path)
    claim = log.claim("run", s.OWNER)
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO events VALUES ('run', 3001, 'x', 1, 1, NULL, NULL, '{}')")
    with pytest.raises(LogConflictError) as error:
        claim.append(s.AT, [s.started()], [b"a secret"])
    shown: list[str] = []
    told: BaseException | None = error.value
    while told is not None:
        shown.append(f"{told} {told!r}")
        told = told.__cause__
    assert len(shown) > 1
    assert "run_id" not in " ".join(shown)


def test_a_commit_that_a_kill_broke_off_is_undone_before_reading(tmp_path: Path, path: Path) -> None:
    """The first commit of a log has a journal beside it; with that the file is as before, for readers too."""
    killed = tmp_path / "killed.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA cache_size = 2")
        connection.execute("BEGIN")
        connection.execute("DROP TRIGGER events_no_update")
        connection.execute("UPDATE events SET at = at + 1")
        shutil.copy(path, killed)
        shutil.copy(f"{path}-journal", f"{killed}-journal")
        connection.execute("ROLLBACK")
    with closing(SqliteLog.open_for_reading(killed)) as log:
        assert {recorded.at for recorded in log.events("run")} == {s.AT}
