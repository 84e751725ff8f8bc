"""Signals, other threads and other processes: each ends or leaves alone a run that can be continued."""

from __future__ import annotations

import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from places import APPEND
from resume_support import COUNT, Script, check_complete, fresh, manager, seen, wait_for
from run_support import Runs

from batchata import BatchManager
from batchata.errors import BatchataError, RunClaimedError
from batchata.log import read_log
from batchata.sandbox import Faults


def test_ctrl_c_leaves_the_batches_running(patient: tuple[Runs, list[float]]) -> None:
    """One Ctrl-C ends the script with KeyboardInterrupt; the log says so, and the next start collects."""
    runs, _ = patient
    assert Script(runs).interrupted_when(seen(runs, "batch_submitted", 2), signal.SIGINT) == 1
    told = (runs.log.parent / "stderr.txt").read_text()
    assert "KeyboardInterrupt: stopped; 2 batches go on at the provider and nothing is lost." in told
    assert runs.events()[-1].event.reason == "keyboard"
    assert {batch.status for batch in runs.sandbox.batches} == {"in_progress"}
    runs.sandbox.end_all()
    check_complete(runs)
    assert runs.creates() == 2


def test_ctrl_c_can_cancel_the_batches(patient: tuple[Runs, list[float]]) -> None:
    """With on_interrupt="cancel" what was finished is collected, and only the rest is sent again."""
    runs, delay = patient
    runs.sandbox.faults = Faults(processed=0.5)
    script = Script(runs, on_interrupt="cancel")
    assert script.interrupted_when(seen(runs, "batch_submitted", 2), signal.SIGINT) == 1
    assert {batch.status for batch in runs.sandbox.batches} == {"ended"}
    assert sum(runs.sandbox.billed().values()) == 2
    assert runs.events()[-1].event.pending_items == 2
    delay[0] = 0.0
    check_complete(runs)


def test_sigterm_ends_the_script_as_its_sender_expects(patient: tuple[Runs, list[float]]) -> None:
    """Exit code 143, with the reason in the log and the batches running."""
    runs, _ = patient
    assert Script(runs).interrupted_when(seen(runs, "batch_submitted", 2), signal.SIGTERM) == 143
    assert runs.events()[-1].event.reason == "terminated"
    runs.sandbox.end_all()
    check_complete(runs)


def test_the_programs_own_signal_handlers_come_back(runs: Runs) -> None:
    """While a run is driven Ctrl-C is the run's; afterwards everything is as it was."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    runs.manager(1).run()
    assert {number: signal.getsignal(number) for number in before} == before


def test_a_second_process_is_told_who_drives_the_run(patient: tuple[Runs, list[float]]) -> None:
    """The error names pid and host; it sends and appends nothing, and the first process is not disturbed."""
    runs, _ = patient
    script = Script(runs)
    wait_for(seen(runs, "batch_submitted", 2))
    with pytest.raises(RunClaimedError, match=f"process {script.pid} on {socket.gethostname()}"):
        manager(runs).run()
    assert "run_resumed" not in runs.types()
    assert manager(runs).stats()["pending_items"] == COUNT  # looking is allowed
    runs.sandbox.end_all()
    assert script.ends() == 0
    check_complete(runs)


def test_a_run_that_is_just_being_begun_is_not_begun_again(runs: Runs) -> None:
    """Nothing of it is in the log yet, and still a second process does not take the log for empty."""
    script = Script(runs, (APPEND, False, 1), by=signal.SIGSTOP)
    wait_for(lambda: runs.log.exists() and list(runs.log.parent.glob("*.lock")) != [])
    time.sleep(0.5)  # it has the lock, so it stops in no time
    with pytest.raises(RunClaimedError, match=f"process {script.pid} on {socket.gethostname()}"):
        manager(runs).run()
    script.send(signal.SIGCONT)
    assert script.ends() == 0
    check_complete(runs)


def test_two_processes_that_begin_at_once_begin_one_run(tmp_path: Path) -> None:
    """The log is not there yet, so neither can know the other's run: still only one is paid for."""
    for attempt in range(3):
        with fresh(tmp_path / str(attempt)) as runs:
            scripts = [Script(runs), Script(runs)]
            codes = sorted(script.ends() for script in scripts)
            assert codes in ([0, 0], [0, 1])
            log = read_log(runs.log)
            assert len(log.streams()) == 1
            log.close()
            check_complete(runs)


