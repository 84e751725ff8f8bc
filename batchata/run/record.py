"""Turn a job's outcomes into events: the verdict on each answer, its cost, and what is missing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from batchata.answers.reader import Reader
from batchata.core.events import Event, JobCompleted, OutcomeRecorded, StrayOutcomeRecorded
from batchata.core.pages import Entry
from batchata.core.pricing import ModelPrice, charge
from batchata.core.retry import UNSUPPORTED
from batchata.core.state import ItemStatus, Job, Run
from batchata.core.values import RequestError
from batchata.providers.exchange import Outcome
from batchata.run.columns import Columns
from batchata.views.arrivals import Arrivals

_MOST_STRAYS = 1_000  # lines kept of a download that is full of things never asked for
_CUSTOM_ID = re.compile(rb'"custom_id"\s*:\s*"([A-Za-z0-9_-]{1,64})"')
_MISSING = RequestError(kind="missing", message="the provider's results have no line for this request")


@dataclass(slots=True)
class Collection:
    """One reading of a job's results: which custom ids are expected, seen, or belong nowhere."""

    job: int
    expected: dict[str, int]
    known: frozenset[str]  # recorded by an earlier, unfinished reading
    seen: set[str] = field(default_factory=set)
    garbled: set[str] = field(default_factory=set)  # expected, with a line that cannot be read
    unanswered: dict[str, int] = field(default_factory=dict)  # recorded, and not as answered
    strays: list[tuple[str, Outcome]] = field(default_factory=list)
    stray_counts: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, run: Run, job: Job) -> Collection:
        """Return what a reading of this job's results from the beginning has to find."""
        number, status, custom_id = run.items.job, run.items.status, job.custom_id

        def is_open(index: int) -> bool:
            return number[index] == job.number and status[index] == ItemStatus.SENT

        return cls(
            job=job.number,
            expected={custom_id(index): index for index in job.indexes() if is_open(index)},
            known=frozenset(custom_id(index) for index in job.indexes() if not is_open(index)),
            unanswered={custom_id(index): index for index in job.unanswered},
        )

    def take(self, outcome: Outcome) -> int | None:
        """Return the item that the outcome belongs to; None when it is known already or belongs nowhere."""
        custom_id = outcome.custom_id
        if outcome.kind == "unreadable":
            self._stray("unreadable", outcome)
            named = _CUSTOM_ID.search(outcome.line)
            if named is not None and (name := named[1].decode()) in self.expected:
                self.garbled.add(name)
            return None
        if outcome.kind == "succeeded" and custom_id in self.unanswered:
            self.seen.add(custom_id)  # an answer was paid for, however far behind the line that failed it is
            return self.unanswered.pop(custom_id)
        if custom_id in self.seen:
            self._stray("repeated", outcome)
            return None
        self.seen.add(custom_id)
        index = self.expected.pop(custom_id, None)
        if index is None and custom_id not in self.known:
            self._stray("foreign", outcome)
        if index is not None and outcome.kind != "succeeded":
            self.unanswered[custom_id] = index
        return index

    def repeat(self, outcome: Outcome) -> None:
        """Note that the request already has an outcome from another line."""
        self._stray("repeated", outcome)

    def _stray(self, reason: str, outcome: Outcome) -> None:
        self.stray_counts[reason] += 1
        if len(self.strays) < _MOST_STRAYS:
            self.strays.append((reason, outcome))


