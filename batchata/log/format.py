"""What every log stores of an append: rows, segments of bodies, and a hash that chains it to those before.

    hash = sha256(previous hash
                  + MessagePack of [stream, number, first_version, last_version, next_body, epoch, at]
                  + MessagePack of the event rows, each as
                    [stream, version, type, schema_version, at, job, item, data]
                  + MessagePack of the segments, [first, count, codec, sha256] each)

The first commit's previous hash is 32 zero bytes. Bodies enter by their hash, so that purging them keeps
the chain whole.

A row is one event, or a page of them (see `batchata.core.pages`): then `version` is that of the first, and
the next row's is that of the last plus one.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec
import zstandard

from batchata.core.codec import encode, hot_columns
from batchata.core.pages import Entry, length_of
from batchata.core.pages import pack as pages_of
from batchata.errors import LogError

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
    epoch: int  # counts the claims of the stream
    at: int


class Committed(NamedTuple):
    """A commit as a log holds it."""

    commit: Commit
    hash: bytes


class AtEnd:
    """Stands at the end of a stream, as its last commit left it: what every claim is."""

    def __init__(self, last: Committed) -> None:
        self.stream = last.commit.stream
        self._last = last

    @property
    def version(self) -> int:
        """See `Claim`."""
        return self._last.commit.last_version

    @property
    def next_body(self) -> int:
        """See `Claim`."""
        return self._last.commit.next_body

    @property
    def last(self) -> Committed:
        """See `Claim`."""
        return self._last


class Append(NamedTuple):
    """All that one append adds to a log."""

    rows: list[EventTuple]
    segments: list[Segment]
    committed: Committed


def beginning(stream: str) -> Committed:
    """Return what the first append of a stream follows."""
    return Committed(Commit(stream, 0, 0, 0, 0, 0, 0), START)


def follow(
    last: Committed, epoch: int, at: int, entries: Sequence[Entry], bodies: Sequence[bytes | Segment]
) -> Append:
    """Return what to store for these entries and bodies after the last commit of their stream.

    Raises ValueError when a body holds a newline.
    """
    stream, version = last.commit.stream, last.commit.last_version
    rows: list[EventTuple] = []
    for entry in pages_of(entries):
        rows.append((stream, version + 1, entry.TYPE, entry.SCHEMA, at, *hot_columns(entry), encode(entry)))
        version += length_of(entry)
    segments = pack(bodies, last.commit.next_body)
    commit = Commit(
        stream=stream,
        number=last.commit.number + 1,
        first_version=last.commit.last_version + 1,
        last_version=version,
        next_body=segments[-1].first + segments[-1].length if segments else last.commit.next_body,
        epoch=epoch,
        at=at,
    )
    digest = link(last.hash, commit, rows, [segment[:4] for segment in segments])
    return Append(rows, segments, Committed(commit, digest))


def link(
    previous: bytes, commit: Commit, events: Sequence[EventTuple], segments: Sequence[SegmentTuple]
) -> bytes:
    """Return the commit's hash: 32 bytes."""
    digest = hashlib.sha256(previous)
    for part in (tuple(commit), events, segments):
        digest.update(_encode(part))
    return digest.digest()


ZSTD = 1  # the only codec so far; a new one gets a new number
BELIEVED_BODIES = 1_000  # of a segment; ours have a tenth of it
_BELIEVED_BYTES = 300_000_000  # unpacked; no line of results that is kept is longer
_MOST_BODIES = 100
_MOST_BYTES = 1_000_000


class Segment(NamedTuple):
    """One row of the table, without its stream; `data` is None once purged."""

    first: int
    length: int  # how many bodies; the column `count`
    codec: int
    sha256: bytes
    data: bytes | None


def pack(bodies: Sequence[bytes | Segment], first: int = 0) -> list[Segment]:
    """Pack these bodies into segments, the first body having number `first`.

    Raises ValueError when a body holds a newline.
    """
    segments: list[Segment] = []
    for group in _groups(bodies):
        if isinstance(group, Segment):
            segments.append(group._replace(first=first))
        else:
            segments.append(_segment(group, first))
        first += segments[-1].length
    return segments


