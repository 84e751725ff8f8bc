"""How a line of batch results becomes an outcome, without the SDK's models (2.4 times slower a line)."""

from __future__ import annotations

import json

import msgspec

from batchata.core.values import RequestError, Usage
from batchata.errors import IncompleteResultsError
from batchata.output.blocks import Block
from batchata.providers.port import Outcome


class _CacheCreation(msgspec.Struct, gc=False):
    ephemeral_5m_input_tokens: int | None = 0
    ephemeral_1h_input_tokens: int | None = 0


class _ServerToolUse(msgspec.Struct, gc=False):
    web_search_requests: int | None = 0


class _Usage(msgspec.Struct, gc=False):
    input_tokens: int | None = 0
    output_tokens: int | None = 0
    cache_creation_input_tokens: int | None = 0
    cache_read_input_tokens: int | None = 0
    cache_creation: _CacheCreation | None = None
    server_tool_use: _ServerToolUse | None = None
    inference_geo: str | None = None


class _Message(msgspec.Struct, gc=False):
    content: list[Block] = []
    stop_reason: str | None = None
    usage: _Usage | None = None


class _Error(msgspec.Struct, gc=False):
    type: str | None = None
    message: str | None = None


class _ErrorEnvelope(msgspec.Struct, gc=False):
    error: _Error | None = None
    type: str | None = None
    message: str | None = None


class _Result(msgspec.Struct, gc=False):
    type: str
    message: _Message | None = None
    error: _ErrorEnvelope | None = None


class _Line(msgspec.Struct, gc=False):
    custom_id: str
    result: _Result


class _AnswerMessage(msgspec.Struct, gc=False):
    content: list[Block] = []


class _AnswerResult(msgspec.Struct, gc=False):
    message: _AnswerMessage | None = None


class _AnswerLine(msgspec.Struct, gc=False):
    result: _AnswerResult


class _OddResult(msgspec.Struct, gc=False):
    type: str


class _OddLine(msgspec.Struct, gc=False):
    custom_id: str
    result: _OddResult


_decode = msgspec.json.Decoder(_Line).decode
_decode_odd = msgspec.json.Decoder(_OddLine).decode
_decode_answer = msgspec.json.Decoder(_AnswerLine).decode


def answer_blocks(line: bytes) -> list[Block]:
    """Only the content blocks of a stored result line: all that a result is read from."""
    try:
        message = _decode_answer(line).result.message
    except (msgspec.DecodeError, UnicodeDecodeError):
        message = _decode_answer(_mended(line)).result.message
    return [] if message is None else message.content


def decode_line(line: bytes) -> Outcome:
    """The outcome in one result line.

    Raises IncompleteResultsError for a line that is no whole result, as a cut download leaves it.
    """
    try:
        parsed = _decode(line)
    except msgspec.ValidationError as exc:
        return _odd(line, str(exc))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        mended = _mended(line)
        return msgspec.structs.replace(decode_line(mended), line=line) if mended != line else _odd(line, "")
    result = parsed.result
    message = result.message
    return Outcome(
        custom_id=parsed.custom_id,
        kind=result.type,
        stop_reason=None if message is None else message.stop_reason,
        error=_error(result),
        usage=None if message is None or message.usage is None else _usage(message.usage),
        blocks=[] if message is None else message.content,
        line=line,
        inference_geo=None if message is None or message.usage is None else message.usage.inference_geo,
    )


def unreadable(line: bytes) -> Outcome:
    """The outcome in a line that ended with its newline and is no result all the same: nobody's."""
    error = RequestError(kind="unreadable", message="a line of the results is no result")
    return Outcome("", "unreadable", None, error, None, [], line)


def _mended(line: bytes) -> bytes:
    """The line in JSON that can be read: with a mark where half a character or no UTF-8 stood.

    Models write half characters where an answer is cut off. Raises IncompleteResultsError for what is no
    JSON even so.
    """
    try:
        value = json.loads(line.decode(errors="replace"))
        text = json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError) as exc:
        raise IncompleteResultsError(f"a line of the results is not a whole result ({exc})") from exc
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _odd(line: bytes, why: str) -> Outcome:
    """A whole line in another shape than documented. An error would come again with every download, and
    the batch's other results would never be read."""
    try:
        parsed = _decode_odd(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise IncompleteResultsError(f"a line of the results is not a whole result ({exc})") from exc
    kind = parsed.result.type
    error = RequestError(
        kind="invalid_output" if kind == "succeeded" else "unknown_outcome",
        message=f"the provider gave a result of type {kind!r} in a shape that is not known ({why})",
    )
    return Outcome(parsed.custom_id, kind, None, error, None, [], line)


def _error(result: _Result) -> RequestError | None:
    """The kind of an unknown result type is that type: the SDK would have called it a success."""
    match result.type:
        case "succeeded":
            return (
                None if result.message else RequestError(kind="invalid_output", message="the answer is empty")
            )
        case "errored":
            return _provider_error(result.error)
        case "canceled":
            return RequestError(
                kind="canceled", message="the batch was cancelled before this request was processed"
            )
        case "expired":
            return RequestError(kind="expired", message="the batch expired before this request was processed")
        case other:
            return RequestError(
                kind="unknown_outcome", message=f"the provider gave a result of type {other!r}"
            )


def _provider_error(envelope: _ErrorEnvelope | None) -> RequestError:
    inner = None if envelope is None else envelope.error or _Error(envelope.type, envelope.message)
    if inner is None or inner.type is None:
        return RequestError(kind="api_error", message="the provider gave no reason")
    return RequestError(kind=inner.type, message=inner.message or inner.type)


def _usage(usage: _Usage) -> Usage:
    """Without a split by lifetime, cache writes are five-minute ones, the API's default."""
    split = usage.cache_creation
    one_hour = 0 if split is None else split.ephemeral_1h_input_tokens or 0
    written = usage.cache_creation_input_tokens or 0
    tools = usage.server_tool_use
    five_minutes = written - one_hour if split is None else split.ephemeral_5m_input_tokens or 0
    return Usage(
        input_tokens=usage.input_tokens or 0,
        output_tokens=usage.output_tokens or 0,
        cache_write_5m_tokens=max(five_minutes, written - one_hour),
        cache_write_1h_tokens=one_hour,
        cache_read_tokens=usage.cache_read_input_tokens or 0,
        web_search_requests=0 if tools is None else tools.web_search_requests or 0,
    )
