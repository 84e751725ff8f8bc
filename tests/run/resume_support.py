"""Scripts that drive a run in a process of their own, and get a signal at a chosen call of a function."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from forked import context, start_zygote
from places import APPEND, SUBMIT, function_at
from run_support import Echo, Runs, echo

from batchata import load_results_from_disk
from batchata.core.events import BatchSubmitted, CostCharged, SubmissionSettled, SubmissionStarted
from batchata.errors import BatchataError
from batchata.log import read_log
from batchata.log.port import Log
from batchata.log.verify import verify
from batchata.sandbox import Faults, Sandbox

COUNT = 4

# Where a script can be killed: before (False) or after (True) a call of this function.
PLACES = [
    (APPEND, True),
    (SUBMIT, False),
    (SUBMIT, True),
]


class Script:
    """A process that runs a manager as a user's script does; `given` changes the manager's arguments.

    With `at` (function, whether after it, number of the call) it sends `by` to itself there. No file that it
    writes grows beyond `file_limit` bytes, as on a disk that is full. Another `story` than that of
    `manager(...).run()` is a function of the runs that pickle can name.
    """

    def __init__(
        self,
        runs: Runs,
        at: tuple[str, bool, int] | None = None,
        *,
        by: int = signal.SIGKILL,
        count: int = COUNT,
        file_limit: int | None = None,
        story: Callable[[Runs], object] | None = None,
        **given: Any,
    ) -> None:
        environment = runs.sandbox.environment
        if story is None:
            story = partial(_run_to_its_end, count=count, given=given)
        start_zygote()
        self._process = context.Process(
            target=_script, args=(runs.log.parent, environment, at, by, file_limit, story), daemon=True
        )
        self._process.start()
        self.pid = self._process.pid or 0

    def ends(self) -> int:
        """Wait for the end and return the exit code; minus the signal when one killed it."""
        self._process.join(300)
        code = self._process.exitcode
        self._process.kill()
        assert code is not None, "the script did not end"
        return code

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def send(self, number: int) -> None:
        """Send a signal, unless the script has ended."""
        if self._process.is_alive():
            with suppress(ProcessLookupError):  # it ended a moment ago
                os.kill(self.pid, number)

    def interrupted_when(self, due: Callable[[], bool], number: int) -> int:
        """Send the signal as soon as it is due, and return the exit code."""
        while self.is_alive() and not due():
            self._process.join(0.002)
        self.send(number)
        return self.ends()


def _script(
    folder: Path,
    environment: dict[str, str],
    at: tuple[str, bool, int] | None,
    by: int,
    file_limit: int | None,
    story: Callable[[Runs], object],
) -> None:
    os.environ.update(environment)
    # What a forked process inherits is not what a script starts with.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.stderr = (folder / "stderr.txt").open("w")
    if at is not None:
        _signal_at(*at, by)
    if file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, resource.RLIM_INFINITY))
    try:
        story(_Somewhere(folder))
    finally:  # what was covered is written, too
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _run_to_its_end(runs: Runs, count: int, given: dict[str, Any]) -> None:
    manager(runs, count, **given).run()


class _Somewhere(Runs):
    """Runs whose sandbox is in another process."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "run.db"
        self.out = folder / "out"


class Still(Runs):
    """Runs that nothing changes any more: their events are read once."""

    def __init__(self, runs: Runs) -> None:
        vars(self).update(vars(runs))
        self._read = runs.events()

    def events(self) -> list[Any]:
        return self._read


def manager(runs: Runs, count: int = COUNT, **given: Any) -> Any:
    """The manager that both the script and its successor make."""
    chosen = {"items_per_job": 2, "max_parallel_jobs": 2, "results_dir": runs.out, "max_cost": 5}
    return runs.manager(count, **(chosen | given))


def left_running(runs: Runs, batches: int = 2, **given: Any) -> Any:
    """A manager whose run was left once so many batches were at the provider, however long that took."""
    return left_when(lambda: len(runs.sandbox.batches) >= batches, runs, **given)


def left_when(due: Callable[[], bool], runs: Runs, **given: Any) -> Any:
    """A manager whose run was left as soon as something was so that only the run brings about."""
    made = manager(runs, **given)

    def leave() -> None:
        wait_for(due)
        made.detach()

    leaving = threading.Thread(target=leave)
    leaving.start()
    made.run()
    leaving.join()
    return made


