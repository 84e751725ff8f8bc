"""Whether a log file still says what was written to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from batchata.errors import LogError
from batchata.log import format
from batchata.log.format import Segment, unpack
from batchata.log.sqlite.log import SqliteLog
from batchata.log.sqlite.reader import Row

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
    SELECT first, count, codec, sha256, data FROM segments
    WHERE stream = ? AND first > ? ORDER BY first LIMIT 20
"""
# The columns that views and tools read beside the data are in the chain too; this finds a forged whole chain.
_OTHER_COLUMNS = """
    SELECT version, schema_version FROM events
    WHERE stream = ? AND (NOT json_valid(data) OR json_type(data) <> 'object'
        OR job IS NOT json_extract(data, '$.job') OR item IS NOT json_extract(data, '$.index'))
    ORDER BY version LIMIT 10
"""
_COMMIT_OF = "SELECT last_version FROM commits WHERE stream = ? AND hex(hash) GLOB ? LIMIT 2"
_LAST = """
    SELECT last_version, number, next_body FROM commits WHERE stream = ? ORDER BY number DESC LIMIT 1
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


class Problem(NamedTuple):
    """What does not hold: the first version concerned, None where it is no event's, and a sentence."""

    version: int | None
    text: str


def verify(log: SqliteLog, stream: str, purged: int = 0) -> list[Problem]:
    """What is wrong with a stream; empty when every commit and body is as it was written.

    Bodies numbered below `purged` were removed by a decision that the stream holds. Also right while the
    stream is being written. Commits that were removed whole from the end leave no trace in the file: only a
    hash noted elsewhere shows that they are missing; see `commit_of`.
    """
    checks = (
        _chain_problems(log, stream),
        _column_problems(log, stream),
        _body_problems(log, stream, purged),
    )
    return [problem for check in checks for problem in _to_its_end(check)]


def verify_file(log: SqliteLog) -> list[str]:
    """What SQLite finds wrong with the file as a whole, a sentence each; reads all of it."""
    try:
        found = [str(text) for (text,) in log.reader.rows("PRAGMA integrity_check(10)")]
    except LogError as exc:
        return [str(exc)]
    # It names the page in one line and what is wrong with it in the next.
    return [f"SQLite: {' '.join(text.split())}" for text in found if text != "ok"]


def commit_of(log: SqliteLog, stream: str, head: str) -> int | None:
    """The last version that a commit's hash (its hex digits, or the first) stands for; None for no commit."""
    rows = log.reader.rows(_COMMIT_OF, (stream, f"{head.upper()}*"))
    return rows[0][0] if len(rows) == 1 else None


def size_of(log: SqliteLog, stream: str) -> tuple[int, int, int]:
    """How many events, commits and bodies the stream says it has."""
    rows = log.reader.rows(_LAST, (stream,))
    return rows[0] if rows else (0, 0, 0)


def _to_its_end(check: Iterator[Problem]) -> Iterator[Problem]:
    """A file that cannot be read any further is a problem like the others."""
    try:
        yield from check
    except LogError as exc:
        yield Problem(None, str(exc))


def _chain_problems(log: SqliteLog, stream: str) -> Iterator[Problem]:
    number, version, next_body, digest = 0, 0, 0, format.START
    for *values, stored in _commits(log, stream):
        commit = format.Commit(*values)
        span = f"versions {commit.first_version} to {commit.last_version}"
        if commit.number != number + 1:
            yield Problem(
                version + 1, f"commits {number + 1} to {commit.number - 1} are missing, before {span}"
            )
        elif commit.first_version != version + 1:
            gap = f"versions {version + 1} to {commit.first_version - 1} belong to no commit"
            yield Problem(version + 1, gap)
        yield from _to_its_end(_commit_problems(log, commit, next_body, digest, stored))
        number, version, next_body, digest = commit.number, commit.last_version, commit.next_body, stored
    for (found,) in log.reader.rows(_BEYOND, (stream, stream)):
        yield Problem(found, f"version {found} and above belong to no commit")
    for (found,) in log.reader.rows(_BODIES_BEYOND, (stream, stream)):
        yield Problem(None, f"bodies {found} and above belong to no commit")


def _commit_problems(
    log: SqliteLog, commit: format.Commit, next_body: int, digest: bytes, stored: bytes
) -> Iterator[Problem]:
    span = f"versions {commit.first_version} to {commit.last_version}"
    try:
        events = log.reader.rows(_EVENTS, (commit.stream, commit.first_version, commit.last_version))
        segments = log.reader.rows(_SEGMENTS, (commit.stream, next_body, commit.next_body))
        yield from _gaps([row[1] for row in events], commit)
        intact = format.link(digest, commit, events, segments) == stored
    except (LogError, TypeError, ValueError) as exc:
        yield Problem(commit.first_version, f"{span}: cannot be read ({exc})")
        return
    if not intact:
        yield Problem(
            commit.first_version,
            f"{span}: an event, a body's hash or the commit itself is not as it was written: "
            "it was changed, added, removed or moved later",
        )


def _commits(log: SqliteLog, stream: str) -> Iterator[Row]:
    last = 0
    while page := log.reader.rows(_COMMITS, (stream, last)):
        yield from page
        last = page[-1][1]


def _gaps(versions: list[int], commit: format.Commit) -> Iterator[Problem]:
    missing = commit.last_version - commit.first_version + 1 - len(set(versions))
    if missing > 0:
        there = enumerate(sorted(set(versions)), commit.first_version)
        after = commit.first_version + len(set(versions))
        first = next((expected for expected, version in there if version != expected), after)
        more = f", and {missing - 1:,} more" if missing > 1 else ""
        yield Problem(first, f"version {first} is missing{more}")


def _column_problems(log: SqliteLog, stream: str) -> Iterator[Problem]:
    for version, schema in log.reader.rows(_OTHER_COLUMNS, (stream,)):
        yield Problem(version, f"version {version}: its columns are not those of its data (schema {schema})")


def _body_problems(log: SqliteLog, stream: str, purged: int) -> Iterator[Problem]:
    last = -1
    while page := log.reader.rows(_BODIES, (stream, last)):
        for values in page:
            segment = Segment(*values)
            what = _wrong_with(segment, purged)
            if what is not None:
                end = segment.first + segment.length - 1
                yield Problem(None, f"bodies {segment.first} to {end}: {what}")
        last = page[-1][0]


def _wrong_with(segment: Segment, purged: int) -> str | None:
    if segment.data is None:
        if segment.first + segment.length <= purged:
            return None
        return "they are missing, and no event says that they were purged"
    if hashlib.sha256(segment.data).digest() != segment.sha256:
        return "what is stored is not what was written"
    try:
        unpack(segment)
    except ValueError as exc:
        return f"they cannot be unpacked ({exc})"
    return None
