"""Writes the output file and the error file of a batch that ends, with the faults asked for."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import msgspec

from batchata.sandbox.faults import Faults, chosen
from batchata.sandbox.openai.answers import body_of, error_of, usage_of
from batchata.sandbox.openai.requests import LineRequest, rejection
from batchata.sandbox.storage import LETTERS, Record
from batchata.sandbox.values import Answer, Answering

__all__ = ["Files", "render"]

_encode = msgspec.json.encode
_UNDONE = {
    "expired": ("batch_expired", "This request could not be executed before the completion window expired."),
    "canceled": ("batch_cancelled", "This request was cancelled before it was executed."),
}

type Files = tuple[list[bytes], list[bytes]]


def render(
    record: Record, lines: list[bytes], answering: Answering, faults: Faults, seed: int, *, shuffle: bool
) -> Files:
    """Write the lines of both files; fill the record's `kinds` and `usage`."""
    if not faults.hits(record.number):
        faults = Faults()
    random = Random(f"{seed}:{record.number}")
    writer = _Writer(record, answering, faults, _processed(record, random))
    for number, line in enumerate(lines):
        writer.add(number, msgspec.json.decode(line))
    writer.add_foreign()
    record.kinds, record.usage = "".join(writer.kinds), dict(writer.usage)
    if shuffle:
        random.shuffle(writer.output)
        random.shuffle(writer.errors)
    return writer.output, writer.errors


def _processed(record: Record, random: Random) -> set[int] | None:
    """Return the positions processed before the batch was stopped; None: all."""
    if record.stopped is None:
        return None
    size = len(record.custom_ids)
    return set(random.sample(range(size), round(record.done * size)))


class _Writer:
    """Both files, the kinds and the total usage of one batch."""

    def __init__(
        self, record: Record, answering: Answering, faults: Faults, processed: set[int] | None
    ) -> None:
        self.record, self.answering, self.faults, self.processed = record, answering, faults, processed
        self.output: list[bytes] = []
        self.errors: list[bytes] = []
        self.kinds: list[str] = []
        self.usage: Counter[str] = Counter(input_tokens=0, output_tokens=0)

    def add(self, number: int, line: dict[str, Any]) -> None:
        """Write the lines of one request: one, unless a fault makes it none or two."""
        custom_id = line["custom_id"]
        answer = self._answer(number, line)
        self.kinds.append(LETTERS.get(answer.kind, "e"))
        result = self._result(number, line, answer)
        status = (result["response"] or {}).get("status_code")
        file = self.output if status == 200 else self.errors
        written = _encode({"id": f"batch_req_sandbox_{number}", "custom_id": custom_id, **result}) + b"\n"
        if chosen(self.faults.garbled, custom_id, number):
            written = written[: len(written) // 2] + b"\n"
        if self.faults.rewritten is not None:
            written = self.faults.rewritten(written)
        if not chosen(self.faults.missing, custom_id, number):
            file.extend([written] * (1 + chosen(self.faults.duplicated, custom_id, number)))

    def add_foreign(self) -> None:
        """Lines for custom ids that were never sent."""
        ids = self.faults.foreign
        for custom_id in ids if isinstance(ids, list) else [f"sandbox-foreign-{n}" for n in range(int(ids))]:
            request = LineRequest(custom_id, {"model": "gpt-5-nano", "input": "?"})
            body = body_of(Answer("not yours"), request, "/v1/responses", 0, self.record.created_at)
            response = {"status_code": 200, "request_id": "req_foreign", "body": body}
            self.output.append(
                _encode(
                    {"id": "batch_req_foreign", "custom_id": custom_id, "response": response, "error": None}
                )
                + b"\n"
            )

    def _result(self, number: int, line: dict[str, Any], answer: Answer) -> dict[str, Any]:
        if answer.kind == "succeeded":
            request = LineRequest(line["custom_id"], line["body"], number)
            body = body_of(answer, request, line["url"], number, self.record.ended_at or 0.0)
            self.usage.update(usage_of(body))
            if self.faults.line_separators:
                body["sandbox_note"] = "simulation\u2028of a response"
            return _response(200, body)
        if answer.kind == "errored":
            details = answer.stop_details or {}
            return _response(*error_of(answer.error_type, answer.error_message, **details))
        if answer.kind == "zero":
            return {"response": {"status_code": 0, "request_id": "", "body": {}}, "error": None}
        code, message = _UNDONE.get(answer.kind, (answer.kind, "The sandbox was told so."))
        return {"response": None, "error": {"code": code, "message": message}}

    def _answer(self, number: int, line: dict[str, Any]) -> Answer:
        """Decide what becomes of one request."""
        custom_id, faults = line["custom_id"], self.faults
        if self.processed is not None and number not in self.processed:
            return Answer(kind=str(self.record.stopped))
        if chosen(faults.errored, custom_id, number):
            return Answer(kind="errored", error_type=faults.error_type, error_message=faults.error_message)
        for name, kind in (
            ("status_zero", "zero"),
            ("expired", "expired"),
            ("unknown_kind", "paused_by_sandbox"),
        ):
            if chosen(getattr(faults, name), custom_id, number):
                return Answer(kind=kind)
        request = LineRequest(custom_id, line["body"], number)
        refused = rejection(line["body"], line["url"])
        if refused is None and request.has_format and chosen(faults.schemas_refused, custom_id, number):
            refused = (
                f"Invalid schema for response_format: {faults.schema_refusal}",
                "text.format",
                "invalid_json_schema",
            )
        if refused is not None:
            message, param, code = refused
            about = {"param": param, "code": code}
            return Answer(
                kind="errored", error_type="invalid_request_error", error_message=message, stop_details=about
            )
        return self.answering.answer(request)


def _response(status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {"response": {"status_code": status, "request_id": "req_sandbox", "body": body}, "error": None}
