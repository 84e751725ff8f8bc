"""Verify one run of a log: that it is as it was written, adds up, and gives the same at each replay."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from itertools import batched
from typing import Any, cast

import msgspec

from batchata.core.events import (
    BodiesPurged,
    CitationsChecked,
    ItemMended,
    ItemsAdded,
    OutcomeRecorded,
    StrayOutcomeRecorded,
)
from batchata.core.evolve import fold
from batchata.core.invariants import Audit
from batchata.core.state import Run
from batchata.core.values import tally
from batchata.errors import IncompleteResultsError, LogError, LogVersionError
from batchata.log.port import Log
from batchata.log.verify import Problem, commit_of, size_of, verify
from batchata.providers.port import Dialect
from batchata.providers.registry import dialect_of
from batchata.text import moment


def fingerprint(state: object) -> str:
    """Return a text that is equal for two states that are equal in every part, future parts included."""
    digest = hashlib.sha256()
    _add_to(digest.update, state)
    return digest.hexdigest()


def _add_to(update: Callable[[bytes | memoryview], None], value: Any) -> None:
    if value is None or isinstance(value, str | int):  # most of all values, and told at once
        update(f"{type(value).__name__}({value!r})".encode())
        return
    update(f"{type(value).__name__}(".encode())
    match value:
        case bytes() | bytearray() | array():
            update(memoryview(value))
        case dict():
            # In their order: what follows from it must be the same too.
            for key, inner in value.items():
                _add_to(update, key)
                _add_to(update, inner)
        case list() | tuple():
            for inner in value:
                _add_to(update, inner)
        case msgspec.Struct():
            update(msgspec.json.encode(value))
        case _ if is_dataclass(value):
            for part in fields(value):
                _add_to(update, getattr(value, part.name))
        case _ if hasattr(value, "__dict__"):
            _add_to(update, vars(value))
        case _:
            update(repr(value).encode())
    update(b")")


_MOST = 100  # problems that are told of one kind of check
_WINDOW = 2_000
# The highest body that an event of a type names.
_NAMING_BODIES: dict[str, Callable[[Any], int | None]] = {
    ItemsAdded.TYPE: lambda event: event.first_body + event.count - 1,
    ItemMended.TYPE: lambda event: event.body,
    OutcomeRecorded.TYPE: lambda event: event.body,
    StrayOutcomeRecorded.TYPE: lambda event: event.body,
}


@dataclass(slots=True)
class Verdict:
    """What was found out about one run; `since` is how many events followed the head that was asked for."""

    run_id: str
    events: int
    commits: int
    bodies: int
    purged: int
    head: str | None
    problems: list[Problem] = field(default_factory=list)
    since: int | None = None
    citations: Counter[str] = field(default_factory=Counter)  # by what was found when they were collected
    remarks: list[str] = field(default_factory=list)  # what is odd, and is no sign of a change


def verify_run(log: Log, stream: str, head: str | None, now: int) -> Verdict:
    """Run every check of one run. `head` is a hash that the run once had, `now` in microseconds.

    Raises LogVersionError for events that only a newer Batchata knows.
    """
    audit = Audit(now)
    events_problems = list(_events_problems(log, stream, audit))
    purged = _purged(log, stream)
    verdict = Verdict(stream, *size_of(log, stream), purged, log.head(stream))
    verdict.problems += verify(log, stream, purged)
    verdict.problems += events_problems[:_MOST]
    if not verdict.problems:  # else both replays, and all answers, would stumble over the same
        verdict.problems += _replay_problems(log, stream, audit.run)
        verdict.problems += list(_reference_problems(log, stream, verdict.bodies))[:_MOST]
    if not verdict.problems:
        verdict.problems += list(_answer_problems(log, stream, audit.run, purged))[:_MOST]
        for checked in log.events(stream, types=[CitationsChecked.TYPE]):
            verdict.citations.update(tally(cast("CitationsChecked", checked.event).answers))
    if audit.ahead is not None:
        _tell_of_clock(verdict, *audit.ahead)
    if head is not None:
        version = commit_of(log, stream, head)
        verdict.since = None if version is None else verdict.events - version
    return verdict


def _tell_of_clock(verdict: Verdict, version: int, at: int) -> None:
    """Report events from the future: where all else holds, a clock was wrong then or is wrong now."""
    told = f"version {version}: its time, {moment(at)}, is in the future"
    if verdict.problems:
        verdict.problems.append(Problem(version, told))
    else:
        verdict.remarks.append(f"{told}: the clock was ahead when it was written, or is behind now")


def _purged(log: Log, stream: str) -> int:
    """Bodies numbered below this were purged by a decision."""
    try:
        events = [cast("BodiesPurged", r.event) for r in log.events(stream, types=[BodiesPurged.TYPE])]
    except LogError:  # a damaged event: the chain tells
        return 0
    return max((event.bodies for event in events), default=0)


def _events_problems(log: Log, stream: str, audit: Audit) -> Iterator[Problem]:
    try:
        for version, at, event in log.events(stream):
            for text in audit.take(version, at, event):
                yield Problem(version, f"version {version} ({event.TYPE}): {text}")
    except LogVersionError:
        raise
    except LogError as exc:
        yield Problem(None, str(exc))
        return
    for text in audit.end():
        yield Problem(None, text)


def _replay_problems(log: Log, stream: str, run: Run) -> Iterator[Problem]:
    again = fold(log.entries(stream))  # the audit took pages apart, this does not
    if fingerprint(again) != fingerprint(run):
        yield Problem(None, "two replays of the same events do not give the same state")


def _reference_problems(log: Log, stream: str, bodies: int) -> Iterator[Problem]:
    """Report every body that an event names and that is missing."""
    for version, _, event in log.events(stream, types=[*_NAMING_BODIES]):
        last = _NAMING_BODIES[event.TYPE](event)
        if last is not None and last >= bodies:
            yield Problem(version, f"version {version} ({event.TYPE}): body {last} of {bodies} is missing")


def _answer_problems(log: Log, stream: str, run: Run, purged: int) -> Iterator[Problem]:
    """Compare outcomes with the stored result lines, and these with their items."""
    if run.started is None:
        return
    dialect = dialect_of(run.started)
    outcomes = (
        (recorded.version, cast("OutcomeRecorded", recorded.event))
        for recorded in log.events(stream, types=[OutcomeRecorded.TYPE])
    )
    kept = (
        (version, event) for version, event in outcomes if event.body is not None and event.body >= purged
    )
    for window in batched(kept, _WINDOW):
        ordered = sorted(window, key=lambda pair: pair[1].body or 0)
        lines = log.bodies(stream, [event.body or 0 for _, event in ordered])
        for (version, event), line in zip(ordered, lines, strict=True):
            text = _wrong_with(run, dialect, event, line)
            if text is not None:
                yield Problem(version, f"version {version} (outcome_recorded): {text}")


def _wrong_with(run: Run, dialect: Dialect, event: OutcomeRecorded, line: bytes | None) -> str | None:
    if line is None:
        return f"its result line, body {event.body}, is missing"
    try:
        outcome = dialect.outcome(line)
    except IncompleteResultsError as exc:
        return f"its result line, body {event.body}, cannot be read ({exc})"
    custom_id = run.jobs[event.job].custom_id(event.index)
    if outcome.custom_id != custom_id:
        return f"body {event.body} is the result of {outcome.custom_id}, not of {custom_id}"
    # An older version may have found no usage where today's finds one: its cost was recorded as unknown.
    usage = outcome.usage if event.usage is not None else None
    if (outcome.kind, usage, outcome.stop_reason) != (event.kind, event.usage, event.stop_reason):
        return f"it differs from its result line, body {event.body}"
    return None
