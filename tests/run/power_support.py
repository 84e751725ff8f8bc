"""What a power cut leaves of a log's files, worked out from a record of what a script asked of the disk."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import NamedTuple

from crash_boundaries import Boundary
from crash_support import check_verified, play
from run_support import Runs

from batchata.core.events import SubmissionStarted
from batchata.log.sqlite.claim import SqliteClaim
from batchata.log.sqlite.log import SqliteLog

_SECTOR = 512  # bytes that a disk writes whole or not at all
_ACKNOWLEDGED = "-acknowledged"  # a file beside the log, to which the script writes the version it relies on
_UNNAMED = "-unnamed"  # a file that is to be linked to the log's name
_OF_THE_LOG = ("", "-wal", "-journal")  # what matters; -shm is made anew, and locks end with their process
_CUSTOM_ID = re.compile(rb'"custom_id":"([^"]+)"')


def play_recorded(runs: Runs, name: str, boundary: Boundary | None) -> None:
    """In a script that the recorder is preloaded into: the scenario, with every call to the disk recorded."""
    os.environ["DISK_RECORD"] = str(runs.log.parent / "disk.record")
    os.environ["DISK_PREFIX"] = os.path.realpath(runs.log)
    acknowledged = os.open(f"{os.environ['DISK_PREFIX']}{_ACKNOWLEDGED}", os.O_CREAT | os.O_WRONLY)

    def on_return(*_: object) -> None:
        claim: SqliteClaim = sys._getframe(1).f_locals["self"]
        os.write(acknowledged, b"%d" % claim.version)

    tool, monitoring = sys.monitoring.PROFILER_ID, sys.monitoring
    monitoring.use_tool_id(tool, "acknowledged")
    monitoring.register_callback(tool, monitoring.events.PY_RETURN, on_return)
    monitoring.set_local_events(tool, SqliteClaim.append.__code__, monitoring.events.PY_RETURN)
    play(runs, name, boundary)


class Operation(NamedTuple):
    """One record: `what` is create, write, truncate, unlink, sync, send or rename (from `data`)."""

    what: str
    offset: int
    data: bytes
    name: str


def operations(record: Path) -> Iterator[Operation]:
    """What a script asked for, in order; a record that the kill cut off was not asked for."""
    with record.open("rb") as file:
        while (line := file.readline()).endswith(b"\n"):
            what, offset, length, name = line.decode()[:-1].split(" ", 3)
            data = file.read(int(length))
            if len(data) == int(length):
                yield Operation(what, int(offset), data, name)


@dataclass
class _File:
    """A file's bytes on the disk, and what was asked for since its last sync."""

    kept: bytearray = field(default_factory=bytearray)
    asked: list[Operation] = field(default_factory=list)

    def sync(self) -> None:
        for operation in self.asked:
            _apply(self.kept, operation)
        self.asked = []

    def left(self, random: Random, share: float) -> bytes:
        """With that share of what was asked for since the last sync: in any order, and sector by sector."""
        content = bytearray(self.kept)
        for operation in self.asked:
            if random.random() < share:
                _apply(content, operation if share == 1 else _torn(operation, random))
        return bytes(content)


def _torn(operation: Operation, random: Random) -> Operation | list[Operation]:
    if operation.what != "write" or random.random() < 0.5:
        return operation
    whole = range(0, len(operation.data), _SECTOR)
    return [
        operation._replace(offset=operation.offset + at, data=operation.data[at : at + _SECTOR])
        for at in whole
        if random.random() < 0.5
    ]


def _apply(content: bytearray, asked: Operation | list[Operation]) -> None:
    for operation in [asked] if isinstance(asked, Operation) else asked:
        end = operation.offset + len(operation.data)
        if operation.what == "truncate":
            del content[operation.offset :]
        content.extend(
            bytes(max(0, (operation.offset if operation.what == "truncate" else end) - len(content)))
        )
        if operation.what == "write":
            content[operation.offset : end] = operation.data


class Disk:
    """The files of a log, as the operations so far leave them when the power goes.

    What a file's last sync covered is there. Of what was asked for later, any part may be there. A new or
    deleted name is certain only when its folder was synced.
    """

    def __init__(self) -> None:
        self.acknowledged = 0  # the version of the log that the script relied on
        self.sent: set[str] = set()  # custom ids of requests that left for the provider
        self.verified: set[bytes] = set()  # logs, once opened and closed, that were found to be whole
        self._seen: dict[str, _File] = {}
        self._certain: dict[str, _File] = {}
        self._unnamed = _File()

    def do(self, operation: Operation) -> None:
        """Take note of one operation."""
        name = operation.name
        if operation.what == "send":
            self.sent.update(found.decode() for found in _CUSTOM_ID.findall(operation.data))
        elif name == _ACKNOWLEDGED and operation.what == "write":
            self.acknowledged = int(operation.data)
        elif name == "/":
            self._certain = dict(self._seen)
        elif name == _UNNAMED:
            self._unnamed = _File() if operation.what == "create" else self._unnamed
            self._do(operation, self._unnamed)
        elif operation.what == "rename" and operation.data == _UNNAMED.encode():
            self._seen.setdefault(name, self._unnamed)
        elif name in _OF_THE_LOG:
            self._do(operation, self._seen.get(name))

    def _do(self, operation: Operation, file: _File | None) -> None:
        match operation.what:
            case "create" if file is None:
                self._seen[operation.name] = _File()
            case "unlink":
                self._seen.pop(operation.name, None)
            case "sync" if file is not None:
                file.sync()
            case "write" | "truncate" if file is not None:
                file.asked.append(operation)

    def left(self, share: float, seed: int = 0) -> dict[str, bytes]:
        """The files by name, with that share of what is not certain: 0 nothing of it, 1 all of it."""
        random = Random(seed)
        found: dict[str, bytes] = {}
        for name in sorted(self._seen.keys() | self._certain.keys()):
            file = (self._seen if random.random() < share else self._certain).get(name)
            if file is not None:
                found[name] = file.left(random, share)
        return found


def put(files: dict[str, bytes], log: Path) -> None:
    """Lay these files out as the log at this path, instead of whatever is there."""
    for suffix in (*_OF_THE_LOG, "-shm"):
        Path(f"{log}{suffix}").unlink(missing_ok=True)
    for suffix, content in files.items():
        Path(f"{log}{suffix}").write_bytes(content)


def check_left(disk: Disk, files: dict[str, bytes], log: Path) -> None:
    """The files open, verify, and hold every append that was relied on and every intent of what was sent."""
    put(files, log)
    opened = SqliteLog(log)
    try:
        streams = opened.streams()
        recorded = list(opened.events(streams[0])) if streams else []
    finally:
        opened.close()
    version = recorded[-1].version if recorded else 0
    assert version >= disk.acknowledged, f"version {version} is left, {disk.acknowledged} was relied on"
    intended = {
        event.custom_ids.replace("{index}", str(index))
        for event in (each.event for each in recorded)
        if isinstance(event, SubmissionStarted)
        for first, last in event.items
        for index in range(first, last + 1)
    }
    assert disk.sent <= intended, f"sent without an intent: {disk.sent - intended}"
    left = sha256(b"".join(path.read_bytes() for path in sorted(log.parent.glob(f"{log.name}*")))).digest()
    if recorded and left not in disk.verified:
        check_verified(log)
        disk.verified.add(left)
