"""Read a log's stored answers, item by item, anew at each call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import batched
from typing import Any, cast

from batchata.answers.reader import Reader, Reading
from batchata.core.events import ItemRefused, OutcomeRecorded
from batchata.core.state import ItemStatus, Run
from batchata.errors import LogError
from batchata.inputs import Inputs
from batchata.log.port import Log
from batchata.providers.port import Dialect
from batchata.providers.registry import dialect_of
from batchata.views.citation_checks import CitationChecks
from batchata.views.item_inputs import called
from batchata.views.item_result import Entry, ItemResult, Status, Support, entry

# Results come back in any order, so the answers of neighbouring items lie in segments all over the log.
# Within a window they are read in the order in which they are stored: each segment is unpacked once.
_WINDOW = 2_000

_NOTHING = Reading(None, None)


@dataclass(slots=True)
class SupportCounts:
    """How many fields of a run's results are unsupported and uncited, and in how many items.

    Answers never change, so each is read once, however often the counts are asked for.
    """

    unsupported_fields: int = 0
    uncited_fields: int = 0
    items_to_look_at: int = 0
    _counted: set[int] = field(default_factory=set)  # items

    def read(self, log: Log, run: Run, reader: Reader) -> None:
        """Count what was answered since the last time."""
        assert run.started is not None
        body, dialect = run.items.body, dialect_of(run.started)
        done = [i for i, status in enumerate(run.items.status) if status == ItemStatus.COMPLETED]
        new = [i for i in done if i not in self._counted and body[i] >= run.purged]
        for window in batched(new, _WINDOW):
            lines = _lines(log, run, (body[i] for i in window))
            for index in window:
                line = lines.get(body[index])
                self._counted.add(index)
                if line is not None:
                    self._add(Support.of(reader.read_taken(dialect.blocks(line)).checked_in(None)))

    def _add(self, found: Support) -> None:
        self.unsupported_fields += len(found.unsupported)
        self.uncited_fields += len(found.uncited)
        self.items_to_look_at += bool(found.unsupported or found.uncited)


def refuse_purged(run: Run) -> None:
    """Refuse to show completed items without their result because it was purged.

    Raises LogError when answers of completed items were purged.
    """
    if run.purged and any(0 <= body < run.purged for body in run.items.body):
        assert run.started is not None
        raise LogError(
            f"the answers of the run {run.started.run_id!r} were purged from the log: its history and costs "
            "are there, its results are not; a results_dir written before still has them"
        )


def read_entries(log: Log, run: Run, indexes: Iterable[int], reader: Reader) -> Iterator[Reading]:
    """Read result and citations of the items at these indexes, in this order, as the run judged them."""
    body, status, checks = run.items.body, run.items.status, CitationChecks.of(log, run)
    for window in batched(indexes, _WINDOW):
        lines = _lines(log, run, (body[i] for i in window if status[i] == ItemStatus.COMPLETED))
        for index in window:
            line = lines.get(body[index])
            yield _NOTHING if line is None else _taken(index, line, reader, checks)


def read_all(log: Log, run: Run, reader: Reader, known: dict[int, Any]) -> list[Entry[Any]]:
    """Return the results of all items, in their order; they are read in the order of the log.

    `known` has results that need not be read, by body; each is handed out once.
    """
    items, checks = run.items, CitationChecks.of(log, run)
    entries: list[Entry[Any]] = [{"result": None, "citations": None} for _ in range(run.total)]
    to_read: list[tuple[int, int]] = []
    for index, (status, body) in enumerate(zip(items.status, items.body, strict=True)):
        if status == ItemStatus.COMPLETED and body in known:
            entries[index]["result"] = known.pop(body)
        elif status == ItemStatus.COMPLETED and body >= 0:
            to_read.append((body, index))
    for window in batched(sorted(to_read), _WINDOW):
        lines = _lines(log, run, (body for body, _ in window))
        for body, index in window:
            line = lines[body]
            if line is not None:
                entries[index] = entry(_taken(index, line, reader, checks))
    return entries


def read_items(
    log: Log, run: Run, indexes: Iterable[int], reader: Reader, *, again: bool
) -> Iterator[ItemResult]:
    """Read the items at these indexes, in this order.

    With `again` the reader is not the run's own, and its verdict on an answer counts.
    """
    assert run.started is not None
    checks = CitationChecks.of(log, run)
    for window in batched(indexes, _WINDOW):
        outcomes = _last_outcomes(log, run, window)
        lines = _lines(log, run, (run.items.body[index] for index in window))
        inputs = log.bodies(run.started.run_id, [run.input_body(index) for index in window])
        for index, body in zip(window, inputs, strict=True):
            line = lines.get(run.items.body[index])
            outcome = outcomes.get(run.items.outcome[index])
            yield _item(run, index, body, outcome, line, checks, reader, again)


def _last_outcomes(log: Log, run: Run, indexes: Sequence[int]) -> dict[int, OutcomeRecorded | ItemRefused]:
    assert run.started is not None
    versions = sorted({version for index in indexes if (version := run.items.outcome[index])})
    recorded = log.events_at(run.started.run_id, versions)
    return {r.version: cast("OutcomeRecorded | ItemRefused", r.event) for r in recorded}


def _lines(log: Log, run: Run, bodies: Iterable[int]) -> dict[int, bytes | None]:
    assert run.started is not None
    numbers = sorted({body for body in bodies if body >= 0})
    return dict(zip(numbers, log.bodies(run.started.run_id, numbers), strict=True))


def _item(
    run: Run,
    index: int,
    body: bytes | None,
    outcome: OutcomeRecorded | ItemRefused | None,
    line: bytes | None,
    checks: CitationChecks,
    reader: Reader,
    again: bool,
) -> ItemResult:
    status = _status(run, index)
    same_as = run.items.same_as.get(index)
    reading = Reading(None, None, None if outcome is None else outcome.error)
    if line is not None and isinstance(outcome, OutcomeRecorded) and (again or status == "completed"):
        dialect = checks.dialect
        reading = _read(outcome, line, dialect, reader) if again else reader.read_taken(dialect.blocks(line))
        if reading.citations:
            reading = checks.told(index, reading, line, body)
        if again and status != "pending":
            status = "failed" if reading.error else "completed"
    known = called(body, index)
    return ItemResult(
        index=index,
        status=status,
        result=reading.result,
        citations=reading.citations,
        error=reading.error,
        usage=None if not isinstance(outcome, OutcomeRecorded) or same_as is not None else outcome.usage,
        cost=run.items.cost(index),
        attempts=run.items.sends[index],
        stop_reason=outcome.stop_reason if isinstance(outcome, OutcomeRecorded) else None,
        raw=line,
        same_as=same_as,
        name=known.name,
        source=known.source,
        row=known.row,
    )


def _read(outcome: OutcomeRecorded, line: bytes, dialect: Dialect, reader: Reader) -> Reading:
    if outcome.kind != "succeeded":
        return Reading(None, None, outcome.error)
    return reader.read(dialect.outcome(line).blocks, outcome.stop_reason)


def _taken(index: int, line: bytes, reader: Reader, checks: CitationChecks) -> Reading:
    """Read an accepted answer, with what its citations were found to be."""
    reading, run = reader.read_taken(checks.dialect.blocks(line)), checks.run
    if not reading.citations:
        return reading
    (asked,) = checks.log.bodies(checks.stream, [run.input_body(index)])
    return checks.told(index, reading, line, asked)


def _status(run: Run, index: int) -> Status:
    match run.items.status[index]:
        case ItemStatus.COMPLETED:
            return "completed"
        case ItemStatus.FAILED:
            return "failed"
        case _:
            return "pending"


def never_started(inputs: Inputs, indexes: Iterable[int]) -> Iterator[ItemResult]:
    """Yield items that are in no log yet."""
    for index in indexes:
        known = inputs.called(index)._asdict()
        yield ItemResult(index, "pending", None, None, None, None, Decimal(0), 0, None, None, **known)
