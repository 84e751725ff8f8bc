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
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

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
