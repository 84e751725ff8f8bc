"""Why items of a run failed: the kinds of errors with an example each, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from batchata.core.events import ItemRefused, OutcomeRecorded
from batchata.core.state import ItemStatus, Run
from batchata.log.port import Log
from batchata.logs import get_logger
from batchata.projections.wording import number_of
from batchata.text import short

_logger = get_logger()
_MOST_KINDS = 5


@dataclass(slots=True)
class Failure:
    """Failed items of one kind, and the first of them."""

    kind: str
    items: int
    index: int
    message: str


def failures(log: Log, run: Run) -> list[Failure]:
    """The kinds of errors of all failed items, the most frequent first."""
    if run.started is None or not run.failed:
        return []
    versions = sorted(
        {
            run.items.outcome[index]
            for index, status in enumerate(run.items.status)
            if status == ItemStatus.FAILED and run.items.outcome[index]
        }
    )
    kinds: dict[str, Failure] = {}
    for recorded in log.events_at(run.started.run_id, versions):
        event = recorded.event
        if isinstance(event, OutcomeRecorded | ItemRefused) and event.error is not None:
            known = kinds.setdefault(
                event.error.kind, Failure(event.error.kind, 0, event.index, event.error.message)
            )
            known.items += len(run.family(event.index))
            if event.index < known.index:
                known.index, known.message = event.index, event.error.message
    return sorted(kinds.values(), key=lambda each: -each.items)


def warn_of(found: list[Failure], run: Run, place: Callable[[int], str]) -> None:
    """One warning a kind in the log tree; `place` names an item."""
    for each in found[:_MOST_KINDS]:
        _logger.warning(
            "items_failed",
            run=None if run.started is None else run.started.run_id,
            kind=each.kind,
            items=each.items,
            example=place(each.index),
            error=short(each.message),
            remedy="manager.retry_failed()",
        )


def failure_lines(
    found: list[Failure], run: Run, place: Callable[[int], str], path: Path | None
) -> Iterator[str]:
    """What failed, why, and what to do next, for the account of the run."""
    if not found:
        return
    pending = f", {run.pending:,} pending" if run.pending else ""
    yield f"result    {run.completed:,} of {number_of(run.total, 'item')}; {run.failed:,} failed{pending}:"
    for each in found[:_MOST_KINDS]:
        more = f" and {each.items - 1:,} more" if each.items > 1 else ""
        yield f"          {each.kind}: {place(each.index)}{more}: {short(each.message)}"
    if len(found) > _MOST_KINDS:
        yield f"          and {number_of(len(found) - _MOST_KINDS, 'other kind')} of error"
    look = "" if path is None else f"     look: {_command(path, found[0].index)}"
    yield f"          again: manager.retry_failed(){look}"


def _command(path: Path, index: int) -> str:
    return f"python -m batchata.replay item {shlex.quote(str(path))} {index}"
