"""Estimates tokens from what a request holds: four characters a token, 1,500 tokens a PDF page."""

from __future__ import annotations

from typing import Any

import msgspec

from batchata.sandbox.values import Document

__all__ = ["input_tokens", "text_tokens"]

_PER_PAGE = 1_500
_PER_IMAGE = 1_500
_OVERHEAD = 8  # what the service adds around any conversation


def text_tokens(length: int) -> int:
    """Tokens of a text of that many characters."""
    return -(-length // 4)


def input_tokens(params: dict[str, Any]) -> int:
    """Tokens of a whole request: system, messages, tools and schema."""
    characters = _characters(params.get("system"))
    tokens = _OVERHEAD
    for message in params.get("messages") or []:
        if isinstance(message, dict):
            characters += _characters(message.get("content"))
            tokens += _media_tokens(message.get("content"))
    for key in ("tools", "output_config"):
        if params.get(key):
            characters += len(msgspec.json.encode(params[key]))
    return tokens + text_tokens(characters)


def _characters(content: Any) -> int:
    if isinstance(content, str):
        return len(content)
    if isinstance(content, list):
        return sum(len(str(block.get("text") or "")) for block in content if isinstance(block, dict))
    return 0


def _media_tokens(content: Any) -> int:
    if not isinstance(content, list):
        return 0
    return sum(_block_tokens(block) for block in content if isinstance(block, dict))


def _block_tokens(block: dict[str, Any]) -> int:
    match block.get("type"):
        case "image":
            return _PER_IMAGE
        case "document":
            return _document_tokens(Document(block, 0))
        case "tool_use" | "tool_result":
            return text_tokens(len(msgspec.json.encode(block)))
    return 0


def _document_tokens(document: Document) -> int:
    if document.source_type in ("text", "content"):
        return text_tokens(sum(map(len, document.pages)))
    try:
        pages = document.pdf.page_count if document.pdf else 1
    except ValueError:
        pages = 1
    return _PER_PAGE * pages
