"""Gather one item's history from the log: what was asked, every attempt, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from batchata.core import events as e
from batchata.core.ranges import holds
from batchata.core.retry import noted_in
from batchata.core.values import RequestError
from batchata.errors import InvalidInputError
from batchata.log.port import Log, Recorded
from batchata.text import number_of
from batchata.views.history import History
from batchata.views.response_models import RunReader
from batchata.views.results import ItemResult, read_items

_decode = msgspec.json.Decoder().decode


@dataclass(slots=True)
class Attempt:
    """One job that carried the item. Times are microseconds since 1970 UTC, None for what has not happened.

    `note` is what the request said about the answer before it, `max_tokens` the limit of its own answer.
    `fate` says in a word how it ended.
    """

    number: int
    job: int
    custom_id: str
    started_at: int
    note: str | None
    max_tokens: int
    batch_id: str | None = None
    submitted_at: int | None = None
    polls: int = 0
    answered_at: int | None = None
    fate: str = "sending"
    error: RequestError | None = None
    outcome: e.OutcomeRecorded | None = None
    charge: e.CostCharged | None = None
    retry: e.RetryScheduled | None = None


@dataclass(slots=True)
class Life:
    """Everything that the log holds of one item; `input` is None once purged."""

    index: int
    history: History
    added_at: int = 0
    attempts: list[Attempt] = field(default_factory=list)
    retries: list[Recorded] = field(default_factory=list)
    input: dict[str, Any] | None = None
    item: ItemResult | None = None
    mended_after: int = 0  # attempts, which concerned another file
    by_job: dict[int, Attempt] = field(default_factory=dict)

    @property
    def result(self) -> ItemResult:
        """Status, result, citations, cost and the stored line."""
        assert self.item is not None
        return self.item


def read_life(log: Log, stream: str, index: int, model: str | None) -> Life:
    """Read the item's history, its answer with the run's own response model, or with `model` (module:Class).

    The attempts of an item that shares the request of an earlier one are those of that one.

    Raises InvalidInputError when the run has no such item.
    """
    life = Life(index, History())
    for recorded in log.events(stream):
        life.history.advance(stream, *recorded)
        _take(life, recorded)
    run = life.history.run
    if index >= run.total:
        there = f"it has {run.total:,}, 0 to {run.total - 1}" if run.total else "it has none"
        raise InvalidInputError(f"the run {stream!r} has no item {index}: {there}")
    if (original := run.items.same_as.get(index)) is not None:
        shared = read_life(log, stream, original, model)
        life.attempts, life.retries, life.by_job = shared.attempts, shared.retries, shared.by_job
    (body,) = log.bodies(stream, [run.input_body(index)])
    life.input = None if body is None else _decode(body)
    how = RunReader.of(run, model)
    (life.item,) = read_items(log, run, [index], how.reader, again=how.again)
    return life


def _take(life: Life, recorded: Recorded) -> None:
    at, event = recorded.at, recorded.event
    match event:
        case e.ItemsAdded() if event.first <= life.index < event.first + event.count:
            life.added_at = at
        case e.ItemMended() if event.index == life.index:
            life.mended_after = len(life.attempts)
        case e.SubmissionStarted() if holds(event.items, life.index):
            _begin(life, at, event)
        case e.RetryScheduled() if holds(event.items, life.index):
            life.retries.append(recorded)
            if life.attempts:
                life.attempts[-1].retry = event
        case e.OutcomeRecorded() | e.CostCharged():
            if event.index == life.index and event.job in life.by_job:
                _answer(life.by_job[event.job], at, event)
        case _:
            attempt = life.by_job.get(getattr(event, "job", -1))
            if attempt is not None:
                _follow(attempt, at, event)


def _begin(life: Life, at: int, event: e.SubmissionStarted) -> None:
    run = life.history.run
    answered = [a.outcome for a in life.attempts[life.mended_after :] if a.outcome is not None]
    custom_id = event.custom_ids.replace("{index}", str(life.index))
    note = noted_in(answered[-1] if answered else None, run, event.job)
    limit = run.max_tokens_in(event.job)
    attempt = Attempt(len(life.attempts) + 1, event.job, custom_id, at, note, limit)
    life.attempts.append(attempt)
    life.by_job[event.job] = attempt


def _answer(attempt: Attempt, at: int, event: e.OutcomeRecorded | e.CostCharged) -> None:
    if isinstance(event, e.CostCharged):
        attempt.charge = event
    else:
        attempt.outcome, attempt.answered_at = event, at
        attempt.fate, attempt.error = event.kind, event.error


def _follow(attempt: Attempt, at: int, event: e.Event) -> None:
    """Follow the job that carries the item, up to the item's answer."""
    if attempt.outcome is not None:
        return
    match event:
        case e.BatchSubmitted() | e.SubmissionSettled(verdict="adopted"):
            attempt.batch_id, attempt.submitted_at = event.batch_id, at
            attempt.fate, attempt.error = "processing", None
        case e.SubmissionSettled():
            attempt.fate, attempt.answered_at = "never arrived", at
        case e.SubmissionFailed():
            attempt.fate, attempt.error, attempt.answered_at = "not sent", event.error, at
        case e.SubmissionUnknown():
            attempt.fate, attempt.error = "unknown", event.error
        case e.JobAbandoned():
            attempt.fate, attempt.answered_at = "abandoned", at
        case e.BatchPolled():
            attempt.polls += 1
        case _:
            pass


