"""The wire forms of the protocol: ids, times, error envelopes, batch objects."""

from __future__ import annotations

import re
import secrets
import string
from datetime import UTC, datetime
from typing import Any

import msgspec

from batchata.sandbox.storage import Record

__all__ = ["Refusal", "batch_object", "batch_title", "injected", "new_id", "rfc3339", "spend_limit"]

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
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


class Refusal(Exception):
    """An error answer: status, error type and message, headers, details."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str | None = None,
        headers: dict[str, str] | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind or _ERRORS.get(status, ("api_error", ""))[0]
        self.headers = headers or {}
        self.details = details

    def envelope(self, request_id: str) -> dict[str, Any]:
        error: dict[str, Any] = {"type": self.kind, "message": str(self), "details": self.details}
        return {"type": "error", "error": error, "request_id": request_id}


def injected(
    status: int, retry_after: float | None, says: str | None = None, more: dict[str, str] | None = None
) -> Refusal:
    """The answer for a status that a fault asks for."""
    headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
    headers |= more or {}
    return Refusal(status, says or _ERRORS.get(status, ("api_error", "Error"))[1], headers=headers)


def spend_limit() -> Refusal:
    """The 429 of a used-up monthly limit: it carries no retry-after, waiting does not help."""
    return Refusal(
        429,
        "Your organization has reached its monthly spend limit.",
        details={"error_code": "enforced_spend_limit_reached"},
    )


def new_id(prefix: str) -> str:
    return f"{prefix}_01{''.join(secrets.choice(_BASE62) for _ in range(22))}"


def rfc3339(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def batch_title(batch_id: str) -> str:
    return f"Message Batch {batch_id}"


def batch_object(record: Record, base_url: str) -> dict[str, Any]:
    """A MessageBatch with all its keys; `results_url` points at whom the caller asked."""
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


__all__ = ["MAX_REQUESTS", "Entry", "read_entries", "read_object"]

MAX_REQUESTS = 100_000
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")


class Entry(msgspec.Struct, gc=False):
    """One request of a batch; `params` is its JSON as sent."""

    custom_id: str
    params: msgspec.Raw


class _Envelope(msgspec.Struct):
    requests: list[Entry]


_decoder = msgspec.json.Decoder(_Envelope)


def read_entries(body: bytes) -> list[Entry]:
    """The requests of a body that `check_custom_ids` has seen, or Refusal."""
    try:
        return _decoder.decode(body).requests
    except msgspec.ValidationError as exc:
        raise Refusal(400, _as_sent(str(exc))) from exc
    except msgspec.DecodeError as exc:
        raise Refusal(400, f"The request body is not valid JSON: {exc}") from exc


def read_object(body: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(body)
    except msgspec.DecodeError as exc:
        raise Refusal(400, f"The request body is not valid JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise Refusal(400, "Input should be an object")
    return value


def check_entries(entries: list[Entry], limit: int = MAX_REQUESTS) -> None:
    """Raise Refusal for what the service refuses at once: the number of requests and their custom ids."""
    if not entries:
        raise Refusal(400, "requests: List should have at least 1 item after validation, not 0")
    if len(entries) > limit:
        raise Refusal(
            400, f"requests: List should have at most {limit} items after validation, not {len(entries)}"
        )
    seen: set[str] = set()
    for number, entry in enumerate(entries):
        custom_id = entry.custom_id
        if _CUSTOM_ID.match(custom_id) is None or custom_id in seen:
            raise Refusal(400, f"requests.{number}.custom_id: {_fault_of(custom_id)}")
        if (
            bytes(entry.params[:1] if isinstance(entry.params, bytes) else memoryview(entry.params)[:1])
            != b"{"
        ):
            raise Refusal(400, f"requests.{number}.params: Input should be an object")
        seen.add(custom_id)


def _fault_of(custom_id: str) -> str:
    if not custom_id:
        return "String should have at least 1 character"
    if len(custom_id) > 64:
        return "String should have at most 64 characters"
    if _CUSTOM_ID.match(custom_id) is None:
        return "String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"
    return f"'{custom_id}' is not unique within the batch"


def _as_sent(message: str) -> str:
    """msgspec's complaint in the service's words: `requests.0.custom_id: Field required`."""
    path = re.search(r"`\$\.?([^`]*)`", message)
    where = re.sub(r"\[(\d+)\]", r".\1", path[1] if path else "")
    missing = re.search(r"missing required field `(\w+)`", message)
    if missing:
        return f"{where}.{missing[1]}: Field required".lstrip(".")
    expected = re.search(r"Expected `(\w+)", message)
    wanted = {"str": "string", "array": "list"}.get(expected[1], expected[1]) if expected else "value"
    return f"{where}: Input should be a valid {wanted}".lstrip(": ")
