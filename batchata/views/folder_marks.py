"""The mark in a folder of results that names the run it belongs to."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from batchata.core.values import Process
from batchata.errors import InvalidInputError

MARK = "batchata-run.json"
CURE = "a folder belongs to one run: give another directory, or move what is there to another place"
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


def owner_in(folder: Path) -> Owner | None:
    """Return the run whose mark stands in the folder; None without a readable mark."""
    try:
        value = json.loads((folder / MARK).read_bytes())
        of = value.get("memory_of")
        memory = None if of is None else Process(pid=int(of["pid"]), host=str(of["host"]))
        return Owner(str(value["run_id"]), str(value["tag"]), memory)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def is_of(home: Path, run: Owner) -> bool:
    """Whether the folder's mark is this run's."""
    found = owner_in(home)
    return found is not None and found.tag == run.tag


def mark_in(home: Path) -> bytes | None:
    """Return the mark as it is written; None without one."""
    try:
        return (home / MARK).read_bytes()
    except OSError:
        return None


def remove_mark(home: Path, mark: bytes) -> None:
    """Remove a mark that `check` allowed, and no other that has taken its place since."""
    aside = home / f".{MARK}.{secrets.token_hex(6)}"
    try:
        (home / MARK).rename(aside)
        if aside.read_bytes() != mark:
            _link(str(aside), home / MARK)
    except OSError:
        return  # another start was faster, which `put_mark` will say
    finally:
        aside.unlink(missing_ok=True)


def put_mark(home: Path, run: Owner) -> None:
    """Write the mark, whole or not at all, and never over another one."""
    try:
        descriptor, name = tempfile.mkstemp(dir=home, prefix=f".{MARK}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(run.encode())
                file.flush()
                os.fsync(file.fileno())
            _link(name, home / MARK)
        finally:
            Path(name).unlink(missing_ok=True)
    except FileExistsError as exc:
        raise InvalidInputError(f"another run has just begun to write to {home}; {CURE}") from exc
    except OSError as exc:
        raise InvalidInputError(
            f"results cannot be written to {home} ({exc.strerror}); give another directory"
        ) from exc


def _link(name: str, mark: Path) -> None:
    try:
        os.link(name, mark)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        with mark.open("xb") as file:
            file.write(Path(name).read_bytes())
