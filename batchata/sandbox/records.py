"""What the sandbox remembers of one batch, besides its body and its results."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Record"]

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

    @property
    def expires_at(self) -> float:
        return self.created_at + DAY

    @property
    def status(self) -> str:
        if self.ended_at is not None:
            return "ended"
        return "canceling" if self.cancel_initiated_at is not None else "in_progress"

    def counts(self) -> dict[str, int]:
        """The counters: all zero except `processing` until the batch has ended."""
        ended = self.ended_at is not None
        counts = {"processing": 0 if ended else len(self.custom_ids)}
        return counts | {kind: self.kinds.count(letter) for kind, letter in LETTERS.items()}

    def billed(self) -> list[str]:
        """The custom ids whose answers are billed."""
        return [i for i, letter in zip(self.custom_ids, self.kinds, strict=False) if letter == "s"]
