"""Which call of the protocol is answered by what, and where the faults of calls strike."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

from batchata.sandbox.anthropic.answering import Answering, message_of
from batchata.sandbox.anthropic.protocol import (
    Refusal,
    batch_object,
    injected,
    new_id,
    read_object,
    rfc3339,
    spend_limit,
)
from batchata.sandbox.anthropic.results import Download, Dropped
from batchata.sandbox.anthropic.service import Service
from batchata.sandbox.anthropic.tokens import input_tokens
from batchata.sandbox.anthropic.validation import Rejection, rejection
from batchata.sandbox.faults import Faults
from batchata.sandbox.server import Call, Lines, Reply
from batchata.sandbox.storage import Record
from batchata.sandbox.values import Request

__all__ = ["Routes"]

_BATCHES = ("v1", "messages", "batches")
_STATUS_OF = {
    "not_found_error": 404,
    "invalid_request_error": 400,
    "overloaded_error": 529,
    "rate_limit_error": 429,
}


class Routes:
    """Answers calls out of a Service; `wait` sleeps until the sandbox stops at the latest."""

    def __init__(
        self,
        service: Service,
        answering: Answering,
        clock: Callable[[], float],
        wait: Callable[[float], object],
    ) -> None:
        self._service = service
        self._answering = answering
        self._clock = clock
        self._wait = wait
        self._lock = Lock()
        self._exchanges: list[tuple[str, str, int]] = []

    @property
    def faults(self) -> Faults:
        return self._service.faults

    @property
    def exchanges(self) -> list[tuple[str, str, int]]:
        with self._lock:
            return list(self._exchanges)

    def note(self, method: str, path: str, status: int) -> None:
        if not path.startswith("/sandbox"):
            with self._lock:
                self._exchanges.append((method, path, status))

    def now(self) -> float:
        return self._clock()

    def reply(self, call: Call) -> Reply:
        parts = tuple(part for part in call.path.split("/") if part)
        if parts[:3] == _BATCHES:
            return self._batches(call, parts[3:])
        match call.method, parts:
            case "POST", ("v1", "messages"):
                return self._message(call)
            case "POST", ("v1", "messages", "count_tokens"):
                return self._count_tokens(call)
            case "GET", ("v1", "models", model):
                return {"type": "model", "id": model, "display_name": model, "created_at": rfc3339(0.0)}
            case "GET", ("sandbox",):
                return self._state()
            case "POST", ("sandbox", "faults"):
                return self._set_faults(call)
        raise Refusal(404, "Not found")

    def _batches(self, call: Call, parts: tuple[str, ...]) -> Reply:
        match call.method, parts:
            case "POST", ():
                return self._create(call)
            case "GET", ():
                return self._list(call)
            case "GET", (batch_id,):
                return self._retrieve(call, batch_id)
            case "GET", (batch_id, "results"):
                return self._results(batch_id)
            case "POST", (batch_id, "cancel"):
                self._inject("cancel_status")
                return self._described(self._service.cancel(batch_id), call)
            case "DELETE", (batch_id,):
                self._service.delete(batch_id)
                return {"id": batch_id, "type": "message_batch_deleted"}
        raise Refusal(404, "Not found")

    def _create(self, call: Call) -> Reply:
        if self.faults.spend_limit:
            raise spend_limit()
        self._inject("create_status", self.faults.create_says)
        if self._strike("created_twice"):
            self._service.create(call.body)
        created = self._described(self._service.create(call.body), call)
        hang = float(self._take("create_hang", 0.0))
        if hang:
            self._wait(hang)
        if self._strike("lost_create_responses"):
            raise Dropped
        self._inject("create_status_after")
        answer = self._take("created_as", None)
        if isinstance(answer, bytes | dict):
            return answer
        return created

    def _described(self, record: Record, call: Call) -> dict[str, Any]:
        odd = {} if self.faults.counts is None else {"request_counts": self.faults.counts}
        return batch_object(record, call.base_url) | odd

    def _list(self, call: Call) -> Reply:
        self._inject("list_status")
        limit = call.query.get("limit", "20")
        if not limit.isdecimal():
            raise Refusal(400, "limit: Input should be a valid integer, unable to parse string as an integer")
        if not 1 <= int(limit) <= 1000:
            bound = "greater than or equal to 1" if int(limit) < 1 else "less than or equal to 1000"
            raise Refusal(400, f"limit: Input should be {bound}")
        records, more = self._service.page(
            int(limit), call.query.get("after_id"), call.query.get("before_id")
        )
        batches = [self._described(record, call) for record in records]
        return {
            "data": [*self.faults.entries, *batches],
            "has_more": more or self.faults.endless_list,
            "first_id": records[0].id if records else None,
            "last_id": records[-1].id if records else None,
        }

    def _retrieve(self, call: Call, batch_id: str) -> Reply:
        if self._strike("not_found_after_create"):
            raise Refusal(404, f"Message Batch {batch_id} not found")
        self._inject("poll_status")
        description = self._take("descriptions", None)
        if isinstance(description, bytes | dict):
            return description
        return self._described(self._service.retrieve(batch_id), call)

    def _results(self, batch_id: str) -> Reply:
        self._inject("results_status")
        results = self._service.results(batch_id)
        instead = self._take("results_instead", None)
        if instead is not None:
            return Lines([instead.encode()])
        with self._lock:
            download = Download.of(self.faults)
        return Lines(download.pieces(results, self._wait))

    def _message(self, call: Call) -> Reply:
        self._inject("message_status")
        params = read_object(call.body)
        self._refuse(rejection(params, self._day(), in_batch=False))
        if params.get("stream"):
            raise Refusal(400, "stream: the sandbox does not stream")
        answer = self._answering.answer(Request("message", params))
        if answer.kind != "succeeded":
            raise Refusal(
                _STATUS_OF.get(answer.error_type, 500), answer.error_message, kind=answer.error_type
            )
        used = self._answering.cache.usage(params, self._clock())
        return message_of(answer, params, new_id("msg_sandbox"), used, tier="standard")

    def _count_tokens(self, call: Call) -> Reply:
        self._inject("message_status")
        params = read_object(call.body)
        self._refuse(rejection({**params, "max_tokens": 1}, self._day(), in_batch=False))
        return {"input_tokens": input_tokens(params)}

    def _day(self) -> str:
        return (rfc3339(self._clock()) or "")[:10]

    def _refuse(self, reason: Rejection | None) -> None:
        if reason is not None:
            raise Refusal(_STATUS_OF.get(reason.type, 400), reason.message, kind=reason.type)

    def _state(self) -> dict[str, Any]:
        """What a test in another process asks for."""
        batches = [
            {
                "id": record.id,
                "created_at": rfc3339(record.created_at),
                "custom_ids": record.custom_ids,
                "status": record.status,
                "counts": record.counts(),
            }
            for record in self._service.settled()
        ]
        return {
            "simulation": True,
            "batches": batches,
            "billed": dict(self._service.billed()),
            "usage": dict(self._service.usage()),
            "exchanges": self.exchanges,
        }

    def _set_faults(self, call: Call) -> dict[str, Any]:
        try:
            with self._lock:
                self.faults.update(read_object(call.body))
        except KeyError as exc:
            raise Refusal(400, str(exc.args[0])) from exc
        return {"simulation": True}

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
            raise injected(status, self.faults.retry_after, says, self.faults.headers)
