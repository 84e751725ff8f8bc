"""Check the texts of messages and system prompts: blocks of text, and search results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from batchata.errors import InvalidInputError
from batchata.inputs.json_values import check_json
from batchata.text import type_of

_TEXT_KEYS: Final = frozenset({"type", "text", "cache_control", "citations"})


def check_system(content: Any, place: str) -> None:
    """Raise InvalidInputError unless it is text or a list of text blocks."""
    if isinstance(content, str):
        check_filled(content, place)
        return
    if not isinstance(content, list | tuple) or not content:
        raise InvalidInputError(f"{place} must be text or a list of text blocks, and must not be empty")
    for n, block in enumerate(content):
        if not isinstance(block, dict) or block.get("type") != "text":
            raise InvalidInputError(f"{place}[{n}] must be a text block: a system prompt holds nothing else")
        check_filled(block.get("text"), f"{place}[{n}].text")


def system_text(content: str | Sequence[Mapping[str, Any]]) -> str:
    """Return all the text of a system prompt that `check_system` accepted."""
    return content if isinstance(content, str) else "".join(block["text"] for block in content)


def check_text_block(block: dict[str, Any], role: str, place: str) -> None:
    """Raise InvalidInputError for a text that is empty, or that has keys which the API refuses there."""
    check_filled(block.get("text"), f"{place}.text")
    if not block.keys() <= _TEXT_KEYS:
        check_json(block, place)
        unknown = ", ".join(sorted(repr(key) for key in block.keys() - _TEXT_KEYS))
        raise InvalidInputError(f"{place} has keys that the API refuses: {unknown}; leave them out")
    if role == "user" and block.get("citations"):
        raise InvalidInputError(
            f"{place} has citations in a user message, which the API refuses; send the text without them"
        )


def check_search_result(block: dict[str, Any], place: str) -> None:
    """Raise InvalidInputError for a search result that holds anything but texts."""
    content = block.get("content")
    if not isinstance(content, list | tuple) or not content:
        raise InvalidInputError(f"{place}.content must be a list of text blocks that is not empty")
    for n, inner in enumerate(content):
        if not isinstance(inner, dict) or inner.get("type") != "text":
            raise InvalidInputError(f"{place}.content[{n}] must be a text block")
        check_text_block(inner, "user", f"{place}.content[{n}]")


def check_filled(text: Any, place: str) -> None:
    """Raise InvalidInputError unless it is text, with more than white space in it."""
    if not isinstance(text, str):
        raise InvalidInputError(f"{place} must be text, not {type_of(text)}")
    if not text or text.isspace():
        raise InvalidInputError(
            f"{place} is {'only white space' if text else 'empty'}, which the API refuses; give some text"
        )
