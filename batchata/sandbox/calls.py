"""What the routes of every protocol share: their batches, their clock, and the faults that strike calls."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, BinaryIO

from batchata.sandbox.batches import Batches
from batchata.sandbox.faults import Download, Faults
from batchata.sandbox.protocol import Lines, Refusal
from batchata.sandbox.values import Answering

__all__ = ["Calls"]


class Calls[B: Batches]:
    """Answers calls out of the batches; `wait` sleeps until the sandbox stops at the latest."""

    def __init__(
        self,
        batches: B,
        answering: Answering,
        clock: Callable[[], float],
        wait: Callable[[float], object],
    ) -> None:
        self._batches, self._answering, self._clock, self._wait = batches, answering, clock, wait
        self._lock = Lock()

    @property
    def faults(self) -> Faults:
        return self._batches.faults

    def _take(self, name: str, nothing: Any = 0) -> Any:
        with self._lock:
            return self.faults.take(name, nothing)

    def _strike(self, name: str) -> bool:
        with self._lock:
            return self.faults.strike(name)

    def _inject(self, name: str, says: str | None = None) -> None:
        """Raise the answer that a list of statuses has next."""
        status = int(self._take(name))
        if status and status != 200:
            wait = self.faults.retry_after
            headers = {} if wait is None else {"retry-after": f"{wait:g}"}
            raise Refusal(status, says, headers=headers | self.faults.headers)

    def _download(self) -> Download:
        """Return what the faults want of the next download of results."""
        with self._lock:
            return Download.of(self.faults)

    def _results_of(self, content: BinaryIO) -> Lines:
        """Return a download of results, or what is answered instead of it."""
        instead = self._take("results_instead", None)
        if instead is not None:
            return Lines([instead.encode()])
        return Lines(self._download().pieces(content, self._wait))
