"""How long a call of run() waits: max_wait_time bounds waiting, not work."""

from __future__ import annotations

import asyncio
import re
import time
import warnings
from pathlib import Path
from typing import Any

import forked
import pytest
from resume_support import COUNT, check_complete, manager
from run_support import Echo, Runs, conversations

from batchata import BatchManager, batch
from batchata.core.evolve import fold
from batchata.errors import BatchataError, PendingRunWarning
from batchata.replay.status import status_in_words
from batchata.sandbox import Faults
from batchata.terminal.progress_line import waiting_for

_SCRIPT = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}, str(Path({tests!r}).parent)]
from resume_support import _Somewhere, manager
print(manager(_Somewhere(Path({folder!r})), max_wait_time=0).run()["pending_items"])
"""


def polls(runs: Runs) -> int:
    """How many questions about batches the sandbox answered."""
    return sum(
        method == "GET" and not path.endswith("/results") for method, path, _ in runs.sandbox.exchanges
    )


def test_a_call_that_may_not_wait_sends_all_that_may_be_sent(patient: tuple[Runs, list[float]]) -> None:
    """With 0, both jobs are created, none is asked for, and the log says why the call ended."""
    runs, _ = patient
    assert manager(runs, max_wait_time=0).run()["pending_items"] == COUNT
    assert (runs.creates(), polls(runs)) == (2, 0)
    assert runs.events()[-1].event.reason == "max_wait_time"


def test_warnings_name_the_line_of_the_program(patient: tuple[Runs, list[float]]) -> None:
    """Of the call that gave it, also where that goes on in a thread of Batchata's own, or ends at once."""
    runs, _ = patient

    async def awaited() -> None:
        await BatchManager.open(runs.log, max_wait_time=0).run_async()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        manager(runs, max_wait_time=0).run()
        asyncio.run(awaited())
        asyncio.run(BatchManager.open(runs.log, max_wait_time=0).run_async())
        BatchManager(messages=["hi"], model="claude-opus-9")
    assert [warning.filename for warning in caught] == [__file__] * 4
    first = caught[0].lineno
    assert [warning.lineno - first for warning in caught] == [0, -4, 2, 3]


def test_a_call_that_may_not_wait_collects_all_that_has_ended(patient: tuple[Runs, list[float]]) -> None:
    """Each open batch is asked once; what has ended is collected however long that takes."""
    runs, _ = patient
    manager(runs, max_wait_time=0).run()
    assert manager(runs, max_wait_time=0).run()["pending_items"] == COUNT
    assert polls(runs) == 2
    runs.sandbox.end_all()
    runs.sandbox.faults = Faults(slow_results=0.3)
    assert manager(runs, max_wait_time=0.1).run()["completed_items"] == COUNT
    check_complete(runs)


def test_a_script_started_every_hour_with_no_time_to_wait_comes_to_the_end(runs: Runs) -> None:
    """More jobs than may be open at once, a retry and a lost answer: each start takes the next step."""
    runs.sandbox.faults = Faults(errored={0}, only_batches={0}, lost_create_responses=1)
    given: dict[str, Any] = {"count": 6, "max_parallel_jobs": 1, "max_wait_time": 0}
    for _ in range(15):
        time.sleep(0.06)  # "an hour": longer than settle_delay and retry_delay here
        summary = manager(runs, **given).run()
        if not summary["pending_items"]:
            break
    check_complete(runs, 6, max_parallel_jobs=1)
    assert runs.creates() == 4  # three jobs and the one that repeats an item


def test_a_real_script_with_no_time_to_wait_sends_everything(patient: tuple[Runs, list[float]]) -> None:
    """The time of its imports and of opening the log does not count."""
    runs, _ = patient
    code = _SCRIPT.format(tests=str(Path(__file__).parent), folder=str(runs.log.parent))
    ran = forked.run(["-c", code], check=True)
    assert ran.stdout == f"{COUNT}\n"
    assert "PendingRunWarning: max_wait_time (0 s) is over: 2 jobs are still at the provider" in ran.stderr
    assert "run() again, or the same script, continues until 20" in ran.stderr
    assert len(runs.sandbox.batches) == 2


def test_what_fails_is_not_tried_again_in_a_call_that_may_not_wait(patient: tuple[Runs, list[float]]) -> None:
    """Not even without pauses between calls: trying again is waiting."""
    runs, _ = patient
    runs.sandbox.faults = Faults(create_status=[429] * 100)
    assert manager(runs, max_wait_time=0, poll_interval=0).run()["pending_items"] == COUNT
    assert runs.creates() <= 2  # calls made side by side
    runs.sandbox.faults = Faults()
    manager(runs, max_wait_time=0, poll_interval=0).run()
    runs.sandbox.end_all()
    before = len(runs.sandbox.exchanges)
    runs.sandbox.faults = Faults(results_status=[529] * 100)
    assert manager(runs, max_wait_time=0, poll_interval=0).run()["pending_items"] == COUNT
    assert len(runs.sandbox.exchanges) - before == 4  # two looks, two downloads
    runs.sandbox.faults = Faults()
    check_complete(runs, poll_interval=0.01)


def test_an_hour_is_the_default_and_none_waits_until_the_end(runs: Runs) -> None:
    """Nobody's script hangs for a day without having asked for it."""
    given: dict[str, Any] = {
        "messages": conversations(1),
        "model": "claude-sonnet-5-5",
        "state_path": runs.log,
        "poll_interval": 0.01,
    }
    BatchManager(**given).run()
    assert runs.events()[0].event.settings.max_wait_time == 3600
    BatchManager(**given | {"messages": conversations(2)}, max_wait_time=None).run()
    (resumed,) = [r.event for r in runs.events() if r.event.TYPE == "run_resumed"]
    assert resumed.changed["max_wait_time"] == (3600, None)


def test_submit_now_and_collect_tomorrow(patient: tuple[Runs, list[float]]) -> None:
    """One pass each, without the warning that time ran out: coming back is what was meant."""
    runs, _ = patient
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert manager(runs).submit()["pending_items"] == COUNT
        run = fold((r.version, r.at, r.event) for r in runs.events())
        assert re.match("2 batches submitted; collect by ", waiting_for(run))
        assert status_in_words(run, None, None, 0) == "interrupted: submit() or collect() had done its pass"
        assert manager(runs).collect()["pending_items"] == COUNT
        runs.sandbox.end_all()
        assert manager(runs).collect()["completed_items"] == COUNT
    assert runs.creates() == 2
    check_complete(runs)


def test_a_job_that_may_not_wait_does_one_pass_too(patient: tuple[Runs, list[float]]) -> None:
    """batch() takes max_wait_time as a manager does."""
    runs, _ = patient
    job = batch(
        messages=conversations(2), model="claude-sonnet-5-5", response_model=Echo, state_path=runs.log,
        max_wait_time=0,
    )  # fmt: skip
    with pytest.warns(PendingRunWarning, match="1 job is still at the provider, and nothing is lost"):
        assert job.run()["pending_items"] == 2
    runs.sandbox.end_all()
    assert job.run()["completed_items"] == 2


def test_a_lost_result_line_is_told_by_starts_that_may_not_wait(runs: Runs) -> None:
    """Each reads the results once; how often that was counts over all of them, and nothing is paid again."""
    runs.sandbox.faults = Faults(missing={0}, only_batches={0})
    told = ""
    for _ in range(300):
        time.sleep(0.03)
        try:
            manager(runs, max_wait_time=0).run()
        except BatchataError as exc:
            told = str(exc)
            break
    assert "have no line for 1 of its 2 requests" in told
    assert runs.creates() == 2
