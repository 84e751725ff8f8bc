"""The lines of an input file: what is wrong with them as a file, and what each request asks."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal

import msgspec

from batchata.sandbox.pdf import Pdf, read_pdf
from batchata.sandbox.values import Document, Request, schemas_in

__all__ = ["ENDPOINTS", "FilePart", "LineRequest", "Problem", "problems_in", "read_lines", "rejection"]

ENDPOINTS = ("/v1/responses", "/v1/chat/completions")
_LEAST_OUTPUT = 16
_REASONING = ("o1", "o3", "o4", "gpt-5")
_DATA = "data:"

type Problem = tuple[str, int | None, str]  # code, line counted from 1, message


def read_lines(content: bytes) -> list[bytes]:
    """Return the lines that are not blank."""
    return [line for line in content.split(b"\n") if line.strip()]


def problems_in(lines: list[bytes], endpoint: str, most: int) -> list[Problem]:
    """Return what makes the service give up the whole batch while it validates the file."""
    if not lines:
        return [("empty_file", None, "The input file is empty.")]
    if len(lines) > most:
        return [("too_many_tasks", None, f"The file has {len(lines)} lines; the maximum is {most}.")]
    found: list[Problem] = []
    seen: set[str] = set()
    model = None
    for number, line in enumerate(lines, 1):
        problem = _problem(line, endpoint, seen)
        if problem is None:
            named = msgspec.json.decode(line)["body"].get("model")
            model = named if model is None else model
            if named != model:
                problem = ("model_mismatch", f"The model {named} is not that of the first line, {model}.")
        if problem is not None:
            found.append((problem[0], number, problem[1]))
    return found


def _problem(line: bytes, endpoint: str, seen: set[str]) -> tuple[str, str] | None:
    try:
        value = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return "invalid_json_line", "This line is not parseable as valid JSON."
    if not isinstance(value, dict):
        return "invalid_json_line", "This line is no JSON object."
    for name in ("custom_id", "method", "url", "body"):
        if name not in value:
            return "missing_required_parameter", f"Missing required parameter: '{name}'."
    if value["custom_id"] in seen:
        return "duplicate_custom_id", f"The custom_id '{value['custom_id']}' was used before."
    seen.add(value["custom_id"])
    if value["method"] != "POST" or value["url"] != endpoint:
        return "url_mismatch", f"The url {value['url']} is not the endpoint of the batch, {endpoint}."
    if not isinstance(value["body"], dict) or not value["body"].get("model"):
        return "missing_required_parameter", "You must provide a model parameter."
    return None


def rejection(body: dict[str, Any], endpoint: str) -> tuple[str, str, str | None] | None:
    """Why the request of a line is refused: a message, the parameter, and a code."""
    is_chat = endpoint.endswith("completions")
    needed = "messages" if is_chat else "input"
    if not body.get(needed):
        return f"Missing required parameter: '{needed}'.", needed, "missing_required_parameter"
    if body.get("stream"):
        return "Streaming is not supported in batches.", "stream", "invalid_value"
    limit = body.get("max_completion_tokens" if is_chat else "max_output_tokens")
    if not is_chat and limit is not None and limit < _LEAST_OUTPUT:
        said = f"Invalid 'max_output_tokens': integer below minimum value. Expected >= 16, got {limit}."
        return said, "max_output_tokens", "integer_below_min_value"
    if body.get("temperature") is not None and str(body["model"]).startswith(_REASONING):
        said = "Unsupported parameter: 'temperature' is not supported with this model."
        return said, "temperature", "unsupported_parameter"
    named = _format(body)
    fault = _strict_fault(named.get("schema"), ()) if named.get("strict") else None
    if fault is not None:
        said = f"Invalid schema for response_format '{named.get('name')}': {fault}"
        return said, "response_format" if is_chat else "text.format.schema", "invalid_json_schema"
    return None


def _format(body: dict[str, Any]) -> dict[str, Any]:
    """Return the structured output that is asked for, whichever endpoint: name, schema, strict."""
    found = (body.get("text") or {}).get("format") or {}
    chat = (body.get("response_format") or {}).get("json_schema")
    return dict(chat) if isinstance(chat, dict) else dict(found) if found.get("type") == "json_schema" else {}


def _strict_fault(schema: Any, path: tuple[str, ...]) -> str | None:
    """Return what strict structured output refuses in a schema; None when it takes it."""
    if not isinstance(schema, dict):
        return None
    if not path and (schema.get("type") != "object" or "anyOf" in schema):
        return "schema must be a JSON Schema of 'type: \"object\"'."
    where = f"In context={path}"
    if schema.get("type") == "object":
        fields = schema.get("properties") or {}
        if schema.get("additionalProperties") is not False:
            return f"{where}, 'additionalProperties' is required to be supplied and to be false."
        if left := sorted(fields.keys() - set(schema.get("required") or ())):
            return f"{where}, 'required' is required to include every key in properties. Missing '{left[0]}'."
    return next((fault for key, part in _parts(schema) if (fault := _strict_fault(part, (*path, key)))), None)


def _parts(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in ("properties", "$defs"):
        yield from (schema.get(key) or {}).items()
    yield "items", schema.get("items")
    yield from ((str(n), part) for n, part in enumerate(schema.get("anyOf") or ()))


class FilePart(Document):
    """An `input_file` or `file` part of a request."""

    def __init__(self, part: dict[str, Any], index: int) -> None:
        self.source: dict[str, Any] = part.get("file") or part
        super().__init__(index, self.source.get("filename"), citations_enabled=False)

    @property
    def kind(self) -> Literal["page", "char", "block"]:
        return "page"

    @cached_property
    def pdf(self) -> Pdf | None:
        data = str(self.source.get("file_data") or "")
        if not data.startswith(f"{_DATA}application/pdf;base64,"):
            return None
        try:
            return read_pdf(base64.b64decode(data.partition(",")[2], validate=True))
        except binascii.Error as exc:
            raise ValueError("not base64") from exc

    @property
    def pages(self) -> list[str]:
        return self.pdf.pages if self.pdf else []


class LineRequest(Request):
    """A request as the Responses or the Chat Completions API has it."""

    @cached_property
    def turns(self) -> list[dict[str, Any]]:
        given = self.params.get("messages") or self.params.get("input") or []
        if isinstance(given, str):
            return [{"role": "user", "content": given}]
        return [turn for turn in given if isinstance(turn, dict)]

    @cached_property
    def text(self) -> str:
        return "\n\n".join(_texts(self.turns, "user"))

    @cached_property
    def system(self) -> str:
        given = self.params.get("instructions")
        return "\n\n".join([*([given] if given else []), *_texts(self.turns, "system", "developer")])

    @cached_property
    def documents(self) -> list[Document]:
        parts = [part for turn in self.turns for part in _parts_of(turn)]
        files = [part for part in parts if part.get("type") in ("input_file", "file")]
        return [FilePart(part, index) for index, part in enumerate(files)]

    @cached_property
    def schema(self) -> dict[str, Any] | None:
        found = _format(self.params).get("schema")
        if isinstance(found, dict):
            return found
        if (tool := self._tool) is not None:
            return dict(tool.get("parameters") or {})
        return next(schemas_in(self.system), None)

    @property
    def forced_tool(self) -> str | None:
        return None if self._tool is None else str(self._tool.get("name"))

    @property
    def has_format(self) -> bool:
        return bool(_format(self.params))

    @property
    def _tool(self) -> dict[str, Any] | None:
        tools = [tool.get("function") or tool for tool in self.params.get("tools") or ()]
        choice = self.params.get("tool_choice")
        if choice == "required":
            return next(iter(tools), None)
        if not isinstance(choice, dict):
            return None
        name = (choice.get("function") or choice).get("name")
        return next((tool for tool in tools if tool.get("name") == name), None)


def _texts(turns: list[dict[str, Any]], *roles: str) -> list[str]:
    parts = [part for turn in turns if turn.get("role") in roles for part in _parts_of(turn)]
    return [str(part.get("text", "")) for part in parts if str(part.get("type", "")).endswith("text")]


def _parts_of(turn: dict[str, Any]) -> list[dict[str, Any]]:
    content = turn.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [part for part in content or [] if isinstance(part, dict)]
