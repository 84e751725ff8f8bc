"""Decode a line of OpenAI's output or error file into an outcome, whichever endpoint answered.

Lines are of /v1/responses or of /v1/chat/completions. A batch's own counts, and which of the files a line
stands in, prove nothing (both were seen to be wrong), so each line is judged by itself.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from batchata.answers.answer import CALL, Block
from batchata.answers.located import with_citations
from batchata.core.error_kinds import FAULT, INVALID, SPENT
from batchata.core.pricing import MOST_TICKS
from batchata.core.values import RequestError, Usage
from batchata.errors import IncompleteResultsError
from batchata.providers.exchange import Outcome
from batchata.providers.mended_json import decoded
from batchata.providers.result_fields import (
    UNKNOWN_SHAPE,
    count_in,
    cut_by_service,
    decode,
    message_of,
    name_of,
    object_in,
    objects_in,
    part_in,
    rpc_kind,
    text_in,
    whole_line,
    whole_number,
)

_STOPS: Final = {
    "stop": "end_turn",
    "length": "max_tokens",
    "max_output_tokens": "max_tokens",
    "content_filter": "refusal",
    "tool_calls": CALL,
    "function_call": CALL,
}
_UNANSWERED: Final = {"batch_expired": "expired", "batch_cancelled": "canceled"}
# Why services stopped before the end: Mistral, vLLM, DeepSeek, watsonx.
_BROKEN_OFF: Final = ("error", "abort", "insufficient_system_resource", "time_limit", "cancelled")
_WINDOW_ENDED: Final = "model_length"  # Mistral's
_UNFINISHED: Final = ("incomplete", "failed", "cancelled", "in_progress", "queued")  # of /v1/responses
_CANCELLED: Final = 1  # as google.rpc.Code has it
_NO_MONEY: Final = ("insufficient_quota", "billing_hard_limit_reached")
# The same request would be refused again, whatever a service calls that.
_REFUSED: Final = (400, 404, 405, 413, 415, 422)


def outcome_of(line: bytes) -> Outcome:
    """Return the outcome in one result line; a part that cannot be read never costs another part.

    Raises IncompleteResultsError for a line that is not a whole JSON object with a custom id.
    """
    whole = _in_openai_words(whole_line(line))
    custom_id = text_in(whole, "custom_id")
    if custom_id is None:
        raise IncompleteResultsError("a line of the results is not a whole result (it has no custom id)")
    kind, error = _verdict(whole)
    answered = kind == "succeeded"
    body = _body_in(whole)
    blocks = _blocks(body) if answered else []
    if answered and (unfinished := _unfinished(body)) is not None:
        error = unfinished
    elif answered and not blocks:
        error = RequestError(kind="unknown_shape", message=UNKNOWN_SHAPE)
    return Outcome(
        custom_id=name_of(custom_id),
        kind=kind,
        stop_reason=_stop_reason(body) if answered else None,
        error=error,
        usage=_usage(object_in(body, "usage")),
        blocks=blocks,
        line=line,
        schema_refused=_is_about_schema(body),
        ticks=_ticks(object_in(body, "usage")),
    )


def blocks_of(line: bytes) -> list[Block]:
    """Return only the content blocks of a result line."""
    return _blocks(_body_in(_in_openai_words(whole_line(line))))


def _body_in(whole: dict[str, Any]) -> dict[str, Any]:
    """Return the answer in a line; a few services put it into the response itself."""
    response = object_in(whole, "response")
    return response if "body" not in response and _holds_answer(response) else object_in(response, "body")


def _holds_answer(body: dict[str, Any]) -> bool:
    return bool(objects_in(body, "choices") or objects_in(body, "output"))


def _in_openai_words(whole: dict[str, Any]) -> dict[str, Any]:
    """Return an entry of xAI's results as a line of OpenAI's, whatever it calls the answer."""
    custom_id = text_in(whole, "batch_request_id")
    if custom_id is None:
        return whole
    result = object_in(whole, "batch_result")
    said, response = object_in(result, "error"), object_in(result, "response")
    body: dict[str, Any] = next((value for value in response.values() if isinstance(value, dict)), {})
    if (text := text_in(body, "error")) is not None:  # beside the answer's other fields
        body = {"error": {"message": text, "code": body.get("code")}}
    error = None
    if said.get("code") or text_in(said, "message"):
        is_cancelled = said.get("code") == _CANCELLED
        named = {"code": "batch_cancelled"} if is_cancelled else {"type": rpc_kind(said.get("code"))}
        error = {"message": said.get("message"), **named}
    status = 200 if body and "error" not in body else 0
    return {"custom_id": custom_id, "response": {"status_code": status, "body": body}, "error": error}


def _ticks(said: dict[str, Any]) -> int | None:
    """Return what xAI says that it charged; None where it does not say, or names an impossible number."""
    return whole_number(said.get("cost_in_usd_ticks"), MOST_TICKS) or None


def _is_about_schema(body: dict[str, Any]) -> bool:
    error = object_in(body, "error")
    param = text_in(error, "param") or ""
    return text_in(error, "code") == "invalid_json_schema" or param.startswith(
        ("text.format", "response_format")
    )


def _verdict(whole: dict[str, Any]) -> tuple[str, RequestError | None]:
    """Return why there is no answer: a refused request has its error in the response, others beside it."""
    body, status = _body_in(whole), _status_in(object_in(whole, "response"))
    said = _error_in(whole) or _error_in(body)
    if not said and (_holds_answer(body) if status is None else 200 <= status < 300):
        return "succeeded", None
    kind = _UNANSWERED.get(text_in(said, "code") or "", "errored")
    return kind, _error(kind, said, status)


def _status_in(response: dict[str, Any]) -> int | None:
    """Return the status of a response; None where it names none."""
    said = response.get("status_code")
    if isinstance(said, str) and said.isascii() and said.isdecimal():
        said = int(said[:9])
    return said if type(said) is int else None


def _error_in(holder: dict[str, Any]) -> dict[str, Any]:
    """Return the error, which some services give as a text."""
    text = text_in(holder, "error")
    return object_in(holder, "error") if text is None else {"message": text}


def _error(kind: str, said: dict[str, Any], status: object) -> RequestError:
    code, type_ = text_in(said, "code"), text_in(said, "type")
    message = text_in(said, "message") or f"the provider gave no reason (status {status})"
    if kind == "errored":
        is_money = code in _NO_MONEY or type_ in _NO_MONEY
        named = INVALID if status in _REFUSED else name_of(type_ or code or FAULT)
        kind = SPENT if is_money else named
    return RequestError(kind=kind, message=message_of(message))


def _blocks(body: dict[str, Any]) -> list[Block]:
    return with_citations(_blocks_in(body))


def _blocks_in(body: dict[str, Any]) -> list[Block]:
    choices = objects_in(body, "choices")
    if choices:
        return _of_message(object_in(choices[0], "message"))
    output = objects_in(body, "output")
    # Of several messages the first may be a comment or cut off; the last one holds the answer.
    messages = [item for item in output if item.get("type") == "message"][-1:]
    parts = [part for message in messages for part in objects_in(message, "content")]
    texts = [Block("text", text=text_in(part, "text") or text_in(part, "refusal")) for part in parts]
    calls = [item for item in output if item.get("type") == "function_call"]
    return [*texts, *(_call(text_in(item, "call_id"), item) for item in calls)]


def _of_message(message: dict[str, Any]) -> list[Block]:
    parts = objects_in(message, "content")  # of models that think: thoughts, and then the text
    said = "".join(part["text"] for part in parts if isinstance(part.get("text"), str))
    text = text_in(message, "content") or said or text_in(message, "refusal")
    texts = [] if text is None else [Block("text", text=text)]
    calls = [(text_in(call, "id"), object_in(call, "function")) for call in objects_in(message, "tool_calls")]
    return [*texts, *(_call(id_, given) for id_, given in calls)]


def _call(id_: str | None, given: dict[str, Any]) -> Block:
    if given_object := object_in(given, "arguments"):
        return Block(CALL, id=id_, name=text_in(given, "name"), input=given_object)
    arguments = text_in(given, "arguments") or "{}"
    try:
        value = decoded(decode, arguments.encode())
    except (msgspec.DecodeError, RecursionError):
        value = arguments
    return Block(CALL, id=id_, name=text_in(given, "name"), input=value)


def _stop_reason(body: dict[str, Any]) -> str | None:
    """Return the stop reason in Anthropic's words, which the reader knows."""
    choices = objects_in(body, "choices")
    if choices:
        refused = text_in(object_in(choices[0], "message"), "refusal") is not None
        said = text_in(choices[0], "finish_reason")
        return "refusal" if refused else _STOPS.get(said or "", said)
    parts = [part for item in objects_in(body, "output") for part in objects_in(item, "content")]
    if any(part.get("type") == "refusal" for part in parts):
        return "refusal"
    said = text_in(object_in(body, "incomplete_details"), "reason")
    return _STOPS.get(said, said) if said else "end_turn"


