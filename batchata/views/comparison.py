"""Compare two runs over the same inputs, field by field, and runs with known values."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from batchata.core.state import Run
from batchata.log.port import Log
from batchata.views.item_result import ItemResult, flat, result_values
from batchata.views.known_values import Contest, Known, Labels, Score, contests, is_exact, score
from batchata.views.response_models import RunReader
from batchata.views.results import read_items, refuse_purged

_MOST_ITEMS = 10  # that differ most, shown side by side


@dataclass(slots=True)
class Side:
    """One run of a comparison; amounts in USD, `cost` is None when a price was unknown."""

    run_id: str
    model: str
    total: int
    completed: int
    failed: int
    pending: int
    failures: dict[str, int]
    unsupported_fields: int
    uncited_fields: int
    usage: dict[str, int]
    cost: Decimal | None
    seconds: float
    items: list[Known] = field(repr=False)


@dataclass(slots=True)
class Agreement:
    """How often the paired items of two runs have the same value in a field."""

    path: str
    agree: int = 0
    differ: int = 0
    only_first: int = 0
    only_second: int = 0


@dataclass(slots=True)
class Difference:
    """A pair of items with the fields in which they differ: path, both values, and both values' passages."""

    first: int
    second: int
    name: str
    fields: list[tuple[str, str | None, str | None, list[str], list[str]]]


@dataclass(slots=True)
class Comparison:
    """Two runs side by side, or one with known values; fields in the order in which results have them."""

    sides: list[Side]
    pairs: int = 0
    unpaired: tuple[int, int] = (0, 0)
    fields: list[Agreement] = field(default_factory=list)
    items: list[Difference] = field(default_factory=list)
    scores: list[list[Score]] = field(default_factory=list)  # one list for each side
    contests: list[Contest] = field(default_factory=list)


def read_side(log: Log, run: Run) -> Side:
    """Read a run with all of its items.

    Raises LogError when its answers were purged.
    """
    refuse_purged(run)
    assert run.started is not None
    started, how = run.started, RunReader.of(run, None)
    bodies = log.bodies(started.run_id, [run.input_body(index) for index in range(run.total)])
    found: list[Known] = []
    failures: Counter[str] = Counter()
    looked = [0, 0]
    for item, body in zip(
        read_items(log, run, range(run.total), how.reader, again=False), bodies, strict=True
    ):
        found.append(_known(item, body))
        if item.status == "failed" and item.error is not None:
            failures[item.error.kind] += 1
        looked = [looked[0] + len(item.unsupported), looked[1] + len(item.uncited)]
    return Side(
        run_id=started.run_id,
        model=started.model,
        total=run.total,
        completed=run.completed,
        failed=run.failed,
        pending=run.pending,
        failures=dict(failures.most_common()),
        unsupported_fields=looked[0],
        uncited_fields=looked[1],
        usage=dict(run.usage),
        cost=run.total_cost,
        seconds=(run.updated_at - run.started_at) / 1e6,
        items=found,
    )


def _known(item: ItemResult, body: bytes | None) -> Known:
    given: dict[str, Any] = msgspec.json.decode(body or b"{}")
    file = given.get("file") or {}
    digest = file.get("sha256") or hashlib.sha256(msgspec.json.encode(given.get("messages"))).hexdigest()
    cited = item.citations if isinstance(item.citations, dict) else {}
    values = () if item.result is None else flat(result_values(item.result))
    return Known(
        index=item.index,
        names=tuple({str(name): None for name in (given.get("key"), file.get("name")) if name}),
        digest=str(digest),
        status=item.status,
        values={path: text for path, text, is_literal in values if not (is_literal and text == "null")},
        passages={path: [citation.cited_text for citation in found] for path, found in cited.items()},
    )


def compare_sides(sides: Sequence[Side], labels: Sequence[Labels] = ()) -> Comparison:
    """Compare two runs with each other, and each with its labels if they are given."""
    found = Comparison(list(sides))
    if len(sides) == 2:
        _pair(found, *sides)
    found.scores = [score(side.items, known) for side, known in zip(sides, labels, strict=False)]
    if len(found.scores) == 2:
        found.contests = list(contests([side.items for side in sides], labels))
    return found


def _pair(found: Comparison, first: Side, second: Side) -> None:
    """Pair items of the same input in the order in which they come."""
    waiting: dict[str, list[Known]] = defaultdict(list)
    for item in reversed(second.items):
        waiting[item.digest].append(item)
    pairs = [(item, waiting[item.digest].pop()) for item in first.items if waiting.get(item.digest)]
    found.pairs = len(pairs)
    found.unpaired = (len(first.items) - len(pairs), len(second.items) - len(pairs))
    fields: dict[str, Agreement] = {}
    for one, other in pairs:
        differing = []
        for path in dict.fromkeys([*one.values, *other.values]):
            mine, theirs = one.values.get(path), other.values.get(path)
            counted = fields.setdefault(path, Agreement(path))
            if _count(counted, mine, theirs):
                passages = one.passages.get(path, []), other.passages.get(path, [])
                differing.append((path, mine, theirs, *passages))
        if differing:
            found.items.append(Difference(one.index, other.index, one.name or other.name, differing))
    found.fields = list(fields.values())
    found.items = sorted(found.items, key=lambda item: -len(item.fields))[:_MOST_ITEMS]


def _count(counted: Agreement, mine: str | None, theirs: str | None) -> bool:
    """Count a pair of values; return whether they differ."""
    if mine is None:
        counted.only_second += 1
    elif theirs is None:
        counted.only_first += 1
    elif is_exact(mine, theirs):
        counted.agree += 1
        return False
    else:
        counted.differ += 1
    return True


def side_by_side(sides: Sequence[Side]) -> list[tuple[str, list[str]]]:
    """Return what is reported of each run, with a heading."""
    rows: list[tuple[str, list[Any]]] = [
        ("completed", [side.completed for side in sides]),
        ("failed", [side.failed for side in sides]),
        ("pending", [side.pending for side in sides]),
        ("unsupported", [side.unsupported_fields for side in sides]),
        ("uncited", [side.uncited_fields for side in sides]),
    ]
    kinds = dict.fromkeys(kind for side in sides for kind in side.failures)
    rows += [(f"failed: {kind}", [side.failures.get(kind, 0) for side in sides]) for kind in kinds]
    tokens = dict.fromkeys(kind for side in sides for kind, count in side.usage.items() if count)
    rows += [(kind.replace("_", " "), [side.usage.get(kind, 0) for side in sides]) for kind in tokens]
    return [(name, [f"{value:,}" for value in values]) for name, values in rows]


def scores_by_field(scores: Sequence[Sequence[Score]]) -> list[tuple[str, list[Score | None]]]:
    """Return the scores of each field, one for each run."""
    paths = dict.fromkeys(found.path for side in scores for found in side)
    known = [{found.path: found for found in side} for side in scores]
    return [(path, [side.get(path) for side in known]) for path in paths]
