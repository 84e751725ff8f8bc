"""The protocols of services that have OpenAI's shape, some of them in other words.

Each is served below a path of its own, `/mistral/v1` and so on, and says what OpenAI's sandbox says.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from batchata.sandbox.protocol import Refusal

__all__ = ["FLAVORS", "Flavor"]

_decode, _encode = msgspec.json.decode, msgspec.json.encode
_CHAT = "/v1/chat/completions"
_CODES = {"batch_cancelled": 1, "invalid_request_error": 3, "rate_limit_error": 8, "server_error": 13}


class Flavor:
    """OpenAI itself."""

    variables: str | None = None  # what its variables begin with; None: its name
    room: tuple[str, ...] = ("batches",)
    purpose: str | None = "batch"
    validates = True  # whether a batch may fail as a whole while its file is looked at

    def taken(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return the body of a create call in OpenAI's words."""
        return given

    def line(self, line: bytes) -> bytes:
        """Return a line of an input file in OpenAI's words."""
        return line

    def described(self, batch: dict[str, Any], *, created: bool = False) -> dict[str, Any]:
        """Return the description of a batch in the words of the service."""
        return batch

    def page(self, batches: list[dict[str, Any]], *, more: bool, last: str | None) -> Any:
        """Return a page of the list."""
        first = batches[0].get("id") if batches else None
        return {"object": "list", "data": batches, "first_id": first, "last_id": last, "has_more": more}

    def asked(self, query: dict[str, str], ids: list[str]) -> tuple[str, str | None]:
        """Return how many entries a page is to have, and behind which batch it begins; `ids` newest first."""
        return query.get("limit", "20"), query.get("after")


class MistralFlavor(Flavor):
    """Jobs with input files; pages have numbers."""

    room = ("batch", "jobs")

    def taken(self, given: dict[str, Any]) -> dict[str, Any]:
        """See the base."""
        if not given.get("model"):
            raise Refusal(422, "model: Field required")
        files = given.get("input_files") or [None]
        return {
            "input_file_id": files[0],
            "endpoint": given.get("endpoint"),
            "completion_window": "24h",
            "metadata": given.get("metadata"),
            "model": given["model"],
        }

    def line(self, line: bytes) -> bytes:
        """See the base."""
        value = _decode(line)
        if set(value) != {"custom_id", "body"}:
            raise Refusal(422, f"a line has the fields {sorted(value)}")
        return _encode(
            {"custom_id": value["custom_id"], "method": "POST", "url": _CHAT, "body": value["body"]}
        )

    def described(self, batch: dict[str, Any], *, created: bool = False) -> dict[str, Any]:
        """See the base."""
        states = {
            "validating": "QUEUED",
            "in_progress": "RUNNING",
            "completed": "SUCCESS",
            "failed": "FAILED",
            "expired": "TIMEOUT_EXCEEDED",
            "cancelling": "CANCELLATION_REQUESTED",
            "cancelled": "CANCELLED",
        }
        counts = batch["request_counts"]
        errors = [{"message": e["message"], "count": 1} for e in (batch["errors"] or {}).get("data", ())]
        return {
            "id": batch["id"],
            "object": "batch",
            "input_files": [batch["input_file_id"]],
            "metadata": batch["metadata"],
            "endpoint": batch["endpoint"],
            "output_file": batch["output_file_id"],
            "error_file": batch["error_file_id"],
            "errors": errors,
            "outputs": None,
            "status": states[batch["status"]],
            "created_at": batch["created_at"],
            "started_at": batch["in_progress_at"],
            "completed_at": batch["completed_at"],
            "total_requests": counts["total"],
            "succeeded_requests": counts["completed"],
            "failed_requests": counts["failed"],
            "completed_requests": counts["completed"] + counts["failed"],
        }

    def page(self, batches: list[dict[str, Any]], *, more: bool, last: str | None) -> Any:
        """See the base."""
        return {"object": "list", "data": batches, "total": len(batches)}

    def asked(self, query: dict[str, str], ids: list[str]) -> tuple[str, str | None]:
        """See the base."""
        size, number = int(query.get("page_size", "100")), int(query.get("page", "0"))
        return str(size), ids[min(size * number, len(ids)) - 1] if number and ids else None


