"""Runs whose work an executor does: what comes of it, what is lost with its workers, and what is none."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from crash_support import OPENAI
from elsewhere_support import DIES, Locked, Placed
from forked import context, start_zygote
from places import SUBMIT
from pydantic import BaseModel
from resume_support import Script
from run_support import MODEL, Runs

from batchata import BatchManager
from batchata.errors import (
    AuthenticationFailedError,
    BatchataWarning,
    ConfigurationError,
    FileInputError,
    InvalidInputError,
)
from batchata.sandbox import Faults

COUNT = 7


def processes() -> ProcessPoolExecutor:
    """A pool of two processes that start fast."""
    start_zygote()
    return ProcessPoolExecutor(2, mp_context=context)


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    """A pool for tests that leave it whole."""
    with processes() as pool:
        yield pool


def manager(runs: Runs, executor: Any, **given: Any) -> BatchManager[Any]:
    """A manager whose workers are told where the provider is: they may be older than the test."""
    key = {"api_key": runs.sandbox.api_key, "base_url": base_url(runs, given.get("model", MODEL))}
    return runs.manager(COUNT, executor=executor, **({"response_model": Placed} | key | given))


def base_url(runs: Runs, model: str) -> str:
    """Where the SDK of the model's provider calls."""
    environment = runs.sandbox.environment
    return environment["OPENAI_BASE_URL" if model == OPENAI else "ANTHROPIC_BASE_URL"]


def is_paid_once(runs: Runs) -> bool:
    """Whether each item was billed exactly once."""
    billed = runs.sandbox.billed()
    return len(billed) == COUNT and set(billed.values()) == {1}


@pytest.mark.parametrize("model", [MODEL, OPENAI])
def test_workers_read_and_this_process_creates(runs: Runs, pool: Executor, model: str) -> None:
    """All answers are there, in order, read in other processes; each job was created once, from here."""
    made = manager(runs, pool, model=model)
    assert made.run()["completed_items"] == COUNT
    found = [entry["result"] for entry in made.results()]
    assert [each.said for each in found] == [f"message {number}" for number in range(COUNT)]
    assert {type(each) for each in found} == {Placed}
    assert os.getpid() not in {each.pid for each in found}
    assert is_paid_once(runs)


def test_values_that_differ_from_those_of_threads_there_are_none(runs: Runs, tmp_path: Path) -> None:
    """The same items through a pool and without: the same entries, costs and files."""
    told = []
    for executor in (None, ThreadPoolExecutor(2)):
        folder = tmp_path / str(len(told))
        made = manager(
            runs, executor, response_model=None, state_path=folder / "run.db", results_dir=folder / "out"
        )
        total = made.run()["total_cost"]
        files = {path.name: path.read_text() for path in (folder / "out" / "processed").iterdir()}
        told.append((total, made.results(), [item.cost for item in made.items()], files))
    assert told[0] == told[1]


def test_a_worker_that_dies_costs_nothing_but_its_work(runs: Runs, tmp_path: Path) -> None:
    """A pool is broken for good by one dead process: the run goes on in threads, and says so."""
    deadly = [{"role": "user", "content": f"{DIES}{tmp_path / 'died'}"}]
    ordinary = [[{"role": "user", "content": f"message {number}"}] for number in range(1, COUNT)]
    with processes() as pool:
        made = manager(runs, pool, messages=[deadly, *ordinary])
        with pytest.warns(BatchataWarning, match="executor is lost.*make a new one"):
            assert made.run()["completed_items"] == COUNT
    assert (tmp_path / "died").exists()
    assert is_paid_once(runs)


def test_answers_that_cannot_be_sent_back_are_read_here(runs: Runs, pool: Executor) -> None:
    """From their lines, which are what was paid for."""
    made = manager(runs, pool, response_model=Locked)
    assert made.run()["completed_items"] == COUNT
    assert {item.result.pid for item in made.items()} == {os.getpid()}


