"""Read what OpenAI's Batch API says of batches defensively: states, counts, failures of whole batches."""

from __future__ import annotations

import re
from typing import Any, Final

from batchata.core.error_kinds import ODD_REPLY, QUEUE_FULL, SPENT
from batchata.core.values import Counts, RequestError
from batchata.errors import UnreadableReplyError
from batchata.providers.exchange import Batch, Failure
from batchata.providers.result_fields import LATEST, NO_REASON, message_of, size_of

__all__ = ["batch_of", "files_of", "is_id"]

# A slash or a blank would make another path of it.
_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:=+~@-]{0,511}")
_SPELLED: Final = {"canceled": "cancelled", "canceling": "cancelling"}
_ENDED: Final = ("completed", "expired", "cancelled")
_PASSING: Final = ("server_error", "internal_error", "rate_limit_exceeded")
_SPENT: Final = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")


def is_id(value: object) -> bool:
    """Whether this can be an id of a batch or a file."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def files_of(value: dict[str, Any]) -> list[str]:
    """Return the output and the error file of a batch; either may be null or an empty text."""
    found = [value.get(name) for name in ("output_file_id", "error_file_id")]
    return [str(file_id) for file_id in found if is_id(file_id)]


def batch_of(value: object, *, created: bool = False) -> Batch:
    """Read a batch from its description.

    Counts are 0 while a batch is validated, and where they cannot be read. When a batch was just `created`,
    only its id matters.
    """
    if not isinstance(value, dict):
        raise UnreadableReplyError("the provider's description of a batch is not an object", kind=ODD_REPLY)
    batch_id, status = value.get("id"), value.get("status")
    if not is_id(batch_id):
        raise UnreadableReplyError("the provider described a batch without a usable id", kind=ODD_REPLY)
    if not isinstance(status, str) and not created:
        raise UnreadableReplyError(
            f"the provider described the batch {batch_id} without its status", kind=ODD_REPLY
        )
    status = status[:100].lower() if isinstance(status, str) else "unknown"
    status = _SPELLED.get(status, status)
    counts = _counts(value.get("request_counts"), status)
    # What was answered may be billed, whatever became of the batch.
    has_answers = bool(files_of(value) or counts.succeeded)
    ended = status in _ENDED or (status == "failed" and has_answers)
    return Batch(
        batch_id=str(batch_id),
        ended=ended,
        status="ended" if ended else status,
        counts=counts,
        created_at=_micros(value.get("created_at")) or 0,
        expires_at=_micros(value.get("expires_at")),
        failure=None if has_answers else _failure(value, status),
    )


def _failure(value: dict[str, Any], status: str) -> Failure | None:
    """Say why nothing of the batch ran; None for a batch that began: its results may still come."""
    if status == "failed":
        return _validation(value.get("errors"))
    if status not in ("expired", "cancelled") or value.get("in_progress_at") is not None:
        return None
    said = f"the batch was {status} before it began"
    return Failure(RequestError(kind=f"batch_{status}", message=said), passing=True)


def _validation(errors: object) -> Failure:
    listed = errors.get("data") if isinstance(errors, dict) else None
    entries = [entry for entry in listed or [] if isinstance(entry, dict)] if isinstance(listed, list) else []
    found = [_error(entry) for entry in entries] or [RequestError(kind="batch_failed", message=NO_REASON)]
    lines = [
        (entry["line"] - 1, error)
        for entry, error in zip(entries, found, strict=False)
        if type(entry.get("line")) is int and entry["line"] > 0
    ]
    is_passing = found[0].kind in (QUEUE_FULL, *_PASSING)
    return Failure(found[0], is_passing, () if is_passing else tuple(lines))


def _error(entry: dict[str, Any]) -> RequestError:
    code, message = entry.get("code"), entry.get("message")
    said = message_of(message) if isinstance(message, str) and message else NO_REASON
    if code == "token_limit_exceeded" or "enqueued token limit" in said.lower():
        return RequestError(kind=QUEUE_FULL, message=said)
    if code in _SPENT:
        return RequestError(kind=SPENT, message=said)
    named = isinstance(code, str) and code.isidentifier()
    return RequestError(kind=code[:100] if named and isinstance(code, str) else "batch_failed", message=said)


def _counts(value: object, status: str) -> Counts:
    """Read the counts; the rest of the total is under way, or shares the batch's end."""
    given = value if isinstance(value, dict) else {}
    total, done, failed = (size_of(given.get(name)) or 0 for name in ("total", "completed", "failed"))
    rest = max(total - done - failed, 0)
    ends = {"expired": "expired", "cancelled": "canceled"}
    parts = {"processing": 0, "canceled": 0, "expired": 0, ends.get(status, "processing"): rest}
    return Counts(succeeded=done, errored=failed, **parts)


def _micros(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value * 1_000_000) if 0 < value * 1_000_000 < LATEST else None
