"""Read stored answers again: of failed items, before another is paid for, and with another model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import batched

import pydantic

from batchata.answers.reader import Reader
from batchata.core.events import AnswerAccepted, ItemMended, OutcomeRecorded
from batchata.core.state import Run
from batchata.errors import BatchataWarning, IncompleteResultsError
from batchata.log.port import Log
from batchata.logs import warn
from batchata.providers.port import Dialect
from batchata.providers.registry import dialect_of
from batchata.text import number_of
from batchata.views.item_result import ItemResult

_WINDOW = 200  # answers in memory at a time


def accepted_now(log: Log, run: Run, reader: Reader, indexes: Sequence[int]) -> list[AnswerAccepted]:
    """Return an event for each of these failed items that has an answer which the reader accepts now.

    An item has the answers to all its attempts, except to a file that has changed since; the newest counts.
    """
    assert run.started is not None
    dialect = dialect_of(run.started)
    found: dict[int, AnswerAccepted] = {}
    answers = _answers(log, run, frozenset(indexes))
    for window in batched(answers, _WINDOW):
        lines = log.bodies(run.started.run_id, [answer.body for answer in window])
        for answer, line in zip(window, lines, strict=True):
            if answer.index not in found and line is not None and _is_accepted(line, dialect, reader):
                found[answer.index] = answer
    return [found[index] for index in sorted(found)]


def _answers(log: Log, run: Run, indexes: frozenset[int]) -> list[AnswerAccepted]:
    """Return what would accept each answer of these items, the newest first."""
    assert run.started is not None
    found: dict[int, list[AnswerAccepted]] = defaultdict(list)
    for recorded in log.events(run.started.run_id, types=[OutcomeRecorded.TYPE, ItemMended.TYPE]):
        event = recorded.event
        if isinstance(event, ItemMended):
            found.pop(event.index, None)
        elif isinstance(event, OutcomeRecorded) and event.index in indexes:
            body = event.body
            if event.kind == "succeeded" and body is not None and body >= run.purged:
                accepted = AnswerAccepted(
                    job=event.job, index=event.index, outcome=recorded.version, body=body
                )
                found[event.index].append(accepted)
    return sorted((one for some in found.values() for one in some), key=lambda one: -one.outcome)


def _is_accepted(line: bytes, dialect: Dialect, reader: Reader) -> bool:
    try:
        outcome = dialect.outcome(line)
    except IncompleteResultsError:
        return False
    return outcome.error is None and reader.judge(outcome.blocks, outcome.stop_reason).error is None


def warned_of_no_fit(items: Iterator[ItemResult], model: type[pydantic.BaseModel]) -> Iterator[ItemResult]:
    """Yield what another model reads from the answers; warn at the end where it fits none of them."""
    fitting, misfits, why = 0, 0, ""
    for item in items:
        fitting += item.status == "completed"
        if item.status == "failed" and item.raw is not None and item.error is not None:
            misfits, why = misfits + 1, why or item.error.message
        yield item
    if misfits and not fitting:
        warn(f"none of {number_of(misfits, 'stored answer')} fits {model.__name__}: {why}", BatchataWarning)
