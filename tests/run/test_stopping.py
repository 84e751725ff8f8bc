"""Leaving a run: the second Ctrl-C, other threads, and a main thread that ends first."""

from __future__ import annotations

import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from forked import Program
from resume_support import COUNT, Script, check_complete, manager, opened, seen, wait_for
from run_support import Runs

from batchata.log.verify import verify
from batchata.sandbox import Faults

_PROGRAM = """
import sys, threading, time
from pathlib import Path
sys.path[:0] = [{tests!r}, str(Path({tests!r}).parent)]
from resume_support import _Somewhere, manager, seen, wait_for
runs = _Somewhere(Path({folder!r}))
made = manager(runs)
def drive():
    {before}
    print(made.run()["completed_items"], flush=True)
thread = threading.Thread(target=drive)
thread.start()
{main}
"""


def program(runs: Runs, *, before: str = "pass", main: str = "pass") -> Program:
    """A script whose run is driven by another thread while its main thread does something else."""
    text = _PROGRAM.format(
        tests=str(Path(__file__).parent), folder=str(runs.log.parent), before=before, main=main
    )
    return Program(["-c", text])


def test_a_second_ctrl_c_leaves_at_once_with_the_log_whole(runs: Runs) -> None:
    """The first one waits for the creation under way and its batch; the second one does not."""
    runs.sandbox.faults = Faults(create_hang=[15.0, 15.0])
    script = Script(runs)
    wait_for(lambda: len(runs.sandbox.batches) == 2)
    script.send(signal.SIGINT)
    time.sleep(0.5)
    assert script.is_alive()
    began = time.monotonic()
    script.send(signal.SIGINT)
    assert script.ends() != 0
    assert time.monotonic() - began < 5
    with opened(runs) as log:
        assert log.faults() == []
        assert [verify(log, stream) for stream in log.streams()] == [[]]
    runs.sandbox.faults = Faults()
    check_complete(runs)
    assert len(runs.sandbox.batches) == 2


def test_ctrl_c_in_the_main_thread_ends_the_run_of_another(patient: tuple[Runs, list[float]]) -> None:
    """Signals reach the main thread alone; the run that it waited for must not go on without it."""
    runs, _ = patient
    # Not thread.join(): interrupted in that, Python 3.12 takes the thread for ended and does not wait for it.
    process = program(runs, main="while thread.is_alive(): time.sleep(0.05)")
    wait_for(seen(runs, "batch_submitted", 2))
    process.send_signal(signal.SIGINT)
    out, told = process.communicate(timeout=300)
    assert "KeyboardInterrupt" in told
    assert out == "0\n"  # run() returned what it had
    assert runs.events()[-1].event.reason == "keyboard"
    runs.sandbox.end_all()
    check_complete(runs)
    assert runs.creates() == 2


def test_a_run_goes_on_when_the_main_thread_has_come_to_its_end(runs: Runs) -> None:
    """Python lets other threads go on then, though it starts no new ones."""
    runs.sandbox.faults = Faults(create_hang=[1.0])
    process = program(runs, main="wait_for(seen(runs, 'submission_started'))")
    out, told = process.communicate(timeout=300)
    assert told == ""
    assert (process.returncode, out) == (0, f"{COUNT}\n")
    check_complete(runs)


def test_a_run_that_begins_after_the_main_threads_end_is_refused(runs: Runs) -> None:
    """Python 3.12 starts no threads then: the error says so before anything is sent. 3.13 does start them."""
    process = program(runs, before="threading.main_thread().join(); time.sleep(0.3)")
    out, told = process.communicate(timeout=300)
    if sys.version_info < (3, 13):
        assert out == ""
        assert "ConfigurationError: the run's threads cannot be started" in told
        assert "let the main thread join it" in told
        assert runs.creates() == 0
    else:
        assert (out, told) == (f"{COUNT}\n", "")
    check_complete(runs)


def test_detach_from_another_thread_leaves_the_batches_running(patient: tuple[Runs, list[float]]) -> None:
    """What Ctrl-C does to a script, a server or a notebook can do to a run in a thread."""
    runs, _ = patient
    going = manager(runs)

    def stop() -> None:
        wait_for(seen(runs, "batch_submitted", 2))
        going.detach()

    thread = threading.Thread(target=stop)
    thread.start()
    assert going.run()["pending_items"] == COUNT
    thread.join()
    assert runs.events()[-1].event.reason == "detached"
    assert {batch.status for batch in runs.sandbox.batches} == {"in_progress"}
    going.detach()  # nobody drives it any more: nothing happens, now or at the next start
    runs.sandbox.end_all()
    check_complete(runs)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_while_a_batch_is_being_made_waits_for_its_number(runs: Runs, number: int) -> None:
    """A second or two of patience saves a settlement at the next start."""
    runs.sandbox.faults = Faults(create_hang=[1.0, 1.0])
    script = Script(runs)
    wait_for(lambda: len(runs.sandbox.batches) == 2)
    script.send(number)
    assert script.ends() in (1, 143)
    assert runs.types().count("batch_submitted") == 2
    check_complete(runs)
    assert "submission_settled" not in runs.types()


def test_a_stopped_run_says_until_when_it_is_to_be_collected(
    patient: tuple[Runs, list[float]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Results are kept for 29 days: whoever leaves batches behind is told the date."""
    runs, _ = patient
    made = manager(runs, max_wait_time=1.5)
    made.run(print_progress=True)
    assert f"; collect by {made.stats()['collect_by']:%Y-%m-%d}" in capsys.readouterr().err


def test_this_process_may_still_be_asked_about_its_own_run(runs: Runs) -> None:
    """Between two calls of run() the lock is free, for another process too."""
    made = manager(runs, max_wait_time=0.0)
    made.run()
    assert Script(runs).ends() == 0
    assert made.run()["completed_items"] == COUNT
    check_complete(runs)
