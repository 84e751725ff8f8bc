"""Prepare what the page shows of each item: its input, cited values, and every attempt at it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import pydantic

from batchata.answers.answer import calls_as_text, joined_text
from batchata.answers.reader import Citations, Reader
from batchata.core import events as e
from batchata.core.money import plain
from batchata.core.retry import noted_in
from batchata.core.state import SETTLED_KINDS, ItemStatus, Run
from batchata.core.values import Usage
from batchata.errors import IncompleteResultsError
from batchata.log.port import Log
from batchata.providers.port import Dialect
from batchata.providers.registry import dialect_of
from batchata.replay.report.timeline import Chronicle
from batchata.text import ITEM_STATUS, cut, number_of, usage_in_words, usd
from batchata.views.cited_answer import place_of
from batchata.views.history import History
from batchata.views.results import ItemResult, flat, read_items


class Input(msgspec.Struct, array_like=True):
    """An input for a reader: its name, its kind, and the text that was sent, if it was text."""

    name: str
    kind: str
    text: str


class _File(msgspec.Struct):
    name: str = ""
    media_type: str = ""
    size: int = 0
    pages: int | None = None


class _Part(msgspec.Struct):
    type: str = ""
    text: str | None = None
    title: str | None = None


class _Message(msgspec.Struct):
    role: str = ""
    content: str | list[_Part] = ""


class _Body(msgspec.Struct):
    file: _File | None = None
    messages: list[_Message] = []


_decode = msgspec.json.Decoder(_Body).decode
_NAME = 300  # characters; the table shows fewer


def describe(body: bytes | None) -> Input:
    """Describe the input in this body of the log; None when it was purged."""
    if body is None:
        return Input("", "purged from the log", "")
    try:
        found = _decode(body)
    except (msgspec.MsgspecError, UnicodeError):  # a shape of message that we do not know
        return Input("", "messages", body.decode(errors="replace"))
    if found.file is not None:
        return _file(found.file)
    return _messages(found.messages)


def _file(file: _File) -> Input:
    if not file.media_type:
        return Input(file.name, "a file that cannot be used", "")
    pages = "" if file.pages is None else f", {number_of(file.pages, 'page')}"
    return Input(file.name, f"{file.media_type}{pages}, {file.size:,} bytes", "")


def _messages(messages: list[_Message]) -> Input:
    """Name messages by the last user turn."""
    texts = [(message.role, _text(message.content)) for message in messages]
    last = next((text for role, text in reversed(texts) if role == "user"), "")
    kind = number_of(len(messages), "message")
    said = texts[0][1] if len(texts) == 1 else "\n\n".join(f"{role}: {text}" for role, text in texts)
    return Input(" ".join(last[: 2 * _NAME].split())[:_NAME], kind, said)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = [part.text if part.text is not None else f"({part.title or part.type})" for part in content]
    return "\n".join(parts)


_SHORT = {ItemStatus.COMPLETED: "c", ItemStatus.FAILED: "f"}
_ROOM = 8_000_000  # characters for all names together
_SHOWN_NAME = 80


def columns(history: History) -> bytes:
    """Return status as one letter an item, attempts, costs (null: unknown), jobs, and reasons of failures."""
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
    return None if cost is None else plain(cost)


_UNCHARGED = usd("0")  # until its charge follows; what has none was free


class Attempt(msgspec.Struct, array_like=True):
    """One answer, or the lack of one, in milliseconds.

    `told` is the note in the request about the answer before it.
    """

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
    """Read the attempts at each of these items, oldest first."""
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


class Cited(msgspec.Struct, array_like=True):
    """One citation: the passage, where it stands, and whether it was found there (None: not known)."""

    text: str
    place: str
    grounded: bool | None


class Record(msgspec.Struct, array_like=True):
    """One item as the page reads it. Each of `fields` is (path, text, whether the text is a JSON literal)."""

    input: Input
    fields: list[tuple[str, str, bool]]
    citations: list[tuple[str, list[Cited]]]
    answer: str | None  # as received, where there is no result
    note: str
    attempts: list[Attempt]


def read_records(
    log: Log, stream: str, chronicle: Chronicle, indexes: Sequence[int], reader: Reader
) -> Iterator[Record]:
    """Read the items at these indexes, in this order."""
    run = chronicle.history.run
    assert run.started is not None
    dialect = dialect_of(run.started)
    inputs = [describe(body) for body in log.bodies(stream, map(run.input_body, indexes))]
    originals = [run.items.same_as.get(index, index) for index in indexes]
    attempts = read_attempts(log, stream, chronicle, sorted(set(originals)))
    found = read_items(log, run, indexes, reader, again=False)
    for item, shown, original in zip(found, inputs, originals, strict=True):
        yield _record(run, dialect, item, shown, attempts[original])


def _record(run: Run, dialect: Dialect, item: ItemResult, shown: Input, attempts: list[Attempt]) -> Record:
    answer = _answer(item.raw, dialect) if item.result is None and item.raw is not None else None
    return Record(
        input=shown,
        fields=[] if item.result is None else _fields(item.result),
        citations=_citations(item.citations),
        answer=answer,
        note=_note(run, item),
        attempts=attempts,
    )


def _note(run: Run, item: ItemResult) -> str:
    shared = "" if item.same_as is None else f"; it shares the request of item {item.same_as}"
    return _standing(run, item) + shared


def _standing(run: Run, item: ItemResult) -> str:
    state = ItemStatus(run.items.status[item.index])
    if state is ItemStatus.COMPLETED and item.result is None:
        if item.raw is None:
            return "completed; its answer was purged from the log"
        return "completed; the run's own model read this answer, the schema in the log does not"
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


def _fields(result: Any) -> list[tuple[str, str, bool]]:
    if isinstance(result, pydantic.BaseModel):
        result = result.model_dump(mode="json")
    return [*flat(result)]


def _citations(citations: Citations) -> list[tuple[str, list[Cited]]]:
    if not citations:
        return []
    groups = citations.items() if isinstance(citations, dict) else [("", citations)]
    return [(path, [Cited(c.cited_text, place_of(c), c.grounded) for c in found]) for path, found in groups]


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
            (path, [Cited(text(c.text), text(c.place), c.grounded) for c in found[:entries]])
            for path, found in record.citations[:entries]
        ],
        answer=None if record.answer is None else text(record.answer),
        note=text(record.note),
        attempts=[
            msgspec.structs.replace(attempt, error=text(attempt.error), told=text(attempt.told))
            for attempt in record.attempts[:entries]
        ],
    )
