"""Judge what is at a log's path, before SQLite opens it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress

from batchata.errors import BatchataWarning, LogWriteError, NotALogError
from batchata.logs import warn

_SQLITE_MAGIC = b"SQLite format 3\0"
_COMPANIONS = ("-wal", "-shm", "-journal")


def make_ready(path: str, blank: Callable[[], bytes]) -> None:
    """Make sure that a writable file which may be a log is at the path: a new one if there was none.

    Raises NotALogError or LogWriteError.
    """
    refuse_halves(path)
    if os.path.lexists(path):
        refuse_other_files(path)
    else:
        _create(path, blank)
    folder = os.path.dirname(path)
    # SQLite would open a read-only file without a word and fail at the first append.
    if not _allowed(path, os.W_OK):
        raise LogWriteError(f"{path} is read-only; make it writable or give another path")
    if not _allowed(folder, os.W_OK | os.X_OK):
        raise LogWriteError(
            f"{path} cannot be a log: files must be created beside it, and {folder} is read-only"
        )


def must_hold_something(path: str) -> None:
    """Raise NotALogError unless there is a file at the path that is not empty and may be a log."""
    refuse_halves(path)
    found = _found(path)
    if found is None:
        raise NotALogError(f"{path} does not exist; give the path of a log")
    refuse_other_files(path)
    if found.st_size == 0:
        raise NotALogError(f"{path} is an empty file, not a Batchata log")


def is_begun(path: str) -> bool:
    """Whether the path holds more than an empty file; opening refuses what is not a file.

    Raises NotALogError for a part of a log, and where what is there cannot be seen: it may be a log.
    """
    found = _found(path)
    if found is not None and not (stat.S_ISREG(found.st_mode) and found.st_size == 0):
        return True
    refuse_halves(path)
    return False


def _found(path: str) -> os.stat_result | None:
    """Return what is at the path, None for nothing. Raises NotALogError where that cannot be seen."""
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise NotALogError(
            f"what is at {path} cannot be seen: {reason}; give another path, or make this one accessible"
        ) from exc


def refuse_halves(path: str) -> None:
    """Raise NotALogError for a file that belongs to a log, and for a log of which only such a file is there.

    SQLite would make a new database in place of the missing one, and discard the newest events.
    """
    for end in _COMPANIONS:
        log = path.removesuffix(end)
        if log != path and log and not _is_sqlite(path):
            raise NotALogError(f"{path} is a part of the log {log}, which SQLite keeps beside it; give {log}")
    if has_wal(path) and (not os.path.exists(path) or os.path.getsize(path) == 0):
        raise NotALogError(
            f"{path} is not here, only {path}-wal with the newest events of a log: a log is both files while "
            "a run goes on or after a kill. Put the file of that name beside it, or give another path"
        )


def has_wal(path: str) -> bool:
    """Whether newer events than those of the main file may lie beside it; the path is the real one."""
    wal = f"{path}-wal"
    return os.path.isfile(wal) and os.path.getsize(wal) > 0


def no_run_yet(path: str) -> str:
    """Say of a log without a run that the run may be in a file that was not copied with it."""
    if has_wal(path):
        said = (
            f"{path}-wal beside it holds none either; if they were copied, copy both files of a run together"
        )
    else:
        said = (
            "If it was copied from a run that was going on or was killed, its newest events are in "
            f"{os.path.basename(path)}-wal there: copy that file too"
        )
    return f"{path} holds no run yet. {said}"


def maybe_half(path: str) -> str | None:
    """Say of a run that broke off that its file may have been copied without its -wal file."""
    if has_wal(path):
        return None
    name = f"{os.path.basename(path)}-wal"
    return f"without a {name} beside it; if it was copied, newer events may be in the {name} of its old place"


def _is_sqlite(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC
    except OSError:
        return False


def refuse_other_files(path: str) -> None:
    """Raise NotALogError when the path holds what is certainly no log: a folder, a JSON file, a text."""
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise NotALogError(f"{path} is a folder, not a Batchata log; give the path of a file")
        if not stat.S_ISREG(mode):
            raise NotALogError(f"{path} is not a regular file; give another path")
        with open(path, "rb") as file:
            start = file.read(64)
    except OSError as exc:
        raise NotALogError(f"{path} cannot be read: {exc.strerror}") from exc
    if start.lstrip().startswith(b"{"):
        raise NotALogError(
            f"{path} is a JSON state file of an older version; Batchata now keeps an event log: "
            "give another state_path (the JSON file is left as it is)"
        )
    # After a power cut SQLite makes a file whole from its journal, which must be left to it.
    if start and not start.startswith(_SQLITE_MAGIC) and not os.path.exists(f"{path}-journal"):
        raise NotALogError(f"{path} is not a Batchata log: it is not a SQLite database; give another path")


def identity(path: str) -> tuple[int, int] | None:
    """Return device and inode of the file at the path; None when it is gone."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _allowed(path: str, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _create(path: str, blank: Callable[[], bytes]) -> None:
    """Create a file for the owner only; SQLite gives its -wal and -shm files the same mode."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if _put_whole(path, blank):
            return
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as exc:
        raise LogWriteError(f"{path} cannot be created: {exc.strerror}; give another path") from exc


def _put_whole(path: str, blank: Callable[[], bytes]) -> bool:
    """Let a blank log appear at the path as a whole, where that can be done; return whether one is there.

    SQLite would make it in two transactions, each with a journal: eight waits for the disk instead of two.
    """
    folder = os.path.dirname(path)
    with suppress(OSError, AttributeError):  # of Linux alone, and not in every file system
        unnamed = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
        try:
            left = memoryview(blank())
            while left:
                left = left[os.write(unnamed, left) :]
            os.fsync(unnamed)
            with suppress(FileExistsError):  # another process was faster
                os.link(f"/proc/self/fd/{unnamed}", path, src_dir_fd=unnamed, follow_symlinks=True)
        finally:
            os.close(unnamed)
        _sync_folder(folder)
        return True
    return False


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_NETWORKED = frozenset(
    (
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "afs",
        "ceph",
        "glusterfs",
        "fuse.glusterfs",
        "fuse.sshfs",
        "lustre",
    )
)
_MOUNTS = "/proc/self/mounts"  # Linux only; elsewhere nothing is detected


def warn_if_networked(path: str) -> None:
    """Warn when the log lies on a network file system; silent where that is unknown."""
    try:
        with open(_MOUNTS, errors="surrogateescape") as file:
            mounts = file.read()
    except OSError:
        return
    if not any(f" {kind} " in mounts for kind in _NETWORKED):
        return
    kind = network_file_system(path, mounts)
    if kind:
        warn(
            f"{path} lies on a network file system ({kind}), where SQLite logs can be damaged; "
            "keep the log on a local disk",
            BatchataWarning,
        )


def network_file_system(path: str, mounts: str) -> str | None:
    """Return the network file system that the absolute path lies on, or None; `mounts` as in /proc."""
    kind, longest = "", -1
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[1])
        # Later lines cover earlier ones of the same mount point.
        if _lies_below(path, point) and len(point) >= longest:
            kind, longest = fields[2], len(point)
    return kind if kind in _NETWORKED else None


def _lies_below(path: str, point: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")
