"""Refuse in a request what the real service refuses; in a batch that shows only in the results."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, NamedTuple

from batchata.sandbox.anthropic.models import model_missing, pages_allowed, prefill_refused
from batchata.sandbox.anthropic.parameters import options_problem, shape_problem
from batchata.sandbox.anthropic.requests import DocumentBlock, documents_of
from batchata.sandbox.values import resolve

__all__ = ["Rejection", "rejection"]


class Rejection(NamedTuple):
    """An error type of the protocol and its message."""

    type: str
    message: str


# Blocks of another API: what else there may be, the service knows better than the sandbox.
_FOREIGN = frozenset(
    ("image_url", "input_text", "input_image", "input_file", "input_audio", "output_text", "file")
)

_MANY_IMAGES, _MOST_PIXELS_OF_MANY = 20, 2_000
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def rejection(params: dict[str, Any], day: str, *, in_batch: bool = True) -> Rejection | None:
    """Say why the service refuses this request on that day (ISO date), or None."""
    message = shape_problem(params, in_batch)
    if message:
        return Rejection("invalid_request_error", message)
    model = params["model"]
    if model_missing(model, day):
        return Rejection("not_found_error", f"model: {model}")
    message = (
        _messages_problem(params["messages"], model)
        or options_problem(params, model)
        or _content_problem(params, model)
    )
    return Rejection("invalid_request_error", message) if message else None


def _messages_problem(messages: list[Any], model: str) -> str | None:
    if not messages:
        return "messages: at least one message is required"
    for number, message in enumerate(messages):
        problem = _message_problem(number, message)
        if problem:
            return problem
    if messages[0]["role"] != "user":
        return 'messages: first message must use the "user" role'
    if messages[-1]["role"] == "assistant" and prefill_refused(model):
        return (
            "This model does not support assistant message prefill. "
            "The conversation must end with a user message."
        )
    return None


def _message_problem(number: int, message: Any) -> str | None:
    if not isinstance(message, dict):
        return f"messages.{number}: Input should be an object"
    role, content = message.get("role"), message.get("content")
    if role == "system":
        return (
            'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, '
            'not "system" as an input message role.'
        )
    if role not in ("user", "assistant"):
        return f"messages.{number}.role: Input should be 'user' or 'assistant'"
    if isinstance(content, str):
        return None if content else f"messages.{number}: user messages must have non-empty content"
    if not isinstance(content, list):
        return f"messages.{number}.content: Input should be a valid string or list"
    if not content:
        return f"messages.{number}: user messages must have non-empty content"
    return next((p for n, b in enumerate(content) if (p := _block_problem(number, n, role, b))), None)


def _block_problem(number: int, place: int, role: str, block: Any) -> str | None:
    where = f"messages.{number}.content.{place}"
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        return f"{where}: Input should be an object with a `type`"
    match block["type"], role:
        case kind, _ if kind in _FOREIGN:
            return (
                f"{where}: Input tag '{kind}' found using 'type' does not match any of the expected tags: "
                "'document', 'image', 'search_result', 'text', 'tool_result', 'tool_use', ..."
            )
        case "document", "assistant":
            return f"{where}: `document` blocks are not permitted in assistant messages"
        case "document", "user":
            if not isinstance(block.get("source"), dict):
                return f"{where}.document.source: Field required"
        case "text", _:
            if not isinstance(block.get("text"), str):
                return f"{where}.text.text: Field required"
            if not block["text"]:
                return "messages: text content blocks must be non-empty"
            if role == "user" and block.get("citations"):
                return f"{where}.text.citations: citations are not permitted in user messages"
    return None


def _content_problem(params: dict[str, Any], model: str) -> str | None:
    problem = _images_problem(params["messages"], model)
    if problem:
        return problem
    documents = documents_of(params)
    output_format = (params.get("output_config") or {}).get("format")
    if documents:
        problem = _documents_problem(documents, model, has_format=bool(output_format))
        if problem:
            return problem
    return _format_problem(output_format) if output_format else None


def _images_problem(messages: list[Any], model: str) -> str | None:
    """Return the problem with images: too many, or one too large among many; of a few any size is fine."""
    blocks = [
        block for message in messages if isinstance(message["content"], list) for block in message["content"]
    ]
    images = [block.get("source") or {} for block in blocks if block["type"] == "image"]
    limit = pages_allowed(model)
    if len(images) > limit:
        return f"Too much media: 0 document pages + {len(images)} images > {limit}"
    if len(images) > _MANY_IMAGES and any(_longer_side(source) > _MOST_PIXELS_OF_MANY for source in images):
        return (
            "At least one of the image dimensions exceed max allowed size for many-image requests: "
            f"{_MOST_PIXELS_OF_MANY} pixels"
        )
    return None


def _longer_side(source: dict[str, Any]) -> int:
    """Return the pixels of the longer side of a PNG, GIF or JPEG in base64; 0 where that is unknown."""
    try:
        data = base64.b64decode(source.get("data") or "", validate=True)
    except (ValueError, TypeError):
        return 0
    if data.startswith(b"\x89PNG"):
        return max(int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))
    if data.startswith(b"GIF8"):
        return max(int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little"))
    at = 2 if data.startswith(b"\xff\xd8") else len(data)
    while at + 9 < len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _JPEG_FRAMES:
            return max(
                int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
            )
        at += 1 if marker == 0xFF else 2 + length
    return 0


def _format_problem(output_format: Any) -> str | None:
    if not isinstance(output_format, dict) or not isinstance(output_format.get("schema"), dict):
        return "output_config.format.schema: Field required"
    schema = output_format["schema"]
    problem = _schema_problem(schema, schema, ())
    return f"output_config.format.schema: {problem}" if problem else None


def _documents_problem(documents: list[DocumentBlock], model: str, *, has_format: bool) -> str | None:
    cited = [document.citations_enabled for document in documents]
    if any(cited) and not all(cited):
        return "Citations must be enabled on all or none of the document blocks of a request"
    if any(cited) and has_format:
        return "output_config.format: Structured output is not compatible with citations"
    problem = next((p for d in documents if (p := _document_problem(d))), None)
    if problem:
        return problem
    pages, limit = sum(d.pdf.page_count for d in documents if d.pdf), pages_allowed(model)
    return f"A maximum of {limit} PDF pages may be provided." if pages > limit else None


def _document_problem(document: DocumentBlock) -> str | None:
    where = "messages.0.content.0.document.source"
    match document.source_type:
        case "base64":
            return _pdf_problem(document, where)
        case "text":
            if not str(document.source.get("data", "")):
                return f"{where}.text.data: text documents must be non-empty"
        case "content" | "url" | "file":
            return None
        case other:
            return (
                f"{where}: Input tag '{other}' found using 'type' does not match any of the expected tags: "
                "'base64', 'content', 'file', 'text', 'url'"
            )
    return None


def _pdf_problem(document: DocumentBlock, where: str) -> str | None:
    if document.media_type != "application/pdf":
        return f"{where}.base64.media_type: Input should be 'application/pdf'"
    try:
        pdf = document.pdf
    except ValueError:
        return f"{where}.base64.data: The PDF specified is not valid base64."
    if pdf is None or pdf.problem == "invalid":
        return f"{where}.base64.data: The PDF specified was not valid."
    if pdf.problem == "encrypted":
        return f"{where}.base64.data: The PDF specified is password protected."
    return None


# What the schema compiler refuses, by type.
_UNSUPPORTED = {
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "string": ("minLength", "maxLength"),
    "array": ("maxItems", "uniqueItems"),
}


def _schema_problem(schema: Any, root: dict[str, Any], followed: tuple[str, ...]) -> str | None:
    if not isinstance(schema, dict):
        return None
    reference = schema.get("$ref")
    if isinstance(reference, str):
        if not reference.startswith("#"):
            return f"External $ref '{reference}' is not supported"
        if reference in followed:
            return f"Circular reference detected in schema definitions: {reference}"
        return _schema_problem(resolve(schema, root), root, (*followed, reference))
    return _keyword_problem(schema) or next(
        (problem for child in _children(schema) if (problem := _schema_problem(child, root, followed))), None
    )


def _keyword_problem(schema: dict[str, Any]) -> str | None:
    kinds = schema.get("type")
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if kind == "object" and schema.get("additionalProperties") is not False:
            return "For 'object' type, 'additionalProperties' must be explicitly set to false"
        refused = [key for key in _UNSUPPORTED.get(str(kind), ()) if key in schema]
        if refused:
            return f"For '{kind}' type, property '{refused[0]}' is not supported"
        if kind == "array" and schema.get("minItems", 0) not in (0, 1):
            return "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
    if "oneOf" in schema:
        return "Schema type 'oneOf' is not supported"
    return None


def _children(schema: dict[str, Any]) -> Iterator[Any]:
    yield from (schema.get("properties") or {}).values()
    for key in ("anyOf", "allOf"):
        yield from schema.get(key) or []
    yield schema.get("items")
