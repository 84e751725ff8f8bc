"""How a log's own files are made, named and set up."""

from __future__ import annotations

import ctypes
import fcntl
import multiprocessing
import os
import stat
import threading
import time
from contextlib import suppress
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import NoReturn

import log_samples as s
import pytest

from batchata.errors import LogWriteError, RunClaimedError
from batchata.log import open_log, read_log
from batchata.log.sqlite.log import SqliteLog


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed log."""
    path = tmp_path / "log.db"
    open_log(path).close()
    return path


def test_a_log_and_its_folders_are_made_for_the_owner_only(tmp_path: Path) -> None:
    """The file, its -wal and -shm and the lock file have mode 0600, whatever the umask."""
    before = os.umask(0)
    try:
        path = tmp_path / "new" / "deep" / "log.db"
        claim = open_log(path).claim("run", s.OWNER)
        claim.append(s.AT, [s.submitted(1)])
        files = sorted(path.parent.iterdir())
        assert len(files) == 4
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    finally:
        os.umask(before)


def test_the_pragmas_that_keep_what_is_paid_for(path: Path) -> None:
    """WAL, full synchronisation, 16 KB pages, refused REPLACE, and a configuration that cannot be undone."""
    writer = SqliteLog(path, busy_timeout=1.5)._writer
    assert writer
    with writer.transaction() as connection:
        values = [
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in (
                "journal_mode",
                "synchronous",
                "page_size",
                "recursive_triggers",
                "foreign_keys",
                "busy_timeout",
            )
        ]
    assert values == ["wal", 2, 16384, 1, 1, 1500]
    with writer.transaction() as connection:
        connection.execute("PRAGMA writable_schema = ON")
        with pytest.raises(Exception, match="may not be modified"):
            connection.execute("DELETE FROM sqlite_schema")


def test_two_names_of_one_file_are_one_log(path: Path) -> None:
    """A symbolic link does not allow a second claim."""
    link = path.with_name("link.db")
    link.symlink_to(path)
    held = open_log(path).claim("run", s.OWNER)
    with pytest.raises(RunClaimedError):
        open_log(link).claim("run", s.OWNER)
    assert held.version == 0


def test_a_relative_path_survives_a_change_of_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log stays the file it was opened as."""
    monkeypatch.chdir(tmp_path)
    log = open_log("log.db")
    os.chdir("/")
    log.claim("run", s.OWNER).append(s.AT, [s.submitted(1)])
    assert list(read_log(tmp_path / "log.db").streams()) == ["run"]


@pytest.mark.parametrize(
    "name", ["a b.db", "100%.db", "what?.db", "a#b.db", "ünï😀.db", "'quoted'.db", "file:x.db"]
)
def test_any_file_name_works(tmp_path: Path, name: str) -> None:
    """Characters that mean something in a URI are part of the name."""
    log = open_log(tmp_path / name)
    log.claim("run", s.OWNER).append(s.AT, [s.submitted(1)])
    assert read_log(tmp_path / name).streams() == ["run"]
    log.close()
    assert sorted(file.name for file in tmp_path.iterdir() if file.suffix == ".db") == [name]


def test_closing_leaves_one_file_and_the_lock(path: Path) -> None:
    """After close, everything is in the log's own file; closing twice does no harm."""
    log = open_log(path)
    log.claim("run", s.OWNER).append(s.AT, [s.submitted(1)])
    log.close()
    log.close()
    assert [file.suffix for file in sorted(path.parent.iterdir())] == [".db", ".lock"]


def test_a_finished_log_is_one_file_that_needs_no_other(path: Path) -> None:
    """Not marked for WAL mode, so that any tool opens it on a read-only place."""
    log = open_log(path)
    claim = log.claim("run", s.OWNER)
    claim.append(s.AT, [s.submitted(1)])
    claim.retire()
    left = path.with_name(f"{path.name}.0123456789ab.lock")  # by a process that was killed
    left.touch()
    log.finish()
    assert [*path.parent.iterdir()] == [path]
    assert path.read_bytes()[18:20] == b"\1\1"  # of the file format: written and read without WAL
    again = open_log(path)
    assert (again.streams(), path.read_bytes()[18:20]) == (["run"], b"\2\2")
    again.close()


