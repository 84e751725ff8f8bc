"""Estimate tokens from what a request holds, by the figures of the documentation.

Four characters of text are a token, and three tenths more since Claude 4.7; a page of a PDF is its text and
an image of full size.
"""

from __future__ import annotations

from typing import Any

import msgspec

from batchata.sandbox.anthropic.models import image_tokens, text_factor
from batchata.sandbox.anthropic.requests import DocumentBlock

__all__ = ["answer_tokens", "input_tokens", "text_tokens"]

_OVERHEAD = 8  # what the service adds around any conversation
# Instructions that the service adds by itself, as recordings show.
_CITATIONS = 500
_ADDED = {"tools": 500, "output_config": 120}


def text_tokens(length: int) -> int:
    """Return the tokens of a text of that many characters."""
    return -(-length // 4)


def answer_tokens(length: int, model: str) -> int:
    """Return the tokens of an answer of that many characters."""
    return round(text_tokens(length) * text_factor(model))


def input_tokens(params: dict[str, Any]) -> int:
    """Return the tokens of a whole request: system, messages, tools and schema."""
    model = str(params.get("model", ""))
    characters, pictures = _characters(params.get("system")), 0
    cited, added = False, 0
    for message in params.get("messages") or []:
        content = message.get("content") if isinstance(message, dict) else None
        characters += _characters(content)
        for block in content if isinstance(content, list) else []:
            text, images = _block(block)
            characters, pictures = characters + text, pictures + images
            cited = cited or bool(isinstance(block, dict) and (block.get("citations") or {}).get("enabled"))
    for key in ("tools", "output_config"):
        if params.get(key):
            characters += len(msgspec.json.encode(params[key]))
            added += _ADDED[key]
    text = text_tokens(characters) + added + (_CITATIONS if cited else 0)
    return _OVERHEAD + round(text * text_factor(model)) + pictures * image_tokens(model)


def _characters(content: Any) -> int:
    if isinstance(content, str):
        return len(content)
    if isinstance(content, list):
        return sum(len(str(block.get("text") or "")) for block in content if isinstance(block, dict))
    return 0


def _block(block: Any) -> tuple[int, int]:
    """Return characters and images of a block that is not text."""
    match block.get("type") if isinstance(block, dict) else None:
        case "image":
            return 0, 1
        case "document":
            return _document(DocumentBlock(block, 0))
        case "tool_use" | "tool_result":
            return len(msgspec.json.encode(block)), 0
    return 0, 0


def _document(document: DocumentBlock) -> tuple[int, int]:
    if document.source_type in ("text", "content"):
        return sum(map(len, document.pages)), 0
    try:
        pages = document.pages
        return sum(map(len, pages)), document.pdf.page_count if document.pdf else 1
    except ValueError:
        return 0, 1
