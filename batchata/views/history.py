"""Gather what the events of one run say up to any moment: the folded state, and what it does not keep."""

from __future__ import annotations

import os
import re
import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain

from batchata.core import events as e
from batchata.core.evolve import MISFITS, evolve, fold
from batchata.core.pages import Entry, Page
from batchata.core.ranges import count
from batchata.core.state import ItemStatus, Run
from batchata.core.values import Process, RequestError
from batchata.errors import InvalidInputError, LogError
from batchata.log.port import Log, Written
from batchata.text import moment

_BACK = re.compile(r"-(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)(?:m|min))?(?:(\d+)s)?")
_UNITS = (86_400, 3_600, 60, 1)  # seconds, in the order of the groups
_LAST = 2**62


@dataclass(frozen=True, slots=True)
class At:
    """The state after event `version`, or after the last event up to `time` (microseconds since 1970 UTC)."""

    text: str
    version: int | None = None
    time: int | None = None

    def __str__(self) -> str:
        return self.text

    def includes(self, version: int, at: int) -> bool:
        """Whether an event of this version and time had happened by then."""
        if self.version is not None:
            return version <= self.version
        return self.time is not None and at <= self.time


def parse_at(text: str, now: int) -> At:
    """Parse the moment that a text names: "120", "2026-11-22T10:00" (UTC by default) or "-1h30m".

    Raises InvalidInputError.
    """
    text = text.strip()
    if text.isascii() and text.isdecimal():
        version = int(text[:20])
        if not 1 <= version <= _LAST:
            raise InvalidInputError(f"there is no version {text[:20]}: versions count 1, 2, 3, …")
        return At(f"version {version}", version=version)
    back = _BACK.fullmatch(text) if len(text) < 40 else None
    if back and any(back.groups()):
        seconds = sum(int(n) * unit for n, unit in zip(back.groups(), _UNITS, strict=True) if n)
        return At(text, time=now - seconds * 1_000_000)
    try:
        when = datetime.fromisoformat(text)
    except ValueError as exc:
        raise InvalidInputError(
            f"{text!r} is not a time; give one like 2026-11-26T10:00 (UTC), -1h or an event number"
        ) from exc
    return At(text, time=microseconds(when))


def microseconds(when: datetime) -> int:
    """Return a time as microseconds since 1970 UTC; without a zone it is UTC."""
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
    delta = when - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def is_alive(process: Process | None) -> bool | None:
    """Whether a process of that number exists here; None when it ran on another host or that is unknown."""
    # Elsewhere than on POSIX, os.kill(pid, 0) is not a question but a signal.
    if process is None or os.name != "posix" or process.host != socket.gethostname() or process.pid <= 0:
        return None
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    except OverflowError:
        return None
    return True


@dataclass(slots=True)
class History:
    """One run as its events tell it."""

    run: Run = field(default_factory=Run)
    process: Process | None = None  # the last that took the run up
    starts: int = 0
    killed: int = 0  # starts whose process ended without a word in the log, before the last start
    retries: Counter[str] = field(default_factory=Counter)  # items sent again, by reason
    errors: dict[int, str] = field(default_factory=dict)  # item -> why its last answer is unusable
    refusals: dict[int, RequestError] = field(default_factory=dict)  # job -> why it became no batch

    def advance(self, stream: str, version: int, at: int, event: Entry) -> None:
        """Take one more event, or a page of them.

        Raises LogError when it does not fit those before it.
        """
        if isinstance(event, e.RunStarted | e.RunResumed):
            self.starts += 1
            self.killed += self.run.status == "running"
        try:
            evolve(self.run, version, at, event)
        except MISFITS as exc:
            raise LogError(
                f"event {version} of {stream!r} ({event.TYPE}) does not fit those before it; "
                "the log was changed from outside: use a copy of it"
            ) from exc
        self._take(event)

    def _take(self, event: Entry) -> None:
        """Note what the state does not keep."""
        match event:
            case e.OutcomeRecorded(error=None) | e.AnswerAccepted():
                self._forgive(event.index)
            case Page():
                self._forgive(*event.index)
            case e.ItemMended():
                self.errors.pop(event.index, None)
            case e.OutcomeRecorded(error=RequestError() as error) | e.ItemRefused(error=error):
                self.errors.update(dict.fromkeys(self.run.family(event.index), error.kind))
            case e.ItemsAdded(same_as=same_as):
                for index, original in same_as:
                    if original in self.errors:
                        self.errors[index] = self.errors[original]
            case e.RetryScheduled():
                self.retries[event.reason] += count(event.items)
            case e.SubmissionFailed() | e.SubmissionUnknown() | e.BatchFailed():
                self.refusals[event.job] = event.error
            case e.RunStarted() | e.RunResumed():
                self.process = event.process
            case _:
                pass

    def _forgive(self, *answered: int) -> None:
        """Drop the errors of items that have an answer now, and of those that share their requests."""
        if self.errors:
            for index in chain.from_iterable(map(self.run.family, answered)):
                self.errors.pop(index, None)

    def failures(self) -> dict[str, list[int]]:
        """Return the failed items, by why their last answer is unusable."""
        found: dict[str, list[int]] = {}
        for index in sorted(self.errors):
            if self.run.items.status[index] == ItemStatus.FAILED:
                found.setdefault(self.errors[index], []).append(index)
        return found


def read_history(log: Log, stream: str, at: At | None = None) -> History:
    """Read everything that the stream's events say, up to a moment of its past if one is given.

    Raises LogError when they contradict each other, InvalidInputError for a moment that the
    run does not have.
    """
    history = History()
    read_on(history, log, stream, at)
    return history


def fold_events(log: Log, stream: str) -> Run:
    """Return the state after all events of the stream, and nothing besides.

    Raises LogError when they contradict each other.
    """
    try:
        return fold(log.entries(stream))
    except MISFITS as exc:
        raise LogError(f"the events of {stream!r} do not fit each other; `verify` says where") from exc


def up_to(entries: Iterable[Written], at: At | None) -> Iterator[Written]:
    """Yield the entries; a page that the moment cuts is yielded event by event."""
    for written in entries:
        version, when, entry = written
        if at is None or not isinstance(entry, Page) or at.includes(version + entry.length - 1, when):
            yield written
        else:
            yield from (Written(place, when, event) for place, event in enumerate(entry.expand(), version))


def read_on(history: History, log: Log, stream: str, at: At | None) -> None:
    """Take what follows in the stream, up to a moment if one is given; raises what `read_history` does."""
    for version, when, event in up_to(log.entries(stream, after=history.run.version), at):
        if at is not None and not at.includes(version, when):
            if version == 1:
                raise InvalidInputError(
                    f"the run {stream!r} began only at {moment(when)}; {at} is before that"
                )
            return
        history.advance(stream, version, when, event)
    if at is not None and at.version is not None and at.version > history.run.version:
        last = history.run.version
        raise InvalidInputError(f"the run {stream!r} has {last:,} events; give a version from 1 to {last}")