class XaiFlavor(Flavor):
    """Batches by name, with counts instead of a status, and results in pages."""

    purpose = None
    validates = False

    def taken(self, given: dict[str, Any]) -> dict[str, Any]:
        """See the base."""
        if not given.get("name"):
            raise Refusal(422, "name is required")
        file = given.get("input_file_id")
        named = {"metadata": {"name": given["name"]}}
        return {"input_file_id": file, "endpoint": _CHAT, "completion_window": "24h", **named}

    def described(self, batch: dict[str, Any], *, created: bool = False) -> dict[str, Any]:
        """See the base: times are dates, and what is over is no longer pending."""
        counts, status = batch["request_counts"], batch["status"]
        has_ended = status in ("completed", "cancelled", "expired")
        rest = counts["total"] - counts["completed"] - counts["failed"]
        day = datetime.fromtimestamp(batch["created_at"], UTC).date().isoformat()
        return {
            "batch_id": batch["id"],
            "name": batch["metadata"]["name"],
            "create_time": day,
            "expire_time": day,
            "cancel_time": day if status in ("cancelling", "cancelled") else None,
            "state": {
                "num_requests": counts["total"],
                "num_pending": 0 if has_ended else rest,
                "num_success": counts["completed"],
                "num_error": counts["failed"],
                "num_cancelled": rest if has_ended else 0,
            },
        }

    def page(self, batches: list[dict[str, Any]], *, more: bool, last: str | None) -> Any:
        """See the base."""
        return {"batches": batches, "pagination_token": last if more else None}

    def asked(self, query: dict[str, str], ids: list[str]) -> tuple[str, str | None]:
        """See the base."""
        return query.get("limit", "100"), query.get("pagination_token")

    def result(self, line: bytes) -> bytes:
        """Return a line of a result file as an entry of a page."""
        value = _decode(line)
        response, error = value["response"] or {}, value["error"]
        body = response.get("body") or {}
        said = error or (body.get("error") if response.get("status_code") != 200 else None)
        if said is not None or not body:
            said = said or {}
            code = _CODES.get(str(said.get("code") or said.get("type")), 13)
            result: dict[str, Any] = {"error": {"code": code, "message": said.get("message", "unknown")}}
        else:
            result = {"response": {"chat_get_completion": body}}
        return _encode({"batch_request_id": value["custom_id"], "batch_result": result})


class TogetherFlavor(Flavor):
    """Without metadata and counts, with states in capitals, and a list without pages."""

    purpose = "batch-api"

    def described(self, batch: dict[str, Any], *, created: bool = False) -> dict[str, Any]:
        """See the base."""
        left_out = ("metadata", "request_counts", "errors")
        said = [error["message"] for error in (batch["errors"] or {}).get("data", ())]
        times = {
            name: None if batch[name] is None else datetime.fromtimestamp(batch[name], UTC).isoformat()
            for name in ("created_at", "in_progress_at", "completed_at")
        }
        kept = {name: value for name, value in batch.items() if name not in left_out}
        job = {**kept, **times, "status": batch["status"].upper(), "progress": 0.0}
        job |= {"error": said[0]} if said else {}
        return {"job": job, "warning": None} if created else job

    def page(self, batches: list[dict[str, Any]], *, more: bool, last: str | None) -> Any:
        """See the base."""
        return _encode(batches)

    def asked(self, query: dict[str, str], ids: list[str]) -> tuple[str, str | None]:
        """See the base."""
        return "100", None


class AzureFlavor(Flavor):
    """OpenAI's own words."""

    variables = "AZURE_OPENAI"


FLAVORS: dict[str, Flavor] = {
    "mistral": MistralFlavor(),
    "xai": XaiFlavor(),
    "together": TogetherFlavor(),
    "groq": Flavor(),
    "azure": AzureFlavor(),
    "deepinfra": Flavor(),
    "doubleword": Flavor(),
    "openai-compatible": Flavor(),
}
