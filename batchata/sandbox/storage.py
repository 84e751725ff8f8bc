"""Keep records, bodies and results: in memory, or in a directory that outlives the process."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

import msgspec

__all__ = ["DAY", "LETTERS", "DirectoryShelf", "MemoryShelf", "Record", "Shelf"]

DAY = 86_400.0

# One letter per request in `Record.kinds`. A kind the protocol does not know counts as errored, because the
# counters must add up to the size of the batch.
LETTERS = {"succeeded": "s", "errored": "e", "canceled": "c", "expired": "x"}


class Record(msgspec.Struct):
    """One batch. Times are seconds since the epoch.

    `ends_at` is when it will end by itself; `stopped` says why it ends before all is processed, and `done`
    is the share that was processed by then. `kinds` and `usage` exist once it has ended.
    """

    id: str
    number: int
    created_at: float
    ends_at: float
    custom_ids: list[str]
    ended_at: float | None = None
    archived_at: float | None = None
    cancel_initiated_at: float | None = None
    stopped: Literal["canceled", "expired"] | None = None
    done: float = 1.0
    kinds: str = ""
    usage: dict[str, int] = {}
    deleted: bool = False
    about: dict[str, Any] = {}  # what only its protocol needs

    @property
    def expires_at(self) -> float:
        return self.created_at + DAY

    @property
    def status(self) -> str:
        if self.ended_at is not None:
            return "ended"
        return "canceling" if self.cancel_initiated_at is not None else "in_progress"

    def counts(self) -> dict[str, int]:
        """Return the counters: all zero except `processing` until the batch has ended."""
        ended = self.ended_at is not None
        counts = {"processing": 0 if ended else len(self.custom_ids)}
        return counts | {kind: self.kinds.count(letter) for kind, letter in LETTERS.items()}

    def billed(self) -> list[str]:
        """Yield the custom ids whose answers are billed."""
        return [i for i, letter in zip(self.custom_ids, self.kinds, strict=False) if letter == "s"]


class Shelf(Protocol):
    """A place for batches. What a call has put there is whole, or not there."""

    def records(self) -> list[Record]: ...
    def save(self, record: Record) -> None: ...
    def put_body(self, batch_id: str, body: bytes) -> None: ...
    def body(self, batch_id: str) -> bytes: ...
    def put_results(self, batch_id: str, lines: Iterable[bytes]) -> None: ...
    def results(self, batch_id: str) -> BinaryIO: ...
    def drop(self, batch_id: str) -> None: ...


class MemoryShelf:
    """Gone with the process. The body is let go once the results exist."""

    def __init__(self) -> None:
        self._bodies: dict[str, bytes] = {}
        self._results: dict[str, bytes] = {}

    def records(self) -> list[Record]:
        return []

    def save(self, record: Record) -> None:
        pass

    def put_body(self, batch_id: str, body: bytes) -> None:
        self._bodies[batch_id] = body

    def body(self, batch_id: str) -> bytes:
        return self._bodies[batch_id]

    def put_results(self, batch_id: str, lines: Iterable[bytes]) -> None:
        self._results[batch_id] = b"".join(lines)
        self._bodies.pop(batch_id, None)

    def results(self, batch_id: str) -> BinaryIO:
        return io.BytesIO(self._results[batch_id])

    def drop(self, batch_id: str) -> None:
        self._bodies.pop(batch_id, None)
        self._results.pop(batch_id, None)


class DirectoryShelf:
    """Three files per batch: `ID.body.json`, `ID.results.jsonl`, and `ID.batch.json`, whose presence counts.

    A file is written beside its place and renamed, so a killed sandbox leaves no half of one. Nothing is
    synced to disk: the sandbox outlives a killed process, not a power cut.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def records(self) -> list[Record]:
        found = [
            msgspec.json.decode(path.read_bytes(), type=Record)
            for path in self.directory.glob("*.batch.json")
        ]
        return sorted(found, key=lambda record: record.number)

    def save(self, record: Record) -> None:
        self.write(f"{record.id}.batch.json", [msgspec.json.encode(record)])

    def put_body(self, batch_id: str, body: bytes) -> None:
        self.write(f"{batch_id}.body.json", [body])

    def body(self, batch_id: str) -> bytes:
        return (self.directory / f"{batch_id}.body.json").read_bytes()

    def put_results(self, batch_id: str, lines: Iterable[bytes]) -> None:
        self.write(f"{batch_id}.results.jsonl", lines)

    def results(self, batch_id: str) -> BinaryIO:
        return (self.directory / f"{batch_id}.results.jsonl").open("rb")

    def drop(self, batch_id: str) -> None:
        for name in ("body.json", "results.jsonl"):
            (self.directory / f"{batch_id}.{name}").unlink(missing_ok=True)

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write a file whole or not at all."""
        handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=self.directory)
        try:
            with os.fdopen(handle, "wb") as file:
                file.writelines(chunks)
            Path(temporary).replace(self.directory / name)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
