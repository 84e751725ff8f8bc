"""Have input files read and checked where an executor's workers are, before anything is written or sent."""

from __future__ import annotations

import os
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

from batchata.errors import ProviderUnavailableError
from batchata.inputs.addresses import address_of
from batchata.inputs.items import Checks
from batchata.inputs.read import Checked, check_file
from batchata.logs import get_logger
from batchata.run.executors import GarbledError, failure, handed, probe, result
from batchata.run.tasks import files_checked

_logger = get_logger()
_FILES_A_TASK = 4  # each may be 32 MB from far away
_MOST_AHEAD = 64  # tasks


@dataclass(slots=True)
class _Chunk:
    """Some items in a row, which a worker checks if they are paths."""

    items: list[tuple[int, Any]]
    future: Future[bytes] | None = None

    def checked(self, checks: Checks) -> Iterator[tuple[Any, Checked]]:
        """Yield each item as a worker found it; what it could not use is checked here before that counts."""
        found = {} if self.future is None else _found(self.future)
        for index, item in self.items:
            told = found.get(index)
            yield item, told if isinstance(told, tuple) else check_file(checks, item, index)


def check_elsewhere(
    executor: Executor, make: Callable[[], Checks], items: Iterable[Any]
) -> Iterator[tuple[Any, Checked]]:
    """Have workers check the files at paths, some ahead; anything else is read here, in its turn.

    Raises ConfigurationError for an executor that cannot do it.
    """
    checks = make()
    probe(executor, None)
    ahead: deque[_Chunk] = deque()
    for chunk, are_paths in _chunks(items):
        if are_paths:
            chunk.future = _started(executor, make, chunk)
        ahead.append(chunk)
        while ahead and (len(ahead) > _MOST_AHEAD or not are_paths):
            yield from ahead.popleft().checked(checks)
    for chunk in ahead:
        yield from chunk.checked(checks)


def _chunks(items: Iterable[Any]) -> Iterator[tuple[_Chunk, bool]]:
    """Yield the items in order: paths some at a time, others one by one."""
    paths: list[tuple[int, Any]] = []
    for index, item in enumerate(items):
        if (path := _path(item)) is None:
            yield from [(_Chunk(paths), True)] if paths else []
            yield _Chunk([(index, item)]), False
            paths = []
            continue
        paths.append((index, path))
        if len(paths) == _FILES_A_TASK:
            yield _Chunk(paths), True
            paths = []
    yield from [(_Chunk(paths), True)] if paths else []


def _path(item: Any) -> str | None:
    """Return the item's path or address; None where it has none, or none that can be used."""
    if hasattr(item, "storage_options"):
        return None if item.storage_options else address_of(item)
    path = os.fspath(item) if isinstance(item, str | os.PathLike) else None
    return path if isinstance(path, str) else None


def _started(executor: Executor, make: Callable[[], Checks], chunk: _Chunk) -> Future[bytes] | None:
    try:
        call = pickle.dumps((files_checked, (make, chunk.items)), pickle.HIGHEST_PROTOCOL)
        return handed(executor, None, call)
    except RuntimeError as exc:  # it is broken or was shut down meanwhile
        _logger.warning("executor_lost", error=repr(exc), advice="files are read in this process")
        return None


def _found(future: Future[bytes]) -> dict[int, Checked]:
    """Return what a worker found; nothing where it died or told nothing of sense, or a storage was silent."""
    if (lost := failure(future)) is not None:
        _logger.warning("worker_lost", doing="check", error=repr(lost))
        return {}
    try:
        found = result(future)
    except (ProviderUnavailableError, GarbledError):
        return {}
    return found if isinstance(found, dict) else {}
