"""Estimate tokens from what a request holds, by the documentation's figures, and keep the prompt cache.

Four characters of text are a token, and three tenths more since Claude 4.7; a page of a PDF is its text and
an image of full size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from threading import Lock
from typing import Any, Final, NamedTuple

import msgspec

from batchata.sandbox.anthropic.models import cache_minimum, image_tokens, text_factor
from batchata.sandbox.anthropic.requests import DocumentBlock

__all__ = ["CacheUsage", "PromptCache", "answer_tokens", "input_tokens", "text_tokens"]


_OVERHEAD = 8  # what the service adds around any conversation
# Instructions that the service adds by itself, as recordings show.
_CITATIONS = 500
_ADDED = {"tools": 500, "output_config": 120}


SIDE_BY_SIDE: Final = 4  # requests of a batch that are processed at the same time
_LIVES: Final = {"5m": 300.0, "1h": 3_600.0}
_encode = msgspec.json.Encoder(order="deterministic").encode


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


class CacheUsage(NamedTuple):
    """Input tokens of one request by kind."""

    fresh: int
    written_5m: int
    written_1h: int
    read: int


class _Breakpoint(NamedTuple):
    key: bytes
    tokens: int
    ttl: str


class PromptCache:
    """The entries of one workspace. Times are seconds since the epoch."""

    def __init__(self) -> None:
        self._expiry: dict[bytes, float] = {}
        self._lock = Lock()

    def usage(self, params: dict[str, Any], now: float, unread: set[bytes] | None = None) -> CacheUsage:
        """Return what the request uses at that time; `unread` are entries being written at this moment."""
        total = input_tokens(params)
        if not _asks(params):
            return CacheUsage(total, 0, 0, 0)
        unread = set() if unread is None else unread
        points = [
            point for point in _breakpoints(params) if point.tokens >= cache_minimum(str(params.get("model")))
        ]
        with self._lock:
            read = 0
            for point in points:
                if point.key not in unread and self._expiry.get(point.key, 0.0) > now:
                    read = point.tokens
                    self._expiry[point.key] = now + _LIVES[point.ttl]
            written = {"5m": 0, "1h": 0}
            covered = read
            for point in points:
                if point.tokens > covered:
                    written[point.ttl] += point.tokens - covered
                    covered = point.tokens
                    self._expiry[point.key] = now + _LIVES[point.ttl]
                    unread.add(point.key)
        return CacheUsage(total - covered, written["5m"], written["1h"], read)


def _asks(params: dict[str, Any]) -> bool:
    """Whether anything in the request is marked to be cached; most requests are not, and go fast."""
    lists = [params.get("tools"), params.get("system")]
    lists += [message.get("content") for message in params.get("messages") or [] if isinstance(message, dict)]
    blocks = (block for blocks in lists if isinstance(blocks, list) for block in blocks)
    marked = (block for block in blocks if isinstance(block, dict) and block.get("cache_control"))
    return bool(params.get("cache_control")) or next(marked, None) is not None


def _breakpoints(params: dict[str, Any]) -> Iterator[_Breakpoint]:
    """Yield where the request asks for caching, from its beginning: tools, then system, then messages."""
    begun: dict[str, Any] = {"model": params.get("model")}
    begun |= {key: params[key] for key in ("output_config", "tool_choice", "thinking") if key in params}
    tools: list[Any] = []
    for tool in params.get("tools") or []:
        tools.append(_unmarked(tool))
        yield from _point(begun | {"tools": tools}, tool)
    begun |= {"tools": tools} if tools else {}
    system: list[Any] = []
    given = params.get("system")
    for block in given if isinstance(given, list) else []:
        system.append(_unmarked(block))
        yield from _point(begun | {"system": system}, block)
    begun |= {"system": system or given} if given else {}
    yield from _in_messages(begun, params)


def _in_messages(begun: dict[str, Any], params: dict[str, Any]) -> Iterator[_Breakpoint]:
    before: list[Any] = []
    last: Any = None
    for message in params.get("messages") or []:
        content = message.get("content") if isinstance(message, dict) else None
        blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
        for count, block in enumerate(blocks, 1):
            part = {**message, "content": [_unmarked(inner) for inner in blocks[:count]]}
            last = begun | {"messages": [*before, part]}
            yield from _point(last, block)
        before = [*before, {**message, "content": [_unmarked(inner) for inner in blocks]}]
    if isinstance(params.get("cache_control"), dict) and last is not None:
        yield from _point(last, params)


def _point(prefix: dict[str, Any], marked: Any) -> Iterator[_Breakpoint]:
    control = marked.get("cache_control") if isinstance(marked, dict) else None
    if isinstance(control, dict):
        key = hashlib.sha256(_encode(prefix)).digest()
        yield _Breakpoint(key, input_tokens(prefix), str(control.get("ttl") or "5m"))


def _unmarked(block: Any) -> Any:
    return {k: v for k, v in block.items() if k != "cache_control"} if isinstance(block, dict) else block