@dataclass(frozen=True, slots=True)
class Recorder:
    """Turns outcomes into events, with the run's own reader and the price of each job."""

    reader: Reader
    price_of: Callable[[int], ModelPrice | None]
    arrived: Arrivals
    asks_again: Callable[[int], bool] | None = (
        None  # whether an answer that its passages contradict is no end
    )
    geo: str | None = None  # where inference was asked for, for answers that do not say where it was

    def outcomes(
        self,
        collection: Collection,
        outcomes: Sequence[Outcome],
        next_body: int,
        schema_refused: Callable[[RequestError], RequestError] = lambda error: error,
    ) -> tuple[list[Entry], list[bytes]]:
        """Return the entries and bodies of some outcomes; bodies are numbered from `next_body` on.

        `schema_refused` says what an error means that is one of the schema.
        """
        columns = Columns(collection.job, self.price_of(collection.job))
        bodies: list[bytes] = []
        answered = {outcome.custom_id for outcome in outcomes if outcome.kind == "succeeded"}
        for outcome in outcomes:
            if outcome.kind != "succeeded" and outcome.custom_id in answered:
                collection.repeat(outcome)  # an answer was paid for, whatever else is said of its request
                continue
            index = collection.take(outcome)
            if index is not None:
                if outcome.schema_refused and outcome.error is not None:
                    outcome.error = schema_refused(outcome.error)
                self._record(columns, index, outcome, next_body + len(bodies))
                bodies.append(outcome.line)
        self.arrived.take_lines(collection.job, next_body, bodies)
        return columns.finished(), bodies

    def _record(self, columns: Columns, index: int, outcome: Outcome, body: int) -> None:
        """Judge the answer; an accepted one is kept for the results as it was read."""
        error, usage, geo = outcome.error, outcome.usage, outcome.inference_geo or self.geo
        if error is None:
            reading = outcome.reading or self.reader.judge(outcome.blocks, outcome.stop_reason)
            error = reading.error or self._contradiction(index, outcome)
            if error is None:
                self.arrived.take(body, reading.result, len(outcome.line), reading.text)
        is_answer = outcome.kind == "succeeded"
        accepted = usage if error is None and is_answer else None
        ticks = outcome.ticks
        if accepted is not None and columns.accept(index, body, outcome.stop_reason, accepted, geo, ticks):
            return
        recorded = OutcomeRecorded(
            job=columns.job,
            index=index,
            kind=outcome.kind,
            stop_reason=outcome.stop_reason,
            error=error,
            usage=usage,
            body=body,
        )
        # Answers are the only kind that is billed.
        charges = [charge(columns.job, index, usage, columns.price, geo, ticks)] if is_answer else []
        columns.add([recorded, *charges])

    def _contradiction(self, index: int, outcome: Outcome) -> RequestError | None:
        """Return what is wrong with an answer that fits, where that is a reason to ask again."""
        if self.asks_again is None or not self.asks_again(index):
            return None
        said = self.reader.contradicted(outcome.blocks)
        return None if said is None else RequestError(kind=UNSUPPORTED, message=said)

    def refused(self, job: int, index: int, place: str, error: RequestError) -> OutcomeRecorded:
        """Record an item for which the provider refused the batch: it fails, and costs nothing."""
        said = RequestError(kind=error.kind, message=f"{place} was refused: {error.message}")
        return OutcomeRecorded(
            job=job, index=index, kind="refused", stop_reason=None, error=said, usage=None, body=None
        )

    def missing(self, collection: Collection) -> list[Event]:
        """Record an outcome for each request that the results do not mention."""
        return [
            OutcomeRecorded(
                job=collection.job,
                index=index,
                kind="missing",
                stop_reason=None,
                error=_MISSING,
                usage=None,
                body=None,
            )
            for index in sorted(collection.expected.values())
        ]

    def completion(
        self, job: Job, collection: Collection, missing: int, next_body: int
    ) -> tuple[list[Event], list[bytes]]:
        """Record the lines that belong to no request, and the completion of the job."""
        assert job.batch_id is not None
        strays: list[Event] = [
            StrayOutcomeRecorded(
                job=job.number,
                custom_id=outcome.custom_id,
                reason=reason,
                kind=outcome.kind,
                body=next_body + position,
            )
            for position, (reason, outcome) in enumerate(collection.strays)
        ]
        outcomes = dict(job.outcomes)
        if missing:
            outcomes["missing"] = outcomes.get("missing", 0) + missing
        completed = JobCompleted(
            job=job.number, batch_id=job.batch_id, outcomes=outcomes, strays=dict(collection.stray_counts)
        )
        return [*strays, completed], [outcome.line for _, outcome in collection.strays]