def _unfinished(body: dict[str, Any]) -> RequestError | None:
    """Return why an answer is not finished, where it is neither a refusal nor cut off at `max_tokens`."""
    choices = objects_in(body, "choices")
    if choices:
        said = text_in(choices[0], "finish_reason")
        if said == _WINDOW_ENDED:
            cut = "the answer was cut off at the end of the model's context window: make its input shorter"
            return RequestError(kind="model_context_window_exceeded", message=cut)
        return cut_by_service(said) if said in _BROKEN_OFF else None
    said = text_in(body, "status")
    has_reason = text_in(object_in(body, "incomplete_details"), "reason") is not None
    return cut_by_service(said) if said in _UNFINISHED and not has_reason else None


def _usage(said: dict[str, Any]) -> Usage | None:
    """Read the usage; unlike Anthropic's, the input includes tokens read from a cache or written to one.

    Written tokens are counted as those of the shorter lifetime. Without input and output, None.
    """
    read = count_in(said, "input_tokens"), count_in(said, "output_tokens")
    if None in read:
        read = count_in(said, "prompt_tokens"), count_in(said, "completion_tokens")
    total, output = read
    details = object_in(said, "input_tokens_details") or object_in(said, "prompt_tokens_details")
    cached, written = part_in(details, "cached_tokens"), part_in(details, "cache_write_tokens")
    if total is None or output is None or cached is None or written is None or cached + written > total:
        return None
    thought = count_in(object_in(said, "completion_tokens_details"), "reasoning_tokens") or 0
    if thought and count_in(said, "total_tokens") == total + output + thought:
        output += thought  # xAI counts them beside the answer, OpenAI as a part of it
    return Usage(
        input_tokens=total - cached - written,
        output_tokens=output,
        cache_read_tokens=cached,
        cache_write_5m_tokens=written,
    )
