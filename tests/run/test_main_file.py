"""A copy of the log's main file alone, without its -wal file, knows of everything that may be paid for."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from crash_boundaries import SEAMS, THOROUGH
from crash_copies import stopped_everywhere
from resume_support import COUNT, check_complete, left_running, manager, seen, wait_for
from run_support import Runs
from tampering import tamper

from batchata.errors import LogError, LogWriteError

_STORY = "retries"


def _leave_the_main_file(runs: Runs) -> None:
    """What somebody has who copies `run.db` and nothing beside it."""
    for beside in ("-wal", "-shm"):
        Path(f"{runs.log}{beside}").unlink(missing_ok=True)
    shutil.rmtree(runs.out, ignore_errors=True)


def test_a_copy_of_the_main_file_alone_pays_for_nothing_twice(
    kills: Callable[[str, str, int, int], None],
) -> None:
    """Ended around any request, and started again from the main file alone, a run settles what is unknown.

    Every item has its result, and the provider's bill holds each answer that was needed once.
    """
    seams = SEAMS if THOROUGH else ("request", "answered")
    cases = stopped_everywhere(_STORY, seams, between=_leave_the_main_file)
    looks = max(case.looks for case in cases)
    kills(f"main file alone, {_STORY}", " and ".join(seams), len(cases), looks)


def test_a_copy_taken_while_the_run_goes_on_finds_its_batches(patient: tuple[Runs, list[float]]) -> None:
    """The copied run looks for what it had sent, and collects it instead of sending it again."""
    runs, _ = patient
    left_running(runs, max_parallel_jobs=2)
    copy = Runs(runs.sandbox, runs.log.parent / "copied")
    copy.log.parent.mkdir()
    with _reading(runs.log):  # as long as somebody reads, nothing empties the -wal file
        manager(runs, max_wait_time=0.2).run()
        shutil.copy(runs.log, copy.log)
    runs.sandbox.end_all()
    check_complete(copy)
    assert copy.creates() == 2


@contextmanager
def _reading(log: Path) -> Iterator[None]:
    """Another program that has read the log, and has not ended its transaction."""
    with closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM events").fetchone()
        yield


def test_nothing_is_sent_while_a_reader_keeps_the_intent_out_of_the_main_file(
    patient: tuple[Runs, list[float]], caplog: pytest.LogCaptureFixture
) -> None:
    """It says why it waits, and goes on by itself once the reader is gone."""
    runs, delay = patient
    left_running(runs, 1, max_parallel_jobs=1)
    delay[0] = 0.0
    runs.sandbox.end_all()
    made = manager(runs, max_parallel_jobs=1)
    driving = threading.Thread(target=made.run)
    with caplog.at_level(logging.WARNING, logger="batchata"):
        with _reading(runs.log):
            driving.start()
            wait_for(seen(runs, "submission_started", 2))
            wait_for(lambda: any("log_held_by_reader" in r.getMessage() for r in caplog.records))
            assert runs.creates() == 1
        driving.join(300)
    check_complete(runs, max_parallel_jobs=1)


def test_a_reader_that_never_goes_is_an_error_that_says_so(patient: tuple[Runs, list[float]]) -> None:
    """Nothing was sent, so nothing must be looked for; the next start goes on."""
    runs, delay = patient
    left_running(runs, 1, max_parallel_jobs=1)
    delay[0] = 0.0
    runs.sandbox.end_all()
    made = manager(runs, max_parallel_jobs=1)
    made._engine.patience = 0.3
    with _reading(runs.log), pytest.raises(LogWriteError, match="another program reads the log"):
        made.run()
    assert runs.creates() == 1
    assert "submission_failed" in runs.types()
    check_complete(runs, max_parallel_jobs=1)
    assert "submission_settled" not in runs.types()


@pytest.mark.parametrize("where", ["version = 3", "version = (SELECT max(version) FROM events)"])
def test_a_log_that_lacks_events_is_not_continued(patient: tuple[Runs, list[float]], where: str) -> None:
    """A file copied while it was written may lack some: the lost one may be what was sent."""
    runs, _ = patient
    left_running(runs)
    tamper(runs.log, f"DELETE FROM events WHERE {where}")
    with pytest.raises(LogError, match="is not whole"):
        manager(runs).run()
    assert runs.creates() == 2
    assert len(runs.sandbox.batches) == COUNT // 2
