"""Read what the Gemini API says of batches defensively: operations, states, counts and failures.

A batch is a long-running operation: its state and counts are in `metadata`, where numbers are strings. States
are `BATCH_STATE_…` on the wire and `JOB_STATE_…` in the guides, so only what follows is compared.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from batchata.core import error_kinds as kinds
from batchata.core.values import Counts, RequestError
from batchata.errors import UnreadableReplyError
from batchata.providers.exchange import Batch, Failure
from batchata.providers.gemini.dialect import GeminiDialect
from batchata.providers.result_fields import (
    NO_REASON,
    message_of,
    micros_of,
    object_in,
    rpc_kind,
    size_of,
    text_in,
)

__all__ = [
    "answers_in",
    "batch_id_of",
    "batch_of",
    "entries_of",
    "file_id_of",
    "is_made_of",
    "is_nameless",
    "lean",
    "name_of",
    "responses_file",
]

_BATCH: Final = re.compile(r"batches/([A-Za-z0-9_-]{1,200})")
_FILE: Final = re.compile(r"files/[A-Za-z0-9_-]{1,200}")
_STATE: Final = re.compile(r"(?:BATCH|JOB)_STATE_([A-Z_]{1,50})")
_LIFE: Final = GeminiDialect.batch_hours * 3_600 * 1_000_000  # microseconds
_OVER: Final = ("succeeded", "partially_succeeded", "failed", "cancelled", "expired")
_PASSING: Final = (kinds.RATE_LIMITED, kinds.FAULT, kinds.OVERLOADED, kinds.TIMED_OUT)
# An operation holds the answers of a batch that was sent inline, at two places.
_ANSWERS: Final = "inlinedResponses"
_HOLDERS: Final = ("metadata", "output", "response")

type _Fields = dict[str, msgspec.Raw]
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_list: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


def lean(raw: bytes | msgspec.Raw) -> Any:
    """Decode an operation without the answers that it may hold: True takes their place.

    Raises msgspec.DecodeError for what is not JSON.
    """
    try:
        fields = _decode_fields(raw)
    except msgspec.ValidationError:
        return msgspec.json.decode(raw)  # no object
    return {name: _lean_field(name, value) for name, value in fields.items()}


def _lean_field(name: str, value: msgspec.Raw) -> Any:
    if name == _ANSWERS:
        return True
    return lean(value) if name in _HOLDERS else msgspec.json.decode(value)


def entries_of(raw: bytes) -> tuple[Any, Any]:
    """Return the operations of a page of the list, each `lean`, and the token of the next page.

    Raises msgspec.DecodeError where it is not an object with a list.
    """
    fields = _decode_fields(raw)
    token = fields.get("nextPageToken")
    entries = [lean(entry) for entry in _decode_list(fields.get("operations", b"[]"))]
    return entries, None if token is None else msgspec.json.decode(token)


def answers_in(raw: bytes) -> list[bytes]:
    """Return the answers that an operation holds, each as one line, with its numbers as they were written.

    Raises msgspec.DecodeError for what is not JSON, or of another shape.
    """
    fields = _decode_fields(raw)
    about = _inner(fields, "metadata")
    for place in (_inner(fields, "response"), _inner(about, "output")):
        if _ANSWERS in place:
            listed = _inner(place, _ANSWERS).get(_ANSWERS, b"[]")
            return [msgspec.json.format(bytes(entry), indent=-1) for entry in _decode_list(listed)]
    return []


def _inner(fields: _Fields, name: str) -> _Fields:
    return _decode_fields(fields[name]) if name in fields else {}


def batch_id_of(value: object) -> str | None:
    """Return the id in the name of an operation; None where it is no batch's."""
    name = value.get("name") if isinstance(value, dict) else None
    found = _BATCH.fullmatch(name) if isinstance(name, str) else None
    return None if found is None else found[1]


def file_id_of(value: object) -> str | None:
    """Return the name of a file, `files/…`; None for anything else."""
    return value if isinstance(value, str) and _FILE.fullmatch(value) else None


def responses_file(value: dict[str, Any]) -> str | None:
    """Return the file that holds the results of a batch; it is named at two places."""
    places = (object_in(value, "response"), object_in(object_in(value, "metadata"), "output"))
    return next((found for place in places if (found := file_id_of(place.get("responsesFile")))), None)


