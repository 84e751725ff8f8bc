"""The batches of one protocol in a sandbox: created, listed, cancelled, ended, answered."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock
from typing import BinaryIO

from batchata.sandbox.faults import Faults
from batchata.sandbox.protocol import Refusal
from batchata.sandbox.storage import DAY, Record, Shelf
from batchata.sandbox.values import Answering

__all__ = ["Batches", "Delay", "Setup"]

logger = logging.getLogger("batchata.sandbox")

type Delay = float | Callable[[Record], float]


@dataclass(frozen=True, slots=True)
class Setup:
    """What all protocols of a sandbox have in common."""

    shelf: Shelf
    answering: Answering
    clock: Callable[[], float]
    delay: Delay
    seed: int
    shuffle: bool
    max_requests: int


class Batches(ABC):
    """Every batch by id. A batch that is due ends when it is looked at; only then it is answered."""

    prefix = ""  # of its ids
    kept_for = 30 * DAY  # until results are gone

    def __init__(self, setup: Setup) -> None:
        self.faults = Faults()
        self._setup = setup
        self._shelf = setup.shelf
        self._clock = setup.clock
        self._lock = RLock()
        kept = [record for record in setup.shelf.records() if record.id.startswith(self.prefix)]
        self._records = {record.id: record for record in kept}
        self._locks: dict[str, RLock] = {}

    @abstractmethod
    def title(self, batch_id: str) -> str:
        """How messages name a batch."""

    @abstractmethod
    def write(self, ended: Record) -> None:
        """Answer the requests of a batch that ends: put its results on the shelf, and fill its record."""

    def keep(self, record: Record, body: bytes | None = None) -> None:
        """Keep a new batch; its body is stored before this returns."""
        delay = self._setup.delay
        record.ends_at = record.created_at + (delay(record) if callable(delay) else delay)
        with self._lock:
            if body is not None:
                self._shelf.put_body(record.id, body)
            self._shelf.save(record)
            self._records[record.id] = record
        logger.info("batch_created id=%s requests=%d simulation=true", record.id, len(record.custom_ids))

    def count(self) -> int:
        """How many batches there have been."""
        return len(self._records)

    def retrieve(self, batch_id: str) -> Record:
        record = self._known(batch_id)
        self._settle(record)
        return record

    def page(self, limit: int, after_id: str | None, before_id: str | None) -> tuple[list[Record], bool]:
        """Batches newest first, and whether there are more in the direction asked for."""
        records = self._visible()[:: -1 if self.faults.oldest_first else 1]
        places = {record.id: place for place, record in enumerate(records)}
        for name, cursor in (("after_id", after_id), ("before_id", before_id)):
            if cursor is not None and cursor not in places:
                raise Refusal(400, f"{name}: {self.title(cursor)} not found")
        if before_id is not None:
            newer = records[: places[before_id]]
            chosen, more = newer[-limit:], len(newer) > limit
        else:
            start = 0 if after_id is None else places[after_id] + 1
            chosen, more = records[start : start + limit], len(records) > start + limit
        for record in chosen:
            self._settle(record)
        return chosen, more

    def cancel(self, batch_id: str) -> Record:
        """Stop a batch: it is `canceling` in this answer and ended at the next look."""
        record = self._known(batch_id)
        self._settle(record)
        if record.ended_at is not None:
            raise Refusal(400, f"{self.title(batch_id)} has already ended and cannot be canceled.")
        with self._guard(record):
            if record.cancel_initiated_at is None:
                record.cancel_initiated_at = self._clock()
                self._stop(record, "canceled")
            return record

    def delete(self, batch_id: str) -> None:
        record = self.retrieve(batch_id)
        if record.ended_at is None:
            raise Refusal(
                400, f"{self.title(batch_id)} cannot be deleted while it is processing; cancel it first."
            )
        with self._guard(record):
            record.deleted = True
            self._shelf.save(record)
            self._shelf.drop(record.id)

    def results(self, batch_id: str) -> BinaryIO:
        record = self.retrieve(batch_id)
        if record.ended_at is None or record.archived_at is not None:
            raise Refusal(404, f"{self.title(batch_id)} has no available results.")
        return self._shelf.results(batch_id)

    def expire(self, batch_id: str) -> None:
        """End a batch now with what is not processed yet expired."""
        record = self._known(batch_id)
        with self._guard(record):
            if record.ended_at is None:
                self._stop(record, "expired")
        self._settle(record)

    def end_all(self) -> None:
        for record in self._visible():
            with self._guard(record):
                record.ends_at = min(record.ends_at, self._clock())
            self._settle(record)

    def settled(self) -> list[Record]:
        """All batches in order of creation, those that are due ended."""
        records = self._visible()[::-1]
        for record in records:
            self._settle(record)
        return records

    def billed(self) -> Counter[str]:
        """How often each custom id was answered and billed, deleted batches included."""
        return Counter(custom_id for record in self._all() for custom_id in record.billed())

    def usage(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for record in self._all():
            total.update(record.usage)
        return total

    def _all(self) -> list[Record]:
        with self._lock:
            records = list(self._records.values())
        for record in records:
            self._settle(record)
        return records

    def _visible(self) -> list[Record]:
        with self._lock:
            return [record for record in reversed(self._records.values()) if not record.deleted]

    def _known(self, batch_id: str) -> Record:
        record = self._records.get(batch_id)
        if record is None or record.deleted:
            raise Refusal(404, f"{self.title(batch_id)} not found")
        return record

    def _guard(self, record: Record) -> RLock:
        with self._lock:
            return self._locks.setdefault(record.id, RLock())

    def _stop(self, record: Record, reason: str) -> None:
        now, span = self._clock(), record.ends_at - record.created_at
        share = self.faults.processed
        if share is None:
            share = (now - record.created_at) / span if span > 0 else 0.0
        record.stopped = "canceled" if reason == "canceled" else "expired"
        record.done = min(1.0, max(0.0, share))
        record.ends_at = min(record.ends_at, now)
        self._shelf.save(record)

    def _settle(self, record: Record) -> None:
        """End a batch that is due, and archive one that is old."""
        now = self._clock()
        if record.ended_at is None and now >= min(record.ends_at, record.expires_at):
            with self._guard(record):
                if record.ended_at is None:
                    self._end(record)
        if record.archived_at is None and record.ended_at is not None:
            archived = record.created_at + self.kept_for
            record.archived_at = archived if now >= archived else None

    def _end(self, record: Record) -> None:
        if record.ends_at > record.expires_at and record.stopped is None:
            record.done = DAY / (record.ends_at - record.created_at)
            record.stopped = "expired"
        # A copy, so that no ended batch is seen before its results can be read.
        ended = Record(**{name: getattr(record, name) for name in record.__struct_fields__})
        ended.ended_at = max(record.created_at, min(record.ends_at, record.expires_at))
        self.write(ended)
        self._shelf.save(ended)
        record.kinds, record.usage = ended.kinds, ended.usage
        record.ended_at = ended.ended_at
        logger.info("batch_ended id=%s counts=%s simulation=true", record.id, record.counts())
