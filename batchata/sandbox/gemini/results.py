"""Writes the file of results of a batch that ends."""

from __future__ import annotations

from typing import Any

from batchata.sandbox.file_results import FileWriter, LineOf, refused
from batchata.sandbox.gemini.answers import body_of, code_of, usage_of
from batchata.sandbox.gemini.requests import ContentRequest, rejection
from batchata.sandbox.values import Answer, Request

__all__ = ["KeyedWriter"]

_CODES = {"canceled": (1, "CANCELLED"), "expired": (4, "Deadline expired before operation could complete.")}


class KeyedWriter(FileWriter):
    """Lines by key, answers and errors in one file."""

    def custom_id(self, line: dict[str, Any]) -> str:
        return str(line["key"])

    def request(self, line: dict[str, Any], number: int) -> ContentRequest:
        return ContentRequest(str(line["key"]), line["request"], number)

    def rejection(self, line: dict[str, Any], *, refuse_schema: bool) -> Answer | None:
        message = rejection(line["request"])
        if message is None and refuse_schema:
            place = "GenerateContentRequest.generation_config.response_schema"
            message = f"* {place}: {self.faults.schema_refusal}"
        return None if message is None else refused("invalid_request_error", message)

    def result(self, line: dict[str, Any], request: Request, answer: Answer) -> LineOf:
        key = {"key": request.custom_id}
        if answer.kind == "succeeded":
            assert isinstance(request, ContentRequest)
            body = body_of(answer, request, request.number)
            self.usage.update(usage_of(body))
            if self.faults.line_separators:
                body["sandboxNote"] = "simulation\u2028of a response"
            return LineOf({**key, "response": body})
        if answer.kind == "errored":
            code, message = code_of(answer.error_type), answer.error_message
        else:
            code, message = _CODES.get(answer.kind, (2, "The sandbox was told so."))
        return LineOf({**key, "error": {"code": code, "message": message}})

    def foreign(self, custom_id: str) -> dict[str, Any]:
        request = ContentRequest(custom_id, {"model": "models/gemini-2.5-flash"})
        return {"key": custom_id, "response": body_of(Answer("not yours"), request, 0)}
