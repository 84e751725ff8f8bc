"""Make the answers of the batches and the two files of results that they go into."""

from __future__ import annotations

from typing import Any

import msgspec

from batchata.sandbox.file_results import FileWriter, LineOf, refused
from batchata.sandbox.openai.requests import LineRequest, rejection
from batchata.sandbox.values import Answer, Request

__all__ = ["LineWriter", "body_of", "error_of", "input_tokens", "usage_of"]

_OVERHEAD = 7  # what the service adds around any conversation
_PAGE_TOKENS = 765
_TICKS = "cost_in_usd_ticks"  # xAI says them beside the tokens
_ERRORS = {
    "invalid_request_error": 400,
    "insufficient_quota": 429,
    "rate_limit_error": 429,
    "not_found_error": 404,
}


def input_tokens(request: LineRequest) -> int:
    """Four characters are a token; a page of a PDF is its text and an image."""
    extra = {
        name: request.params[name] for name in ("tools", "text", "response_format") if name in request.params
    }
    characters = len(request.text) + len(request.system) + (len(msgspec.json.encode(extra)) if extra else 0)
    pages = 0
    for document in request.documents:
        texts = document.pages
        pages += len(texts)
        characters += sum(map(len, texts))
    return _OVERHEAD + -(-characters // 4) + pages * _PAGE_TOKENS


def body_of(answer: Answer, request: LineRequest, endpoint: str, number: int, now: float) -> dict[str, Any]:
    """Write the whole answer, cut at the limit that the request has."""
    is_chat = endpoint.endswith("completions")
    limit = request.params.get("max_completion_tokens" if is_chat else "max_output_tokens")
    text = answer.text if answer.text is not None else "".join(piece for piece, _ in answer.pieces or ())
    tokens = max(1, -(-len(text) // 4))
    reason = answer.stop_reason
    if limit is not None and tokens > limit and answer.content is None and answer.call is None:
        text, tokens, reason = text[: 4 * limit], limit, "max_output_tokens"
    used = {"input_tokens": input_tokens(request), "output_tokens": tokens, "cached_tokens": 0}
    used |= {
        name: value
        for name, value in (answer.usage or {}).items()
        if name in (*used, "reasoning_tokens", _TICKS)
    }
    made = _chat if is_chat else _response
    return made(answer, text, reason, request, number, int(now), used)


def _response(
    answer: Answer,
    text: str,
    reason: str | None,
    request: LineRequest,
    number: int,
    now: int,
    used: dict[str, int],
) -> dict[str, Any]:
    is_cut = reason in ("max_output_tokens", "content_filter")
    return {
        "id": f"resp_sandbox_{number}",
        "object": "response",
        "created_at": now,
        "status": "incomplete" if is_cut else "completed",
        "error": None,
        "incomplete_details": {"reason": reason} if is_cut else None,
        "model": request.model,
        "output": answer.content if answer.content is not None else _output(answer, text, reason, number),
        "service_tier": "default",
        "store": False,
        "usage": {
            "input_tokens": used["input_tokens"],
            "input_tokens_details": {"cached_tokens": used["cached_tokens"]},
            "output_tokens": used["output_tokens"],
            "output_tokens_details": {"reasoning_tokens": used.get("reasoning_tokens", 0)},
            "total_tokens": used["input_tokens"] + used["output_tokens"],
        },
    }


def _output(answer: Answer, text: str, reason: str | None, number: int) -> list[dict[str, Any]]:
    if answer.call is not None:
        name, given = answer.call
        arguments = msgspec.json.encode(given).decode()
        call = {
            "type": "function_call",
            "id": f"fc_{number}",
            "call_id": f"call_{number}",
            "status": "completed",
        }
        return [{**call, "name": name, "arguments": arguments}]
    part: dict[str, Any] = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    if reason == "refusal":
        part = {"type": "refusal", "refusal": text}
    message = {"type": "message", "id": f"msg_{number}", "status": "completed", "role": "assistant"}
    return [{**message, "content": [part]}]


def _chat(
    answer: Answer,
    text: str,
    reason: str | None,
    request: LineRequest,
    number: int,
    now: int,
    used: dict[str, int],
) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    finish = {"max_output_tokens": "length", None: "stop", "refusal": "stop"}.get(reason, reason)
    if reason == "refusal":
        message |= {"content": None, "refusal": text}
    if answer.call is not None:
        name, given = answer.call
        function = {"name": name, "arguments": msgspec.json.encode(given).decode()}
        message |= {
            "content": None,
            "tool_calls": [{"id": f"call_{number}", "type": "function", "function": function}],
        }
        finish = "tool_calls"
    return {
        "id": f"chatcmpl-sandbox-{number}",
        "object": "chat.completion",
        "created": now,
        "model": request.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "service_tier": "default",
        "usage": {
            "prompt_tokens": used["input_tokens"],
            "completion_tokens": used["output_tokens"],
            "total_tokens": used["input_tokens"] + used["output_tokens"],
            "prompt_tokens_details": {"cached_tokens": used["cached_tokens"]},
            "completion_tokens_details": {"reasoning_tokens": used.get("reasoning_tokens", 0)},
            **({_TICKS: used[_TICKS]} if _TICKS in used else {}),
        },
    }


def usage_of(body: dict[str, Any]) -> dict[str, int]:
    """Return what an answer used, by the names that all protocols of the sandbox share."""
    used = body["usage"]
    return {
        "input_tokens": used.get("input_tokens", used.get("prompt_tokens", 0)),
        "output_tokens": used.get("output_tokens", used.get("completion_tokens", 0)),
    }


def error_of(
    kind: str, message: str, param: str | None = None, code: str | None = None
) -> tuple[int, dict[str, Any]]:
    """Return the status and the body of a request that failed."""
    status = _ERRORS.get(kind, 500)
    error = {
        "message": message,
        "type": kind if status < 500 else "server_error",
        "param": param,
        "code": code,
    }
    if kind == "insufficient_quota":
        error["code"] = kind
    return status, {"error": error}


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
            return _line(200, body)
        if answer.kind == "errored":
            details = answer.stop_details or {}
            return _line(*error_of(answer.error_type, answer.error_message, **details))
        if answer.kind == "zero":
            return {"response": {"status_code": 0, "request_id": "", "body": {}}, "error": None}
        code, message = _UNDONE.get(answer.kind, (answer.kind, "The sandbox was told so."))
        return {"response": None, "error": {"code": code, "message": message}}


def _line(status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {"response": {"status_code": status, "request_id": "req_sandbox", "body": body}, "error": None}
