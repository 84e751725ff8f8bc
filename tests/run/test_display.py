"""What a person sees of a run: changes, failing calls, failed items; and no display that stops it."""

from __future__ import annotations

import io
import logging
import os
import pty
import re
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from resume_support import Script, manager
from run_support import Runs

from batchata.core.evolve import fold
from batchata.sandbox import Faults
from batchata.terminal.progress import LiveProgress, PlainProgress, progress_for
from batchata.terminal.progress_line import changing, line, rows_of
from batchata.text import folded


def test_a_call_that_fails_is_in_the_line_with_when_it_is_repeated(
    runs: Runs, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """What fails, how often, and when again; a warning too, at the 1st, 2nd and 4th time, not each time."""
    runs.sandbox.faults = Faults(poll_status=[529] * 4)
    with caplog.at_level(logging.INFO, logger="batchata"):
        runs.manager(2, poll_interval=0.1).run(print_progress=True)
    assert re.search(
        r"the provider does not answer \(529 overloaded_error: Overloaded\): again (now|in \d s), \d\w\w ti",
        capsys.readouterr().err,
    )
    warned = [vars(r) for r in caplog.records if r.getMessage().startswith("call_failing ")]
    assert [(r["doing"], r["times"], r["levelname"]) for r in warned] == [
        ("poll", n, "WARNING") for n in (1, 2, 4)
    ]
    assert any(r.getMessage().startswith("call_succeeds_again ") for r in caplog.records)


def test_a_create_call_that_fails_is_in_the_line_too(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    """The run waits for room at the provider, and says so."""
    runs.sandbox.faults = Faults(create_status=[429], retry_after=1)
    runs.manager(2).run(print_progress=True)
    assert "the provider refuses further calls for now (" in capsys.readouterr().err


def test_a_run_that_ends_with_failures_says_why_and_what_to_do(
    runs: Runs, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Each kind of error with an example, in the account and as warnings in the log tree."""
    runs.sandbox.faults = Faults(
        errored={1, 2}, error_type="invalid_request_error", error_message="Could not process PDF"
    )
    with caplog.at_level(logging.WARNING, logger="batchata"):
        runs.manager(4, items_per_job=4).run(print_progress=True)
    shown = capsys.readouterr().err
    assert "result    2 of 4 items; 2 failed:\n" in shown
    assert "invalid_request_error: 2 items, e.g. item 1: Could not process PDF" in shown
    assert f"again: manager.retry_failed(), or: batchata resume {runs.log} --retry-failed" in shown
    assert f"look:  batchata item {runs.log} 1" in shown
    (warned,) = [vars(r) for r in caplog.records if r.getMessage().startswith("items_failed ")]
    assert (warned["items"], warned["example"], warned["error"]) == (2, "item 1", "Could not process PDF")


def test_a_day_of_waiting_is_a_handful_of_lines(patient: tuple[Runs, list[float]]) -> None:
    """A sign of life comes after the interval, then after twice as long; a change has a line at once."""
    runs, _ = patient
    runs.manager(2, max_wait_time=0).run()
    run, stream = fold(runs.events()[:-1]), io.StringIO()
    progress = PlainProgress(stream, every=300)
    progress.update(run)
    signs, since = 0, 0
    for second in range(0, 24 * 3600, 10):
        since += 10
        if progress._is_due(run, changing(run), since, second):
            signs, since = signs + 1, 0
    assert 6 <= signs <= 15


def test_the_interval_of_the_signs_of_life_is_the_users(
    patient: tuple[Runs, list[float]], capsys: pytest.CaptureFixture[str]
) -> None:
    """progress_interval=0.2: lines at about 0.2, 0.6, 1.4 s; with the default there is none in this time."""
    runs, _ = patient
    waiting: dict[str, Any] = {"max_wait_time": 1.5, "poll_interval": 0.2}
    runs.manager(2, **waiting).run(print_progress=True)
    few = len(capsys.readouterr().err.splitlines())
    runs.manager(2, **waiting).run(print_progress=True, progress_interval=0.2)
    assert len(capsys.readouterr().err.splitlines()) > few


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 200])
def test_no_terminal_is_too_narrow_for_the_count(runs: Runs, width: int) -> None:
    """Nothing is cut: the bar goes first, then the line takes more rows."""
    runs.manager(7, max_cost=2).run()
    run = fold(runs.events())
    rows = rows_of(run, width, "0.1s")
    assert all(part in " · ".join(rows) for part in ("7/7 items", "jobs 3/3", "of $2.00", "done", "0.1s"))
    assert ("━" in rows[0]) == (width >= 100)
    assert all(len(row) < width for row in rows if " · " in row)


@pytest.mark.parametrize("columns", [40, 80])
def test_a_narrow_terminal_shows_the_count(runs: Runs, columns: int) -> None:
    """On a real pseudo-terminal of that width."""
    runs.manager(7, max_cost=2).run()
    run = fold(runs.events())
    ours, theirs = pty.openpty()
    import fcntl
    import struct
    import termios

    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with open(theirs, "w") as stream, LiveProgress(stream) as progress:
        progress.update(run)
    drawn = b""
    with suppress(OSError):
        while part := os.read(ours, 65536):
            drawn += part
    os.close(ours)
    assert "7/7 items" in drawn.decode()
    assert "…" not in drawn.decode()


def test_an_account_is_folded_between_words() -> None:
    """No figure is cut by the edge of a terminal; commands to copy, and one long word, stay whole."""
    command = (
        "          again: manager.retry_failed(), or: batchata resume a-log-in-a-folder.db --retry-failed"
    )
    account = (
        f"cost      $0.05985 for 9 results of 10 items with claude-sonnet-5-5\n{command}\nlog head {'f' * 64}"
    )
    assert folded(account, 40).splitlines() == [
        "cost      $0.05985 for 9 results of 10",
        "          items with claude-sonnet-5-5",
        command,
        "log head",
        f"          {'f' * 64}",
    ]
    assert folded(account, 120) == account
    assert folded(account, 5) == account


def test_the_total_of_jobs_is_the_planned_one(patient: tuple[Runs, list[float]]) -> None:
    """It does not grow while jobs are sent."""
    runs, _ = patient
    runs.manager(9, max_parallel_jobs=1, max_wait_time=0).run()
    assert "jobs 0/3 ·" in line(fold(runs.events()))


class Broken(io.StringIO):
    """A stream whose every write fails, as of a closed pipe or a full disk."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error

    def isatty(self) -> bool:
        return isinstance(self.error, RuntimeError)


@pytest.mark.parametrize(
    "stream",
    [
        None,
        *map(
            Broken, (BrokenPipeError(), OSError(28, "full"), ValueError("closed"), RuntimeError("a terminal"))
        ),
    ],
)
def test_no_stream_that_fails_stops_a_run(runs: Runs, stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run goes on without a display, to its summary."""
    monkeypatch.setattr(sys, "stderr", stream)
    assert runs.manager(4).run(print_progress=True)["completed_items"] == 4


def test_an_encoding_that_lacks_letters_gets_question_marks(runs: Runs) -> None:
    """A C locale has no middle dots, and still a display."""
    runs.manager(2).run()
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    progress_for(True, stream).update(fold(runs.events()))
    assert b"2/2 items ? jobs 1/1" in raw.getvalue()


def _closed() -> None:
    """As `>&- 2>&-` of a shell leaves them: Python has no such streams then."""
    for number in (1, 2):
        os.close(number)
    sys.stdout = sys.stderr = None


def _read_by_nobody() -> None:
    """As `2>&1 | true` of a shell leaves them."""
    reading, writing = os.pipe()
    os.close(reading)
    for number in (1, 2):
        os.dup2(writing, number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))


def _run_and_tell(runs: Runs, breaking: Callable[[], None]) -> None:
    breaking()
    done = manager(runs).run(print_progress=True)["completed_items"]
    (runs.log.parent / "done").write_text(str(done))


@pytest.mark.parametrize("breaking", [_closed, _read_by_nobody])
def test_a_real_script_with_a_broken_standard_error_runs_to_its_end(
    runs: Runs, breaking: Callable[[], None]
) -> None:
    """Closed, or read by nobody."""
    Script(runs, story=partial(_run_and_tell, breaking=breaking)).ends()
    assert (runs.log.parent / "done").read_text() == "4"


def test_no_handler_that_fails_stops_a_run(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program's own handlers and filters may raise what they like."""

    class Bad(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError("a handler's mistake")

    class Worse(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            raise KeyError("a filter's mistake")

    monkeypatch.setattr(logging.getLogger("batchata.sandbox"), "propagate", False)  # it is in this process
    logger, bad, worse = logging.getLogger("batchata"), Bad(), Worse()
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(bad)
    try:
        assert runs.manager(4).run()["completed_items"] == 4
        logger.addFilter(worse)
        assert runs.manager(5).run()["completed_items"] == 5
    finally:
        logger.removeHandler(bad)
        logger.removeFilter(worse)
        logger.setLevel(level)


def test_a_display_in_another_thread_is_as_good(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines do not depend on who drives the run."""
    thread = threading.Thread(target=runs.manager(4).run, args=(True,))
    thread.start()
    thread.join()
    assert "4/4 items" in capsys.readouterr().err
