"""Reads a request body off the wire, with or without a length, and no larger than allowed."""

from __future__ import annotations

from email.message import Message
from io import BufferedIOBase

__all__ = ["BodyTooLarge", "read_body"]

_CHUNK = 1 << 18


class BodyTooLarge(Exception):
    """The body is larger than allowed; it was read to its end and thrown away."""


def read_body(headers: Message, stream: BufferedIOBase, limit: int) -> bytes:
    """The body. Raises BodyTooLarge, or ConnectionError when the client goes away in its middle."""
    if "chunked" in (headers.get("transfer-encoding") or "").lower():
        return _chunked(stream, limit)
    length = int(headers.get("content-length") or 0)
    if length > limit:
        # Read to the end: a client that is still writing would see a broken pipe instead of the 413.
        _skip(stream, length)
        raise BodyTooLarge
    body = stream.read(length) if length else b""
    if len(body) < length:
        raise ConnectionError("the body ended early")
    return body


def _chunked(stream: BufferedIOBase, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while length := int(stream.readline(1024).split(b";")[0].strip() or b"0", 16):
        part = stream.read(length)
        stream.readline(8)
        if len(part) < length:
            raise ConnectionError("the body ended early")
        size += length
        if size > limit:
            parts.clear()
        else:
            parts.append(part)
    while stream.readline(65_536).strip():
        pass  # trailers
    if size > limit:
        raise BodyTooLarge
    return b"".join(parts)


def _skip(stream: BufferedIOBase, length: int) -> None:
    while length > 0 and (part := stream.read(min(length, _CHUNK))):
        length -= len(part)
