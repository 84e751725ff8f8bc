"""Rebuild the documents and search results of a stored input, to check citations against."""

from __future__ import annotations

import binascii
import os
from base64 import b64decode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from batchata.answers.grounding import Blocks, Characters, Source, Sources
from batchata.errors import FileInputError
from batchata.inputs.media_types import PDF, TEXT, decode_text
from batchata.inputs.pdf_pages import PdfText


def sources_of(body: bytes) -> Sources:
    """Return what one item's input, as the log holds it, can be cited by.

    A file that came as a path is read again; when it is gone or another one by now, it is not held.
    """
    value = msgspec.json.decode(body)
    if "file" in value:
        return Sources([_of_file(value["file"])])
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


def _of_file(file: dict[str, Any]) -> Source | None:
    data = _bytes_of(file)
    if data is None:
        return None
    if file["media_type"] == PDF:
        return PdfText(data)
    if file["media_type"] != TEXT:
        return None
    try:
        return Characters(decode_text(data, "the file"))
    except FileInputError:  # not by us, which checked it before
        return None


def _bytes_of(file: dict[str, Any]) -> bytes | None:
    if "data" in file:
        return b64decode(file["data"])
    if file["path"] is None:
        return None
    path = file["path"] if "path_bytes" not in file else os.fsdecode(b64decode(file["path_bytes"]))
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError):
        return None
    return data if sha256(data).hexdigest() == file["sha256"] else None


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
