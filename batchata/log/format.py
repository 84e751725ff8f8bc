"""The hash that ties each commit of a stream to all commits before it.

    hash = sha256(previous hash
                  + MessagePack of [stream, number, first_version, last_version, next_body, epoch, at]
                  + MessagePack of the event rows, each as
                    [stream, version, type, schema_version, at, job, item, data]
                  + MessagePack of the segments, [first, count, codec, sha256] each)

The first commit's previous hash is 32 zero bytes. Bodies enter by their hash, so that purging them keeps
the chain whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import zstandard

START = bytes(32)

type EventTuple = tuple[str, int, str, int, int, int | None, int | None, str]
type SegmentTuple = tuple[int, int, int, bytes]

_encode = msgspec.msgpack.Encoder().encode


class Commit(NamedTuple):
    """One row of the table of commits, without its hash."""

    stream: str
    number: int
    first_version: int
    last_version: int
    next_body: int
    epoch: int
    at: int


def link(
    previous: bytes, commit: Commit, events: Sequence[EventTuple], segments: Sequence[SegmentTuple]
) -> bytes:
    """The commit's hash: 32 bytes."""
    digest = hashlib.sha256(previous)
    for part in (tuple(commit), events, segments):
        digest.update(_encode(part))
    return digest.digest()


ZSTD = 1  # the only codec so far; a new one gets a new number
BELIEVED_BODIES = 1_000  # of a segment; ours have a tenth of it
_BELIEVED_BYTES = 300_000_000  # unpacked; the longest line of results that is kept has 256 MB
_MOST_BODIES = 100
_MOST_BYTES = 1_000_000


class Segment(NamedTuple):
    """One row of the table, without its stream; `data` is None once purged."""

    first: int
    length: int  # how many bodies; the column `count`
    codec: int
    sha256: bytes
    data: bytes | None


def pack(bodies: Sequence[bytes], first: int) -> list[Segment]:
    """The segments that hold these bodies, the first of which has number `first`.

    Raises ValueError when a body holds a newline.
    """
    # Level 1: on model answers, higher levels take twice the time for a tenth of the space.
    compressor = zstandard.ZstdCompressor(level=1)
    segments: list[Segment] = []
    for group in _groups(bodies):
        joined = b"\n".join(group)
        if joined.count(b"\n") != len(group) - 1:
            raise ValueError("a body must not contain a newline")
        data = compressor.compress(joined)
        segments.append(Segment(first, len(group), ZSTD, hashlib.sha256(data).digest(), data))
        first += len(group)
    return segments


def unpack(segment: Segment) -> list[bytes | None]:
    """The segment's bodies, in order; all None when they were purged.

    Raises ValueError when its data cannot be read.
    """
    if not 0 < segment.length <= BELIEVED_BODIES:
        raise ValueError(f"it says that it holds {segment.length:,} bodies")
    if segment.data is None:
        return [None] * segment.length
    if segment.codec != ZSTD:
        raise ValueError(f"unknown codec {segment.codec}")
    try:
        # What the frame says of its size is not believed before it is looked at.
        size = zstandard.frame_content_size(segment.data)
        if not 0 <= size <= _BELIEVED_BYTES:
            raise ValueError(f"it says that it unpacks to {size:,} bytes")
        bodies: list[bytes | None] = [*zstandard.ZstdDecompressor().decompress(segment.data).split(b"\n")]
    except zstandard.ZstdError as exc:
        raise ValueError(str(exc)) from exc
    if len(bodies) != segment.length:
        raise ValueError(f"{len(bodies)} bodies instead of {segment.length}")
    return bodies


def _groups(bodies: Sequence[bytes]) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    size = 0
    for body in bodies:
        if group and (len(group) == _MOST_BODIES or size + len(body) > _MOST_BYTES):
            yield group
            group, size = [], 0
        group.append(body)
        size += len(body)
    if group:
        yield group
