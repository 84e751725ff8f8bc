"""One Ctrl-C is enough, wherever the run is driven: a real signal to a real process, and what it says."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from forked import Program
from resume_support import COUNT, check_complete, manager, seen, wait_for
from run_support import Runs

from batchata.errors import PendingRunWarning
from batchata.sandbox import Faults

_BEGINNING = """
import asyncio, concurrent.futures, sys, threading, time
from pathlib import Path
sys.path[:0] = {tests!r}
from resume_support import _Somewhere, manager
made = manager(_Somewhere(Path({folder!r})), **{given!r})
print("ready", flush=True)
"""

PROGRAMS = {
    "the main thread": "made.run()",
    "a coroutine": """
async def main():
    made.run()
asyncio.run(main())
""",
    "asyncio.to_thread": """
async def main():
    await asyncio.to_thread(made.run)
asyncio.run(main())
""",
    "run_async": """
async def main():
    await made.run_async()
asyncio.run(main())
""",
    "a task group": """
async def main():
    async with asyncio.TaskGroup() as group:
        group.create_task(made.run_async())
        group.create_task(asyncio.sleep(600))
asyncio.run(main())
""",
    "an older event loop": """
loop = asyncio.new_event_loop()
loop.run_until_complete(loop.run_in_executor(None, made.run))
""",
    "a pool": """
with concurrent.futures.ThreadPoolExecutor() as pool:
    pool.submit(made.run).result()
""",
    "a pool that is not closed": """
pool = concurrent.futures.ThreadPoolExecutor()
pool.submit(made.run).result()
""",
    "a pool, and an exit of the program's own": """
with concurrent.futures.ThreadPoolExecutor() as pool:
    try:
        pool.submit(made.run).result()
    except KeyboardInterrupt:
        sys.exit(1)
""",
    "a run that waits for its place in a pool": """
with concurrent.futures.ThreadPoolExecutor(1) as pool:
    pool.submit(made.run)
    pool.submit(made.run).result()
""",
    "a test": """
import pytest
class Plugin:
    def pytest_pyfunc_call(self, pyfuncitem):
        made.run()
        return True
