"""Check which files the Messages API takes, count their tokens, and find what citations of them point at."""

from __future__ import annotations

import binascii
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec

from batchata.answers.grounding import Blocks, Characters, Source, Sources
from batchata.errors import FileInputError
from batchata.inputs.files import FileInput, GivenFile, read_file
from batchata.inputs.images import check_image
from batchata.inputs.items import Measured
from batchata.inputs.json_values import base64_size, encode
from batchata.inputs.media_types import PDF, TEXT, decode_text
from batchata.inputs.paths import too_large
from batchata.inputs.pdf import read_pdf
from batchata.inputs.pdf_pages import PdfText
from batchata.providers.anthropic.models import (
    ENVELOPE_BYTES,
    ENVELOPE_TOKENS,
    IMAGE_RULES,
    MAX_REQUEST_BYTES,
    MAX_TEXT_BYTES,
    Model,
)
from batchata.providers.anthropic.page_bounds import image_token_bound, page_rules
from batchata.providers.anthropic.tokens import (
    FRAME,
    mark_bound,
    mark_tokens,
    pdf_tokens,
    sentences,
    sentences_of_pdf,
    text_tokens,
)
from batchata.providers.file_sources import source_of_file

_ANY_MODEL = Model(id="")


class _Content(NamedTuple):
    """Pages, a bound of the tokens, the tokens expected, and the bytes of the encoded content."""

    pages: int | None
    token_bound: int
    tokens: float
    size: int


def check_file(given: GivenFile, model: Model, cited: bool) -> tuple[FileInput, Measured]:
    """Check a file; `cited` says that citations are on.

    Raises FileInputError, naming it, when it cannot be sent to the model.
    """
    content = _measure(given, model, cited)
    file = replace(given.file, pages=content.pages)
    request_size = content.size + ENVELOPE_BYTES + len(encode(file.name))
    if request_size > MAX_REQUEST_BYTES:
        raise FileInputError(too_large(given.place, content.size, MAX_REQUEST_BYTES))
    bound = min(content.token_bound + len(file.name.encode()) + ENVELOPE_TOKENS, model.context_window)
    tokens = round(content.tokens + (FRAME + text_tokens(file.name)) * model.text_factor)
    return file, Measured(file.digest(), request_size, bound, min(tokens, model.context_window))


def _measure(given: GivenFile, model: Model, cited: bool) -> _Content:
    data, media_type, place = given.data, given.file.media_type, given.place
    if media_type == PDF:
        return _measure_pdf(data, place, model, cited)
    if media_type == TEXT:
        return _measure_text(data, place, model, cited)
    tokens = image_token_bound(*check_image(data, media_type, place, IMAGE_RULES), model.image_tokens)
    return _Content(None, tokens, tokens, base64_size(len(data)))


def _measure_pdf(data: bytes, place: str, model: Model, cited: bool) -> _Content:
    if (size := base64_size(len(data))) > MAX_REQUEST_BYTES:
        raise FileInputError(too_large(place, size, MAX_REQUEST_BYTES))
    pdf = read_pdf(data, place, page_rules(model))
    pictures = pdf.pages * model.image_tokens
    marks = sentences_of_pdf(pdf.characters) if cited else 0
    expected = pictures + (pdf_tokens(pdf.characters) + mark_tokens(marks)) * model.text_factor
    return _Content(pdf.pages, pdf.text_tokens + pictures + mark_bound(marks), expected, size)


def _measure_text(data: bytes, place: str, model: Model, cited: bool) -> _Content:
    text = decode_text(data, place)
    encoded = text.encode()
    if (size := len(encoded)) > MAX_TEXT_BYTES:
        raise FileInputError(
            f"{place} is {size:,} bytes of text; at most {MAX_TEXT_BYTES:,} are accepted: split it"
        )
    marks = sentences(encoded) if cited else 0
    expected = (text_tokens(encoded) + mark_tokens(marks)) * model.text_factor
    return _Content(None, size + mark_bound(marks), expected, len(encode(text)))


def pdf_to_document_block(
    pdf: str | os.PathLike[str] | bytes, *, enable_citations: bool = False, title: str | None = None
) -> dict[str, Any]:
    """Turn the PDF at a path, or given as bytes, into a content block for a user message.

        content = [pdf_to_document_block("a.pdf"), {"type": "text", "text": "Who signed it?"}]

    The document's title, which citations repeat, is the file's name when none is given; bytes have none.

    Raises FileInputError when it is no PDF, damaged, encrypted, empty, or longer than any model takes.
    """
    given = read_file(pdf, 0, MAX_REQUEST_BYTES)
    file = given.file
    if file.media_type != PDF:
        raise FileInputError(f"{file.name!r} is {file.media_type}, not a PDF")
    check_file(given, _ANY_MODEL, cited=False)
    block: dict[str, Any] = {
        "type": "document",
        "source": {"type": "base64", "media_type": PDF, "data": b64encode(given.data).decode()},
    }
    if title is None and file.path is not None:
        title = file.name
    if title is not None:
        block["title"] = title
    if enable_citations:
        block["citations"] = {"enabled": True}
    return block


def sources_of(body: bytes) -> Sources:
    """Return what one item's input, as the log holds it, can be cited by.

    A file given as a path is read again; if it is gone or has changed, there is no source for it.
    """
    value = msgspec.json.decode(body)
    if "file" in value:
        return Sources([source_of_file(value["file"])])
    blocks = list(_citable(value["messages"]))
    documents = [_of_document(block["source"]) for block, _ in blocks if block["type"] == "document"]
    if any(is_inside for block, is_inside in blocks if block["type"] == "document"):
        documents = []  # how documents in tool results are counted is not documented
    results = [_of_search_result(block) for block, _ in blocks if block["type"] == "search_result"]
    return Sources(documents, results)


def _citable(messages: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield documents and search results in order, and whether they stand in a tool's result."""
    for message in messages:
        content = message["content"]
        for block in content if isinstance(content, list) else []:
            if block.get("type") in ("document", "search_result"):
                yield block, False
            elif block.get("type") == "tool_result" and isinstance(block.get("content"), list):
                inner = [part for part in block["content"] if isinstance(part, dict)]
                yield from ((p, True) for p in inner if p.get("type") in ("document", "search_result"))


def _of_document(source: dict[str, Any]) -> Source | None:
    match source:
        case {"type": "text", "data": str(text)}:
            return Characters(text)
        case {"type": "content", "content": str(text)}:
            return Blocks([text])
        case {"type": "content", "content": list(blocks)}:
            return Blocks(_texts(blocks))
        case {"type": "base64", "media_type": "application/pdf", "data": str(data)}:
            try:
                return PdfText(b64decode(data))
            except binascii.Error:
                return None
    return None


def _of_search_result(block: dict[str, Any]) -> Source | None:
    content = block.get("content")
    return Blocks(_texts(content)) if isinstance(content, list) else None


def _texts(blocks: list[Any]) -> list[str]:
    """Return one text for each block; an image has none and still counts."""
    return [str(block.get("text", "")) if isinstance(block, dict) else "" for block in blocks]
