"""The few facts of every item that the page sorts and filters by, column by column."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from batchata.core.money import plain
from batchata.core.state import ItemStatus
from batchata.text import cut
from batchata.views.history import History

_SHORT = {ItemStatus.COMPLETED: "c", ItemStatus.FAILED: "f"}
_ROOM = 8_000_000  # characters for all names together
_NAME = 80


def columns(history: History) -> bytes:
    """Status as one letter an item, attempts, costs (null: unknown), jobs, and why there is no result."""
    run, items = history.run, history.run.items
    kinds = sorted(set(history.errors.values()))
    number = {kind: place for place, kind in enumerate(kinds)}
    jobs = sorted(run.jobs)
    found: dict[str, Any] = {
        "status": "".join(_SHORT.get(ItemStatus(status), "p") for status in items.status),
        "attempts": items.sends.tolist(),
        "cost": [_cost(history, index) for index in range(len(items))],
        "job": items.job.tolist(),
        "kinds": kinds,
        "kind": [number.get(history.errors.get(index, ""), -1) for index in range(len(items))],
        "batches": {job: run.jobs[job].batch_id for job in jobs},
    }
    return msgspec.json.encode(found)


def names_block(names: Iterable[str], total: int) -> bytes:
    """The names of some items as JSON, short enough for all to fit."""
    most = min(_NAME, max(_ROOM // max(total, 1), 8))
    short = [cut(name, most) for name in names]
    try:
        return msgspec.json.encode(short)
    except UnicodeEncodeError:
        return msgspec.json.encode([name.encode(errors="replace").decode() for name in short])


def _cost(history: History, index: int) -> str | None:
    cost = history.run.items.cost(index)
    return None if cost is None else plain(cost)