def test_a_run_may_be_driven_in_another_thread(runs: Runs) -> None:
    """Signals are the main thread's; everything else works anywhere."""
    done = manager(runs)
    thread = threading.Thread(target=done.run)
    thread.start()
    thread.join(300)
    check_complete(runs)


def test_cancel_from_another_thread_ends_the_run_that_goes_on(patient: tuple[Runs, list[float]]) -> None:
    """It returns at once; the call of run() cancels, collects what was finished, and returns."""
    runs, delay = patient
    runs.sandbox.faults = Faults(processed=0.5)
    going = manager(runs)

    def stop() -> None:
        wait_for(seen(runs, "batch_submitted", 2))
        assert going.cancel()["total_items"] == COUNT

    thread = threading.Thread(target=stop)
    thread.start()
    summary = going.run()
    thread.join()
    assert (summary["completed_items"], summary["pending_items"]) == (2, 2)
    delay[0] = 0.0
    check_complete(runs)


def test_cancel_while_another_thread_begins_is_taken_by_that_one(patient: tuple[Runs, list[float]]) -> None:
    """It had found the run at rest, and is no error when a moment later somebody drives it."""
    runs, _ = patient
    raised: list[BaseException] = []
    for _ in range(8):
        manager(runs).submit()
        going = manager(runs, max_wait_time=0)

        def cancel(going: BatchManager[Any] = going) -> None:
            try:
                going.cancel()
            except BatchataError as exc:
                raised.append(exc)

        thread = threading.Thread(target=cancel)
        thread.start()
        with suppress(RunClaimedError):  # where the other thread came first
            going.run()
        thread.join()
    assert raised == []


def test_cancel_that_comes_when_the_call_is_ending_is_still_done(patient: tuple[Runs, list[float]]) -> None:
    """The loop has ended for want of time by then: the batches are cancelled by the same call."""
    runs, _ = patient

    def cancel(recorded: Any) -> None:
        if recorded.event.TYPE == "run_interrupted":
            going.cancel()

    going = manager(runs, max_wait_time=0, on_event=cancel)
    assert going.run()["pending_items"] == COUNT
    assert {batch.status for batch in runs.sandbox.batches} == {"ended"}
    assert sum(runs.sandbox.billed().values()) == 0


def test_looking_from_other_threads_does_not_disturb_the_run(runs: Runs) -> None:
    """stats() and results() while run() goes on see what the log holds, and the state stays the driver's."""
    going = manager(runs, 40, max_parallel_jobs=3)
    looks: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            done = sum(entry["result"] is not None for entry in going.results())
            stats = going.stats()
            assert done <= stats["completed_items"] <= 40
            looks.append(stats["completed_items"])

    thread = threading.Thread(target=look)
    thread.start()
    try:
        summary = going.run()
    finally:
        over.set()
        thread.join()
    assert (summary["completed_items"], summary["failed_items"]) == (40, 0)
    assert looks == sorted(looks)
    assert len(looks) > 3
    check_complete(runs, 40, max_parallel_jobs=3)


def test_a_log_without_a_run_has_no_results_yet(runs: Runs) -> None:
    """Whoever looks while a run is beginning, or after it died then, is told that nothing is there."""
    Script(runs, (APPEND, False, 1)).ends()
    assert runs.log.exists()
    made = manager(runs)
    assert [entry["result"] for entry in made.results()] == [None] * COUNT
    assert made.stats()["completed_items"] == 0


def test_two_threads_cannot_drive_one_manager(patient: tuple[Runs, list[float]]) -> None:
    """The second call is refused, and the first goes on and can still be cancelled."""
    runs, _ = patient
    going = manager(runs)
    refused: list[BaseException] = []

    def interfere() -> None:
        wait_for(seen(runs, "batch_submitted", 2))
        try:
            going.run()
        except RunClaimedError as exc:
            refused.append(exc)
        going.cancel()

    thread = threading.Thread(target=interfere)
    thread.start()
    assert going.run()["pending_items"] == COUNT
    thread.join()
    assert "another thread" in str(refused[0])


def test_time_that_runs_out_is_told_from_an_interruption(patient: tuple[Runs, list[float]]) -> None:
    """max_wait_time is counted from the call; the log has the reason, and the next start goes on."""
    runs, _ = patient
    began = time.monotonic()
    assert manager(runs, max_wait_time=0.5).run()["pending_items"] == COUNT
    assert 0.4 < time.monotonic() - began < 5
    assert runs.events()[-1].event.reason == "max_wait_time"
    runs.sandbox.end_all()
    check_complete(runs)
