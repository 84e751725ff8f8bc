"""Collect what a run's events say and its state does not keep: attempts, polls, money over time."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from markupsafe import Markup

from batchata.core import events as e
from batchata.core.money import EXACT, quotient
from batchata.log.port import Log
from batchata.replay.report.size_budget import block
from batchata.replay.sentences import sentence
from batchata.text import usd
from batchata.views.history import At, History, read_history

_ROUTINE = (
    e.ItemsAdded,
    e.ItemRefused,
    e.ItemMended,
    e.SubmissionStarted,
    e.InputUploaded,
    e.BatchSubmitted,
    e.BatchPolled,
    e.OutcomeRecorded,
    e.AnswerAccepted,
    e.CostCharged,
    e.JobCompleted,
    e.CitationsChecked,
)
_MOST_TURNS = 150  # kept of the first, and as many of the last


_WIDTH, _HEIGHT = 1000, 200
_COLUMNS = 400  # of the drawing; of the points in one column the highest and the last are drawn
_LIMIT_SHOWN = 4  # times the highest cost: a limit beyond that would press the rest to the ground


class Point(NamedTuple):
    """The money at one time (microseconds): USD spent, reserved or withheld, and the limit then, if any."""

    at: int
    spent: Decimal
    held: Decimal
    limit: Decimal | None

    @property
    def both(self) -> Decimal:
        """What is spent and held together."""
        return EXACT.add(self.spent, self.held)


class Turn(NamedTuple):
    """An event out of the ordinary course of a run, in words."""

    version: int
    at: int
    type: str
    text: str


@dataclass(slots=True)
class Chronicle:
    """A run's history, and what only its events in their order tell."""

    history: History = field(default_factory=History)
    money: list[Point] = field(default_factory=list)
    polls: dict[int, array[int]] = field(default_factory=dict)  # job -> times
    ended: dict[int, int] = field(default_factory=dict)  # job -> when a poll first said that it has ended
    first_turns: list[Turn] = field(default_factory=list)
    last_turns: deque[Turn] = field(default_factory=lambda: deque(maxlen=_MOST_TURNS))
    turns: int = 0
    _held: dict[int, Decimal] = field(default_factory=dict)
    _all_held: Decimal = Decimal(0)
    # What is told of each item as a chain, the newest first: 16 bytes for each outcome, charge and such.
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
            case e.OutcomeRecorded() | e.CostCharged() | e.ItemMended() | e.AnswerAccepted():
                self._before.append(self._newest[event.index])
                self._newest[event.index] = len(self._versions)
                self._versions.append(version)
            case e.BatchPolled():
                self.polls.setdefault(event.job, array("q")).append(at)
                if event.status == "ended":
                    self.ended.setdefault(event.job, at)
            case e.SubmissionUnknown():  # what was polled may have been another's batch
                self.polls.pop(event.job, None)
                self.ended.pop(event.job, None)
            case _:
                pass
        self._count(at, event)

    def attempts_of(self, index: int) -> list[int]:
        """Return the versions of the outcomes, charges, mendings and acceptances of an item, oldest first."""
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


def chart(chronicle: Chronicle) -> dict[str, Any] | None:
    """Draw the chart with its legend, and add its data as a block, from which the page reads single moments.

    None when nothing was spent and nothing reserved.
    """
    run = chronicle.history.run
    points = _thinned(chronicle.money, run.started_at, run.updated_at)
    highest = max((p.both for p in points), default=Decimal(0))
    limit = max((p.limit for p in points if p.limit is not None), default=None)
    if not highest:
        return None
    drawn = limit is not None and limit <= EXACT.multiply(highest, _LIMIT_SHOWN)
    top = max(highest, limit) if drawn and limit is not None else highest
    length = max(run.updated_at - run.started_at, 1)
    scale = _Scale(run.started_at, length, EXACT.multiply(top, Decimal("1.04")))
    last = points[-1]
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "legend": _legend(limit, drawn),
        "label": f"Cost over time: at the end {usd(last.spent)} spent and {usd(last.held)} reserved",
        "top": usd(_rounded(top)),
        "paths": _paths(points, scale, run.updated_at, drawn),
        "start": scale.start,
        "end": scale.start + length,
        "last": len(points) - 1,
        "moments": _moments(points),
    }


class _Scale:
    def __init__(self, start: int, length: int, top: Decimal) -> None:
        self.start, self.length, self.top = start, length, top

    def x(self, at: int) -> str:
        return f"{(at - self.start) * _WIDTH / self.length:.1f}"

    def y(self, amount: Decimal) -> str:
        return f"{_HEIGHT - float(quotient(amount, self.top)) * _HEIGHT:.1f}"


def _thinned(points: Sequence[Point], start: int, end: int) -> list[Point]:
    width = max((end - start) // _COLUMNS, 1)
    columns: dict[int, tuple[Point, Point]] = {}
    for point in points:
        column = (point.at - start) // width
        highest, _ = columns.get(column, (point, point))
        higher = point if point.both >= highest.both else highest
        columns[column] = higher, point
    return sorted({point.at: point for pair in columns.values() for point in pair}.values())


def _paths(points: Sequence[Point], scale: _Scale, end: int, with_limit: bool) -> list[tuple[str, str]]:
    held = _area([(p.at, p.both) for p in points], scale, end)
    spent = _area([(p.at, p.spent) for p in points], scale, end)
    limit = [("limit", _limit_path([(p.at, p.limit) for p in points], scale, end))] if with_limit else []
    return [("held", held), ("spent", spent), *limit]


def _area(steps: list[tuple[int, Decimal]], scale: _Scale, end: int) -> str:
    """Draw a staircase: an amount holds until the next event."""
    path = f"M{scale.x(steps[0][0])} {_HEIGHT}"
    for at, amount in steps:
        path += f"H{scale.x(at)}V{scale.y(amount)}"
    return f"{path}H{scale.x(end)}V{_HEIGHT}Z"


def _limit_path(steps: list[tuple[int, Decimal | None]], scale: _Scale, end: int) -> str:
    path, drawn = "", None
    for at, limit in steps:
        if limit != drawn and drawn is not None:
            path += f"H{scale.x(at)}"
        if limit != drawn and limit is not None:
            path += f"V{scale.y(limit)}" if drawn is not None else f"M{scale.x(at)} {scale.y(limit)}"
        drawn = limit
    return path if drawn is None else f"{path}H{scale.x(end)}"


def _legend(limit: Decimal | None, drawn: bool) -> list[tuple[str, str]]:
    keys = [("spent", "spent"), ("held", "reserved: what open requests may still cost at worst")]
    if limit is not None:
        keys.append(("limit", f"limit {usd(limit)}" + ("" if drawn else ", far above what is drawn here")))
    return keys


def _rounded(top: Decimal) -> Decimal:
    """Round to three digits, enough for an axis."""
    if top.adjusted() >= 3:
        return top
    return top.quantize(Decimal(1).scaleb(top.adjusted() - 2, EXACT), context=EXACT)


def _moments(points: Sequence[Point]) -> Markup:
    rows = [
        (p.at // 1000, usd(p.spent), usd(p.held), None if p.limit is None else usd(p.limit)) for p in points
    ]
    return Markup(block("money", msgspec.json.encode(rows)).decode())
