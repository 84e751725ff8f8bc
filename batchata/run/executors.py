"""Have an executor do the jobs' work: build and upload requests, download and read results.

Whatever an executor does may be done twice: a cluster runs a task again when its worker dies. So no batch is
created there. Bodies, or the handles of their uploads, come back, and the create call is made where the log
is.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, wait
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from secrets import token_hex
from typing import Any, NoReturn

from batchata.answers.answer import Block
from batchata.answers.reader import Reader, Reading
from batchata.answers.schema import json_schema
from batchata.errors import (
    BatchataWarning,
    ConfigurationError,
    FileInputError,
    InvalidInputError,
    ProviderUnavailableError,
)
from batchata.logs import get_logger, warn
from batchata.providers.port import Client
from batchata.run import bodies, calls, reports
from batchata.run.tasks import (
    CURE,
    CannotBeSentError,
    Collected,
    Place,
    Setup,
    by_value,
    collected,
    outcomes,
    prepared,
    present,
    probed,
    work,
)
from batchata.run.workers import AbandonedError, jobs_of
from batchata.text import type_of

_logger = get_logger()
_TRIES = 2  # of a piece of work whose worker was lost; a cluster has tried it several times by then
_LOOK_UP = 0.2  # seconds; what waits for a worker looks this often whether the run ends
_PATIENCE = 120.0  # seconds until some worker has taken a first task
_MOST_HERE = 2  # pieces of work at the same time in this process, once the executor is gone


class _GoneError(Exception):
    """The executor takes no work any more."""


class GarbledError(Exception):
    """What came back is not what the work gives."""


def check_executor(given: object) -> Executor | None:
    """Return the user's `executor`, or None.

    Raises InvalidInputError for anything that is not an executor.
    """
    if given is None or isinstance(given, Executor):
        return given
    if callable(getattr(given, "get_executor", None)):
        cure = "give client.get_executor()"
    elif isinstance(given, type) and issubclass(given, Executor):
        cure = f"give one that was made, {given.__name__}(), and keep it open while the run is driven"
    else:
        cure = "give a ProcessPoolExecutor, the get_executor() of Dask's Client, or leave it out"
    kind = given.__name__ if isinstance(given, type) else type(given).__name__
    raise InvalidInputError(f"executor is a {kind}, and must be a concurrent.futures.Executor; {cure}")


class Elsewhere:
    """Does the work of a run's jobs in an executor's workers, and waits for it in threads of this process.

    `blocks` decodes the content of a result line; `wants_blocks` says that it is needed here as well. Once
    the executor is gone, these threads do the work.
    """

    def __init__(
        self,
        executor: Executor,
        setup: bytes,
        blocks: Callable[[bytes], list[Block]],
        *,
        wants_blocks: bool,
    ) -> None:
        self._executor = executor
        self._setup = setup
        self._blocks = blocks
        self._wants_blocks = wants_blocks
        self._ending = threading.Event()
        self._closed = threading.Event()
        self._here = threading.BoundedSemaphore(_MOST_HERE)
        self.gone: str | None = None  # why the executor takes no work any more

    def submit(self, provider: Client, description: bodies.JobDescription, put: reports.Put) -> None:
        """Have the job's body built, and uploaded; then create its batch here, with one HTTP request."""
        whole = replace(
            description, custom_ids=tuple(description.custom_ids), sources=tuple(description.sources)
        )
        try:
            ready = self._do(description.job, partial(_is_of, whole), prepared, whole)
        except (_GoneError, FileInputError):
            ready = None
        if ready is None or isinstance(
            ready, reports.FilesRefused
        ):  # this process may have files that they lack
            with self._here:
                calls.submit(provider, description, put)
            return
        if isinstance(ready, reports.Staged):
            put(ready)
            return
        self._check_not_ending()
        put(reports.Submitted(description.job, provider.submit(ready)))

    def collect(self, provider: Client, job: int, batch_id: str, doubted: bool, put: reports.Put) -> None:
        """Have the results of an ended batch downloaded and read, and hand them over."""
        try:
            found: Collected = self._do(job, partial(_are_of, job), collected, job, batch_id, doubted)
        except _GoneError:
            with self._here:
                calls.collect(provider, job, batch_id, doubted, put)
            return
        self._take_readings(found)
        for report in found.reports:
            put(report)
        if found.error is not None:
            raise found.error

    def end(self) -> None:
        """Let no job that is still being built become a batch; results are still collected."""
        self._ending.set()

    def close(self) -> None:
        """Stop waiting for anything."""
        self._ending.set()
        self._closed.set()

    def _take_readings(self, found: Collected) -> None:
        readings: Iterable[Reading | None] = ()
        if found.readings:
            with suppress(Exception):  # of the user's classes; the answers are read here then
                readings = pickle.loads(found.readings)
        arrived = [*outcomes(found.reports)]
        for outcome, reading in zip(arrived, readings or [None] * len(arrived), strict=True):
            outcome.reading = reading
            if outcome.error is None and (reading is None or self._wants_blocks):
                outcome.blocks = self._blocks(outcome.line)

    def _check_not_ending(self) -> None:
        if self._ending.is_set():
            raise ProviderUnavailableError("the run ended before the job was sent", kind="not_sent")

    def _do(
        self, job: int, is_sound: Callable[[Any], bool], function: Callable[..., Any], *args: object
    ) -> Any:
        """Have a piece of work done, once more if its worker was lost or gave back something else.

        Raises the work's own error; ConfigurationError when workers are lost again and again, and _GoneError
        when there is no executor any more.
        """
        call = pickle.dumps((function, args), pickle.HIGHEST_PROTOCOL)
        lost: BaseException | None = None
        for _ in range(_TRIES):
            future = self._started(call)
            self._wait(future, to_the_end=function is collected)
            lost = failure(future)
            if lost is None:
                try:
                    return sound(result(future), is_sound)
                except GarbledError as exc:
                    lost = exc
            if isinstance(lost, BrokenExecutor):
                self._lose(lost)
            _logger.warning("worker_lost", job=job, error=_said(lost))
        raise ConfigurationError(
            f"the executor's workers were lost over job {job} ({_said(lost)}): give them more memory, or "
            "jobs of fewer items; nothing is lost or paid twice, and run() again goes on"
        )

    def _started(self, call: bytes) -> Future[bytes]:
        if self.gone is not None:
            raise _GoneError
        try:
            return handed(self._executor, self._setup, call)
        except RuntimeError as exc:  # it is broken or shut down
            self._lose(exc)

    def _lose(self, exc: BaseException) -> NoReturn:
        if self.gone is None:
            self.gone = _said(exc)
            _logger.warning(
                "executor_lost", error=self.gone, advice="the work goes on in threads of this process"
            )
        raise _GoneError from exc

    def _wait(self, future: Future[bytes], *, to_the_end: bool) -> None:
        while not wait([future], _LOOK_UP).done:
            if self._closed.is_set():
                future.cancel()
                raise AbandonedError
            if not to_the_end and self._ending.is_set():
                future.cancel()
                self._check_not_ending()


