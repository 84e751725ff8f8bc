"""Every answered attempt at an item: what came back, from which batch, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from batchata.core import events as e
from batchata.core.feedback import noted_in
from batchata.core.state import SETTLED_KINDS
from batchata.core.values import Usage
from batchata.log.port import Log
from batchata.replay.report.chronicle import Chronicle
from batchata.replay.wording import usage_in_words, usd

_UNCHARGED = usd("0")  # until its charge follows; what has none was free


class Attempt(msgspec.Struct, array_like=True):
    """One answer, or that none came. `at` is in milliseconds; `told` is what the request said of the answer
    before it."""

    job: int
    batch: str | None
    at: int
    outcome: str
    error: str
    cost: str
    used: str
    told: str


def read_attempts(
    log: Log, stream: str, chronicle: Chronicle, indexes: Sequence[int]
) -> dict[int, list[Attempt]]:
    """The attempts at each of these items, oldest first."""
    run = chronicle.history.run
    found: dict[int, list[Attempt]] = {index: [] for index in indexes}
    before: dict[int, e.OutcomeRecorded] = {}
    versions = sorted(version for index in indexes for version in chronicle.attempts_of(index))
    for _, at, event in log.events_at(stream, versions):
        match event:
            case e.OutcomeRecorded():
                told = noted_in(before.get(event.index), run, event.job) or ""
                found[event.index].append(_attempt(run.jobs[event.job].batch_id, at, event, told))
                before[event.index] = event
            case e.ItemMended():
                before.pop(event.index, None)
            case e.CostCharged():
                attempt = found[event.index][-1]
                attempt.cost = usd(event.amount)
                attempt.used = usage_in_words(
                    {kind: getattr(event, kind) for kind in Usage.__struct_fields__}
                )
            case _:
                pass
    return found


def _attempt(batch: str | None, at: int, event: e.OutcomeRecorded, told: str) -> Attempt:
    return Attempt(
        job=event.job,
        batch=batch,
        at=at // 1000,
        outcome=event.kind if event.stop_reason is None else f"{event.kind} ({event.stop_reason})",
        error="" if event.error is None else f"{event.error.kind}: {event.error.message}",
        cost=_UNCHARGED if event.kind in SETTLED_KINDS else "not known",
        used="",
        told=told,
    )
