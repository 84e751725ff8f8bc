"""Reads the body of a create call as cheaply as it can: custom ids are checked, `params` stay bytes."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from batchata.sandbox.protocol import Refusal

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
