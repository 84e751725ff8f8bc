"""Write files that are there when they are complete: whole under their names, or not at all."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

_MOST_WAITING = 64  # files, each with a descriptor
_AT_ONCE = 4  # files that are synced
_LONGEST = 2.0  # seconds that a complete file waits for others
_RANDOM = 8  # characters that tempfile puts behind the prefix


type _Waiting = tuple[IO[bytes], str, Path, Callable[[], None] | None]  # with its name until then


@contextmanager
def whole_file(path: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """Write a file that appears under its name when it is complete, and not at all when writing fails."""
    files = WholeFiles(durable=durable)
    try:
        with files.written(path) as file:
            yield file
        files.name_all()
    finally:
        files.drop()


def remove_unnamed(folder: Path, names: re.Pattern[str]) -> None:
    """Remove what a killed process left of files that had no name yet; `names` are those they were to get."""
    for path in folder.glob(".*.*"):
        name, _, random = path.name[1:].rpartition(".")
        if len(random) == _RANDOM and names.fullmatch(name):
            path.unlink(missing_ok=True)


@dataclass(slots=True)
class WholeFiles:
    """Complete files that wait for their names, so that the disk is waited for once for many of them.

    A file gets its name only when the disk has its content: else a power cut would leave an empty one under a
    name that says it is whole. The disk syncs files that were written together in a fraction of the time.
    """

    durable: bool = True  # survives a power cut
    _waiting: list[_Waiting] = field(default_factory=list)
    _since: float = 0.0  # monotonic

    @property
    def is_empty(self) -> bool:
        """Whether no file waits for its name."""
        return not self._waiting

    @contextmanager
    def written(self, path: Path, then: Callable[[], None] | None = None) -> Iterator[IO[bytes]]:
        """Write a file; it gets its name with the next `name_all`, after which `then` is called."""
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        file = os.fdopen(descriptor, "wb")
        try:
            yield file
            file.flush()
        except BaseException:
            with suppress(OSError):  # of a full disk, once more
                file.close()
            Path(name).unlink(missing_ok=True)
            raise
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append((file, name, path, then))

    def is_due(self) -> bool:
        """Whether so many files wait, or for so long, that they are to be named."""
        if not self._waiting:
            return False
        is_enough = not self.durable or len(self._waiting) >= _MOST_WAITING
        return is_enough or time.monotonic() - self._since >= _LONGEST

    def name_all(self) -> None:
        """Give all complete files their names, in the order in which they were written.

        Raises OSError; what has no name then still waits.
        """
        if self.durable:
            # One that is closed has been synced, and did not get its name then.
            _sync([file.fileno() for file, *_ in self._waiting if not file.closed])
        while self._waiting:
            file, name, path, then = self._waiting[0]
            file.close()
            os.replace(name, path)  # noqa: PTH105 - a Path of each name costs as much as the call
            del self._waiting[0]
            if then is not None:
                then()

    def remove(self, path: Path) -> None:
        """Remove the file of this name, and what was to replace it."""
        self._drop([waiting for waiting in self._waiting if waiting[2] == path])
        path.unlink(missing_ok=True)

    def drop(self) -> None:
        """Remove the files that have no name yet."""
        self._drop(self._waiting)

    def _drop(self, dropped: list[_Waiting]) -> None:
        for file, name, *_ in dropped:
            with suppress(OSError):
                file.close()
            Path(name).unlink(missing_ok=True)
        self._waiting = [waiting for waiting in self._waiting if waiting not in dropped]


def _sync(descriptors: list[int]) -> None:
    """Have the disk keep these files: some at the same time take a third of the time."""
    parts = [part for n in range(_AT_ONCE) if (part := descriptors[n::_AT_ONCE])]
    try:
        with ThreadPoolExecutor(len(parts) or 1) as pool:
            list(pool.map(_sync_one_by_one, parts))
    except RuntimeError:  # the main thread has ended, after which Python starts no thread
        _sync_one_by_one(descriptors)


def _sync_one_by_one(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.fsync(descriptor)