test = Path({folder!r}, "test_it.py")
test.write_text("def test_it(): pass")
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", str(test)], plugins=[Plugin()]))
""",
}


def program(runs: Runs, body: str, **given: Any) -> Program:
    """A script that drives a run as its body says."""
    filled = (_BEGINNING + body).format(
        tests=[str(Path(__file__).parents[n]) for n in (0, 1)], folder=str(runs.log.parent), given=given
    )
    return Program(["-c", filled])


def pressed(process: Program) -> tuple[str, float]:
    """Press Ctrl-C once; what the script then says, and how many seconds it takes to end."""
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    try:
        said, told = process.communicate(timeout=300)
    finally:
        process.kill()
    return said + told, time.monotonic() - began


@pytest.mark.parametrize("where", PROGRAMS)
def test_one_press_ends_the_run(patient: tuple[Runs, list[float]], where: str) -> None:
    """The script ends, not well, its batches run on, it says how to collect them, and the next start does."""
    runs, _ = patient
    process = program(runs, PROGRAMS[where])
    wait_for(seen(runs, "batch_submitted", 2))
    told, _ = pressed(process)
    assert process.returncode not in (0, -signal.SIGKILL), told
    assert "2 batches go on at the provider and nothing is lost." in told
    assert f"(log: {runs.log})" in told
    assert runs.events()[-1].event.TYPE == "run_interrupted"
    assert {batch.status for batch in runs.sandbox.batches} == {"in_progress"}
    runs.sandbox.end_all()
    check_complete(runs)
    assert runs.creates() == 2


@pytest.mark.parametrize("where", ["the main thread", "a pool", "run_async"])
def test_one_press_is_enough_while_results_are_read(runs: Runs, where: str) -> None:
    """A download that takes its time is broken off, and made again by the next start."""
    runs.sandbox.faults = Faults(slow_results=20.0)
    process = program(runs, PROGRAMS[where])
    wait_for(lambda: any(path.endswith("/results") for _, path, _ in runs.sandbox.exchanges))
    told, seconds = pressed(process)
    assert process.returncode not in (0, -signal.SIGKILL), told
    assert seconds < 15
    runs.sandbox.faults = Faults()
    check_complete(runs)


def test_one_press_is_enough_while_a_run_begins(runs: Runs) -> None:
    """Nothing has been sent yet, or little: what the log holds is whole, and the next start goes on."""
    process = program(runs, PROGRAMS["the main thread"])
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    told, _ = pressed(process)
    assert process.returncode not in (0, -signal.SIGKILL), told
    check_complete(runs)


def test_without_a_log_ctrl_c_says_what_is_open_and_that_a_start_would_pay_again(
    patient: tuple[Runs, list[float]],
) -> None:
    """The ids of the batches are nowhere else; a warning at the beginning said so."""
    runs, _ = patient
    process = program(runs, PROGRAMS["the main thread"], state_path=None, results_dir=None)
    wait_for(lambda: len(runs.sandbox.batches) == 2)
    time.sleep(0.5)  # the answers arrive
    told, _ = pressed(process)
    assert "UnsavedRunWarning: this run has no state_path, so its log is in memory" in told
    assert "KeyboardInterrupt: stopped; this run has no state_path, so nothing of it is kept on disk." in told
    assert all(f"{batch.id} (2 items)" in told for batch in runs.sandbox.batches)
    assert "another start would pay again" in told


def test_an_error_of_a_run_without_a_log_names_what_is_open(patient: tuple[Runs, list[float]]) -> None:
    """The second create is refused; the first batch can only be collected by this process."""
    runs, _ = patient
    process = program(
        runs,
        "made.run()",
        state_path=None,
        results_dir=None,
        max_parallel_jobs=1,
        items_per_job=2,
    )
    wait_for(lambda: len(runs.sandbox.batches) == 1)
    runs.sandbox.faults = Faults(poll_status=[401] * 10)
    _, told = process.communicate(timeout=300)
    assert f"Open at the provider: {runs.sandbox.batches[0].id} (2 items)" in told


def test_a_run_in_this_process_collects_what_was_left_open(patient: tuple[Runs, list[float]]) -> None:
    """As the message says: the log in memory is there as long as the manager."""
    runs, _ = patient
    made = manager(runs, state_path=None)
    with pytest.warns(PendingRunWarning, match="Open at the provider: msgbatch_"):
        left_when_sent(made, runs)
    runs.sandbox.end_all()
    assert made.run()["completed_items"] == COUNT
    assert runs.creates() == 2


def left_when_sent(made: Any, runs: Runs) -> None:
    """Run, and detach once both batches are known to be made."""

    def leave() -> None:
        wait_for(lambda: len(made.stats()["batches"]) == 2)
        made.detach()

    leaving = threading.Thread(target=leave)
    leaving.start()
    made.run()
    leaving.join()


@pytest.mark.parametrize("how", ["cancel", "wait_for", "group", "at once"])
def test_cancelling_a_coroutine_leaves_its_batches_running(
    patient: tuple[Runs, list[float]], how: str
) -> None:
    """The event loop stays free meanwhile, no thread is left, and the run can go on at once."""
    runs, delay = patient
    made, ticks = manager(runs), 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    async def main() -> None:
        ticking = asyncio.create_task(tick())
        run = asyncio.create_task(made.run_async())
        if how != "at once":
            while len(runs.sandbox.batches) < 2:  # noqa: ASYNC110 - another thread sends them
                await asyncio.sleep(0.01)
        if how == "wait_for":
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(run, 0.3)
        elif how == "group":
            with pytest.raises(ExceptionGroup):
                await _group(run)
        else:
            await asyncio.sleep(0)
            run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        ticking.cancel()

    asyncio.run(main())
    assert ticks > 0 or how == "at once"  # that may be over before the first tick
    assert [t.name for t in threading.enumerate() if t.name.startswith("batchata")] == ["batchata-sandbox"]
    delay[0] = 0.0
    runs.sandbox.end_all()
    assert asyncio.run(made.run_async())["completed_items"] == COUNT
    check_complete(runs)


def test_a_coroutine_that_a_signal_cancels_is_left_at_once(patient: tuple[Runs, list[float]]) -> None:
    """As a notebook does with its cell: that does not wake the event loop, which sleeps while batches run."""
    runs, _ = patient
    made = manager(runs)

    def interrupt() -> None:
        wait_for(lambda: len(runs.sandbox.batches) == 2)
        os.kill(os.getpid(), signal.SIGINT)

    async def main() -> None:
        run = asyncio.create_task(made.run_async())
        signal.signal(signal.SIGINT, lambda *_: run.cancel())
        interrupting = threading.Thread(target=interrupt)
        interrupting.start()
        with pytest.raises(asyncio.CancelledError, match="2 batches go on at the provider"):
            await run
        interrupting.join()

    before = signal.getsignal(signal.SIGINT)
    try:
        asyncio.run(main())
    finally:
        signal.signal(signal.SIGINT, before)
    # Not for the time that it may wait, which would wake the loop as well.
    assert runs.events()[-1].event.reason == "detached"


def test_a_coroutine_gets_the_summary_or_the_error(runs: Runs) -> None:
    """run_async() is run() for everything else."""
    assert asyncio.run(manager(runs).run_async())["completed_items"] == COUNT
    runs.sandbox.stop()
    with pytest.raises(Exception, match="no answer from"):
        asyncio.run(manager(runs, COUNT + 1).run_async())


async def _group(run: asyncio.Task[Any]) -> None:
    async def wait() -> None:
        await run

    async def fail() -> None:
        raise ValueError

    async with asyncio.TaskGroup() as group:
        group.create_task(wait())
        group.create_task(fail())
