"""Verify that a log still says what was written to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from batchata.core.pages import Page
from batchata.errors import LogError
from batchata.log.format import (
    ChangedBodiesError,
    Commit,
    Committed,
    EventTuple,
    Segment,
    beginning,
    link,
    unpack,
)
from batchata.log.port import Log


class Problem(NamedTuple):
    """Something that does not hold: the first version concerned, None if it is no event's, and a sentence."""

    version: int | None
    text: str


class _Named(msgspec.Struct):
    """The job and the item that an event names, of whatever kind they are."""

    job: Any = None
    index: Any = None


_named = msgspec.json.Decoder(_Named).decode
_NOTHING = object()


def verify(log: Log, stream: str, purged: int = 0) -> list[Problem]:
    """Return what is wrong with a stream; empty when every commit and body is as it was written.

    Bodies numbered below `purged` were removed by a decision that the stream holds. Also right while the
    stream is being written. Commits that were removed whole from the end leave no trace in the log: only a
    hash noted elsewhere shows that they are missing; see `commit_of`.
    """
    try:
        with log.snapshot() as seen:
            return [*_to_its_end(_problems(seen, stream, purged))]
    except LogError as exc:
        return [Problem(None, str(exc))]


def first_change(log: Log, stream: str, after: Committed | None = None) -> str | None:
    """Return which versions are not as they were written, None where all are; reads commits after one.

    Of bodies only the hashes are checked: their bytes are compared with them whenever they are read. So it
    takes a fraction of what `verify` takes, and a run can ask before it continues.
    """
    last = after or beginning(stream)
    rows = _in_turn(log.rows(stream, last.commit.last_version + 1), itemgetter(1))
    segments = _in_turn(log.segment_hashes(stream, last.commit.next_body), itemgetter(0))
    for committed in log.commits(stream, after=last.commit.number):
        commit = committed.commit
        try:
            of_it = rows(commit.last_version + 1), segments(commit.next_body)
            intact = link(last.hash, commit, *of_it) == committed.hash
        except (TypeError, ValueError, OverflowError):  # a value of a type that no column has
            intact = False
        if not intact:
            return _span(commit)
        last = committed
    return None


def _in_turn[T](values: Iterator[T], number: Callable[[T], int]) -> Callable[[int], list[T]]:
    """Return what takes the next values, up to those with this number or a higher one."""
    ahead = next(values, None)

    def below(end: int) -> list[T]:
        nonlocal ahead
        taken: list[T] = []
        while ahead is not None and number(ahead) < end:
            taken.append(ahead)
            ahead = next(values, None)
        return taken

    return below


def commit_of(log: Log, stream: str, head: str) -> int | None:
    """Return the last version that a commit's hash (or its first hex digits) stands for, if any."""
    found = [
        each.commit.last_version
        for each in log.commits(stream)
        if isinstance(each.hash, bytes) and each.hash.hex().startswith(head.lower())
    ]
    return found[0] if len(found) == 1 else None


def size_of(log: Log, stream: str) -> tuple[int, int, int]:
    """Count the events, commits and bodies that the stream claims to have."""
    last = log.last_commit(stream)
    if last is None:
        return 0, 0, 0
    return last.commit.last_version, last.commit.number, last.commit.next_body


def _to_its_end(check: Iterator[Problem]) -> Iterator[Problem]:
    """Report a log that cannot be read any further as one more problem."""
    try:
        yield from check
    except LogError as exc:
        yield Problem(None, str(exc))


def _problems(log: Log, stream: str, purged: int) -> Iterator[Problem]:
    last = beginning(stream)
    for committed in log.commits(stream):
        if not all(type(value) is int for value in committed.commit[1:]):
            yield Problem(None, f"commit {last.commit.number + 1} has values of an unknown type")
            return
        yield from _gap(last.commit, committed.commit)
        yield from _commit_problems(log, committed, last, purged)
        last = committed
    yield from _beyond(log, last.commit)


def _gap(last: Commit, commit: Commit) -> Iterator[Problem]:
    version = last.last_version + 1
    if commit.number != last.number + 1:
        missing = f"commits {last.number + 1} to {commit.number - 1} are missing"
        yield Problem(version, f"{missing}, before {_span(commit)}")
    elif commit.first_version != version:
        yield Problem(version, f"versions {version} to {commit.first_version - 1} belong to no commit")


