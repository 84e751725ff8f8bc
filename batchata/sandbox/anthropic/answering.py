"""Turns one request into one outcome: the answer given, or what the service would say instead."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from batchata.errors import InvalidInputError
from batchata.sandbox.anthropic.caching import CacheUsage, PromptCache
from batchata.sandbox.anthropic.models import inference_place, text_factor, thinks
from batchata.sandbox.anthropic.tokens import answer_tokens
from batchata.sandbox.anthropic.validation import Rejection, rejection
from batchata.sandbox.values import Answer, Request

__all__ = ["Answering", "Answers", "as_answer", "message_of"]

type Answers = Callable[[Request], Any] | Mapping[str, Any] | str | Answer | Any | None

logger = logging.getLogger("batchata.sandbox")
_decode = msgspec.json.decode


class Answering:
    """Answers requests by a function, a mapping of custom ids, a constant, or (None) by reading them."""

    def __init__(self, answers: Answers, style: str = "plain") -> None:
        self._ask = _asking(answers, style)
        self.cache = PromptCache()

    def outcome(self, custom_id: str, raw: bytes | msgspec.Raw, number: int, day: str) -> Answer | Outcome:
        """What becomes of one request of a batch."""
        try:
            params = _decode(raw)
        except msgspec.DecodeError as exc:
            return refused(Rejection("invalid_request_error", f"not valid JSON: {exc}"))
        rejected = rejection(params, day)
        if rejected is not None:
            return refused(rejected)
        answer = self.answer(Request(custom_id, params, number))
        if answer.kind != "succeeded":
            return answer
        return Outcome(answer, params)

    def answer(self, request: Request) -> Answer:
        """The answer; what the answering function raises becomes an errored one."""
        try:
            return as_answer(self._ask(request))
        except Exception as exc:
            logger.exception("answer_failed custom_id=%s", request.custom_id)
            return Answer(kind="errored", error_message=f"{type(exc).__name__}: {exc}")


class Outcome:
    """A succeeded answer with the request it answers."""

    __slots__ = ("answer", "params")
    kind = "succeeded"

    def __init__(self, answer: Answer, params: dict[str, Any]) -> None:
        self.answer = answer
        self.params = params


def refused(reason: Rejection) -> Answer:
    return Answer(kind="errored", error_type=reason.type, error_message=reason.message)


def _asking(answers: Answers, style: str) -> Callable[[Request], Any]:
    if answers is None:
        # Imported late: a sandbox with given answers needs no reader.
        from batchata.sandbox.reading import MIXED, STYLES, read

        if style not in (*STYLES, MIXED):
            known = ", ".join([*STYLES, MIXED])
            raise InvalidInputError(f"style {style!r} is not known; it is one of {known}")
        return partial(read, style=style)
    if style != "plain":
        raise InvalidInputError("style is for answers that the sandbox reads; given answers have their own")
    if callable(answers) and not isinstance(answers, type):
        return answers
    if isinstance(answers, Mapping):
        return lambda request: answers[request.custom_id]
    constant = as_answer(answers)
    return lambda request: constant


def as_answer(value: Any) -> Answer:
    """An answer from what a user may give: an Answer, a text, a pydantic model, or any JSON value."""
    if isinstance(value, Answer):
        return value
    if isinstance(value, str):
        return Answer(value)
    if hasattr(value, "model_dump_json"):
        return Answer(value.model_dump_json())
    return Answer(json.dumps(value, ensure_ascii=False, default=str))


def message_of(
    answer: Answer, params: dict[str, Any], message_id: str, used: CacheUsage, tier: str = "batch"
) -> dict[str, Any]:
    """The message object of an answer, cut at `max_tokens`, with its usage; `used` are its input tokens."""
    blocks, length = answer.blocks(), 0
    for block in blocks:
        length += len(block.get("text") or "") if block.get("type") == "text" else 40
    stop_reason, tokens, limit = (
        answer.stop_reason,
        answer_tokens(length, params["model"]),
        params["max_tokens"],
    )
    if tokens > limit:
        characters = int(4 * limit / text_factor(params["model"]))
        blocks, stop_reason, tokens = _cut(blocks, characters), "max_tokens", limit
    model = params["model"]
    if thinks(model) and (not blocks or blocks[0].get("type") != "thinking"):
        blocks = [{"type": "thinking", "thinking": "", "signature": "sandbox"}, *blocks]
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": blocks,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "stop_details": answer.stop_details,
        "usage": _usage(used, tokens, tier, inference_place(params), answer.usage),
    }


def _cut(blocks: list[dict[str, Any]], characters: int) -> list[dict[str, Any]]:
    kept = []
    for block in blocks:
        if block.get("type") != "text":
            kept.append(block)
            continue
        if characters <= 0:
            break
        kept.append({**block, "text": block["text"][:characters]})
        characters -= len(block["text"])
    return kept


def _usage(
    used: CacheUsage, tokens_out: int, tier: str, place: str, override: dict[str, Any] | None
) -> dict[str, Any]:
    usage: dict[str, Any] = {
        "input_tokens": used.fresh,
        "output_tokens": tokens_out,
        "cache_creation_input_tokens": used.written_5m + used.written_1h,
        "cache_read_input_tokens": used.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": used.written_5m,
            "ephemeral_1h_input_tokens": used.written_1h,
        },
        "service_tier": tier,
        "inference_geo": place,
    }
    return {**usage, **override} if override else usage