def handed(executor: Executor, setup: bytes | None, call: bytes) -> Future[bytes]:
    """Hand a piece of work to the executor, which takes it for no other one: Dask does, where all is alike.

    Then it gives what came of the earlier one, be that an error or results that lacked lines. Raises
    RuntimeError when the executor takes no work, as those of Python do, and ConfigurationError when what it
    gives cannot be waited for.
    """
    try:
        given: object = executor.submit(work, version("batchata"), setup, call, token_hex(8))
    except RuntimeError:
        raise
    except Exception as exc:
        raise RuntimeError(_said(exc)) from exc
    if not isinstance(given, Future):
        raise ConfigurationError(
            f"submit() of the executor ({type(executor).__name__}) returned {type_of(given)}, and must "
            "return a concurrent.futures.Future"
        )
    return given


def sound(found: Any, is_sound: Callable[[Any], bool]) -> Any:
    """Return what a worker gave back, if it is what the work gives."""
    if not is_sound(found):
        raise GarbledError(f"a worker gave back {type_of(found)} of another kind, or for another job")
    return found


def _is_of(description: bodies.JobDescription, ready: object) -> bool:
    """Whether what was prepared is this job's: another one's would be paid for again."""
    if isinstance(ready, bytes):
        return description.mark.encode() in ready  # it begins the custom ids
    if isinstance(ready, reports.Staged):
        return ready.job == description.job and ready.upload.mark == description.mark
    return isinstance(ready, reports.FilesRefused) and ready.job == description.job