class _Compressor(threading.local):
    """A compressor for each thread: to make one costs ten times what it takes to pack a few bodies."""

    def __init__(self) -> None:
        # Level 1: on model answers, higher levels take twice the time for a tenth of the space.
        self.compress = zstandard.ZstdCompressor(level=1).compress


_compressor = _Compressor()


def _segment(bodies: list[bytes], first: int) -> Segment:
    joined = b"\n".join(bodies)
    if joined.count(b"\n") != len(bodies) - 1:
        raise ValueError("a body must not contain a newline")
    data = bytes(
        memoryview(_compressor.compress(joined))
    )  # which keeps as much memory as it might have needed
    return Segment(first, len(bodies), ZSTD, hashlib.sha256(data).digest(), data)


class ChangedBodiesError(ValueError):
    """The bytes of a segment are not those that were written."""


def unpack(segment: Segment) -> list[bytes | None]:
    """Return the segment's bodies, in order; all None when they were purged.

    Raises ValueError when its data cannot be read, and ChangedBodiesError when it is not what was written: a
    flipped bit may leave a text that unpacks, with another value in it.
    """
    if not 0 < segment.length <= BELIEVED_BODIES:
        raise ValueError(f"it says that it holds {segment.length:,} bodies")
    if segment.data is None:
        return [None] * segment.length
    if segment.codec != ZSTD:
        raise ValueError(f"unknown codec {segment.codec}")
    if hashlib.sha256(segment.data).digest() != segment.sha256:
        raise ChangedBodiesError("what is stored is not what was written")
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


def _groups(bodies: Sequence[bytes | Segment]) -> Iterator[list[bytes] | Segment]:
    group: list[bytes] = []
    size = 0
    for body in bodies:
        whole = isinstance(body, Segment)
        if group and (whole or len(group) == _MOST_BODIES or size + len(body) > _MOST_BYTES):
            yield group
            group, size = [], 0
        if isinstance(body, Segment):
            yield body
            continue
        group.append(body)
        size += len(body)
    if group:
        yield group


_MOST_TOGETHER = 1_024  # bodies looked up at once
_MOST_HELD = 8_000_000  # bytes of bodies held while they are handed out, about


class Bodies:
    """Reads bodies by their numbers.

    `find` returns the segment that a number would be in, `place` names the log in messages. A segment is
    unpacked once for many numbers; several threads may read.
    """

    def __init__(self, find: Callable[[str, int], Segment | None], place: str) -> None:
        self._find = find
        self._place = place
        self._last: tuple[str, Segment, list[bytes | None]] | None = None

    def read(self, stream: str, numbers: Iterable[int]) -> Iterator[bytes | None]:
        """See `Log.bodies`. Numbers are taken some at a time, and looked up in their order."""
        remaining = iter(numbers)
        window = 1
        while wanted := list(islice(remaining, window)):
            found = self._read(stream, wanted)
            yield from (found[number] for number in wanted)
            held = sum(len(body) for body in found.values() if body is not None)
            window = min(_MOST_TOGETHER, window * 4) if held < _MOST_HELD / 4 else max(1, window // 2)

    def forget(self) -> None:
        """Drop what is cached, because bodies were purged."""
        self._last = None

    def _read(self, stream: str, numbers: list[int]) -> dict[int, bytes | None]:
        found: dict[int, bytes | None] = {}
        for number in sorted(set(numbers)):
            first, bodies = self._segment(stream, number)
            found[number] = bodies[number - first]
        return found

    def _segment(self, stream: str, number: int) -> tuple[int, list[bytes | None]]:
        """Return the number of the first body in the segment that holds body `number`, and all its bodies."""
        last = self._last
        if last and last[0] == stream and 0 <= number - last[1].first < last[1].length:
            return last[1].first, last[2]
        segment = self._find(stream, number)
        if segment is None or number >= segment.first + segment.length:
            raise LogError(f"{self._place} holds no body {number} of {stream!r}")
        try:
            bodies = unpack(segment)
        except ValueError as exc:
            raise LogError(f"{self._place}: body {number} of {stream!r} is damaged ({exc})") from exc
        self._last = stream, segment, bodies
        return segment.first, bodies
