"""Draw the money of a run over time: spent, reserved on top of it, and the limit."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
from markupsafe import Markup

from batchata.core.money import EXACT, quotient
from batchata.replay.report.size_budget import block
from batchata.replay.report.timeline import Chronicle, Point
from batchata.text import usd

_WIDTH, _HEIGHT = 1000, 200
_COLUMNS = 400  # of the drawing; of the points in one column the highest and the last are drawn
_LIMIT_SHOWN = 4  # times the highest cost: a limit beyond that would press the rest to the ground


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
    """Round to three digits, which is enough for an axis."""
    if top.adjusted() >= 3:
        return top
    return top.quantize(Decimal(1).scaleb(top.adjusted() - 2, EXACT), context=EXACT)


def _moments(points: Sequence[Point]) -> Markup:
    rows = [
        (p.at // 1000, usd(p.spent), usd(p.held), None if p.limit is None else usd(p.limit)) for p in points
    ]
    return Markup(block("money", msgspec.json.encode(rows)).decode())
