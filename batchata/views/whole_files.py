"""Write files whole or not at all: a file appears under its name when it is complete."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from batchata.clock import now

SMALL = 1 << 16  # bytes up to which a file is kept in memory until it gets its name
_MOST_WAITING = 64  # files, each with a descriptor or a small content
_AT_ONCE = 4  # files that are synced
_FEW = 4  # files for which threads cost more than they save
_LONGEST = 2.0  # seconds that a complete file waits for others
_LIFE = 3_600.0  # seconds without a write, after which a file without its name is a killed process's
_RANDOM = 8  # characters that tempfile puts behind the prefix


@dataclass(slots=True, eq=False)
class _Waiting:
    """A complete file: written under another name until then, or its content, which is not."""

    name: str
    path: str
    then: Callable[[], None] | None
    file: IO[bytes] | None = None
    content: bytes | None = None

    def write(self) -> None:
        """Write the content of one that is not written yet."""
        if self.content is None or self.file is not None:
            return
        self.file = open(self.name, "xb", opener=_for_the_owner)  # noqa: SIM115 - closed once it is synced
        try:
            self.file.write(self.content)
            self.file.flush()
        except BaseException:
            self._undo()
            raise

    def sync(self, *, durable: bool) -> None:
        """Have the disk keep what is written; what it does not keep is written anew the next time."""
        if self.file is None or self.file.closed:
            return
        try:
            if durable:
                os.fsync(self.file.fileno())
        except BaseException:
            if self.content is not None:
                self._undo()
            raise
        self.file.close()
        self.content = None

    def close(self) -> None:
        if self.file is not None:
            self.file.close()

    def _undo(self) -> None:
        with suppress(OSError):  # of a full disk, once more
            self.close()
        self.file = None
        _remove(self.name)


@contextmanager
def whole_file(path: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """Write a file that appears under its name when it is complete, and not at all when writing fails."""
    remove_unnamed(str(path.parent), re.compile(re.escape(path.name)), older=_LIFE)
    files = WholeFiles(durable=durable)
    try:
        with files.written(str(path)) as file:
            yield file
        files.name_all()
    finally:
        files.drop()


def remove_unnamed(folder: str, names: re.Pattern[str], older: float = 0) -> None:
    """Remove what a killed process left of files that had no name yet; `names` are those they were to get.

    Where another process may be writing, only files `older` than so many seconds.
    """
    try:
        there = os.listdir(folder)
    except OSError:  # not there yet
        return
    for unnamed in there:
        name, _, random = unnamed[1:].rpartition(".")
        if not unnamed.startswith(".") or len(random) != _RANDOM or not names.fullmatch(name):
            continue
        path = os.path.join(folder, unnamed)
        if _age(path) >= older:
            _remove(path)


def _age(path: str) -> float:
    """Return seconds since the file was written; a file that has just got its name is young."""
    try:
        return max(0.0, now() / 1e6 - os.stat(path).st_mtime)
    except FileNotFoundError:
        return 0.0


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


@dataclass(slots=True)
class WholeFiles:
    """Complete files that wait for their names, so that many of them wait for the disk only once.

    A file gets its name only when the disk has its content: else a power cut would leave an empty file under
    a name that says it is whole. The disk syncs files that were written together in a fraction of the time.
    """

    durable: bool = True  # survives a power cut
    _waiting: list[_Waiting] = field(default_factory=list)
    _since: float = 0.0  # monotonic
    _put: int = 0  # files without a descriptor, ever
    _token: str = field(default_factory=lambda: secrets.token_hex(2))  # that tells their names from others

    @property
    def is_empty(self) -> bool:
        """Whether no file waits for its name."""
        return not self._waiting

    @contextmanager
    def written(self, path: str, then: Callable[[], None] | None = None) -> Iterator[IO[bytes]]:
        """Write a file; it gets its name with the next `name_all`, after which `then` is called."""
        folder, name = os.path.split(path)
        descriptor, name = tempfile.mkstemp(dir=folder or ".", prefix=f".{name}.")
        file = os.fdopen(descriptor, "wb")
        try:
            yield file
            file.flush()
        except BaseException:
            with suppress(OSError):  # of a full disk, once more
                file.close()
            _remove(name)
            raise
        self._wait(_Waiting(name, path, then, file=file))

    def put(self, folder: str, name: str, content: bytes, then: Callable[[], None] | None = None) -> None:
        """Write a small file with the next `name_all`, some at the same time: opening one here costs more."""
        self._put += 1
        unnamed = os.path.join(folder, f".{name}.{self._token}{self._put % 65_536:04x}")
        self._wait(_Waiting(unnamed, os.path.join(folder, name), then, content=content))

    def _wait(self, waiting: _Waiting) -> None:
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append(waiting)

    def is_due(self) -> bool:
        """Whether so many files wait, or wait so long, that they are to be named."""
        if not self._waiting:
            return False
        is_enough = not self.durable or len(self._waiting) >= _MOST_WAITING
        return is_enough or time.monotonic() - self._since >= _LONGEST

    def name_all(self) -> None:
        """Give all complete files their names, in the order in which they were written.

        Raises OSError; what has no name then still waits.
        """
        _settle(self._waiting, durable=self.durable)
        while self._waiting:
            first = self._waiting[0]
            first.close()
            os.replace(first.name, first.path)
            del self._waiting[0]
            if first.then is not None:
                first.then()

    def remove(self, path: str) -> None:
        """Remove the file of this name, and the one that was to replace it."""
        self._drop([waiting for waiting in self._waiting if waiting.path == path])
        _remove(path)

    def drop(self) -> None:
        """Remove the files that have no name yet."""
        self._drop(self._waiting)

    def _drop(self, dropped: list[_Waiting]) -> None:
        for each in dropped:
            with suppress(OSError):
                each.close()
            _remove(each.name)
        self._waiting = [waiting for waiting in self._waiting if waiting not in dropped]


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _settle(waiting: list[_Waiting], *, durable: bool) -> None:
    """Have the disk keep these files: of many, some at the same time take a third of the time."""
    parts = [waiting] if len(waiting) <= _FEW else [waiting[n::_AT_ONCE] for n in range(_AT_ONCE)]

    def settle(part: list[_Waiting]) -> None:
        for each in part:
            each.write()
            each.sync(durable=durable)

    if len(parts) > 1:
        # Once the main thread has ended, Python starts no thread.
        with suppress(RuntimeError), ThreadPoolExecutor(len(parts)) as pool:
            list(pool.map(settle, parts))
            return
    # The disk keeps all of them with the first one, so that the others take next to no time.
    for each in waiting:
        each.write()
    for each in waiting:
        each.sync(durable=durable)
