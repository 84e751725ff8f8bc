"""How a line of OpenAI's output or error file becomes an outcome, whichever endpoint answered.

Lines are of /v1/responses or of /v1/chat/completions. A batch's own counts and the file that a line stands in
prove nothing (both were seen to be wrong), so each line is judged by itself.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec

from batchata.answers.answer import Block
from batchata.core.pricing import MOST_TOKENS
from batchata.core.values import RequestError, Usage
from batchata.errors import IncompleteResultsError
from batchata.providers.port import Outcome
from batchata.text import kept, short

_LONGEST_NAME, _LONGEST_MESSAGE = 200, 2_000
_STOPS: Final = {
    "stop": "end_turn",
    "length": "max_tokens",
    "max_output_tokens": "max_tokens",
    "content_filter": "refusal",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
}
_UNANSWERED: Final = {"batch_expired": "expired", "batch_cancelled": "canceled"}
_NO_MONEY: Final = ("insufficient_quota", "billing_hard_limit_reached")

_decode = msgspec.json.Decoder(float_hook=Decimal).decode


def outcome_of(line: bytes) -> Outcome:
    """Return the outcome in one result line; an unreadable part never costs another one.

    Raises IncompleteResultsError for a line that is no whole JSON object with a custom id.
    """
    whole = _whole(line)
    custom_id = _text(whole, "custom_id")
    if custom_id is None:
        raise IncompleteResultsError("a line of the results is not a whole result (it has no custom id)")
    kind, error = _verdict(whole)
    answered = kind == "succeeded"
    body = _object(_object(whole, "response"), "body")
    blocks = _blocks(body) if answered else []
    if answered and not blocks:
        shown = "the answer has an unknown shape; it is in the log as received"
        error = RequestError(kind="unknown_shape", message=shown)
    return Outcome(
        custom_id=_name(custom_id),
        kind=kind,
        stop_reason=_stop_reason(body) if answered else None,
        error=error,
        usage=_usage(_object(body, "usage")),
        blocks=blocks,
        line=line,
        schema_refused=_is_about_schema(body),
    )


def blocks_of(line: bytes) -> list[Block]:
    """Return only the content blocks of a result line."""
    return _blocks(_object(_object(_whole(line), "response"), "body"))


def _whole(line: bytes) -> dict[str, Any]:
    try:
        value = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise IncompleteResultsError(f"a line of the results is not a whole result ({exc})") from exc
    return value if isinstance(value, dict) else {}


def _is_about_schema(body: dict[str, Any]) -> bool:
    error = _object(body, "error")
    param = _text(error, "param") or ""
    return _text(error, "code") == "invalid_json_schema" or param.startswith(
        ("text.format", "response_format")
    )


def _verdict(whole: dict[str, Any]) -> tuple[str, RequestError | None]:
    """Return why there is no answer: a refused request has the error in its response, others beside it."""
    response = _object(whole, "response")
    beside, body = _object(whole, "error"), _object(response, "body")
    inside = _object(body, "error")
    status = response.get("status_code")
    said = beside or inside
    if not said and isinstance(status, int) and 200 <= status < 300:
        return "succeeded", None
    kind = _UNANSWERED.get(_text(said, "code") or "", "errored")
    return kind, _error(kind, said, status)


def _error(kind: str, said: dict[str, Any], status: object) -> RequestError:
    code, type_ = _text(said, "code"), _text(said, "type")
    message = _text(said, "message") or f"the provider gave no reason (status {status})"
    if kind == "errored":
        is_money = code in _NO_MONEY or type_ in _NO_MONEY
        kind = "billing_error" if is_money else _name(type_ or code or "api_error")
    return RequestError(kind=kind, message=kept(message, _LONGEST_MESSAGE))


def _blocks(body: dict[str, Any]) -> list[Block]:
    choices = _objects(body, "choices")
    if choices:
        return _of_message(_object(choices[0], "message"))
    output = _objects(body, "output")
    # Of several messages the first may be a comment or cut off; the last one holds the answer.
    messages = [item for item in output if item.get("type") == "message"][-1:]
    parts = [part for message in messages for part in _objects(message, "content")]
    texts = [Block("text", text=_text(part, "text") or _text(part, "refusal")) for part in parts]
    calls = [item for item in output if item.get("type") == "function_call"]
    return [*texts, *(_call(_text(item, "call_id"), item) for item in calls)]


def _of_message(message: dict[str, Any]) -> list[Block]:
    text = _text(message, "content") or _text(message, "refusal")
    texts = [] if text is None else [Block("text", text=text)]
    calls = [(_text(call, "id"), _object(call, "function")) for call in _objects(message, "tool_calls")]
    return [*texts, *(_call(id_, given) for id_, given in calls)]


def _call(id_: str | None, given: dict[str, Any]) -> Block:
    arguments = _text(given, "arguments") or "{}"
    try:
        value = _decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        value = arguments
    return Block("tool_use", id=id_, name=_text(given, "name"), input=value)


def _stop_reason(body: dict[str, Any]) -> str | None:
    """Return the stop reason in Anthropic's words, which the reader knows."""
    choices = _objects(body, "choices")
    if choices:
        refused = _text(_object(choices[0], "message"), "refusal") is not None
        said = _text(choices[0], "finish_reason")
        return "refusal" if refused else _STOPS.get(said or "", said)
    parts = [part for item in _objects(body, "output") for part in _objects(item, "content")]
    if any(part.get("type") == "refusal" for part in parts):
        return "refusal"
    said = _text(_object(body, "incomplete_details"), "reason")
    return _STOPS.get(said, said) if said else "end_turn"


def _usage(said: dict[str, Any]) -> Usage | None:
    """Read the usage; unlike Anthropic's, the input includes tokens read from a cache or written to one.

    Written tokens are counted as those of the shorter lifetime. Without input and output, None.
    """
    read = _count(said, "input_tokens"), _count(said, "output_tokens")
    if None in read:
        read = _count(said, "prompt_tokens"), _count(said, "completion_tokens")
    total, output = read
    details = _object(said, "input_tokens_details") or _object(said, "prompt_tokens_details")
    cached, written = _part(details, "cached_tokens"), _part(details, "cache_write_tokens")
    if total is None or output is None or cached is None or written is None or cached + written > total:
        return None
    return Usage(
        input_tokens=total - cached - written,
        output_tokens=output,
        cache_read_tokens=cached,
        cache_write_5m_tokens=written,
    )


def _count(holder: dict[str, Any], name: str) -> int | None:
    found = holder.get(name)
    return found if type(found) is int and 0 <= found <= MOST_TOKENS else None


def _part(holder: dict[str, Any], name: str) -> int | None:
    """Return a part of the input; 0 where it is not mentioned."""
    return 0 if holder.get(name) is None else _count(holder, name)


def _object(holder: dict[str, Any], name: str) -> dict[str, Any]:
    found = holder.get(name)
    return found if isinstance(found, dict) else {}


def _objects(holder: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = holder.get(name)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _text(holder: dict[str, Any], name: str) -> str | None:
    found = holder.get(name)
    return found if isinstance(found, str) and found else None


def _name(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME and name.isprintable() else short(name, _LONGEST_NAME)
