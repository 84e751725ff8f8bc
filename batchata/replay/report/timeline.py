"""Collect what a run's events tell and its state does not keep: money over time, polls, attempts."""

from __future__ import annotations

from array import array
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from batchata.core import events as e
from batchata.core.money import EXACT
from batchata.log.port import Log
from batchata.replay.events import sentence
from batchata.views.history import History, read_history
from batchata.views.moments import At

_ROUTINE = (
    e.ItemsAdded,
    e.ItemRefused,
    e.ItemMended,
    e.SubmissionStarted,
    e.BatchSubmitted,
    e.BatchPolled,
    e.OutcomeRecorded,
    e.CostCharged,
    e.JobCompleted,
)
_MOST_TURNS = 150  # kept of the first, and as many of the last


class Point(NamedTuple):
    """The money at one time (microseconds): USD spent, reserved or withheld, and the limit then, if any."""

    at: int
    spent: Decimal
    held: Decimal
    limit: Decimal | None

    @property
    def both(self) -> Decimal:
        """What is spent and held."""
        return EXACT.add(self.spent, self.held)


class Turn(NamedTuple):
    """An event out of the ordinary course of a run, in words."""

    version: int
    at: int
    type: str
    text: str


@dataclass(slots=True)
class Chronicle:
    """A run's history, and beside it what only the events in their order tell."""

    history: History = field(default_factory=History)
    money: list[Point] = field(default_factory=list)
    polls: dict[int, array[int]] = field(default_factory=dict)  # job -> times
    ended: dict[int, int] = field(default_factory=dict)  # job -> when a poll first said that it has ended
    first_turns: list[Turn] = field(default_factory=list)
    last_turns: deque[Turn] = field(default_factory=lambda: deque(maxlen=_MOST_TURNS))
    turns: int = 0
    _held: dict[int, Decimal] = field(default_factory=dict)
    _all_held: Decimal = Decimal(0)
    # Outcomes, charges and mendings of each item as a chain, the newest first: 16 bytes for each.
    _newest: array[int] = field(default_factory=lambda: array("q"))
    _versions: array[int] = field(default_factory=lambda: array("q"))
    _before: array[int] = field(default_factory=lambda: array("q"))

    def take(self, stream: str, version: int, at: int, event: e.Event) -> None:
        """Take one more event."""
        self.history.advance(stream, version, at, event)
        if not isinstance(event, _ROUTINE):
            self._turn(version, at, event)
        match event:
            case e.ItemsAdded():
                self._newest.extend([-1] * event.count)
            case e.OutcomeRecorded() | e.CostCharged() | e.ItemMended():
                self._before.append(self._newest[event.index])
                self._newest[event.index] = len(self._versions)
                self._versions.append(version)
            case e.BatchPolled():
                self.polls.setdefault(event.job, array("q")).append(at)
                if event.status == "ended":
                    self.ended.setdefault(event.job, at)
            case _:
                pass
        self._count(at, event)

    def attempts_of(self, index: int) -> list[int]:
        """Return the versions of the outcomes, charges and mendings of an item, oldest first."""
        found: list[int] = []
        node = self._newest[index]
        while node >= 0:
            found.append(self._versions[node])
            node = self._before[node]
        return found[::-1]

    def _turn(self, version: int, at: int, event: e.Event) -> None:
        turn = Turn(version, at, event.TYPE, sentence(event))
        self.turns += 1
        if len(self.first_turns) < _MOST_TURNS:
            self.first_turns.append(turn)
        else:
            self.last_turns.append(turn)

    def _count(self, at: int, event: e.Event) -> None:
        """Note the money whenever it has changed; events of one commit share a time, and so a point."""
        run = self.history.run
        job = run.jobs.get(getattr(event, "job", -1))
        if job is not None:
            more = EXACT.subtract(job.held, self._held.get(job.number, Decimal(0)))
            self._all_held = EXACT.add(self._all_held, more)
            self._held[job.number] = job.held
        limit = None if run.settings is None or run.settings.max_cost is None else run.settings.max_cost
        point = Point(
            at, run.spent, EXACT.add(self._all_held, run.withheld), None if limit is None else Decimal(limit)
        )
        if self.money and self.money[-1][1:] == point[1:]:
            return
        if self.money and self.money[-1].at == at:
            self.money.pop()
        self.money.append(point)


def read_chronicle(log: Log, stream: str, at: At | None) -> Chronicle:
    """Read the run as it was at a moment, or as it is.

    Raises LogError for events that contradict each other, InvalidInputError for a moment it does not have.
    """
    upto = read_history(log, stream, at).run.version
    chronicle = Chronicle()
    for version, when, event in log.events(stream):
        if version > upto:
            break
        chronicle.take(stream, version, when, event)
    return chronicle
