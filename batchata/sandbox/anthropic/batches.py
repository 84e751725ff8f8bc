"""Keep the batches of the Message Batches protocol: made of one body, answered as one file of results."""

from __future__ import annotations

from typing import Any

from batchata.sandbox.anthropic.requests import check_entries, read_entries
from batchata.sandbox.anthropic.results import render
from batchata.sandbox.anthropic.tokens import PromptCache
from batchata.sandbox.batches import Batches, Setup
from batchata.sandbox.faults import chosen
from batchata.sandbox.protocol import Refusal, new_id, rfc3339
from batchata.sandbox.storage import DAY, Record

__all__ = ["MessageBatches", "batch_object"]


class MessageBatches(Batches):
    """Every batch by id; see `Batches`."""

    prefix = "msgbatch"
    kept_for = 29 * DAY

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.cache = PromptCache()

    def title(self, batch_id: str) -> str:
        """See the base."""
        return f"Message Batch {batch_id}"

    def create(self, body: bytes) -> Record:
        """Create a batch; its body is stored before this returns."""
        entries = read_entries(body)
        check_entries(entries, self._setup.max_requests)
        for number, entry in enumerate(entries):
            if chosen(self.faults.refused, entry.custom_id, number):
                raise Refusal(400, f"requests.{number}.params: The sandbox was told to refuse this one")
        now = self._clock()
        with self._lock:
            ids = [entry.custom_id for entry in entries]
            record = Record(new_id(self.prefix), self.count(), now, now, ids)
            self.keep(record, body)
        return record

    def write(self, ended: Record) -> None:
        """See the base."""
        setup = self._setup
        entries = read_entries(self._shelf.body(ended.id))
        lines = render(
            ended, entries, setup.answering, self.cache, self.faults, setup.seed, shuffle=setup.shuffle
        )
        self._shelf.put_results(ended.id, lines)


def batch_object(record: Record, base_url: str) -> dict[str, Any]:
    """Return a MessageBatch with all its keys; `results_url` points at whom the caller asked."""
    results = f"{base_url}/v1/messages/batches/{record.id}/results"
    return {
        "id": record.id,
        "type": "message_batch",
        "processing_status": record.status,
        "request_counts": record.counts(),
        "created_at": rfc3339(record.created_at),
        "expires_at": rfc3339(record.expires_at),
        "ended_at": rfc3339(record.ended_at),
        "archived_at": rfc3339(record.archived_at),
        "cancel_initiated_at": rfc3339(record.cancel_initiated_at),
        "results_url": results if record.ended_at is not None else None,
    }
