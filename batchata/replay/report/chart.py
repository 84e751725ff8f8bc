"""The money of a run over time as a drawing: spent, reserved on top of it, and the limit."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from batchata.core.money import EXACT, quotient
from batchata.replay.report.html import Html, join, tag, text, time
from batchata.replay.report.size_budget import block
from batchata.replay.report.timeline import Chronicle, Point
from batchata.text import usd

_WIDTH, _HEIGHT = 1000, 200
_COLUMNS = 400  # of the drawing; of the points in one column the highest and the last are drawn
_LIMIT_SHOWN = 4  # times the highest cost: a limit beyond that would press the rest to the ground


def chart(chronicle: Chronicle) -> Html:
    """The drawing with its legend; its data follow as a block, from which the page reads single moments."""
    run = chronicle.history.run
    points = _thinned(chronicle.money, run.started_at, run.updated_at)
    highest = max((p.both for p in points), default=Decimal(0))
    limit = max((p.limit for p in points if p.limit is not None), default=None)
    if not highest:
        return tag("p", text("Nothing was spent and nothing reserved."))
    drawn = limit is not None and limit <= EXACT.multiply(highest, _LIMIT_SHOWN)
    top = max(highest, limit) if drawn and limit is not None else highest
    scale = _Scale(
        run.started_at, max(run.updated_at - run.started_at, 1), EXACT.multiply(top, Decimal("1.04"))
    )
    return join(
        [
            _legend(limit, drawn),
            tag(
                "div",
                join([_axis(top), _drawing(points, scale, run.updated_at, drawn), _times(scale)]),
                class_="chart",
            ),
            _moments(points),
        ]
    )


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


def _drawing(points: Sequence[Point], scale: _Scale, end: int, with_limit: bool) -> Html:
    last = points[-1]
    label = f"Cost over time: at the end {usd(last.spent)} spent and {usd(last.held)} reserved"
    shapes = [
        _area("held", [(p.at, p.both) for p in points], scale, end),
        _area("spent", [(p.at, p.spent) for p in points], scale, end),
    ]
    if with_limit:
        steps = [(p.at, p.limit) for p in points]
        shapes.append(tag("path", Html(""), class_="limit", d=_limit_path(steps, scale, end)))
    shapes.append(Html('<line class="cursor" y1="0" y2="200" hidden></line>'))
    return tag(
        "svg",
        join(shapes),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
        id="money",
    )


def _area(name: str, steps: list[tuple[int, Decimal]], scale: _Scale, end: int) -> Html:
    """A staircase: an amount holds until the next event."""
    path = f"M{scale.x(steps[0][0])} {_HEIGHT}"
    for at, amount in steps:
        path += f"H{scale.x(at)}V{scale.y(amount)}"
    return tag("path", Html(""), class_=name, d=f"{path}H{scale.x(end)}V{_HEIGHT}Z")


def _limit_path(steps: list[tuple[int, Decimal | None]], scale: _Scale, end: int) -> str:
    path, drawn = "", None
    for at, limit in steps:
        if limit != drawn and drawn is not None:
            path += f"H{scale.x(at)}"
        if limit != drawn and limit is not None:
            path += f"V{scale.y(limit)}" if drawn is not None else f"M{scale.x(at)} {scale.y(limit)}"
        drawn = limit
    return path if drawn is None else f"{path}H{scale.x(end)}"


def _legend(limit: Decimal | None, drawn: bool) -> Html:
    keys = [("spent", "spent"), ("held", "reserved: what open requests may still cost at worst")]
    if limit is not None:
        keys.append(("limit", f"limit {usd(limit)}" + ("" if drawn else ", far above what is drawn here")))
    return tag(
        "ul",
        join(
            tag("li", join([tag("i", Html(""), class_=f"key {name}", aria_hidden="true"), text(words)]))
            for name, words in keys
        ),
        class_="legend",
    )


def _axis(top: Decimal) -> Html:
    rough = (
        top.quantize(Decimal(1).scaleb(top.adjusted() - 2, EXACT), context=EXACT)
        if top.adjusted() < 3
        else top
    )
    return tag("p", join([tag("span", text(usd(rough))), tag("span", text("$0"))]), class_="amounts")


def _times(scale: _Scale) -> Html:
    return tag("p", join([time(scale.start), time(scale.start + scale.length)]), class_="times")


def _moments(points: Sequence[Point]) -> Html:
    rows = [
        (p.at // 1000, usd(p.spent), usd(p.held), None if p.limit is None else usd(p.limit)) for p in points
    ]
    slider = tag("input", type="range", id="moment", min=0, max=len(rows) - 1, value=len(rows) - 1, step=1)
    return join(
        [
            tag("p", join([tag("label", text("At one moment"), for_="moment"), slider]), class_="moment"),
            tag("p", Html(""), id="moment-text", role="status"),
            Html(block("money", msgspec.json.encode(rows)).decode()),
        ]
    )
