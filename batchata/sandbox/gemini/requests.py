"""The lines of an input file: what each request asks, and why one is refused."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal

from batchata.sandbox.pdf import Pdf, read_pdf
from batchata.sandbox.values import Document, Request, schemas_in

__all__ = ["ContentRequest", "DataPart", "rejection"]

_TYPES = ("STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL")
_FORMATS = (None, "enum", "date-time")


def rejection(request: dict[str, Any]) -> str | None:
    """Why a request is refused."""
    contents = request.get("contents")
    if not isinstance(contents, list) or not contents:
        return "* GenerateContentRequest.contents: contents is not specified"
    for turn in contents:
        if turn.get("role") not in ("user", "model"):
            return "Please use a valid role: user, model."
        if not turn.get("parts"):
            return "* GenerateContentRequest.contents[0].parts: contents.parts must not be empty."
    config = request.get("generationConfig") or {}
    limit = config.get("maxOutputTokens")
    if limit is not None and limit < 1:
        return "* GenerateContentRequest.generation_config.max_output_tokens: must be positive"
    return _schema_fault(config["responseSchema"], "response_schema") if "responseSchema" in config else None


def _schema_fault(schema: Any, path: str) -> str | None:
    """Return what a schema has that the subset of OpenAPI lacks."""
    lead = f"* GenerateContentRequest.generation_config.{path}"
    if "anyOf" in schema:
        return next((f for part in schema["anyOf"] if (f := _schema_fault(part, f"{path}.any_of"))), None)
    if schema.get("type") not in _TYPES:
        return f"{lead}.type: unknown type {schema.get('type')!r}"
    if schema["type"] == "STRING" and schema.get("format") not in _FORMATS:
        return f"{lead}.format: only 'enum' and 'date-time' are supported for STRING type"
    if foreign := schema.keys() & {"$ref", "$defs", "additionalProperties", "const", "oneOf", "allOf"}:
        return f'Invalid JSON payload received. Unknown name "{min(foreign)}" at {path}: Cannot find field.'
    if schema["type"] == "OBJECT":
        fields = schema.get("properties")
        if not fields:
            return f"{lead}.properties: should be non-empty for OBJECT type"
        return next((f for n, part in fields.items() if (f := _schema_fault(part, f"{path}.{n}"))), None)
    if schema["type"] == "ARRAY":
        items = schema.get("items")
        return f"{lead}.items: missing field." if not items else _schema_fault(items, f"{path}.items")
    return None


class DataPart(Document):
    """A PDF in a part."""

    def __init__(self, data: dict[str, Any], index: int) -> None:
        self._data = data
        super().__init__(index, None, citations_enabled=False)

    @property
    def kind(self) -> Literal["page", "char", "block"]:
        return "page"

    @cached_property
    def pdf(self) -> Pdf | None:
        if self._data.get("mimeType") != "application/pdf":
            return None
        try:
            return read_pdf(base64.b64decode(str(self._data.get("data")), validate=True))
        except binascii.Error as exc:
            raise ValueError("not base64") from exc

    @property
    def pages(self) -> list[str]:
        return self.pdf.pages if self.pdf else []


class ContentRequest(Request):
    """A request as generateContent has it; the schema is told in the words of JSON Schema."""

    @property
    def model(self) -> str:
        return str(self.params.get("model", "")).removeprefix("models/")

    @cached_property
    def text(self) -> str:
        return "\n\n".join(self._texts(*self.params.get("contents") or ()))

    @cached_property
    def system(self) -> str:
        return "\n\n".join(self._texts(self.params.get("systemInstruction") or {}))

    @cached_property
    def documents(self) -> list[Document]:
        parts = [part for turn in self.params.get("contents") or () for part in turn.get("parts") or ()]
        files = [part["inlineData"] for part in parts if isinstance(part.get("inlineData"), dict)]
        pdfs = [data for data in files if data.get("mimeType") == "application/pdf"]
        return [DataPart(data, index) for index, data in enumerate(pdfs)]

    @cached_property
    def schema(self) -> dict[str, Any] | None:
        found = self._config.get("responseSchema")
        if isinstance(found, dict):
            return _as_json_schema(found)
        if (tool := self._function) is not None:
            return _as_json_schema(tool.get("parameters") or {})
        return next(schemas_in(self.system), None)

    @property
    def forced_tool(self) -> str | None:
        return None if self._function is None else str(self._function.get("name"))

    @property
    def has_format(self) -> bool:
        return "responseSchema" in self._config

    @property
    def _config(self) -> dict[str, Any]:
        return self.params.get("generationConfig") or {}

    @property
    def _function(self) -> dict[str, Any] | None:
        calling = (self.params.get("toolConfig") or {}).get("functionCallingConfig") or {}
        if calling.get("mode") != "ANY":
            return None
        tools = self.params.get("tools") or ()
        return next((f for tool in tools for f in tool.get("functionDeclarations") or ()), None)

    def _texts(self, *turns: dict[str, Any]) -> Iterator[str]:
        for turn in turns:
            if turn.get("role") != "model":
                yield from (part["text"] for part in turn.get("parts") or () if "text" in part)


def _as_json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    made = {key: value for key, value in schema.items() if key not in ("nullable", "propertyOrdering")}
    if "type" in made:
        made["type"] = made["type"].lower()
    if made.get("format") == "enum":
        del made["format"]
    if "properties" in made:
        made["properties"] = {name: _as_json_schema(part) for name, part in made["properties"].items()}
    if "items" in made:
        made["items"] = _as_json_schema(made["items"])
    if "anyOf" in made:
        made["anyOf"] = [_as_json_schema(part) for part in made["anyOf"]]
    return {"anyOf": [made, {"type": "null"}]} if schema.get("nullable") else made
