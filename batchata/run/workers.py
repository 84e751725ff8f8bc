"""Make provider calls in threads, and hand their reports back through a bounded queue."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext

from batchata.errors import BatchataError, ConfigurationError
from batchata.providers.port import Client
from batchata.run import reports

_WAITING_REPORTS = 64
_MOST_HEAVY = 2  # calls at the same time that keep a processor busy and hold much: more bring nothing
_WAITING_OUTCOMES = 1_000  # that may wait for the log: bounds the memory of fast downloads
_LAST_WORDS = 2.0  # seconds that calls which were broken off get to end, so that no thread is left
_LOOK_UP = 0.2  # seconds; a worker that waits for room looks this often whether its reports are still read


class _Reports:
    """A queue of reports with room for a number of them, and for a number of outcomes in them.

    A report is always taken, and its worker waits afterwards: a worker that reads on before there is room
    would hold what it read in addition to all that waits here.
    """

    def __init__(self) -> None:
        self._waiting: deque[reports.Report | BaseException] = deque()
        self._outcomes = 0
        self._changed = threading.Condition()

    def put(self, report: reports.Report | BaseException) -> None:
        """Add a report."""
        with self._changed:
            self._waiting.append(report)
            self._outcomes += _outcomes_in(report)
            self._changed.notify_all()

    def wait_for_room(self, patience: float) -> bool:
        """Wait until there is room for another report, up to so many seconds; return whether there is."""
        with self._changed:
            return self._changed.wait_for(self._has_room, patience)

    def get(self, patience: float) -> reports.Report | BaseException | None:
        """Take the oldest report, waiting up to so many seconds; None when there is none."""
        with self._changed:
            if not self._changed.wait_for(self._waiting.__len__, patience):
                return None
            report = self._waiting.popleft()
            self._outcomes -= _outcomes_in(report)
            self._changed.notify_all()
            return report

    def _has_room(self) -> bool:
        return len(self._waiting) < _WAITING_REPORTS and self._outcomes < _WAITING_OUTCOMES


def _outcomes_in(report: reports.Report | BaseException) -> int:
    return len(report.outcomes) if isinstance(report, reports.Arrived) else 0


type _Call = tuple[str, Sequence[int], Callable[..., None], tuple[object, ...], bool]


class Workers:
    """Runs calls about jobs side by side. `busy` says which jobs have one under way, and for what.

    Threads of our own, and all of them at once, not a ThreadPoolExecutor: a run in another thread goes on
    when the main thread has ended, and Python starts no thread after that.

    Raises ConfigurationError when it is too late for threads.
    """

    def __init__(self, provider: Client | None, most: int) -> None:
        self.busy: dict[int, str] = {}
        self._provider = provider  # None for a run without items, which makes no calls
        self._reports = _Reports()
        self._closing = threading.Event()
        self._heavy = threading.BoundedSemaphore(_MOST_HEAVY)
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        for number in range(most if provider is not None else 0):
            self._threads.append(self._started(number))

    def call(
        self,
        doing: str,
        jobs: Sequence[int],
        function: Callable[..., None],
        *args: object,
        is_heavy: bool = False,
    ) -> None:
        """Start a call; its result or error will be reported. Only a few heavy calls are made at a time."""
        self.busy.update(dict.fromkeys(jobs, doing))
        self._calls.put((doing, jobs, function, args, is_heavy))

    def report(self, patience: float) -> reports.Report | None:
        """Return the next report, waiting up to so many seconds; None when there is none.

        Raises what a worker failed with, other than an error of Batchata's own.
        """
        report = self._reports.get(patience)
        if report is None:
            return None
        if isinstance(report, BaseException):
            raise report
        if not isinstance(report, reports.Arrived):
            for number in jobs_of(report):
                self.busy.pop(number, None)
        return report

    def close(self) -> bool:
        """End; return True when calls were under way and had to be broken off, which closes the provider.

        A call that outlives the run could create a batch that is already taken for lost, or keep the
        process from ending.
        """
        self._closing.set()
        for _ in self._threads:
            self._calls.put(None)
        broken_off = bool(self.busy) and self._provider is not None
        if broken_off and self._provider is not None:
            self._provider.close()
        until = time.monotonic() + _LAST_WORDS
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0.0))
        return broken_off

    def _started(self, number: int) -> threading.Thread:
        thread = threading.Thread(target=self._serve, name=f"batchata-{number}", daemon=True)
        try:
            thread.start()
        except RuntimeError as exc:  # "can't start new thread", or "… at interpreter shutdown"
            raise ConfigurationError(
                f"the run's threads cannot be started ({exc}); a run in a thread must have begun before the "
                "main thread ends: let the main thread join it"
            ) from exc
        return thread

    def _serve(self) -> None:
        """Make one call after another in a thread."""
        while (call := self._calls.get()) is not None and not self._closing.is_set():
            self._work(*call)

    def _work(
        self,
        doing: str,
        jobs: Sequence[int],
        function: Callable[..., None],
        args: tuple[object, ...],
        is_heavy: bool,
    ) -> None:
        """Make a call in the worker's thread and report its result or error; the loop judges them."""
        try:
            with self._heavy if is_heavy else nullcontext():
                if not self._closing.is_set():  # which may have come while this waited for its turn
                    function(self._provider, *args, self._put)
        except AbandonedError:
            return
        except BatchataError as exc:
            self._put_last(reports.CallFailed(doing, jobs, exc))
        except BaseException as exc:  # noqa: BLE001 - the thread's outermost edge: the loop raises it again
            self._put_last(exc)

    def _put(self, report: reports.Report | BaseException) -> None:
        if not self._closing.is_set():
            self._reports.put(report)
        while not self._closing.is_set():
            if self._reports.wait_for_room(_LOOK_UP):
                return
        raise AbandonedError

    def _put_last(self, report: reports.Report | BaseException) -> None:
        try:
            self._put(report)
        except AbandonedError:
            return


class AbandonedError(Exception):
    """The loop has ended; the worker's report is no longer needed."""


def jobs_of(report: reports.Report) -> Sequence[int]:
    """Return the jobs that a report is about."""
    return report.jobs if isinstance(report, reports.Polled | reports.CallFailed) else (report.job,)