def _has_answers(value: dict[str, Any]) -> bool:
    """Whether a batch has results, in a file or in itself."""
    places = (object_in(value, "response"), object_in(object_in(value, "metadata"), "output"))
    return responses_file(value) is not None or any(place.get(_ANSWERS) for place in places)


def is_made_of(value: dict[str, Any], mark: str, handle: str) -> bool:
    """Whether a batch bears the mark as its display name, or was made of the file."""
    file = object_in(object_in(value, "metadata"), "inputConfig").get("fileName")
    return name_of(value) == mark or bool(handle and file == handle)


def is_nameless(value: dict[str, Any]) -> bool:
    """Whether a batch shows nothing that ours could be recognised by; each of ours was given a name."""
    return not (name_of(value) or object_in(object_in(value, "metadata"), "inputConfig").get("fileName"))


def name_of(value: dict[str, Any]) -> str | None:
    """Return the name that a batch was given, which is the mark of its job; None for an empty one."""
    return text_in(object_in(value, "metadata"), "displayName")


def batch_of(value: object, *, created: bool = False) -> Batch:
    """Read a batch from its operation. When it was just `created`, only its id matters."""
    batch_id = batch_id_of(value)
    if batch_id is None or not isinstance(value, dict):
        raise UnreadableReplyError(
            "the provider described a batch without a usable name", kind=kinds.ODD_REPLY
        )
    about = object_in(value, "metadata")
    state = _state(about, value)
    if state is None and not created:
        raise UnreadableReplyError(
            f"the provider described the batch {batch_id} without its state", kind=kinds.ODD_REPLY
        )
    counts = _counts(object_in(about, "batchStats"), state)
    failure = _failure(value, state, counts)
    ended = state in _OVER and failure is None
    began = micros_of(about.get("createTime"))
    return Batch(
        batch_id=batch_id,
        ended=ended,
        status="ended" if ended else state or "unknown",
        counts=counts,
        created_at=began or 0,
        expires_at=began + _LIFE if began else None,
        failure=failure,
    )


def _state(about: dict[str, Any], value: dict[str, Any]) -> str | None:
    """Return the state without its prefix; an operation that is done has ended, whatever its state."""
    found = _STATE.fullmatch(text_in(about, "state") or "")
    state = None if found is None else found[1].lower()
    if value.get("done") is True and state not in _OVER:
        return "failed" if object_in(value, "error") else "succeeded"
    return state


def _failure(value: dict[str, Any], state: str | None, counts: Counts) -> Failure | None:
    """Say why nothing of the batch can be had; None where there are results to collect."""
    if state not in ("failed", "cancelled", "expired") or _has_answers(value):
        return None
    if state == "expired":
        said = "the batch expired after 48 hours without results; a lower items_per_job makes smaller ones"
        return Failure(RequestError(kind="batch_expired", message=said), passing=True)
    if counts.succeeded:
        return None  # there are answers, so results may still come
    if state == "cancelled":
        said = "the batch was cancelled before it had an answer"
        return Failure(RequestError(kind="batch_cancelled", message=said), passing=True)
    error = object_in(value, "error")
    kind = rpc_kind(error.get("code"))
    message = message_of(text_in(error, "message") or NO_REASON)
    if kind == kinds.RATE_LIMITED:
        return Failure(RequestError(kind=kinds.QUEUE_FULL, message=message), passing=True)
    return Failure(RequestError(kind=kind, message=message), passing=kind in _PASSING)


def _counts(stats: dict[str, Any], state: str | None) -> Counts:
    """Read the counts; those that are 0 are left out, and the remaining requests share the batch's end."""
    total, done, failed = (
        size_of(stats.get(name)) or 0
        for name in ("requestCount", "successfulRequestCount", "failedRequestCount")
    )
    rest = max(total - done - failed, 0)
    ends = {"expired": "expired", "cancelled": "canceled"}
    parts = {"processing": 0, "canceled": 0, "expired": 0, ends.get(state or "", "processing"): rest}
    return Counts(succeeded=done, errored=failed, **parts)
