"""Answer each call: about the sandbox itself, or by the routes of the protocol that it belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import Any, Protocol

from batchata.sandbox.batches import Batches
from batchata.sandbox.protocol import Call, Page, Refusal, Reply, read_object, rfc3339
from batchata.sandbox.storage import Record

__all__ = ["Front", "Other", "added", "settled"]

type Other = tuple[Callable[[Call], bool], Answering]  # whether a call is its protocol's, and its routes


class Answering(Protocol):
    """The routes of a protocol."""

    def reply(self, call: Call) -> Reply:
        """Answer a call. Raises Refusal."""
        ...


class AnsweringFirst(Answering, Protocol):
    """The routes that take what belongs to no other protocol, and the faults that all share."""

    def set_faults(self, values: dict[str, Any]) -> None:
        """Set faults by name. Raises KeyError for a name that is none."""
        ...


class Front:
    """Answers every call: about the sandbox itself, or by its routes about the protocol."""

    def __init__(
        self,
        kinds: Sequence[Batches],
        routes: AnsweringFirst,
        others: Sequence[Other],
        clock: Callable[[], float],
        error_page: Callable[[Refusal, str], Page],
    ) -> None:
        self._kinds = kinds
        self._routes = routes
        self._others = others
        self._clock, self._error_page = clock, error_page
        self._lock = Lock()
        self._exchanges: list[tuple[str, str, int]] = []

    def now(self) -> float:
        return self._clock()

    def note(self, method: str, path: str, status: int) -> None:
        if not path.startswith("/sandbox"):
            with self._lock:
                self._exchanges.append((method, path, status))

    def exchanges(self) -> list[tuple[str, str, int]]:
        with self._lock:
            return list(self._exchanges)

    def error_page(self, refusal: Refusal, request_id: str) -> Page:
        return refusal.page or self._error_page(refusal, request_id)

    def reply(self, call: Call) -> Reply:
        match call.method, call.path.rstrip("/"):
            case "GET", "/sandbox":
                return self._state()
            case "POST", "/sandbox/faults":
                return self._set_faults(call)
        return next((each for is_its, each in self._others if is_its(call)), self._routes).reply(call)

    def _state(self) -> dict[str, Any]:
        """Answer what a test in another process asks for."""
        batches = [
            {
                "id": record.id,
                "created_at": rfc3339(record.created_at),
                "custom_ids": record.custom_ids,
                "status": record.status,
                "counts": record.counts(),
            }
            for record in settled(self._kinds)
        ]
        return {
            "simulation": True,
            "batches": batches,
            "billed": dict(added(each.billed() for each in self._kinds)),
            "usage": dict(added(each.usage() for each in self._kinds)),
            "exchanges": self.exchanges(),
        }

    def _set_faults(self, call: Call) -> dict[str, Any]:
        try:
            self._routes.set_faults(read_object(call.body))
        except KeyError as exc:
            raise Refusal(400, str(exc.args[0])) from exc
        return {"simulation": True}


def settled(kinds: Iterable[Batches]) -> list[Record]:
    """All batches in order of creation."""
    return sorted((record for each in kinds for record in each.settled()), key=lambda r: r.created_at)


def added(counts: Iterable[Counter[str]]) -> Counter[str]:
    """Their sum; kinds that are 0 stay."""
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return total
