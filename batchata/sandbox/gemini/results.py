"""Make the answers of the batches and the file of results that they go into."""

from __future__ import annotations

from typing import Any

import msgspec

from batchata.sandbox.file_results import FileWriter, LineOf, refused
from batchata.sandbox.gemini.requests import ContentRequest, rejection
from batchata.sandbox.values import Answer, Request

__all__ = ["KeyedWriter", "body_of", "code_of", "error_of", "input_tokens", "usage_of"]

_PAGE_TOKENS = 258
_OVERHEAD = 4
_STOPS = {None: "STOP", "max_tokens": "MAX_TOKENS", "refusal": "SAFETY"}
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
# What other protocols call an error, by google.rpc.Code.
_CODES = {
    "invalid_request_error": 3,
    "not_found_error": 5,
    "permission_error": 7,
    "rate_limit_error": 8,
    "insufficient_quota": 8,
    "api_error": 13,
    "overloaded_error": 14,
}


def code_of(kind: str) -> int:
    """Return the code of an error of this kind."""
    return _CODES.get(kind, 13)


def input_tokens(request: ContentRequest) -> int:
    """Four characters are a token; a page of a PDF is its text and an image."""
    config = request.params.get("generationConfig") or {}
    extra = {**{n: request.params[n] for n in ("tools",) if n in request.params}}
    extra |= {n: config[n] for n in ("responseSchema",) if n in config}
    characters = len(request.text) + len(request.system) + (len(msgspec.json.encode(extra)) if extra else 0)
    pages = [text for document in request.documents for text in document.pages]
    return _OVERHEAD + -(-(characters + sum(map(len, pages))) // 4) + len(pages) * _PAGE_TOKENS


def body_of(answer: Answer, request: ContentRequest, number: int) -> dict[str, Any]:
    """Write the whole answer, cut at the limit that the request has."""
    limit = (request.params.get("generationConfig") or {}).get("maxOutputTokens")
    text = answer.text if answer.text is not None else "".join(piece for piece, _ in answer.pieces or ())
    tokens, reason = max(1, -(-len(text) // 4)), answer.stop_reason
    if limit is not None and tokens > limit and answer.content is None and answer.call is None:
        text, tokens, reason = text[: 4 * limit], limit, "max_tokens"
    said = answer.usage or {}
    prompt = said.get("input_tokens", input_tokens(request))
    used = {"promptTokenCount": prompt, "candidatesTokenCount": said.get("output_tokens", tokens)}
    used |= {"thoughtsTokenCount": said["reasoning_tokens"]} if "reasoning_tokens" in said else {}
    used["totalTokenCount"] = sum(used.values())
    content = {"parts": _parts(answer, text), "role": "model"} if reason != "refusal" else {}
    return {
        "candidates": [{"content": content, "finishReason": _STOPS.get(reason, reason), "index": 0}],
        "usageMetadata": {**used, "serviceTier": "standard"},
        "modelVersion": request.model,
        "responseId": f"sandbox{number}",
    }


def _parts(answer: Answer, text: str) -> list[dict[str, Any]]:
    if answer.content is not None:
        return answer.content
    if answer.call is not None:
        name, given = answer.call
        return [{"functionCall": {"name": name, "args": given}}]
    return [{"text": text}]


def usage_of(body: dict[str, Any]) -> dict[str, int]:
    """Return what an answer used, by the names that all protocols of the sandbox share."""
    used = body["usageMetadata"]
    output = used["candidatesTokenCount"] + used.get("thoughtsTokenCount", 0)
    return {"input_tokens": used["promptTokenCount"], "output_tokens": output}


def error_of(status: int, message: str, reason: str | None = None) -> dict[str, Any]:
    """Return the body of an error answer."""
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    named = _STATUSES.get(status, "UNKNOWN")
    return {"error": {"code": status, "message": message, "status": named, "details": details}}


_UNDONE = {"canceled": (1, "CANCELLED"), "expired": (4, "Deadline expired before operation could complete.")}


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
            code, message = _UNDONE.get(answer.kind, (2, "The sandbox was told so."))
        return LineOf({**key, "error": {"code": code, "message": message}})

    def foreign(self, custom_id: str) -> dict[str, Any]:
        request = ContentRequest(custom_id, {"model": "models/gemini-2.5-flash"})
        return {"key": custom_id, "response": body_of(Answer("not yours"), request, 0)}
