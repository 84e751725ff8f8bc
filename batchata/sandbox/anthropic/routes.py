"""Answer each call of the protocol, and let the faults of calls strike."""

from __future__ import annotations

from typing import Any

import msgspec

from batchata.sandbox.anthropic.batches import MessageBatches, batch_object
from batchata.sandbox.anthropic.messages import message_of
from batchata.sandbox.anthropic.requests import MessageRequest
from batchata.sandbox.anthropic.tokens import input_tokens
from batchata.sandbox.anthropic.validation import Rejection, rejection
from batchata.sandbox.calls import Calls
from batchata.sandbox.protocol import (
    Call,
    Dropped,
    Page,
    Refusal,
    Reply,
    new_id,
    read_object,
    rfc3339,
)
from batchata.sandbox.storage import Record

__all__ = ["Routes", "error_page"]

_BATCHES = ("v1", "messages", "batches")
_ERRORS = {
    400: ("invalid_request_error", "The sandbox was told to refuse this request"),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "Your credit balance is too low to access the Anthropic API."),
    403: ("permission_error", "Your API key does not have permission to use the specified resource"),
    404: ("not_found_error", "Not found"),
    408: ("timeout_error", "Request timed out"),
    409: ("conflict_error", "Conflict"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    422: ("invalid_request_error", "Unprocessable"),
    429: ("rate_limit_error", "This request would exceed your organization's rate limit"),
    500: ("api_error", "Internal server error"),
    501: ("api_error", "Not implemented"),
    503: ("api_error", "Service unavailable"),
    504: ("timeout_error", "Gateway timeout"),
    529: ("overloaded_error", "Overloaded"),
}
_TOO_LARGE = (
    b"<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body>\r\n"
    b"<center><h1>413 Request Entity Too Large</h1></center>\r\n<hr><center>cloudflare</center>\r\n"
    b"</body>\r\n</html>\r\n"
)
_STATUS_OF = {
    "not_found_error": 404,
    "invalid_request_error": 400,
    "overloaded_error": 529,
    "rate_limit_error": 429,
}


class Routes(Calls[MessageBatches]):
    """Answers calls of the Message Batches protocol."""

    def reply(self, call: Call) -> Reply:
        if not call.headers.get("x-api-key") and not _is_bearer(call.headers.get("authorization", "")):
            raise Refusal(401, "x-api-key header is required")
        parts = tuple(part for part in call.path.split("/") if part)
        if parts[:3] == _BATCHES:
            return self._of_batches(call, parts[3:])
        match call.method, parts:
            case "POST", ("v1", "messages"):
                return self._message(call)
            case "POST", ("v1", "messages", "count_tokens"):
                return self._count_tokens(call)
            case "GET", ("v1", "models", model):
                return {"type": "model", "id": model, "display_name": model, "created_at": rfc3339(0.0)}
        raise Refusal(404, "Not found")

    def _of_batches(self, call: Call, parts: tuple[str, ...]) -> Reply:
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
                return self._described(self._batches.cancel(batch_id), call)
            case "DELETE", (batch_id,):
                self._batches.delete(batch_id)
                return {"id": batch_id, "type": "message_batch_deleted"}
        raise Refusal(404, "Not found")

    def _create(self, call: Call) -> Reply:
        if self.faults.spend_limit:
            raise _spend_limit()
        self._inject("create_status", self.faults.create_says)
        if self._strike("created_twice"):
            self._batches.create(call.body)
        created = self._described(self._batches.create(call.body), call)
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
        records, more = self._batches.page(
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
        return self._described(self._batches.retrieve(batch_id), call)

    def _results(self, batch_id: str) -> Reply:
        self._inject("results_status")
        return self._results_of(self._batches.results(batch_id))

    def _message(self, call: Call) -> Reply:
        self._inject("message_status")
        params = read_object(call.body)
        self._refuse(rejection(params, self._day(), in_batch=False))
        if params.get("stream"):
            raise Refusal(400, "stream: the sandbox does not stream")
        answer = self._answering.answer(MessageRequest("message", params))
        if answer.kind != "succeeded":
            raise Refusal(
                _STATUS_OF.get(answer.error_type, 500), answer.error_message, kind=answer.error_type
            )
        used = self._batches.cache.usage(params, self._clock())
        return message_of(answer, params, new_id("msg_sandbox"), used, tier="standard")

    def _count_tokens(self, call: Call) -> Reply:
        self._inject("message_status")
        params = read_object(call.body)
        self._refuse(rejection({**params, "max_tokens": 64_000}, self._day(), in_batch=False))
        return {"input_tokens": input_tokens(params)}

    def _day(self) -> str:
        return (rfc3339(self._clock()) or "")[:10]

    def _refuse(self, reason: Rejection | None) -> None:
        if reason is not None:
            raise Refusal(_STATUS_OF.get(reason.type, 400), reason.message, kind=reason.type)

    def set_faults(self, values: dict[str, Any]) -> None:
        """Set faults by name between two calls. Raises KeyError for a name that is none."""
        with self._lock:
            self.faults.update(values)


def error_page(refusal: Refusal, request_id: str) -> Page:
    """Return the body of an error answer."""
    if refusal.status == 413:
        # The real 413 comes from the proxy in front of the service, which speaks HTML.
        return Page("text/html", _TOO_LARGE)
    kind, usual = _ERRORS.get(refusal.status, ("api_error", "Error"))
    message = usual if refusal.message is None else refusal.message
    error = {"type": refusal.kind or kind, "message": message, "details": refusal.details}
    envelope = {"type": "error", "error": error, "request_id": request_id}
    return Page("application/json", msgspec.json.encode(envelope))


def _is_bearer(authorization: str) -> bool:
    return authorization.lower().startswith("bearer ")


def _spend_limit() -> Refusal:
    """Return the 429 of a used-up monthly limit: it has no retry-after, since waiting does not help."""
    return Refusal(
        429,
        "Your organization has reached its monthly spend limit.",
        details={"error_code": "enforced_spend_limit_reached"},
    )
