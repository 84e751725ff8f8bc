"""Several processes and one log: claims, kills, forks and races."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from pathlib import Path

import log_process
import log_samples as s
import pytest
from log_process import Start

from batchata.errors import LogConflictError, LogWriteError, RunClaimedError
from batchata.log import open_log, read_log
from batchata.log.port import Claim
from batchata.log.sqlite.log import SqliteLog
from batchata.log.verify import verify


def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(tmp_path: Path, start: Start) -> None:
    """Kill -9 in the middle of appending, over and over: what was acknowledged is there, without gaps."""
    path = tmp_path / "log.db"
    for round_ in range(12):
        writer = start(path, log_process.append_for_ever)
        said = [writer.says()]
        time.sleep(0.003 * round_)
        said += writer.kill()
        log = read_log(path)
        versions = [recorded.version for recorded in log.events("run")]
        assert len(versions) >= said[-1]
        assert versions == list(range(1, len(versions) + 1))
        log.close()
    log = SqliteLog(path)
    assert verify(log, "run") == []
    assert log.faults() == []
    assert log.claim("run", s.OWNER).version == len(versions)


def test_a_second_process_is_told_who_drives_the_run(tmp_path: Path, start: Start) -> None:
    """The error names pid, host and time; reading goes on meanwhile, and another run is free."""
    path = tmp_path / "log.db"
    writer = start(path, log_process.append_for_ever)
    writer.says()
    log = open_log(path)
    with pytest.raises(
        RunClaimedError, match=rf"'run' .* process {writer.pid} on there since 20\d\d-.*Z; wait"
    ):
        log.claim("run", s.OWNER)
    assert next(log.events("run")).version == 1
    assert verify(SqliteLog.open_for_reading(path), "run") == []
    log.claim("another", s.OWNER).append(s.AT, [s.submitted(1)])


def test_the_claim_of_a_dead_process_is_taken_over(tmp_path: Path, start: Start) -> None:
    """A kill frees the run at once, even when the dead process had forked children that live on."""
    path = tmp_path / "log.db"
    writer = start(path, log_process.append_and_fork)
    child = int(str(writer.says()))
    try:
        writer.kill()
        os.kill(child, 0)  # the child is alive
        claim = open_log(path).claim("run", s.OWNER)
        claim.append(s.AT, [s.submitted(2)])
        assert claim.version == 2
    finally:
        os.kill(child, signal.SIGKILL)


def test_processes_drive_different_runs_in_one_log_at_once(tmp_path: Path, start: Start) -> None:
    """Also from the first moment, when all of them create the file: each run is whole."""
    path = tmp_path / "log.db"
    runs = ["a", "b", "c"]
    writers = [start(path, log_process.append_some, run) for run in runs]
    assert [writer.says() for writer in writers] == [300] * 3
    log = SqliteLog(path)
    assert sorted(log.streams()) == runs
    assert [verify(log, run) for run in runs] == [[], [], []]


def test_a_full_disk_is_a_clear_error_and_the_next_append_works(tmp_path: Path, start: Start) -> None:
    """The append that did not fit is not in the log; when there is room again, the run goes on."""
    path = tmp_path / "log.db"
    writer = start(path, log_process.append_until_full)
    version, kind, message = writer.says()
    assert kind == "LogWriteError"
    assert str(path) in message
    assert "full" in message
    assert writer.says() == version + 1
    log = SqliteLog(path)
    assert len(list(log.events("run"))) == version + 1
    assert verify(log, "run") == []


def test_a_forked_child_reads_but_does_not_write_for_its_parent(tmp_path: Path) -> None:
    """In a child, the inherited claim refuses, releasing does nothing to the parent, and reading works."""
    log = SqliteLog(tmp_path / "log.db")
    claim = log.claim("run", s.OWNER)
    claim.append(s.AT, [s.submitted(1)])
    parents = log.reader.connection()
    child = os.fork()
    if child == 0:
        os._exit(_in_child(log, claim, parents))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with pytest.raises(RunClaimedError):
        SqliteLog(tmp_path / "log.db").claim("run", s.OWNER)
    claim.append(s.AT, [s.submitted(2)])
    assert verify(log, "run") == []


def _in_child(log: SqliteLog, claim: Claim, parents: sqlite3.Connection) -> int:
    """0 when everything is as it should be."""
    try:
        claim.append(s.AT, [s.submitted(2)])
    except LogConflictError:
        pass
    else:
        return 1
    claim.release()
    try:
        log.claim("other", s.OWNER)
    except LogWriteError:
        pass
    else:
        return 2
    read = [recorded.version for recorded in log.events("run")] == [1]
    if not read or log.reader.connection() is parents:
        return 3
    log.close()
    return 0


def test_a_claim_may_be_used_in_another_thread_than_it_was_taken_in(tmp_path: Path) -> None:
    """A run is made in one thread and driven in another: append, read and release work there."""
    log = SqliteLog(tmp_path / "log.db")
    claim = log.claim("run", s.OWNER)
    read: list[int] = []

    def drive() -> None:
        claim.append(s.AT, [s.submitted(1)])
        read.extend(recorded.version for recorded in log.events("run"))
        claim.release()

    thread = threading.Thread(target=drive)
    thread.start()
    thread.join()
    assert read == [1]
    assert SqliteLog(tmp_path / "log.db").claim("run", s.OWNER).version == 1
