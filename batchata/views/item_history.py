"""Gather one item's history from the log: what was asked, every attempt, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import msgspec

from batchata.core import events as e
from batchata.core.pages import Page
from batchata.core.ranges import holds
from batchata.core.retry import noted_in
from batchata.core.state import Job, Run
from batchata.core.values import RequestError
from batchata.errors import InvalidInputError
from batchata.log.port import Log
from batchata.views.history import History
from batchata.views.item_result import ItemResult
from batchata.views.response_models import RunReader
from batchata.views.results import read_items

_decode = msgspec.json.Decoder().decode


@dataclass(slots=True)
class Attempt:
    """One job that carried the item. Times are microseconds since 1970 UTC, None for what has not happened.

    `note` is what the request said about the previous answer, `max_tokens` the limit of this one. `fate` is a
    word for how the attempt ended.
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
    accepted_at: int | None = None  # when the answer, refused before, was read again and accepted


@dataclass(slots=True)
class Attempts:
    """The attempts at one item, oldest first, as the events that concern it tell them."""

    index: int
    all: list[Attempt] = field(default_factory=list)
    _by_job: dict[int, Attempt] = field(default_factory=dict)
    _mended_after: int = 0  # attempts, which concerned another file

    def begin(self, run: Run, job: Job) -> None:
        """Add the attempt that this job made."""
        answered = [a.outcome for a in self.all[self._mended_after :] if a.outcome is not None]
        attempt = Attempt(
            number=len(self.all) + 1,
            job=job.number,
            custom_id=job.custom_id(self.index),
            started_at=job.started_at,
            note=noted_in(answered[-1] if answered else None, run, job.number),
            max_tokens=run.max_tokens_in(job.number),
            batch_id=job.batch_id,
        )
        self.all.append(attempt)
        self._by_job[job.number] = attempt

    def take(self, at: int, event: e.Event) -> None:
        """Take one more event, of this item or of any other."""
        attempt = self._by_job.get(getattr(event, "job", -1))
        match event:
            case e.ItemMended(index=self.index):
                self._mended_after = len(self.all)
            case e.RetryScheduled() if self.all and holds(event.items, self.index):
                self.all[-1].retry = event
            case e.OutcomeRecorded() | e.CostCharged() | e.AnswerAccepted():
                if attempt is not None and event.index == self.index:
                    _answer(attempt, at, event)
            case _ if attempt is not None and attempt.outcome is None:
                _follow(attempt, at, event)
            case _:
                pass


@dataclass(slots=True)
class Life:
    """Everything that the log holds of one item; `input` is None once purged."""

    index: int
    history: History
    added_at: int
    attempts: list[Attempt]
    input: dict[str, Any] | None
    result: ItemResult  # status, result, citations, cost and the stored line


def read_life(log: Log, stream: str, index: int, model: str | None) -> Life:
    """Read the item's history, and its answer by the run's own response model or by `model` (module:Class).

    An item that shares the request of an earlier one has that item's attempts. Raises InvalidInputError when
    the run has no such item.
    """
    history, attempts, added_at = History(), Attempts(index), 0
    for version, at, event in log.entries(stream):
        history.advance(stream, version, at, event)
        if isinstance(event, Page):
            for about in event.about(index):
                attempts.take(at, about)
            continue
        if isinstance(event, e.SubmissionStarted) and holds(event.items, index):
            attempts.begin(history.run, history.run.jobs[event.job])
        elif isinstance(event, e.ItemsAdded) and event.first <= index < event.first + event.count:
            added_at = at
        attempts.take(at, event)
    run = history.run
    if index >= run.total:
        there = f"it has {run.total:,}, 0 to {run.total - 1}" if run.total else "it has none"
        raise InvalidInputError(f"the run {stream!r} has no item {index}: {there}")
    original = run.items.same_as.get(index)
    shared = attempts.all if original is None else read_life(log, stream, original, model).attempts
    (body,) = log.bodies(stream, [run.input_body(index)])
    how = RunReader.of(run, model)
    (result,) = read_items(log, run, [index], how.reader, again=how.again)
    return Life(index, history, added_at, shared, None if body is None else _decode(body), result)


def read_answered(
    log: Log, stream: str, run: Run, versions: Mapping[int, Sequence[int]]
) -> dict[int, list[Attempt]]:
    """Read the attempts at several items that were answered, by the versions of the events about each item.

    These are its outcomes, charges, corrected files and acceptances; a job that ended without an answer is
    not among them.
    """
    found = {index: Attempts(index) for index in versions}
    for _, at, event in log.events_at(stream, sorted(chain.from_iterable(versions.values()))):
        if isinstance(event, e.OutcomeRecorded | e.CostCharged | e.ItemMended | e.AnswerAccepted):
            item = found[event.index]
            if isinstance(event, e.OutcomeRecorded):
                item.begin(run, run.jobs[event.job])
            item.take(at, event)
    return {index: item.all for index, item in found.items()}


def _answer(attempt: Attempt, at: int, event: e.OutcomeRecorded | e.CostCharged | e.AnswerAccepted) -> None:
    if isinstance(event, e.CostCharged):
        attempt.charge = event
    elif isinstance(event, e.AnswerAccepted):
        attempt.accepted_at, attempt.error = at, None
    else:
        attempt.outcome, attempt.answered_at = event, at
        attempt.fate, attempt.error = event.kind, event.error


def _follow(attempt: Attempt, at: int, event: e.Event) -> None:
    """Follow the job that carries the item, up to the item's answer."""
    match event:
        case e.BatchSubmitted() | e.SubmissionSettled(verdict="adopted"):
            attempt.batch_id, attempt.submitted_at = event.batch_id, at
            attempt.fate, attempt.error = "processing", None
        case e.SubmissionSettled():
            attempt.fate, attempt.answered_at = "never arrived", at
        case e.SubmissionFailed() if attempt.batch_id is None:
            attempt.fate, attempt.error, attempt.answered_at = "not sent", event.error, at
        case e.BatchFailed():
            attempt.fate, attempt.error, attempt.answered_at = "batch failed", event.error, at
        case e.SubmissionUnknown():
            attempt.fate, attempt.error = "unknown", event.error
            attempt.batch_id = attempt.submitted_at = None  # what was named turned out to be another's
        case e.JobAbandoned():
            attempt.fate, attempt.answered_at = "abandoned", at
        case e.BatchPolled():
            attempt.polls += 1
        case _:
            pass