_MOST_DATA = 200  # characters of a text in JSON beyond which base64 is only counted


class Document(NamedTuple):
    """A document or image of a request; what is not known of it is None."""

    name: str
    media_type: str | None = None
    size: int | None = None
    pages: int | None = None
    sha256: str | None = None
    path: str | None = None

    def __str__(self) -> str:
        if self.sha256 == "":
            return f"{self.name} (cannot be used)"
        facts = [self.media_type or ""]
        facts.append("" if self.pages is None else number_of(self.pages, "page"))
        facts.append("" if self.size is None else f"{self.size:,} bytes")
        facts.append("" if self.sha256 is None else f"sha256 {self.sha256[:12]}…")
        told = ", ".join(fact for fact in facts if fact)
        return f"{self.name} ({told})" if told else self.name


def documents(item: dict[str, Any]) -> list[Document]:
    """Return the documents and images in the order of the request, which is how citations count documents."""
    file = item.get("file")
    if file is not None:
        known = {key: file.get(key) for key in Document._fields}
        return [Document(**known)]
    return [_document(block) for block in _blocks(item) if block.get("type") in ("document", "image")]


def turns(item: dict[str, Any]) -> list[tuple[str, str]]:
    """Yield each message's role and text; what is not text is named in brackets."""
    return [
        (message["role"], "\n".join(map(_text, _content(message)))) for message in item.get("messages", [])
    ]


def shortened(value: Any) -> Any:
    """Return the input as JSON values, with the bytes of documents counted instead of shown."""
    if isinstance(value, list):
        return [shortened(part) for part in value]
    if not isinstance(value, dict):
        return value
    is_bytes = value.get("type") == "base64" or "sha256" in value
    return {
        key: f"({len(part):,} characters of base64)"
        if is_bytes and key == "data" and len(part) > _MOST_DATA
        else shortened(part)
        for key, part in value.items()
    }


def _document(block: dict[str, Any]) -> Document:
    source = block.get("source") or {}
    kind = source.get("media_type") or source.get("type")
    size = len(source["data"]) * 3 // 4 if source.get("type") == "base64" else None
    name = block.get("title") or source.get("url") or source.get("file_id") or f"untitled {block['type']}"
    return Document(name, kind, size)


def _blocks(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for message in item.get("messages", []):
        yield from _content(message)


def _content(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _text(block: dict[str, Any]) -> str:
    return block["text"] if block.get("type") == "text" else f"[{block.get('type')}]"
