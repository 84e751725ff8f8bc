"""Whether a log file still says what was written to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from batchata.errors import LogError
from batchata.log import chain
from batchata.log.reader import Row
from batchata.log.sqlite import SqliteLog

_COMMITS = """
    SELECT stream, number, first_version, last_version, next_body, epoch, at, hash
    FROM commits WHERE stream = ? AND number > ? ORDER BY number LIMIT 200
"""
_EVENTS = """
    SELECT stream, version, type, schema_version, at, job, item, data
    FROM events WHERE stream = ? AND version BETWEEN ? AND ? ORDER BY version
"""
_SEGMENTS = """
    SELECT first, count, codec, sha256 FROM segments
    WHERE stream = ? AND first >= ? AND first < ? ORDER BY first
"""
_BODIES = """
    SELECT first, count, sha256, data FROM segments
    WHERE stream = ? AND first > ? AND data IS NOT NULL ORDER BY first LIMIT 20
"""
# One statement, hence one moment, each: somebody may be appending.
_BEYOND = """
    SELECT version FROM events WHERE stream = ? AND version >
        (SELECT coalesce(max(last_version), 0) FROM commits WHERE stream = ?) ORDER BY version LIMIT 1
"""
_BODIES_BEYOND = """
    SELECT first FROM segments WHERE stream = ? AND first >=
        (SELECT coalesce(max(next_body), 0) FROM commits WHERE stream = ?) ORDER BY first LIMIT 1
"""


def verify(log: SqliteLog, stream: str) -> list[str]:
    """What is wrong with a stream, a sentence each; empty when every commit and body is as it was written.

    Also right while the stream is being written. Commits that were removed whole from the end leave no
    trace in the file: only a version noted elsewhere shows that they are missing.
    """
    try:
        return [*_chain_problems(log, stream), *_body_problems(log, stream)]
    except LogError as exc:
        return [str(exc)]


def verify_file(log: SqliteLog) -> list[str]:
    """What SQLite finds wrong with the file as a whole, a sentence each; reads all of it."""
    try:
        found = [str(text) for (text,) in log.reader.rows("PRAGMA integrity_check(10)")]
    except LogError as exc:
        return [str(exc)]
    return [f"SQLite: {text}" for text in found if text != "ok"]


def _chain_problems(log: SqliteLog, stream: str) -> Iterator[str]:
    number, version, next_body, digest = 0, 0, 0, chain.START
    for *values, stored in _commits(log, stream):
        commit = chain.Commit(*values)
        events = log.reader.rows(_EVENTS, (stream, commit.first_version, commit.last_version))
        segments = log.reader.rows(_SEGMENTS, (stream, next_body, commit.next_body))
        span = f"versions {commit.first_version} to {commit.last_version}"
        if commit.number != number + 1:
            yield f"commits {number + 1} to {commit.number - 1} are missing, before {span}"
        elif commit.first_version != version + 1:
            yield f"versions {version + 1} to {commit.first_version - 1} belong to no commit"
        yield from _gaps([row[1] for row in events], commit)
        if chain.link(digest, commit, events, segments) != stored:
            yield f"{span}: an event, a body's hash or the commit itself is not as it was written"
        number, version, next_body, digest = commit.number, commit.last_version, commit.next_body, stored
    yield from (
        f"version {found} and above belong to no commit"
        for (found,) in log.reader.rows(_BEYOND, (stream, stream))
    )
    for (found,) in log.reader.rows(_BODIES_BEYOND, (stream, stream)):
        yield f"bodies {found} and above belong to no commit"


def _commits(log: SqliteLog, stream: str) -> Iterator[Row]:
    last = 0
    while page := log.reader.rows(_COMMITS, (stream, last)):
        yield from page
        last = page[-1][1]


def _gaps(versions: list[int], commit: chain.Commit) -> Iterator[str]:
    missing = sorted(set(range(commit.first_version, commit.last_version + 1)).difference(versions))
    if missing:
        yield f"version {missing[0]} is missing" + (f", and {len(missing) - 1} more" if missing[1:] else "")


def _body_problems(log: SqliteLog, stream: str) -> Iterator[str]:
    last = -1
    while page := log.reader.rows(_BODIES, (stream, last)):
        for first, count, digest, data in page:
            if hashlib.sha256(data).digest() != digest:
                yield f"bodies {first} to {first + count - 1}: what is stored is not what was written"
        last = page[-1][0]