def _are_of(job: int, found: object) -> bool:
    """Whether what was collected is of this job."""
    return isinstance(found, Collected) and all(jobs_of(report) == (job,) for report in found.reports)


def failure(future: Future[bytes]) -> BaseException | None:
    """Return how the worker ended, if it did not do its work."""
    try:
        return future.exception()
    except CancelledError as exc:  # by the executor
        return exc


def result(future: Future[bytes]) -> Any:
    """Return what came of a piece of work; raises the error that did."""
    try:
        found = pickle.loads(future.result())
    except Exception as exc:
        raise GarbledError(f"what a worker gave back cannot be read ({_said(exc)})") from exc
    if isinstance(found, Exception):
        raise found
    return found


def _said(exc: BaseException | None) -> str:
    return f"{type(exc).__name__}: {exc}".removesuffix(": ")


def elsewhere(
    executor: Executor,
    connect: Callable[[], Client],
    client: Client,
    reader: Reader,
    blocks: Callable[[bytes], list[Block]],
    *,
    wants_blocks: bool,
) -> Elsewhere | None:
    """Try the executor with a first task; return None, with a warning, if the response model cannot be sent.

    Raises ConfigurationError for an executor that is shut down, without workers, or whose workers are not
    like this process.
    """
    why = ""
    for pickled in _ways(reader):
        if isinstance(pickled, str):
            why = pickled
            continue
        schema = None if reader.response_model is None else json_schema(reader.response_model)
        setup = pickle.dumps(Setup(connect, Place.of(client), pickled, schema))
        try:
            probe(executor, setup)
        except CannotBeSentError as exc:
            why = str(exc)
        else:
            return Elsewhere(executor, setup, blocks, wants_blocks=wants_blocks)
    assert reader.response_model is not None
    warn(
        f"{reader.response_model.__name__} cannot be sent to the executor's workers ({why}), so threads of "
        "this process do the work: define it in a module that the workers can import, or install "
        "batchata[dask], with which classes of a script or notebook are sent as they are",
        BatchataWarning,
    )
    return None


def _ways(reader: Reader) -> Iterator[bytes | str]:
    """Yield the reader by name and, where that is possible, by value; or why it cannot be pickled."""
    try:
        yield pickle.dumps(reader, pickle.HIGHEST_PROTOCOL)
    except Exception as exc:  # noqa: BLE001 - whatever a user's class raises
        yield _said(exc)
    whole = None if reader.response_model is None else by_value(reader)
    if whole is not None:
        yield whole


def probe(executor: Executor, setup: bytes | None) -> None:
    """Have one worker set up, or do nothing; forked pools start their workers before our threads.

    Raises ConfigurationError where none does.
    """
    task = present if setup is None else probed
    try:
        future = handed(executor, setup, pickle.dumps((task, ())))
    except RuntimeError as exc:
        raise ConfigurationError(
            f"the executor takes no work ({exc}); make a new one, and call run() while it is open"
        ) from exc
    if not wait([future], _PATIENCE).done:
        future.cancel()
        raise ConfigurationError(
            f"no worker of the executor did anything for {_PATIENCE:,.0f} s: check that some of them are free"
        )
    lost = failure(future)
    if isinstance(lost, CancelledError):
        raise ConfigurationError(
            f"the executor gave up its first piece of work ({_said(lost)}): it was restarted or closed "
            "meanwhile; nothing was sent, so call run() again"
        ) from lost
    if lost is not None:
        raise ConfigurationError(f"a worker of the executor failed ({_said(lost)}); {CURE}") from lost
    try:
        result(future)
    except GarbledError as exc:
        raise ConfigurationError(f"{exc}; {CURE}") from exc