class Flaky(ThreadPoolExecutor):
    """Workers of which some die before they have done anything, after a first task of each start."""

    def __init__(self) -> None:
        super().__init__(2)
        self.dies_after(0, 0)

    def dies_after(self, spared: int, deaths: int) -> None:
        """Let so many tasks be done, and the next ones not."""
        self.spared, self.deaths = spared, deaths

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        """Fail as the future of a cluster does."""
        if self.spared or not self.deaths:
            self.spared = max(self.spared - 1, 0)
            return super().submit(fn, *args)
        self.deaths -= 1
        lost: Future[Any] = Future()
        lost.set_exception(OSError("the worker was killed"))
        return lost


def test_work_is_given_to_workers_again_and_not_for_ever(runs: Runs) -> None:
    """One death is no matter; a job that workers keep dying of ends the start, and nothing is sent of it."""
    with Flaky() as pool:
        made = manager(runs, pool, items_per_job=COUNT)
        pool.dies_after(1, 2)
        with pytest.raises(ConfigurationError, match=r"workers were lost over job 0 .*give them more memory"):
            made.run()
        assert runs.creates() == 0
        pool.dies_after(1, 1)
        assert made.run()["completed_items"] == COUNT
    assert is_paid_once(runs)


class Confused(Flaky):
    """Workers that, where others die, give back something else, or what they gave for the first job."""

    def __init__(self, instead: Any) -> None:
        super().__init__()
        self.instead = instead
        self.first: Future[Any] = Future()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        """Answer with what is no answer to this."""
        future = super().submit(fn, *args)
        if future.exception() is None:
            self.first = future if b"prepared" in args[2] and not self.first.done() else self.first
            return future
        confused: Future[Any] = Future()
        confused.set_result(self.first.result() if self.instead == "first" else self.instead)
        return confused


@pytest.mark.parametrize("model", [MODEL, OPENAI])
@pytest.mark.parametrize("instead", ["first", None, b"garbage", pickle.dumps(7)])
def test_what_is_not_of_its_job_is_never_sent(runs: Runs, instead: Any, model: str) -> None:
    """A worker may give back anything, even the body of an earlier job, which would be paid for again."""
    with Confused(instead) as pool:
        pool.dies_after(3, 1)  # after the first task of the start, and the first job
        made = manager(runs, pool, model=model, base_url=base_url(runs, model), max_parallel_jobs=1)
        assert made.run()["completed_items"] == COUNT
        assert not pool.deaths
    assert set(runs.sandbox.billed().values()) == {1}


class Closed(ThreadPoolExecutor):
    """Workers that are gone after a first task, which is said by an error of their own kind, as Dask does."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        """Take the first task."""
        if self._threads:
            raise OSError("the client is closed")
        return super().submit(fn, *args)


def test_an_executor_that_is_closed_in_the_middle_is_done_without(runs: Runs) -> None:
    """Whatever error says so, the rest of the work is done in threads, with a warning."""
    with Closed(1) as pool, pytest.warns(BatchataWarning, match=r"lost .*OSError: the client is closed"):
        assert manager(runs, pool).run()["completed_items"] == COUNT
    assert is_paid_once(runs)


class Memoizing(ThreadPoolExecutor):
    """Workers that do nothing twice, as Dask's do not while what came of it is held."""

    def __init__(self) -> None:
        super().__init__(2)
        self.done: dict[Any, Future[Any]] = {}

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        """Take a call like an earlier one for the same."""
        return self.done.setdefault(args, super().submit(fn, *args))


def test_results_are_fetched_again_whatever_an_executor_remembers(runs: Runs) -> None:
    """The same call for results that lacked lines is another call."""
    runs.sandbox.faults = Faults(truncate_results=[1, 1, 1])
    with Memoizing() as pool:
        made = manager(runs, pool, items_per_job=COUNT, poll_interval=0.001)
        assert made.run()["completed_items"] == COUNT
    assert is_paid_once(runs)


def _drive_with_threads(runs: Runs) -> None:
    with ThreadPoolExecutor(2) as pool:
        runs.manager(COUNT, executor=pool).run()


