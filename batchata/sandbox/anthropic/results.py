"""Write the result lines of a batch that ends, with the faults asked for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec

from batchata.sandbox.anthropic.messages import message_of
from batchata.sandbox.anthropic.requests import Entry, MessageRequest
from batchata.sandbox.anthropic.tokens import SIDE_BY_SIDE, CacheUsage, PromptCache, input_tokens
from batchata.sandbox.anthropic.validation import Rejection, rejection
from batchata.sandbox.faults import Faults, chosen
from batchata.sandbox.protocol import rfc3339
from batchata.sandbox.storage import LETTERS, Record
from batchata.sandbox.values import Answer, Answering

__all__ = ["render"]

_encoder = msgspec.json.Encoder()
_decode = msgspec.json.decode


def _encode(value: object) -> bytes:
    """Encode as JSON; half characters, which UTF-8 cannot hold, become escapes as the service sends them."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value).encode()


_TOKEN_KINDS = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def render(
    record: Record,
    entries: list[Entry],
    answering: Answering,
    cache: PromptCache,
    faults: Faults,
    seed: int,
    *,
    shuffle: bool,
) -> list[bytes]:
    """Return the lines of a batch in the order they are sent; fill the record's `kinds` and `usage`."""
    if not faults.hits(record.number):
        faults = Faults()
    random = Random(f"{seed}:{record.number}")
    writer = _Writer(record, answering, cache, faults, _processed(record, random))
    lines = [line for number, entry in enumerate(entries) for line in writer.lines(number, entry)]
    lines.extend(_foreign(faults))
    record.kinds = "".join(writer.kinds)
    record.usage = dict(writer.usage)
    if shuffle:
        random.shuffle(lines)
    return lines


def _processed(record: Record, random: Random) -> set[int] | None:
    """Return the positions processed before the batch was stopped; None: all."""
    if record.stopped is None:
        return None
    size = len(record.custom_ids)
    return set(random.sample(range(size), round(record.done * size)))


class _Writer:
    """Lines, kinds and total usage of one batch."""

    def __init__(
        self,
        record: Record,
        answering: Answering,
        cache: PromptCache,
        faults: Faults,
        processed: set[int] | None,
    ) -> None:
        self.record = record
        self.answering = answering
        self.cache = cache
        self.faults = faults
        self.processed = processed
        self.kinds: list[str] = []
        self.usage: Counter[str] = Counter(dict.fromkeys(_TOKEN_KINDS, 0))
        self.day = (rfc3339(record.ended_at) or "")[:10]
        self.unread: set[bytes] = set()  # what requests under way are writing to the prompt cache
        self.side_by_side = 0
        self.prefix = f"msg_sandbox_{record.id[-8:]}_"
        self.line_faults = any(
            getattr(faults, name)
            for name in (
                "schemas_refused",
                "errored",
                "expired",
                "unknown_kind",
                "missing",
                "duplicated",
                "garbled",
                "rewritten",
            )
        )

    def lines(self, number: int, entry: Entry) -> Iterator[bytes]:
        """Yield the lines of one request: one, unless a fault makes it none or two."""
        result = self._result(number, entry)
        line = _encode({"custom_id": entry.custom_id, "result": result}) + b"\n"
        if not self.line_faults:
            yield line
            return
        if chosen(self.faults.garbled, entry.custom_id, number):
            line = line[: len(line) // 2] + b"\n"
        if self.faults.rewritten is not None:
            line = self.faults.rewritten(line)
        if not chosen(self.faults.missing, entry.custom_id, number):
            yield line
            if chosen(self.faults.duplicated, entry.custom_id, number):
                yield line

    def _result(self, number: int, entry: Entry) -> dict[str, Any]:
        answer, params = self._answer(number, entry)
        self.kinds.append(LETTERS.get(answer.kind, "e"))
        if answer.kind == "succeeded":
            return self._succeeded(number, answer, params)
        if answer.kind != "errored":
            return {"type": answer.kind}
        error = {"type": answer.error_type, "message": answer.error_message, "details": None}
        return {"type": "errored", "error": {"type": "error", "error": error, "request_id": None}}

    def _succeeded(self, number: int, answer: Answer, params: dict[str, Any]) -> dict[str, Any]:
        if self.side_by_side == SIDE_BY_SIDE:
            self.unread, self.side_by_side = set(), 0
        self.side_by_side += 1
        used = self.cache.usage(params, self.record.ended_at or 0.0, self.unread)
        message = message_of(answer, params, f"{self.prefix}{number}", used)
        for kind in _TOKEN_KINDS:
            self.usage[kind] += message["usage"].get(kind) or 0
        if self.faults.line_separators:
            message["sandbox_note"] = "simulation\u2028of a message"
        return {"type": "succeeded", "message": message}

    def _answer(self, number: int, entry: Entry) -> tuple[Answer, dict[str, Any]]:
        """Return what becomes of one request, and its parameters where they were read."""
        if self.processed is not None and number not in self.processed:
            return Answer(kind=str(self.record.stopped)), {}
        if self.line_faults and (fault := self._fault(number, entry.custom_id)):
            return fault, {}
        try:
            params: dict[str, Any] = _decode(entry.params)
        except msgspec.DecodeError as exc:
            return _refused(Rejection("invalid_request_error", f"not valid JSON: {exc}")), {}
        rejected = rejection(params, self.day) or self._schema_refused(number, entry.custom_id, params)
        if rejected is not None:
            return _refused(rejected), params
        return self.answering.answer(MessageRequest(entry.custom_id, params, number)), params

    def _schema_refused(self, number: int, custom_id: str, params: dict[str, Any]) -> Rejection | None:
        faults = self.faults
        has_format = bool((params.get("output_config") or {}).get("format"))
        if has_format and chosen(faults.schemas_refused, custom_id, number):
            return Rejection("invalid_request_error", faults.schema_refusal)
        return None

    def _fault(self, number: int, custom_id: str) -> Answer | None:
        faults = self.faults
        if chosen(faults.errored, custom_id, number):
            return Answer(kind="errored", error_type=faults.error_type, error_message=faults.error_message)
        if chosen(faults.expired, custom_id, number):
            return Answer(kind="expired")
        if chosen(faults.unknown_kind, custom_id, number):
            return Answer(kind="paused_by_sandbox")
        return None


def _refused(reason: Rejection) -> Answer:
    return Answer(kind="errored", error_type=reason.type, error_message=reason.message)


def _foreign(faults: Faults) -> Iterator[bytes]:
    """Yield lines for custom ids that were never sent."""
    ids = faults.foreign
    if not isinstance(ids, list):
        ids = [f"sandbox-foreign-{n}" for n in range(int(ids))]
    for custom_id in ids:
        params = {"model": "claude-haiku-4-5", "max_tokens": 16, "messages": []}
        used = CacheUsage(input_tokens(params), 0, 0, 0)
        message = message_of(Answer("not yours"), params, f"msg_sandbox_{custom_id}", used)
        yield _encode({"custom_id": custom_id, "result": {"type": "succeeded", "message": message}}) + b"\n"
