"""Do the work of a run's jobs in another process: build and upload requests, download and read results.

Calls and their results travel pickled by ourselves, so that what a future raises is never an error of the
work but the end of its worker.
"""

from __future__ import annotations

import atexit
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any, NamedTuple

from batchata.answers.reader import Reader, Reading
from batchata.answers.schema import json_schema
from batchata.errors import BatchataError, ConfigurationError
from batchata.inputs.items import Checks
from batchata.inputs.read import Checked, check_file
from batchata.providers.exchange import Outcome
from batchata.providers.port import Client
from batchata.run import bodies, calls
from batchata.run.reports import Arrived, FilesRefused, Report, Staged

CURE = "install the same version of Batchata, and of your own modules, wherever the workers are"


class Desk(NamedTuple):
    """What the work of a run needs in the process that does it."""

    client: Client
    reader: Reader


class Place(NamedTuple):
    """Where calls go, and with which key: the same from every process."""

    name: str
    base_url: str
    key: str | None  # a fingerprint

    @classmethod
    def of(cls, client: Client) -> Place:
        """Return the place of a client."""
        return cls(client.name, client.base_url, client.key)


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker makes its desk from. `reader` is pickled apart: its model may not be importable there."""

    connect: Callable[[], Client]
    place: Place
    reader: bytes
    schema: dict[str, Any] | None


class Collected(NamedTuple):
    """The results of a job.

    `readings` are those of all outcomes in order, pickled; empty if they cannot be. Answers that were read
    come without their blocks, which are in their lines. `error` is what ended the results early.
    """

    reports: list[Report]
    readings: bytes
    error: BatchataError | None


class CannotBeSentError(ConfigurationError):
    """A worker cannot load the response model."""


def work(made_by: str, setup: bytes | None, call: bytes, turn: str) -> bytes:  # noqa: ARG001 - tells calls apart
    """Do a piece of work in whatever process this is; return what came of it, or the error, pickled.

    Without a setup it is one that needs no desk. `turn` is another one for each call.
    """
    try:
        _check_same_version(made_by)
        function, args = pickle.loads(call)
        return pickled(function(*args) if setup is None else function(_desk(setup), *args))
    except Exception as exc:  # noqa: BLE001 - the outermost edge of a process: it is raised again in the other
        return pickled(exc)


def _check_same_version(made_by: str) -> None:
    if made_by != (here := version("batchata")):
        raise ConfigurationError(f"a worker has Batchata {here}, and this process {made_by}; {CURE}")


@lru_cache(maxsize=4)
def _desk(setup: bytes) -> Desk:
    """Make what the work needs, once in each process."""
    given: Setup = pickle.loads(setup)
    client = given.connect()
    place = Place.of(client)
    for name, ours, theirs in zip(Place._fields, given.place, place, strict=True):
        if ours != theirs and name == "key":
            raise ConfigurationError(
                "a worker has another API key than this process, or none; set the same one in its "
                "environment, or give api_key=…, which is sent to the workers"
            )
        if ours != theirs:
            raise ConfigurationError(
                f"a worker would call {theirs}, and this process {ours}; set the same address in its "
                "environment, or give base_url=…"
            )
    atexit.register(client.close)  # where the workers are threads of a program that goes on
    return Desk(client, _reader(given))


def _reader(given: Setup) -> Reader:
    try:
        reader: Reader = pickle.loads(given.reader)
    except Exception as exc:
        raise CannotBeSentError(str(exc)) from exc
    model = reader.response_model
    if model is not None and json_schema(model) != given.schema:
        raise ConfigurationError(f"a worker's {model.__name__} has another JSON Schema; {CURE}")
    return reader


def pickled(value: object) -> bytes:
    """Pickle a value; by value what is defined in the user's script, where cloudpickle is installed.

    Raises what pickle raises where neither is possible.
    """
    try:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception as exc:
        whole = by_value(value)
        if whole is None:
            raise exc from None
        return whole


def by_value(value: object) -> bytes | None:
    """Pickle a value with the classes that it is of; None where that cannot be done."""
    try:
        import cloudpickle
    except ImportError:
        return None
    with suppress(Exception):  # whatever a user's classes raise when they are taken apart
        whole: bytes = cloudpickle.dumps(value)
        return whole
    return None


def files_checked(make: Callable[[], Checks], paths: Sequence[tuple[int, Any]]) -> dict[int, Checked]:
    """Read and check the files at these paths, by their places in `files`."""
    checks = make()
    return {index: check_file(checks, path, index) for index, path in paths}


def present() -> None:
    """Do nothing, which shows that the worker is there and has this version."""


def probed(desk: Desk) -> None:
    """Find out whether the worker can send requests, without sending anything."""
    desk.client.check()


def prepared(desk: Desk, description: bodies.JobDescription) -> Staged | FilesRefused | bytes:
    """Build a job's body, and upload it where the provider takes files."""
    ready = calls.prepare(desk.client, description)
    if isinstance(ready, Staged | FilesRefused):
        return ready
    with ready:
        return ready.read()


def collected(desk: Desk, job: int, batch_id: str, doubted: bool) -> Collected:
    """Download the results of a job, and read its answers."""
    reports: list[Report] = []
    error = None
    try:
        calls.collect(desk.client, job, batch_id, doubted, reports.append)
    except BatchataError as exc:
        error = exc
    found = [*outcomes(reports)]
    readings = [_read(desk.reader, outcome) for outcome in found]
    try:
        sent = pickled(readings)
    except Exception:  # noqa: BLE001 - values of the user's own classes; they are read where the log is
        return Collected(reports, b"", error)
    for outcome, reading in zip(found, readings, strict=True):
        outcome.blocks = outcome.blocks if reading is None else []
    return Collected(reports, sent, error)


def _read(reader: Reader, outcome: Outcome) -> Reading | None:
    return None if outcome.error is not None else reader.judge(outcome.blocks, outcome.stop_reason)


def outcomes(reports: Iterable[Report]) -> Iterator[Outcome]:
    """Yield the outcomes in some reports, in order."""
    for report in reports:
        if isinstance(report, Arrived):
            yield from report.outcomes
