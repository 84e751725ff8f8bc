"""A log whose -wal was left behind, or whose -wal alone was copied, is told from a log that is new."""

from __future__ import annotations

import shutil
import signal
import warnings
from pathlib import Path

import pytest
from places import APPEND
from resume_support import Script, left_running, manager, seen
from run_support import Runs
from typer.testing import CliRunner

import batchata.replay
from batchata.errors import HalfLogWarning, LogError, NotALogError
from batchata.replay.cli import app

COPY = "copy that file too"


def show(path: Path) -> str:
    """What `replay show` says of a path that it refuses."""
    result = CliRunner().invoke(app, ["show", str(path)])
    assert result.exit_code == 2
    return " ".join(result.output.split())


@pytest.fixture
def copied(runs: Runs, tmp_path: Path) -> Path:
    """The main file alone of a log whose first start was killed before anything else was in it."""
    code = Script(runs, (APPEND, True, 1)).ends()
    assert code == -signal.SIGKILL
    assert (tmp_path / "run.db-wal").stat().st_size > 0
    (tmp_path / "copy").mkdir()
    return Path(shutil.copy(runs.log, tmp_path / "copy" / "alone.db"))


def test_a_copy_without_its_wal_says_where_the_newest_events_are(copied: Path) -> None:
    """The same hint from the command and for programs, and a warning where a run would begin in it."""
    assert "alone.db holds no run yet. If it was copied" in show(copied)
    assert "alone.db-wal there: copy that file too" in show(copied)
    with batchata.replay.open(copied) as log, pytest.raises(LogError, match=COPY):
        log.run()


def test_a_run_that_would_begin_in_such_a_copy_warns(runs: Runs, copied: Path) -> None:
    """It may be new, so it goes on; but whoever copied it learns it before anything is sent."""
    with pytest.warns(HalfLogWarning, match=r"newest events are in alone\.db-wal.*pays for everything again"):
        assert manager(runs, state_path=copied).run()["completed_items"] == 4


def test_a_log_that_was_killed_at_its_beginning_goes_on_without_a_warning(runs: Runs, copied: Path) -> None:
    """With its -wal beside it nothing was left behind; nor is a new or an empty file a copy."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", HalfLogWarning)
        assert manager(runs).run()["completed_items"] == 4
        empty = runs.log.parent / "empty.db"
        empty.touch()
        assert manager(runs, state_path=empty, results_dir=None).run()["completed_items"] == 4


@pytest.mark.parametrize("empty", [False, True], ids=["missing", "empty"])
def test_a_wal_alone_is_no_new_log(patient: tuple[Runs, list[float]], empty: bool) -> None:
    """SQLite would make a new database over it: refused for reading and for running, and left as it is."""
    runs, _ = patient
    script = Script(runs, max_parallel_jobs=1, items_per_job=4)
    script.interrupted_when(lambda: runs.creates() == 1, signal.SIGKILL)
    moved = runs.log.parent / "moved.db"
    wal = Path(shutil.copy(f"{runs.log}-wal", f"{moved}-wal"))
    if empty:
        moved.touch()
    before = wal.read_bytes()
    one = manager(runs, state_path=moved)
    for reading in (one.run, one.items, one.results, one.stats, one.estimate):
        with pytest.raises(NotALogError, match=r"moved\.db is not here, only .*moved\.db-wal"):
            reading()
    assert "only" in show(moved)
    assert wal.read_bytes() == before
    assert moved.exists() is empty
    assert runs.creates() == 1


@pytest.mark.parametrize("end", ["-wal", "-shm"])
def test_a_part_of_a_log_is_not_taken_for_one(patient: tuple[Runs, list[float]], end: str) -> None:
    """Giving the -wal file names the file to give."""
    runs, _ = patient
    left_running(runs, 1)
    part = Path(f"{runs.log}{end}")
    part.write_bytes(b"\x37\x7f\x06\x82" * 20)
    assert "is a part of the log" in show(part)
    with pytest.raises(NotALogError, match=r"part of the log .*run\.db, which SQLite keeps beside it"):
        manager(runs, state_path=part).run()


def test_show_says_of_a_run_that_broke_off_whether_it_may_lack_its_end(
    patient: tuple[Runs, list[float]],
) -> None:
    """Only where the -wal file that a kill leaves behind is not beside it."""
    runs, _ = patient
    script = Script(runs, max_parallel_jobs=1, items_per_job=4)
    script.interrupted_when(seen(runs, "batch_submitted"), signal.SIGKILL)
    copy = Path(shutil.copy(runs.log, runs.log.parent / "copy.db"))
    hint = "without a copy.db-wal beside it; if it was copied, newer events may be in"
    assert hint in " ".join(CliRunner().invoke(app, ["show", str(copy)]).output.split())
    assert "beside it" not in CliRunner().invoke(app, ["show", str(runs.log)]).output
