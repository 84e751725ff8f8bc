"""Decode lines of batch results into outcomes, without the SDK's models (2.4 times slower a line)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec

from batchata.answers.answer import Block
from batchata.core.pricing import MOST_SEARCHES, MOST_TOKENS
from batchata.core.values import RequestError, Usage
from batchata.errors import IncompleteResultsError
from batchata.providers.anthropic.odd_lines import UNDECODABLE, OddLine, read_odd, split_writes
from batchata.providers.anthropic.pieces import NoPieceError
from batchata.providers.anthropic.refusals import is_about_money, is_about_schema
from batchata.providers.exchange import Outcome
from batchata.providers.result_fields import NO_REASON, UNKNOWN_SHAPE, message_of, name_of

type _Said = tuple[str | None, str | None]  # type and message of an error


# What lies outside is not a number of tokens, and is read as what is unknown.
type _Count = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]
type _Searches = Annotated[int, msgspec.Meta(ge=0, le=MOST_SEARCHES)]


class _CacheCreation(msgspec.Struct, gc=False):
    ephemeral_5m_input_tokens: _Count | None = 0
    ephemeral_1h_input_tokens: _Count | None = 0


class _ServerToolUse(msgspec.Struct, gc=False):
    web_search_requests: _Searches | None = 0


class _Usage(msgspec.Struct, gc=False):
    input_tokens: _Count | None = None
    output_tokens: _Count | None = None
    cache_creation_input_tokens: _Count | None = 0
    cache_read_input_tokens: _Count | None = 0
    cache_creation: _CacheCreation | None = None
    server_tool_use: _ServerToolUse | None = None
    inference_geo: str | None = None


class _Message(msgspec.Struct, gc=False):
    content: list[Block]
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


# Only the input of a call has numbers without a type, and keeps their digits.
_decode = msgspec.json.Decoder(_Line, float_hook=Decimal).decode
_decode_answer = msgspec.json.Decoder(_AnswerLine, float_hook=Decimal).decode


_NONE = split_writes(0, None, 0)
_REFUSALS = ("invalid_request_error", "timeout_error", "api_error")


def answer_blocks(line: bytes) -> list[Block]:
    """Decode only the content blocks of a stored result line: all that a result is read from."""
    try:
        message = _decode_answer(line).result.message
    except UNDECODABLE:
        return _read_odd(line).blocks or []
    return [] if message is None else message.content


def decode_line(line: bytes) -> Outcome:
    """Decode the outcome in one result line.

    The answer is read whatever else is in the line; a usage that cannot be read, or that no request can have,
    is None. Raises IncompleteResultsError for a line that is not a whole result, as a cut download leaves it.
    """
    try:
        parsed = _decode(line)
    except UNDECODABLE:
        return _odd(line)
    result = parsed.result
    message = result.message
    usage = None if message is None else message.usage
    is_answer = message is not None and result.type == "succeeded"  # as most are
    error = None if is_answer else _error(result.type, message is not None, _said(result.error))
    return Outcome(
        custom_id=name_of(parsed.custom_id),
        kind=name_of(result.type),
        stop_reason=None if message is None or message.stop_reason is None else name_of(message.stop_reason),
        error=error,
        usage=None if usage is None else _usage(usage),
        blocks=[] if message is None else message.content,
        line=line,
        inference_geo=None if usage is None or usage.inference_geo is None else name_of(usage.inference_geo),
        schema_refused=error is not None and _is_schema_refused(result.type, error),
    )


def _odd(line: bytes) -> Outcome:
    """Decode a complete line in an undocumented shape.

    An error would recur with every download, and the batch's other results would never be read.
    """
    found = _read_odd(line)
    kind = found.kind
    if kind is None:
        if not found.blocks:
            raise IncompleteResultsError("a line of the results is not a whole result (it says no outcome)")
        kind = "succeeded"
    error = _error(kind, found.blocks is not None, found.error)
    return Outcome(
        custom_id=name_of(found.custom_id),
        kind=name_of(kind),
        stop_reason=None if found.stop_reason is None else name_of(found.stop_reason),
        error=error,
        usage=found.usage,
        blocks=found.blocks or [],
        line=line,
        inference_geo=None if found.inference_geo is None else name_of(found.inference_geo),
        schema_refused=error is not None and _is_schema_refused(kind, error),
    )


def _read_odd(line: bytes) -> OddLine:
    try:
        return read_odd(line)
    except NoPieceError as exc:
        raise IncompleteResultsError(f"a line of the results is not a whole result ({exc})") from exc


def _error(kind: str, is_answered: bool, said: _Said) -> RequestError | None:
    """Return the error of a line; of an unknown result type the type is the kind."""
    match kind:
        case "succeeded":
            return None if is_answered else RequestError(kind="unknown_shape", message=UNKNOWN_SHAPE)
        case "errored":
            type_, message = said
            if type_ is None:
                return RequestError(kind="api_error", message=NO_REASON)
            kind = "billing_error" if is_about_money(message or "") else name_of(type_)
            return RequestError(kind=kind, message=message_of(message or type_))
        case "canceled":
            return RequestError(
                kind="canceled", message="the batch was cancelled before this request was processed"
            )
        case "expired":
            return RequestError(kind="expired", message="the batch expired before this request was processed")
        case other:
            return RequestError(
                kind="unknown_outcome", message=f"the provider gave a result of type {name_of(other)!r}"
            )


def _is_schema_refused(kind: str, error: RequestError) -> bool:
    return kind == "errored" and error.kind in _REFUSALS and is_about_schema(error.message)


def _said(envelope: _ErrorEnvelope | None) -> _Said:
    inner = None if envelope is None else envelope.error or _Error(envelope.type, envelope.message)
    return (None, None) if inner is None else (inner.type, inner.message)


def _usage(usage: _Usage) -> Usage | None:
    """Read the usage: null where a feature was not used; without input and output the cost is unknown."""
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    written, split, tools = (
        usage.cache_creation_input_tokens or 0,
        usage.cache_creation,
        usage.server_tool_use,
    )
    five_minutes = None if split is None else split.ephemeral_5m_input_tokens or 0
    one_hour = 0 if split is None else split.ephemeral_1h_input_tokens or 0
    writes = split_writes(written, five_minutes, one_hour) if written or five_minutes or one_hour else _NONE
    return Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        **writes,
        cache_read_tokens=usage.cache_read_input_tokens or 0,
        web_search_requests=0 if tools is None else tools.web_search_requests or 0,
    )
