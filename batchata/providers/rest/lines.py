"""Split a download of results into lines, and the lines into outcomes, many at a time."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Iterator

from batchata.core.values import RequestError
from batchata.errors import IncompleteResultsError
from batchata.providers.exchange import Outcome

__all__ = ["chunks_of", "lines_of", "unreadable"]

_CHUNK = 1_000  # outcomes handed over at a time: half as many cost a tenth more time
_CHUNK_BYTES = 16_000_000  # … or as many as have so many bytes
_MOST_LINE_BYTES = 256_000_000  # of one result line: as much as a whole batch may be asked with


def unreadable(line: bytes) -> Outcome:
    """Return the outcome of a complete line that is not a result: it belongs to no request."""
    error = RequestError(kind="unreadable", message="a line of the results is not a result")
    return Outcome("", "unreadable", None, error, None, [], line)


def chunks_of(
    lines: Iterator[tuple[bytes, bool]], decode: Callable[[bytes], Outcome]
) -> Iterator[list[Outcome]]:
    """Yield outcomes, many at a time; those before a cut line are handed over before its error."""
    chunk: list[Outcome] = []
    size = 0
    for line, whole in lines:
        try:
            chunk.append(decode(line))
        except IncompleteResultsError:
            if not whole:
                yield chunk
                raise
            # It would be so in every download, and what stands behind it would never be read.
            chunk.append(unreadable(line))
        size += len(line)
        if len(chunk) == _CHUNK or size > _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _unmarked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the bytes without the byte order mark at their beginning, which may come in pieces."""
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= len(BOM_UTF8):
            break
    yield first.removeprefix(BOM_UTF8)
    yield from chunks


def lines_of(chunks: Iterator[bytes], most: int = _MOST_LINE_BYTES) -> Iterator[tuple[bytes, bool]]:
    """Yield the lines, and whether each had its newline: the last one may lack it, or be cut.

    A byte order mark at the beginning, as Windows tools write it, is not part of the first line. A line
    beyond all bounds is cut there, and the rest of it is dropped.
    """
    parts: list[bytes] = []  # of a line whose end has not come yet
    size = 0
    for chunk in _unmarked(chunks):
        first, *others = chunk.split(b"\n")
        if size < most:
            parts.append(first)
        size += len(first)
        if not others:
            continue
        *lines, rest = others
        yield from ((line, True) for line in (b"".join(parts), *lines) if line.strip())
        parts, size = [rest], len(rest)
    last = b"".join(parts)
    if last.strip():
        yield last, False
