"""Prepare what the page shows of each item: its input, cited values, and every attempt at it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from batchata.answers.answer import calls_as_text, joined_text
from batchata.answers.reader import Citations, Reader
from batchata.core.money import plain_if_known
from batchata.core.state import SETTLED_KINDS, ItemStatus, Run
from batchata.core.values import Usage
from batchata.errors import IncompleteResultsError
from batchata.log.port import Log
from batchata.providers.port import Dialect
from batchata.providers.registry import dialect_of
from batchata.replay.report.pictures import has_places
from batchata.replay.report.timeline import Chronicle
from batchata.text import ITEM_STATUS, cut, number_of, usage_in_words, usd
from batchata.views.cited_answer import place_of, when_checked
from batchata.views.history import History
from batchata.views.item_history import Attempt, read_answered
from batchata.views.item_inputs import Input, describe
from batchata.views.item_result import ItemResult, Support, flat, result_values
from batchata.views.results import read_items

_SHORT = {ItemStatus.COMPLETED: "c", ItemStatus.FAILED: "f"}
_ROOM = 8_000_000  # characters for all names together
_SHOWN_NAME = 80


def columns(history: History) -> bytes:
    """Return columns of items: status as a letter, attempts, costs (null: unknown), jobs, failure kinds."""
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
    """Return the names of some items as JSON, short enough for all to fit."""
    most = min(_SHOWN_NAME, max(_ROOM // max(total, 1), 8))
    short = [cut(name, most) for name in names]
    try:
        return msgspec.json.encode(short)
    except UnicodeEncodeError:
        return msgspec.json.encode([name.encode(errors="replace").decode() for name in short])


def _cost(history: History, index: int) -> str | None:
    cost = history.run.items.cost(index)
    return plain_if_known(cost)


_UNCHARGED = usd("0")  # until its charge follows; what has none was free


class Answered(msgspec.Struct, array_like=True):
    """One answer, or the lack of one, in milliseconds. `told` is the note about the previous answer."""

    job: int
    batch: str | None
    at: int
    outcome: str
    error: str
    cost: str
    used: str
    told: str


def _answered(attempt: Attempt) -> Answered:
    outcome, charge = attempt.outcome, attempt.charge
    assert outcome is not None
    free = _UNCHARGED if outcome.kind in SETTLED_KINDS else "not known"
    later = " (read again and accepted)" if attempt.accepted_at is not None else ""
    used = {} if charge is None else {kind: getattr(charge, kind) for kind in Usage.__struct_fields__}
    return Answered(
        job=attempt.job,
        batch=attempt.batch_id,
        at=(attempt.answered_at or 0) // 1000,
        outcome=outcome.kind if outcome.stop_reason is None else f"{outcome.kind} ({outcome.stop_reason})",
        error="" if outcome.error is None else f"{outcome.error.kind}: {outcome.error.message}{later}",
        cost=free if charge is None else usd(charge.amount),
        used=usage_in_words(used),
        told=attempt.note or "",
    )


class Cited(msgspec.Struct, array_like=True):
    """One citation: the passage, where it stands, whether it was found there, and whether it says the value.

    None for what cannot be told.
    """

    text: str
    place: str
    grounded: bool | None
    supports: bool | None


class Record(msgspec.Struct, array_like=True):
    """One item as the page reads it. Each of `fields` is (path, text, whether the text is a JSON literal)."""

    input: Input
    fields: list[tuple[str, str, bool]]
    citations: list[tuple[str, list[Cited]]]
    answer: str | None  # as received, where there is no result
    note: str
    attempts: list[Answered]
    unsupported: list[str]
    uncited: list[str]


def read_records(
    log: Log, stream: str, chronicle: Chronicle, indexes: Sequence[int], reader: Reader, placed: list[int]
) -> Iterator[Record]:
    """Read the items at these indexes, in this order; those whose citations name places go into `placed`."""
    run = chronicle.history.run
    assert run.started is not None
    dialect = dialect_of(run.started)
    inputs = [describe(body) for body in log.bodies(stream, map(run.input_body, indexes))]
    originals = [run.items.same_as.get(index, index) for index in indexes]
    versions = {index: chronicle.attempts_of(index) for index in originals}
    attempts = read_answered(log, stream, run, versions)
    found = read_items(log, run, indexes, reader, again=False)
    for item, shown, original in zip(found, inputs, originals, strict=True):
        if has_places(item.citations):
            placed.append(item.index)
        yield _record(run, dialect, item, shown, attempts[original])


def _record(run: Run, dialect: Dialect, item: ItemResult, shown: Input, attempts: list[Attempt]) -> Record:
    answer = _answer(item.raw, dialect) if item.result is None and item.raw is not None else None
    return Record(
        input=shown,
        fields=[] if item.result is None else [*flat(result_values(item.result))],
        citations=_citations(item.citations),
        answer=answer,
        note=_note(run, item),
        attempts=[_answered(attempt) for attempt in attempts],
        **Support.of(item)._asdict(),
    )


def _note(run: Run, item: ItemResult) -> str:
    shared = "" if item.same_as is None else f"; it shares the request of item {item.same_as}"
    return _standing(run, item) + shared


def _standing(run: Run, item: ItemResult) -> str:
    state = ItemStatus(run.items.status[item.index])
    if state is ItemStatus.COMPLETED and item.result is None:
        if item.raw is None:
            return "completed; its answer was purged from the log"
        return "completed; the run's own model could read this answer, the schema in the log cannot"
    if state is ItemStatus.SENT:
        job = run.jobs[run.items.job[item.index]]
        return f"sent in job {job.number} ({job.batch_id or 'no batch known'}), no answer yet"
    error = "" if item.error is None else f": {item.error.kind}: {item.error.message}"
    return ITEM_STATUS[state.name.lower()] + error


def _answer(line: bytes, dialect: Dialect) -> str | None:
    try:
        return joined_text(calls_as_text(dialect.blocks(line))) or None
    except (IncompleteResultsError, msgspec.MsgspecError, UnicodeError):  # a line in no shape that we know
        return line.decode(errors="replace")


def _citations(citations: Citations) -> list[tuple[str, list[Cited]]]:
    if not citations:
        return []
    groups = citations.items() if isinstance(citations, dict) else [("", citations)]
    return [
        (path, [Cited(c.cited_text, place_of(c) + when_checked(c), c.grounded, c.supports) for c in found])
        for path, found in groups
    ]


def encode(record: Record) -> bytes:
    """Encode the record as one line of JSON; half characters, which UTF-8 cannot hold, become escapes."""
    try:
        return msgspec.json.encode(record)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(record)).encode()


def shortened(record: Record, characters: int | None, entries: int | None) -> Record:
    """Cut each text of the record to so many characters, and each list to so many entries."""
    if characters is None or entries is None:
        return record

    def text(value: str) -> str:
        return cut(value, characters)

    fields = [(path, text(value), literal) for path, value, literal in record.fields[:entries]]
    if len(record.fields) > entries:
        fields.append(("…", f"and {number_of(len(record.fields) - entries, 'more value')}", True))
    return Record(
        input=msgspec.structs.replace(
            record.input, name=text(record.input.name), text=text(record.input.text)
        ),
        fields=fields,
        citations=[
            (path, [Cited(text(c.text), text(c.place), c.grounded, c.supports) for c in found[:entries]])
            for path, found in record.citations[:entries]
        ],
        answer=None if record.answer is None else text(record.answer),
        note=text(record.note),
        attempts=[
            msgspec.structs.replace(attempt, error=text(attempt.error), told=text(attempt.told))
            for attempt in record.attempts[:entries]
        ],
        unsupported=[text(path) for path in record.unsupported[:entries]],
        uncited=[text(path) for path in record.uncited[:entries]],
    )
