"""How a line of a Gemini batch's file of results becomes an outcome: `{"key", "response" or "error"}`."""

from __future__ import annotations

from typing import Any, Final

from batchata.answers.answer import CALL, Block
from batchata.answers.located import with_citations
from batchata.core.values import RequestError, Usage
from batchata.errors import IncompleteResultsError
from batchata.providers.exchange import Outcome
from batchata.providers.result_fields import (
    UNKNOWN_SHAPE,
    count_in,
    cut_by_service,
    message_of,
    name_of,
    object_in,
    objects_in,
    part_in,
    rpc_kind,
    text_in,
    whole_line,
)

__all__ = ["blocks_of", "outcome_of"]

_STOPS: Final = {
    "STOP": "end_turn",
    "MAX_TOKENS": "max_tokens",
    "SAFETY": "refusal",
    "RECITATION": "refusal",
    "LANGUAGE": "refusal",
    "BLOCKLIST": "refusal",
    "PROHIBITED_CONTENT": "refusal",
    "SPII": "refusal",
    "IMAGE_SAFETY": "refusal",
}
_BROKEN_OFF: Final = (
    "other",
    "malformed_function_call",
    "malformed_response",
    "unexpected_tool_call",
    "too_many_tool_calls",
    "missing_thought_signature",
)
_CANCELLED: Final = (1, 499)
_COUNTS: Final = (
    "cachedContentTokenCount",
    "toolUsePromptTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
    "totalTokenCount",
)


def outcome_of(line: bytes) -> Outcome:
    """Return the outcome in one result line; a part that cannot be read never costs another part.

    Raises IncompleteResultsError for a line that is not a whole JSON object with a key.
    """
    whole = whole_line(line)
    key = text_in(whole, "key") or text_in(object_in(whole, "metadata"), "key")  # as it is inline
    if key is None:
        raise IncompleteResultsError("a line of the results is not a whole result (it has no key)")
    body, said = object_in(whole, "response"), object_in(whole, "error")
    if not body or said:
        kind, why = _verdict(said)
        return Outcome(name_of(key), kind, None, why, _usage(body), [], line)
    stop_reason, error = _stop_reason(body), None
    if stop_reason is None:
        error = RequestError(kind="unknown_shape", message=UNKNOWN_SHAPE)
    elif stop_reason in _BROKEN_OFF:
        error = cut_by_service(stop_reason)
    return Outcome(name_of(key), "succeeded", stop_reason, error, _usage(body), _blocks(body), line)


def blocks_of(line: bytes) -> list[Block]:
    """Return only the content blocks of a result line."""
    return _blocks(object_in(whole_line(line), "response"))


def _verdict(said: dict[str, Any]) -> tuple[str, RequestError]:
    code = said.get("code")
    kind = "canceled" if code in _CANCELLED else "errored"
    message = text_in(said, "message") or f"the provider gave no reason (code {code})"
    named = rpc_kind(code) if kind == "errored" else kind
    return kind, RequestError(kind=named, message=message_of(message))


def _parts(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parts of the first candidate, without its thoughts; more candidates are never asked for."""
    candidates = objects_in(body, "candidates")[:1]
    parts = [part for each in candidates for part in objects_in(object_in(each, "content"), "parts")]
    return [part for part in parts if part.get("thought") is not True]


def _blocks(body: dict[str, Any]) -> list[Block]:
    blocks = []
    for number, part in enumerate(_parts(body)):
        if isinstance(text := part.get("text"), str):
            blocks.append(Block("text", text=text))
        elif call := object_in(part, "functionCall"):
            given = call.get("args") or {}
            id_ = text_in(call, "id") or f"call_{number}"  # older models give none
            blocks.append(Block(CALL, id=id_, name=text_in(call, "name"), input=given))
    return with_citations(blocks)


def _stop_reason(body: dict[str, Any]) -> str | None:
    """Return the stop reason in Anthropic's words, which the reader knows; None where none is given."""
    candidates = objects_in(body, "candidates")
    if not candidates:
        return "refusal" if text_in(object_in(body, "promptFeedback"), "blockReason") else None
    said = text_in(candidates[0], "finishReason")
    if said == "STOP" and any("functionCall" in part for part in _parts(body)):
        return CALL
    return None if said is None else _STOPS.get(said, said.lower())


def _usage(body: dict[str, Any]) -> Usage | None:
    """Read the usage: cached tokens are part of the prompt, thoughts are billed beside the answer.

    Numbers that are 0 are left out. None without a prompt, and where the parts do not add up to the total:
    something is billed then that is not known here.
    """
    said = object_in(body, "usageMetadata")
    counts = [count_in(said, "promptTokenCount"), *(part_in(said, name) for name in _COUNTS)]
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        return None
    prompt, cached, tools, answer, thoughts, total = known
    if cached > prompt or (total and total != prompt + tools + answer + thoughts):
        return None
    return Usage(
        input_tokens=prompt - cached + tools,
        output_tokens=answer + thoughts,
        cache_read_tokens=cached,
    )
