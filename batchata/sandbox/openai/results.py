"""Writes the output file and the error file of a batch that ends."""

from __future__ import annotations

from typing import Any

from batchata.sandbox.file_results import FileWriter, LineOf, refused
from batchata.sandbox.openai.answers import body_of, error_of, usage_of
from batchata.sandbox.openai.requests import LineRequest, rejection
from batchata.sandbox.values import Answer, Request

__all__ = ["LineWriter"]

_UNDONE = {
    "expired": ("batch_expired", "This request could not be executed before the completion window expired."),
    "canceled": ("batch_cancelled", "This request was cancelled before it was executed."),
}


class LineWriter(FileWriter):
    """Lines as the Batch API has them: answers in the output file, the rest in the error file."""

    def custom_id(self, line: dict[str, Any]) -> str:
        return str(line["custom_id"])

    def request(self, line: dict[str, Any], number: int) -> LineRequest:
        return LineRequest(line["custom_id"], line["body"], number)

    def rejection(self, line: dict[str, Any], *, refuse_schema: bool) -> Answer | None:
        found = rejection(line["body"], line["url"])
        if found is None and refuse_schema:
            said = f"Invalid schema for response_format: {self.faults.schema_refusal}"
            found = (said, "text.format", "invalid_json_schema")
        if found is None:
            return None
        message, param, code = found
        return refused("invalid_request_error", message, param=param, code=code)

    def result(self, line: dict[str, Any], request: Request, answer: Answer) -> LineOf:
        made = self._result(line, request, answer)
        status = (made["response"] or {}).get("status_code")
        about = {"id": f"batch_req_sandbox_{request.number}", "custom_id": request.custom_id}
        return LineOf({**about, **made}, is_error=status != 200)

    def foreign(self, custom_id: str) -> dict[str, Any]:
        request = LineRequest(custom_id, {"model": "gpt-5-nano", "input": "?"})
        body = body_of(Answer("not yours"), request, "/v1/responses", 0, self.record.created_at)
        response = {"status_code": 200, "request_id": "req_foreign", "body": body}
        return {"id": "batch_req_foreign", "custom_id": custom_id, "response": response, "error": None}

    def _result(self, line: dict[str, Any], request: Request, answer: Answer) -> dict[str, Any]:
        if answer.kind == "succeeded":
            assert isinstance(request, LineRequest)
            body = body_of(answer, request, line["url"], request.number, self.record.ended_at or 0.0)
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


def _response(status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {"response": {"status_code": status, "request_id": "req_sandbox", "body": body}, "error": None}