def _signal_at(place: str, after: bool, number: int, by: int) -> None:
    """A signal for this process before or after the call of that number."""
    calls = Counter[CodeType]()

    def on_event(code: CodeType, *_: object) -> None:
        calls[code] += 1
        if calls[code] == number:
            os.kill(os.getpid(), by)

    tool, monitoring = sys.monitoring.DEBUGGER_ID, sys.monitoring
    event = monitoring.events.PY_RETURN if after else monitoring.events.PY_START
    monitoring.use_tool_id(tool, "signal")
    monitoring.register_callback(tool, event, on_event)
    monitoring.set_local_events(tool, function_at(place).__code__, event)


def faulty() -> Faults:
    """One request of the first batch fails in a way that passes, so that a job of retries follows."""
    return Faults(errored={0}, error_type="overloaded_error", only_batches={0})


def check_complete(runs: Runs, count: int = COUNT, **given: Any) -> None:
    """Start the script's successor, let it finish, and see that nothing was lost, doubled or invented."""
    successor = manager(runs, count, **given)
    summary = successor.run()
    assert (summary["completed_items"], summary["pending_items"]) == (count, 0), runs.types()
    entries = successor.results()
    assert [entry["result"].said for entry in entries] == [f"message {i}" for i in range(count)]
    assert load_results_from_disk(runs.out, Echo) == entries
    items = list(successor.items())
    still = Still(runs)
    check_paid_once(still, count)
    check_money(still, summary["total_cost"], items)
    with opened(runs) as log:
        assert log.faults() == []
        assert [verify(log, stream) for stream in log.streams()] == [[]]


def check_paid_once(runs: Runs, count: int) -> None:
    """Every batch belongs to a job of the log, and every item was answered and billed exactly once."""
    assert known_batches(runs) == sorted(batch.id for batch in runs.sandbox.batches), runs.types()
    assert paid_by_item(runs) == dict.fromkeys(range(count), 1)


def known_batches(runs: Runs) -> list[str]:
    """The batches that belong to a job of the log, as it says; one may have been doubted for a while."""
    named = [r.event for r in runs.events() if isinstance(r.event, BatchSubmitted | SubmissionSettled)]
    owned = {(event.job, event.batch_id) for event in named if event.batch_id}
    return sorted(batch_id for _, batch_id in owned)


def paid_by_item(runs: Runs) -> Counter[int]:
    """How often each item was answered and billed, by the sandbox's own count."""
    item_of = {
        started.custom_ids.replace("{index}", str(index)): index
        for started in (recorded.event for recorded in runs.events())
        if isinstance(started, SubmissionStarted)
        for first, last in started.items
        for index in range(first, last + 1)
    }
    return Counter(item_of[custom_id] for custom_id in runs.sandbox.billed().elements())


def check_money(runs: Runs, total: Decimal, items: list[Any]) -> None:
    """Charges in the log, costs of the items, the summary and the sandbox's own bill agree."""
    used = runs.sandbox.usage()
    bill = (used["input_tokens"] + used["output_tokens"] * 5) / Decimal(1_000_000)
    charges = [r.event.amount for r in runs.events() if isinstance(r.event, CostCharged)]
    assert sum(map(Decimal, charges)) == sum(item.cost for item in items) == total == bill


@contextmanager
def opened(runs: Runs) -> Iterator[Log]:
    """The log, for verifying."""
    log = read_log(runs.place)
    try:
        yield log
    finally:
        log.close()


@contextmanager
def fresh(folder: Path, **given: Any) -> Iterator[Runs]:
    """A sandbox, a log and a results_dir of their own; the environment points there meanwhile."""
    folder.mkdir(parents=True)
    with Sandbox(**({"answers": echo} | given)) as sandbox, pytest.MonkeyPatch.context() as environment:
        for name, value in sandbox.environment.items():
            environment.setenv(name, value)
        yield Runs(sandbox, folder)


def seen(runs: Runs, kind: str, times: int = 1) -> Callable[[], bool]:
    """Whether the log holds that many events of this kind."""

    def look() -> bool:
        try:
            return runs.types().count(kind) >= times
        except (BatchataError, ValueError):
            return False  # it is just being made

    return look


def wait_for(due: Callable[[], bool]) -> None:
    """Until it is so, for five minutes at most: the machine may be busy."""
    end = time.monotonic() + 300
    while not due():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)
