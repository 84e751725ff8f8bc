"""The mark in a folder of results that names the run it belongs to.

Paths are texts here: a look at a mark is made at every start and in every folder above, and a Path costs
more than the look.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from contextlib import suppress
from dataclasses import dataclass

from batchata.core.values import Process
from batchata.errors import InvalidInputError

MARK = "batchata-run.json"
CURE = "a folder belongs to one run: give another directory, or move what is in it elsewhere"
_WHAT = "the results in this folder, and below it, belong to one run of Batchata; another run is refused here"


@dataclass(frozen=True, slots=True)
class Owner:
    """A run by its name and its unique tag; `memory` is the process of a run kept in memory."""

    run_id: str
    tag: str
    memory: Process | None = None

    def encode(self) -> bytes:
        """Encode the mark, the same for every copy of one run's results."""
        memory = (
            {} if self.memory is None else {"memory_of": {"pid": self.memory.pid, "host": self.memory.host}}
        )
        return (
            json.dumps({"batchata": _WHAT, "run_id": self.run_id, "tag": self.tag} | memory).encode() + b"\n"
        )


def owner_in(folder: str) -> Owner | None:
    """Return the run whose mark stands in the folder; None without a readable mark."""
    mark = mark_in(folder)
    if mark is None:
        return None
    try:
        value = json.loads(mark)
        of = value.get("memory_of")
        memory = None if of is None else Process(pid=int(of["pid"]), host=str(of["host"]))
        return Owner(str(value["run_id"]), str(value["tag"]), memory)
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def is_of(home: str, run: Owner) -> bool:
    """Whether the folder's mark is this run's."""
    found = owner_in(home)
    return found is not None and found.tag == run.tag


def mark_in(home: str) -> bytes | None:
    """Return the mark as it is written; None without one."""
    mark = _mark(home)
    try:
        return _read(mark) if os.path.exists(mark) else None  # an open that fails takes three times as long
    except OSError:
        return None


def remove_mark(home: str, mark: bytes) -> None:
    """Remove a mark that `check` allowed, and no other that has taken its place since."""
    aside = os.path.join(home, f".{MARK}.{secrets.token_hex(6)}")
    try:
        os.rename(_mark(home), aside)
        if _read(aside) != mark:
            _link(aside, _mark(home))
    except OSError:
        return  # another start was faster, which `put_mark` will say
    finally:
        _remove(aside)


def drop_mark(home: str) -> None:
    """Remove the mark, whatever run it names."""
    _remove(_mark(home))


def put_mark(home: str, run: Owner) -> None:
    """Write the mark, whole or not at all, and never over another one."""
    try:
        descriptor, name = tempfile.mkstemp(dir=home, prefix=f".{MARK}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(run.encode())
                file.flush()
                os.fsync(file.fileno())
            _link(name, _mark(home))
        finally:
            _remove(name)
    except FileExistsError as exc:
        raise InvalidInputError(f"another run has just begun to write to {home}; {CURE}") from exc
    except OSError as exc:
        raise InvalidInputError(
            f"results cannot be written to {home} ({exc.strerror}); give another directory"
        ) from exc


def _mark(home: str) -> str:
    return os.path.join(home, MARK)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def _link(name: str, mark: str) -> None:
    try:
        os.link(name, mark)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        with open(mark, "xb") as file:
            file.write(_read(name))
