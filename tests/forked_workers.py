"""Tests in several processes, forked from the one that has collected them: `pytest --forks auto`.

pytest-xdist starts each worker afresh, which imports the SDK and collects all tests once more, and every test
goes through a scheduler in another process. All that took an eighth of the suite's CPU. A worker that is
forked has everything, takes its tests from an array that all share, and sends its reports through a pipe.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import time
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate, chain, cycle
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Literal

import pytest

_context = multiprocessing.get_context("fork")
_NONE = -1
_COLLECTED = 20_000  # objects between two collections, which take a thirtieth of the time at Python's own 700
_LAST_WORDS = 5.0  # seconds for workers that are told to end

_GATHERING = 0.02  # seconds: to wake up for each report takes a core away from the tests

FOLDER = pytest.StashKey[Path]()  # of the temporary files that the workers have in common

# What a worker tells of a test: its reports, and the warnings that came.
type _Told = tuple[list[dict[str, Any]], list[bytes]]


def add_option(parser: pytest.Parser) -> None:
    """`--forks`: how many workers."""
    parser.addoption(
        "--forks",
        metavar="N",
        help="run the tests in this number of forked processes; auto: two more than there are cores",
    )


def forks(config: pytest.Config) -> int:
    """How many workers are asked for; 0 where the tests run in this process, or are not run at all."""
    asked: str | None = config.getoption("forks")
    if asked is None or config.option.collectonly or config.option.usepdb:
        return 0
    # A test of a whole run waits for its provider or its processes a third of its time.
    return (os.cpu_count() or 1) + 2 if asked == "auto" else int(asked)


class Forks:
    """The plugin that runs the tests in so many workers; those of the files that are `long` come first.

    Files that share what one of them does are `together` in one worker, each group of them in another.
    """

    def __init__(self, number: int, long: Collection[str], together: Sequence[Collection[str]]) -> None:
        self._number = number
        self._long = long
        self._together = together
        self._running: dict[Connection, _Worker] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if session.testsfailed and not session.config.option.continue_on_collection_errors:
            return None  # pytest's own loop says so
        number = min(self._number, len(session.items))
        shares = _Shares(_deal(session.items, number, self._long, self._together))
        untold = {item.nodeid for item in session.items}
        try:
            for worker in range(number):
                self._begin(session, shares, worker)
            while self._running:
                for ready in wait(list(self._running)):
                    while ready in self._running and ready.poll():
                        untold -= self._take_up(session, shares, self._running[ready])
                time.sleep(_GATHERING)
        finally:
            for each in self._running.values():
                each.process.terminate()
            for each in self._running.values():
                each.process.join(_LAST_WORDS)
                each.process.kill()  # it is at a test that does something else when it is told to end
                each.process.join()
        if untold:
            raise session.Failed(f"{len(untold)} tests were not run, such as {min(untold)}")
        return True

    def _begin(self, session: pytest.Session, shares: _Shares, number: int) -> None:
        worker = _Worker(session, shares, number, [*self._running])
        self._running[worker.reports] = worker

    def _take_up(self, session: pytest.Session, shares: _Shares, worker: _Worker) -> set[str]:
        """Tell of the tests that a worker reports, or that it died over one; then another one goes on.

        Returns their ids.
        """
        told, hook = worker.says(), session.config.hook
        if isinstance(told, str):
            del self._running[worker.reports]
            worker.process.join()
            return set() if told == "end" else {self._replace(session, shares, worker)}
        reports, warned = told
        for each in warned:
            hook.pytest_warning_recorded.call_historic(kwargs=pickle.loads(each))
        for data in reports:
            _log(session, hook.pytest_report_from_serializable(config=session.config, data=data))
        return {data["nodeid"] for data in reports}

    def _replace(self, session: pytest.Session, shares: _Shares, dead: _Worker) -> str:
        """Tell which test a worker died over, and let another one take its place."""
        index = shares.taken[dead.number]
        assert index != _NONE, f"worker {dead.number} ended with {dead.process.exitcode} between two tests"
        shares.taken[dead.number] = _NONE
        item = session.items[index]
        said = f"the worker ended with {dead.process.exitcode}"
        _log(session, pytest.TestReport(item.nodeid, item.location, {}, "failed", said, "call"))
        self._begin(session, shares, dead.number)
        return item.nodeid


def _deal(
    items: list[pytest.Item], number: int, long: Collection[str], together: Sequence[Collection[str]]
) -> list[tuple[int, int]]:
    """Sort the tests into shares of about the same size, files together; the long ones are dealt out."""
    shares: list[list[pytest.Item]] = [[] for _ in range(number)]
    for share, group in zip(cycle(shares), together):
        share.extend(item for item in items if item.path.stem in group)
    first = [item for item in items if item.path.stem in long]
    free = shares[len(together) :] or shares
    for place, share in enumerate(free):
        share.extend(first[place :: len(free)])
    rest = [item for item in items if item.path.stem not in {*long, *chain(*together)}]
    for place, share in enumerate(shares):
        share.extend(rest[len(rest) * place // number : len(rest) * (place + 1) // number])
    items[:] = [*chain(*shares)]
    ends = [*accumulate(map(len, shares))]
    return list(zip([0, *ends], ends, strict=False))


class _Shares:
    """Which tests each worker has before it: its share, then the later half of the largest other one."""

    def __init__(self, bounds: Sequence[tuple[int, int]]) -> None:
        self._lock = _context.Lock()
        self._next = _context.RawArray("i", [first for first, _ in bounds])
        self._ends = _context.RawArray("i", [end for _, end in bounds])
        self.taken = _context.RawArray("i", [_NONE] * len(bounds))
        self.following = _context.RawArray("i", [_NONE] * len(bounds))

    def each(self, worker: int) -> Iterator[tuple[int, int]]:
        """The tests that this worker is to run, each with the one that will follow it."""
        if self.following[worker] == _NONE:
            self.following[worker] = self._take(worker)
        while (now := self.following[worker]) != _NONE:
            self.taken[worker] = now
            self.following[worker] = self._take(worker)
            yield now, self.following[worker]
            self.taken[worker] = _NONE

    def _take(self, worker: int) -> int:
        with self._lock:
            if self._next[worker] == self._ends[worker]:
                self._move_to(worker)
            if self._next[worker] == self._ends[worker]:
                return _NONE
            self._next[worker] += 1
            return self._next[worker] - 1

    def _move_to(self, worker: int) -> None:
        """Give a worker that is through with its share the later half of the largest one."""
        left = [end - first for first, end in zip(self._next, self._ends, strict=True)]
        most = left.index(max(left))
        end = self._ends[most]
        self._ends[most] = self._next[worker] = end - (left[most] + 1) // 2
        self._ends[worker] = end


class _Worker:
    """A forked process that runs tests until none is left."""

    def __init__(
        self, session: pytest.Session, shares: _Shares, number: int, others: list[Connection]
    ) -> None:
        self.number = number
        self.reports, told = _context.Pipe(duplex=False)
        given = (session, shares, number, told, [*others, self.reports])
        self.process = _context.Process(target=_work, args=given)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # native threads of libraries, which are idle
            self.process.start()
        told.close()

    def says(self) -> _Told | Literal["end", "death"]:
        """What it says next."""
        try:
            told: _Told | Literal["end"] = pickle.loads(self.reports.recv_bytes())
        except EOFError:
            return "death"
        return told


def _log(session: pytest.Session, report: pytest.TestReport) -> None:
    session.config.hook.pytest_runtest_logreport(report=report)
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)


def _work(
    session: pytest.Session, shares: _Shares, number: int, told: Connection, readers: list[Connection]
) -> None:
    """In the forked process: run tests, and tell of them; it ends when the process that forked it has."""
    for reader in readers:
        reader.close()  # else a pipe that nobody reads would not break
    gc.set_threshold(_COLLECTED)
    config = session.config
    factory: Any = config._tmp_path_factory  # type: ignore[attr-defined]
    factory._basetemp = config.stash[FOLDER] / f"worker-{number}"
    factory._basetemp.mkdir(mode=0o700, exist_ok=True)
    plugins = config.pluginmanager
    plugins.unregister(name="terminalreporter")
    capturing = plugins.getplugin("capturemanager")
    if capturing is not None:
        capturing.stop_global_capturing()
        capturing.start_global_capturing()  # into files of its own
    telling = _Telling(config)
    plugins.register(telling)
    with suppress(BrokenPipeError):
        for index, following in shares.each(number):
            then = None if following == _NONE else session.items[following]
            config.hook.pytest_runtest_protocol(item=session.items[index], nextitem=then)
            told.send_bytes(pickle.dumps(telling.taken()))
        told.send_bytes(pickle.dumps("end"))


class _Telling:
    """The plugin of a worker that keeps what is said of its tests."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._told: _Told = ([], [])

    def taken(self) -> _Told:
        """What was said since it was last asked."""
        told, self._told = self._told, ([], [])
        return told

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._told[0].append(data)

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: str, nodeid: str, location: object
    ) -> None:
        said = {"when": when, "nodeid": nodeid, "location": location}
        self._told[1].append(_pickled(warning_message, said))


def _pickled(message: warnings.WarningMessage, said: dict[str, object]) -> bytes:
    """A warning as text; its category is told where it can be named."""
    categories: Iterable[type[Warning]] = (message.category, UserWarning)
    for category in categories:
        text = warnings.WarningMessage(str(message.message), category, message.filename, message.lineno)
        with suppress(pickle.PicklingError, AttributeError):
            return pickle.dumps(said | {"warning_message": text})
    raise AssertionError(message)