def _commit_problems(log: Log, committed: Committed, last: Committed, purged: int) -> Iterator[Problem]:
    """Yield what is wrong with one commit, its events and its bodies."""
    commit = committed.commit
    segments: list[Segment] = []
    bodies: list[Problem] = []
    try:
        for segment in log.segments(commit.stream, last.commit.next_body, commit.next_body):
            segments.append(segment._replace(data=None))
            bodies += _body_problems(segment, purged)
        rows = [*log.rows(commit.stream, commit.first_version, commit.last_version)]
        yield from _spans(rows, commit)
        intact = link(last.hash, commit, rows, [segment[:4] for segment in segments]) == committed.hash
        columns = [*_column_problems(rows)]
    except (LogError, TypeError, ValueError) as exc:
        yield Problem(commit.first_version, f"{_span(commit)}: cannot be read ({exc})")
    else:
        if not intact:
            yield Problem(
                commit.first_version,
                f"{_span(commit)}: an event, a body's hash or the commit itself is not as it was written: "
                "it was changed, added, removed or moved later",
            )
        yield from columns
    yield from bodies


def _span(commit: Commit) -> str:
    return f"versions {commit.first_version} to {commit.last_version}"


def _spans(rows: list[EventTuple], commit: Commit) -> Iterator[Problem]:
    """Check that every version is there, and only once."""
    expected, missing, first = commit.first_version, 0, 0
    for begin, count in sorted((row[1], _length(row)) for row in rows):
        if begin < expected:
            yield Problem(begin, f"version {begin} is there twice")
        elif begin > expected:
            first = first or expected
            missing += begin - expected
        expected = max(expected, begin + count)
    if expected > commit.last_version + 1:
        yield Problem(commit.first_version, f"{_span(commit)}: their events go on to version {expected - 1}")
    if expected <= commit.last_version:
        first = first or expected
        missing += commit.last_version + 1 - expected
    if missing:
        yield Problem(first, f"version {first} is missing{_more(missing)}")


def _length(row: EventTuple) -> int:
    """Return how many events a row says that it holds."""
    answers = _named_in(row).index if row[2] == Page.TYPE else None
    return 2 * len(answers) if isinstance(answers, list) else 1


def _column_problems(rows: list[EventTuple]) -> Iterator[Problem]:
    """Compare the columns beside the data, which views and tools read, with the data itself."""
    wrong = [(row[1], row[3]) for row in rows if not _is_named(row)]
    for version, schema in wrong[:1]:
        yield Problem(
            version,
            f"version {version}: its columns are not those of its data (schema {schema}){_more(len(wrong))}",
        )


def _is_named(row: EventTuple) -> bool:
    named = _named_in(row)
    return row[5] == named.job and row[6] == (None if row[2] == Page.TYPE else named.index)


def _named_in(row: EventTuple) -> _Named:
    """Return what a row's data names: nothing that a row could have, where that is not a JSON object."""
    try:
        return _named(row[7])
    except (msgspec.MsgspecError, UnicodeError, TypeError):
        return _Named(job=_NOTHING)


def _more(count: int) -> str:
    return f", and {count - 1:,} more" if count > 1 else ""


def _body_problems(segment: Segment, purged: int) -> Iterator[Problem]:
    what = _wrong_with(segment, purged)
    if what is not None:
        yield Problem(None, f"bodies {segment.first} to {segment.first + segment.length - 1}: {what}")


def _wrong_with(segment: Segment, purged: int) -> str | None:
    if segment.data is None:
        if segment.first + segment.length <= purged:
            return None
        return "they are missing, and no event says that they were purged"
    try:
        unpack(segment)
    except ChangedBodiesError as exc:
        return str(exc)
    except ValueError as exc:
        return f"they cannot be unpacked ({exc})"
    return None


def _beyond(log: Log, last: Commit) -> Iterator[Problem]:
    for row in log.rows(last.stream, last.last_version + 1):
        yield Problem(row[1], f"version {row[1]} and above belong to no commit")
        break
    for segment in log.segments(last.stream, last.next_body):
        yield Problem(None, f"bodies {segment.first} and above belong to no commit")
        break
