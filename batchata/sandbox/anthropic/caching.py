"""Cache prompts as the service does: what is written, what is read, and how long it stays.

An entry belongs to a model and to all that stands before its breakpoint. It can be read when the response
that wrote it has begun, so of requests that are processed side by side each writes for itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from threading import Lock
from typing import Any, Final, NamedTuple

import msgspec

from batchata.sandbox.anthropic.models import cache_minimum
from batchata.sandbox.anthropic.tokens import input_tokens

__all__ = ["CacheUsage", "PromptCache"]

SIDE_BY_SIDE: Final = 4  # requests of a batch that are processed at the same time
_LIVES: Final = {"5m": 300.0, "1h": 3_600.0}
_encode = msgspec.json.Encoder(order="deterministic").encode


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