def test_a_log_that_others_have_open_stays_in_wal_mode(path: Path) -> None:
    """Whoever reads goes on reading; the log is closed all the same."""
    reader, log = read_log(path), open_log(path)
    claim = log.claim("run", s.OWNER)
    claim.append(s.AT, [s.submitted(1)])
    log.finish()
    assert path.read_bytes()[18:20] == b"\2\2"
    assert len([*path.parent.glob("*.lock")]) == 1  # which is locked
    claim.release()
    assert reader.streams() == ["run"]
    reader.close()


def test_who_reads_a_finished_log_keeps_writers_waiting(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Only within a snapshot, such as that of an export; a warning and the error say so, nothing changes."""
    open_log(path).finish()
    reader = read_log(path)
    with reader.snapshot(), pytest.raises(LogWriteError, match="locked by another program"):
        SqliteLog(path, busy_timeout=0.05)
    (warned,) = caplog.messages
    assert "another program reads the log of a finished run" in warned
    SqliteLog(path).close()  # merely open it keeps none
    reader.close()


def test_a_log_that_is_written_is_open_once(path: Path) -> None:
    """It is read through the writer's connection: a second one would parse all tables and views again."""
    log = open_log(path)
    log.claim("run", s.OWNER).append(s.AT, [s.submitted(1)], [b"body"])
    assert [*log.bodies("run", [0])] == [b"body"]
    assert len([*log.events("run")]) == 1
    opened = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
    assert opened.count(str(path)) == 1
    log.close()


def test_reading_waits_for_the_end_of_a_transaction_that_another_thread_has_begun(path: Path) -> None:
    """On one connection SQLite would show what is not committed yet."""
    log, found = SqliteLog(path), []
    reading = threading.Thread(target=lambda: found.append(log.streams()))
    with suppress(ZeroDivisionError), log._writer.transaction() as connection:
        connection.execute("INSERT INTO commits VALUES ('run', 1, 1, 0, 0, 1, 1, x'00')")
        reading.start()
        reading.join(0.05)
        raise ZeroDivisionError
    reading.join()
    assert found == [[]]
    log.close()


def test_a_lock_file_that_was_removed_locks_nothing(path: Path) -> None:
    """A claim retires while another process waits for its file: of two after it one gets the stream."""
    log, other = open_log(path), open_log(path)
    first = log.claim("run", s.OWNER)
    (lock,) = path.parent.glob("*.lock")
    waiting = os.open(lock, os.O_RDWR)
    first.retire()
    assert not lock.exists()
    second = other.claim("run", s.OWNER)
    fcntl.flock(waiting, fcntl.LOCK_EX | fcntl.LOCK_NB)  # that of the removed file, which filelock refuses
    with pytest.raises(RunClaimedError):
        log.claim("run", s.OWNER)
    os.close(waiting)
    second.release()


def test_processes_may_make_the_same_log_at_the_same_moment(tmp_path: Path) -> None:
    """SQLite refuses at once when two switch a new file to WAL; the library tries again."""
    forking = multiprocessing.get_context("fork")
    start = forking.RawValue("d")

    def soon() -> None:
        start.value = time.monotonic() + 0.005

    together = forking.Barrier(4, soon, 60)
    children = [os.fork() or _open_at(together, start, tmp_path) for _ in range(4)]
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4


def _open_at(together: Barrier, start: ctypes.c_double, folder: Path) -> NoReturn:
    try:
        for attempt in range(15):
            together.wait()
            while time.monotonic() < start.value:
                pass
            open_log(folder / f"{attempt}.db")
        os._exit(0)
    finally:
        os._exit(1)