@pytest.mark.parametrize("after", [False, True])
def test_a_create_that_was_cut_short_is_unknown_and_never_repeated(runs: Runs, after: bool) -> None:
    """The process that drives the run dies before or after the call: the next start finds out which."""
    assert Script(runs, (SUBMIT, after, 2), story=_drive_with_threads).ends() == -signal.SIGKILL
    _drive_with_threads(runs)
    assert is_paid_once(runs)
    assert "submission_unknown" in runs.types() or "submission_settled" in runs.types()


def test_a_run_is_cancelled_without_its_executor(patient: tuple[Runs, list[float]]) -> None:
    """Nothing is built or read for it, and a pool is often shut down by then."""
    runs, _ = patient
    with ThreadPoolExecutor(2) as pool:
        made = manager(runs, pool, max_wait_time=0)
        made.run()
    assert made.cancel()["pending_items"] == COUNT
    assert runs.types()[-1] == "run_interrupted"


class Apart(ProcessPoolExecutor):
    """Workers on a machine that has no text files."""

    def __init__(self) -> None:
        start_zygote()
        super().__init__(1, mp_context=context, initializer=_hide_texts)


def _hide_texts() -> None:
    sys.addaudithook(_refuse_texts)


def _refuse_texts(event: str, given: tuple[Any, ...]) -> None:
    if event == "open" and str(given[0]).endswith(".txt"):
        raise FileNotFoundError(2, "no such file")


class Slow(ThreadPoolExecutor):
    """Workers that after a first task do nothing until they may."""

    def __init__(self) -> None:
        super().__init__(2)
        self.asked, self.may = threading.Event(), threading.Event()
        self._is_first = True

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        """Do the first one at once."""
        if self._is_first:
            self._is_first = False
            return super().submit(fn, *args)
        self.asked.set()
        return super().submit(lambda: (self.may.wait(30), fn(*args))[1])


def test_what_is_still_being_built_when_the_run_ends_is_not_sent(runs: Runs) -> None:
    """It is certainly no batch: nothing is unknown, and the next start sends it."""
    with Slow() as pool:
        made = manager(runs, pool)
        driven = threading.Thread(target=made.run)
        driven.start()
        assert pool.asked.wait(30)
        made.detach()
        driven.join(30)
        assert not driven.is_alive()
        failed = [each.event for each in runs.events() if each.event.TYPE == "submission_failed"]
        assert {event.error.kind for event in failed} == {"not_sent"}
        assert "submission_unknown" not in runs.types()
        assert runs.creates() == 0
        pool.may.set()
        assert made.run()["completed_items"] == COUNT
    assert is_paid_once(runs)


def test_files_are_read_and_checked_by_workers(runs: Runs, pool: Executor, tmp_path: Path) -> None:
    """In the order given, whatever else is among them; what a worker cannot use is judged here."""
    paths = [tmp_path / f"{number}.txt" for number in range(9)]
    for number, path in enumerate(paths):
        path.write_text(f"document {number}")
    gone = tmp_path / "gone.txt"
    given = [*paths[:5], b"bytes in between", *paths[5:], gone]
    found = []
    for executor in (None, pool):
        with pytest.raises(FileInputError, match=r"files\[10\] .*gone.txt.*does not exist"):
            manager(runs, executor, messages=None, files=given, prompt="Say it.")
        made = manager(runs, executor, messages=None, files=given, prompt="Say it.", on_bad_file="fail")
        found.append([(item.name, item.source) for item in made.items()])
        assert made.estimate().items == 10
    assert found[0] == found[1]
    assert [name for name, _ in found[1]] == [
        *(path.name for path in paths[:5]),
        "document-6.txt",
        *(path.name for path in paths[5:]),
        "gone.txt",
    ]
    summary = made.run()
    assert (summary["completed_items"], summary["failed_items"]) == (10, 1)


def test_a_file_that_workers_do_not_have_is_read_here(runs: Runs, tmp_path: Path) -> None:
    """A path of this machine may be none of theirs: only what cannot be read here either is an error."""
    (tmp_path / "a.txt").write_text("a document")
    with Apart() as pool:
        made = manager(runs, pool, messages=None, files=[tmp_path / "a.txt"], prompt="Say it.")
        assert made.run()["completed_items"] == 1


