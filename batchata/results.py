"""What a log's stored answers say: one typed result per item, parsed again whenever it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import batched
from typing import Any, cast

from batchata.core.events import OutcomeRecorded, RequestError, Usage
from batchata.core.state import ItemStatus, Run
from batchata.log.port import Log
from batchata.output.reading import Citations, Reader, Reading, Result
from batchata.providers.anthropic.lines import decode_line

# Results come back in any order, so the answers of neighbouring items lie in segments all over the log.
# Within a window they are read in the order in which they are stored: each segment is unpacked once.
_WINDOW = 2_000

_NO_ANSWER = Reading(None, None)


@dataclass(frozen=True, slots=True)
class ItemResult:
    """Everything known of one item.

    `status` is "completed", "failed" or "pending". `error` says why the last answer was no good, with a
    stable `kind` and a readable `message`; a pending item that waits for another attempt has one too.
    `cost` is in USD over all attempts, None when a price was unknown. `raw` is the provider's result line
    of the last attempt, as received.
    """

    index: int
    status: str
    result: Result
    citations: Citations
    error: RequestError | None
    usage: Usage | None
    cost: Decimal | None
    attempts: int
    stop_reason: str | None
    raw: bytes | None

    def entry(self) -> dict[str, Any]:
        """The item as `results()` shows it."""
        return {"result": self.result, "citations": self.citations}


def read_items(
    log: Log, run: Run, indexes: Iterable[int], reader: Reader, *, again: bool
) -> Iterator[ItemResult]:
    """The items at these indexes, in this order.

    With `again` the reader is another than the run's own, and its verdict on an answer counts.
    """
    for window in batched(indexes, _WINDOW):
        outcomes = _last_outcomes(log, run, window)
        lines = _lines(log, run, outcomes.values())
        for index in window:
            outcome = outcomes.get(index)
            line = None if outcome is None or outcome.body is None else lines[outcome.body]
            yield _item(run, index, outcome, line, reader, again)


def _last_outcomes(log: Log, run: Run, indexes: Sequence[int]) -> dict[int, OutcomeRecorded]:
    assert run.started is not None
    versions = sorted(version for index in indexes if (version := run.items.outcome[index]))
    recorded = (cast(OutcomeRecorded, r.event) for r in log.events_at(run.started.run_id, versions))
    return {event.index: event for event in recorded}


def _lines(log: Log, run: Run, outcomes: Iterable[OutcomeRecorded]) -> dict[int, bytes | None]:
    assert run.started is not None
    numbers = sorted(outcome.body for outcome in outcomes if outcome.body is not None)
    return dict(zip(numbers, log.bodies(run.started.run_id, numbers), strict=True))


def _item(
    run: Run, index: int, outcome: OutcomeRecorded | None, line: bytes | None, reader: Reader, again: bool
) -> ItemResult:
    status = _status(run, index)
    reading = _NO_ANSWER
    if line is not None and outcome is not None and (status == "completed" or again):
        reading = _read(outcome, line, reader)
        if status != "pending":
            status = "failed" if reading.error else "completed"
    elif outcome is not None:
        reading = Reading(None, None, outcome.error)
    return ItemResult(
        index=index,
        status=status,
        result=reading.result,
        citations=reading.citations,
        error=reading.error,
        usage=None if outcome is None else outcome.usage,
        cost=run.items.cost(index),
        attempts=run.items.sends[index],
        stop_reason=None if outcome is None else outcome.stop_reason,
        raw=line,
    )


def _read(outcome: OutcomeRecorded, line: bytes, reader: Reader) -> Reading:
    if outcome.kind != "succeeded":
        return Reading(None, None, outcome.error)
    return reader.read(decode_line(line).blocks, outcome.stop_reason)


def _status(run: Run, index: int) -> str:
    match run.items.status[index]:
        case ItemStatus.COMPLETED:
            return "completed"
        case ItemStatus.FAILED:
            return "failed"
        case _:
            return "pending"


def never_started(count: int) -> Iterator[ItemResult]:
    """The items of a run that has not begun."""
    for index in range(count):
        yield ItemResult(index, "pending", None, None, None, None, Decimal(0), 0, None, None)