class Old(ThreadPoolExecutor):
    """Workers that were given another version."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        """Do as if the run were driven by a newer Batchata."""
        return super().submit(fn, "99.0", *args[1:])


class Bare(ThreadPoolExecutor):
    """Workers whose Python has none of the packages here."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        """Let another Python find the function."""
        return super().submit(self._found, pickle.dumps(fn))

    @staticmethod
    def _found(fn: bytes) -> None:
        code = "import pickle, sys; pickle.loads(sys.stdin.buffer.read())"
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", code], input=fn, capture_output=True, check=False
        )
        raise ModuleNotFoundError(done.stderr.decode().splitlines()[-1])


class Restarted(ThreadPoolExecutor):
    """Gives up what it was handed, as Dask's does when its client is restarted."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        """Take the work, and cancel it."""
        given: Future[Any] = Future()
        given.cancel()
        given.set_running_or_notify_cancel()
        return given


class Eager(ThreadPoolExecutor):
    """Does the work at once, and gives what came of it instead of a future."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> Any:
        """Do it here."""
        return fn(*args)


def _closed() -> Executor:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    return pool


@pytest.mark.parametrize(
    ("executor", "said"),
    [
        (_closed, "takes no work.*make a new one"),
        (Restarted, r"gave up its first piece of work \(CancelledError\).*call run\(\) again"),
        (Eager, r"of the executor \(Eager\) returned a bytes, and must return a concurrent"),
        (Old, "a worker has Batchata .*, and this process 99.0; install the same version"),
        (Bare, "No module named 'batchata'.*install the same version"),
    ],
)
def test_an_executor_that_cannot_work_is_told_before_anything_is_written(
    runs: Runs, executor: Callable[[], Executor], said: str
) -> None:
    """Nothing is sent, and there is no log: the next start with a good one begins afresh."""
    made = manager(runs, executor())
    with pytest.raises(ConfigurationError, match=said):
        made.run()
    assert not runs.log.exists()
    assert runs.creates() == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("dask", "executor is a str.*must be a concurrent.futures.Executor"),
        (ProcessPoolExecutor, r"give one that was made, ProcessPoolExecutor\(\)"),
        (type("Client", (), {"get_executor": lambda _: None})(), r"give client.get_executor\(\)"),
    ],
)
def test_what_is_no_executor_is_refused(runs: Runs, given: Any, said: str) -> None:
    """With what to give instead."""
    with pytest.raises(InvalidInputError, match=said):
        manager(runs, given)


def test_a_worker_with_another_key_is_told(
    runs: Runs, pool: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would see another workspace. A key that is given is sent along, one of the environment is not."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "known-here-alone")
    made = manager(runs, pool, api_key=None)
    with pytest.raises(ConfigurationError, match=r"a worker has another API key.*or give api_key"):
        made.run()
    assert runs.creates() == 0


def test_a_model_that_cannot_be_sent_is_read_in_threads(runs: Runs, pool: Executor) -> None:
    """With a warning that says what to change."""
    lock = threading.Lock()

    class Guarded(BaseModel):
        said: str
        length: int

        def locked(self) -> bool:
            return lock.locked()

    made = manager(runs, pool, response_model=Guarded)
    with pytest.warns(BatchataWarning, match="Guarded cannot be sent.*module that the workers can import"):
        assert made.run()["completed_items"] == COUNT


def test_errors_come_back_as_they_are(runs: Runs, pool: Executor) -> None:
    """What the provider refuses a worker is raised here, with its kind; what may pass is tried again."""
    runs.sandbox.faults = Faults(upload_status=[503, 401])
    made = manager(runs, pool, model=OPENAI, items_per_job=COUNT)
    with pytest.raises(AuthenticationFailedError) as caught:
        made.run()
    assert caught.value.status == 401
    assert manager(runs, pool, model=OPENAI, items_per_job=COUNT).run()["completed_items"] == COUNT
    assert is_paid_once(runs)
