"""Random but valid histories: the rules themselves play against a provider that does whatever it likes.

Each history is what a runner would have written: steps from `next_steps`, answers by chance, crashes in
between. A tally of its own counts what happened, to check the state against.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from random import Random

from core_given import PROCESS, SECOND, START, error, items_added, run_started
from msgspec.structs import replace

from batchata.core import events as e
from batchata.core import values
from batchata.core.decide import (
    Cancel,
    Collect,
    Finish,
    Poll,
    Settle,
    Situation,
    StopAtLimit,
    Submit,
    next_steps,
)
from batchata.core.evolve import evolve
from batchata.core.money import plain
from batchata.core.plan import Measures
from batchata.core.pricing import ModelPrice, PriceTier, UnitPrices, charge, worst_cost
from batchata.core.ranges import to_ranges
from batchata.core.retry import schedule_retries
from batchata.core.state import ItemStatus, Job, JobStatus, Run

PRICE = ModelPrice("a table", [PriceTier(-1, UnitPrices(*map(Decimal, ("2", "10", "2.5", "4", "0.1"))))])
MOST_INPUT, MOST_OUTPUT = 3000, 500
WORST = worst_cost(PRICE, MOST_INPUT, MOST_OUTPUT)
BAD_ANSWERS = ["api_error", "overloaded_error", "expired", "invalid_request_error", "refusal", "max_tokens"]


CACHED = values.CachePlan(level="system", blocks=0, digest="d", tokens=2000, reason="it pays")


class History:
    """One run, played step by step; `recorded` is its stream and `run` the state folded along the way."""

    def __init__(self, seed: int, *, copies: bool = False, caching: bool = False) -> None:
        self.copies = copies  # whether some items share the request of an earlier one
        self.caching = caching  # whether requests have a shared beginning cached
        self.chance = Random(seed)
        self.now = START
        self.run = Run()
        self.recorded: list[tuple[int, int, e.Event]] = []
        self.spent = Decimal(0)
        self.answered: dict[int, str] = {}  # item -> completed or bad, by the last outcome
        self.sent: dict[int, int] = {}  # job -> how often each of its items may have been sent
        self.busy: dict[int, str] = {}
        self.cancelling = False
        self.priced = self.chance.random() < 0.8
        self.measures = Measures(size=lambda index: 1000, worst_cost=lambda _: WORST if self.priced else None)
        self._begin()

    def _begin(self) -> None:
        limited = self.priced and self.chance.random() < 0.6
        limit = plain(WORST * self.chance.randint(1, 12)) if limited else None
        started = run_started(
            items_per_job=self.chance.randint(1, 5),
            max_parallel_jobs=self.chance.randint(1, 3),
            max_attempts=self.chance.randint(1, 3),
            max_cost=limit,
        )
        if self.caching:
            started = replace(started, cache=CACHED)
        self.append(started, self._items_added(self.chance.randint(0, 12)))

    def _items_added(self, count: int) -> e.ItemsAdded:
        first, same_as = self.run.total, dict(self.run.items.same_as)
        for index in range(first, first + count):
            if self.copies and index and self.chance.random() < 0.4:
                original = self.chance.randrange(index)
                same_as[index] = same_as.get(original, original)
        new = {index: original for index, original in same_as.items() if index >= first}
        return items_added(first, count, *new.items())

    def append(self, *happened: e.Event) -> None:
        for event in happened:
            version = self.run.version + 1
            evolve(self.run, version, self.now, event)
            self.recorded.append((version, self.now, event))

    def play(self, turns: int) -> Iterator[Run]:
        """The state after every turn."""
        for _ in range(turns):
            self.now += self.chance.randint(0, 40 * SECOND)
            self._turn()
            yield self.run

    def _turn(self) -> None:
        match self.chance.randint(0, 59):
            case 0 | 1 | 2:
                self._crash()
            case 3:
                self.append(self._items_added(self.chance.randint(1, 4)))
            case 4 | 5 | 6 if self.run.failed and not self.run.open:
                self._retry_failed()
            case 7 | 8:
                self.cancelling = not self.cancelling and self.chance.random() < 0.3
            case n if n < 30 or not self.busy:
                self._start_steps()
            case _:
                self._answer(self.chance.choice(list(self.busy)))

    def _crash(self) -> None:
        """The process dies: calls under way are never answered. Another one takes the run up."""
        if self.chance.random() < 0.5:
            self.append(e.RunInterrupted(reason="keyboard", error=None, pending_items=self.run.pending))
        self.busy.clear()
        assert self.run.settings is not None
        old = self.run.settings.max_cost
        more = old is not None and self.run.limit_reached and self.chance.random() < 0.5
        changed = {"max_cost": (old, plain(Decimal(old or 0) + WORST))} if more else {}
        self.append(e.RunResumed(process=PROCESS, library_version="1", changed=changed))
        if self.chance.random() < 0.3:
            self._choose()

    def _choose(self) -> None:
        """That start is a pilot of some items, or one of all again."""
        some = [index for index in range(self.run.total) if self.chance.random() < 0.4]
        self.append(e.ItemsChosen(items=to_ranges(some) if self.chance.random() < 0.5 else None))

    def _retry_failed(self) -> None:
        items = self.run.items
        failed = [i for i, s in enumerate(items.status) if s == ItemStatus.FAILED and i not in items.same_as]
        retry = e.RetryScheduled(
            job=None, items=to_ranges(failed), attempt=1, not_before=self.now, reason="requested"
        )
        self.append(retry)

    def _start_steps(self) -> None:
        asked = {job.number for job in self.run.open.values() if job.cancel_requested}
        situation = Situation(
            busy=self.busy.keys(),
            cancelled=asked,
            submitting=not self.cancelling,
            cancelling=self.cancelling,
        )
        for step in next_steps(self.run, self.now, self.measures, situation):
            self._start(step)

    def _start(self, step: object) -> None:
        match step:
            case Submit(number, plan):
                reserved = None if plan.reserved is None else plain(plan.reserved)
                self.append(
                    e.SubmissionStarted(
                        job=number,
                        items=to_ranges(plan.items),
                        request_count=len(plan.items),
                        bytes=plan.bytes,
                        custom_ids=f"t-{number}-{{index}}",
                        reserved=reserved,
                    )
                )
                self.busy[number] = "submit"
            case Settle(job) | Collect(job):
                self.busy[job] = type(step).__name__.lower()
            case Poll(jobs):
                self.busy |= dict.fromkeys(jobs, "poll")
            case Cancel(job):
                self.append(e.BatchCancelRequested(job=job, batch_id=f"b{job}", reason="requested"))
            case StopAtLimit(over):
                spent, reserved = plain(self.run.spent), plain(self.run.reserved)
                needed = plain(over.needed)
                self.append(
                    e.CostLimitReached(limit="", spent=spent, reserved=reserved, withheld="0", needed=needed)
                )
            case Finish():
                self._finish()

    def _finish(self) -> None:
        if self.run.status != "completed":
            cost = self.run.total_cost
            self.append(
                e.RunCompleted(
                    completed_items=self.run.completed,
                    failed_items=self.run.failed,
                    total_cost=None if cost is None else plain(cost),
                )
            )

    def _answer(self, number: int) -> None:
        doing, job = self.busy.pop(number), self.run.jobs[number]
        if self.chance.random() < 0.15 and doing in ("poll", "settle", "collect"):
            later = self.now + self.chance.randint(0, 20 * SECOND)
            self.append(
                e.CallFailed(doing="poll", jobs=[number], error=error("overloaded_error"), not_before=later)
            )
        elif doing == "submit":
            self._answer_submit(job)
        elif doing == "settle":
            verdict = self.chance.choice(["adopted", "absent"])
            batch = f"b{number}" if verdict == "adopted" else None
            self.append(
                e.SubmissionSettled(
                    job=number,
                    verdict=verdict,
                    batch_id=batch,
                    created_at=None,
                    expires_at=None,
                    looked_at=self.now,
                    evidence="",
                )
            )
        elif doing == "poll":
            status = self.chance.choice(["in_progress", "ended", "ended"])
            counts = values.Counts(processing=0, succeeded=0, errored=0, canceled=0, expired=0)
            self.append(e.BatchPolled(job=number, batch_id=f"b{number}", status=status, counts=counts))
        else:
            self._collect(job)

    def _answer_submit(self, job: Job) -> None:
        number = job.number
        match self.chance.randint(0, 9):
            case 0:
                later = self.now + self.chance.randint(0, 20 * SECOND)
                self.append(e.SubmissionFailed(job=number, error=error("rate_limit_error"), not_before=later))
            case 1 | 2:
                self.append(e.SubmissionUnknown(job=number, error=error("no_answer")))
            case _:
                self.append(
                    e.BatchSubmitted(job=number, batch_id=f"b{number}", created_at=self.now, expires_at=None)
                )

    def _collect(self, job: Job) -> None:
        """Results in any order, perhaps only some of them: then the next collection brings the rest."""
        open_ = [i for i in job.indexes() if self.run.items.status[i] == ItemStatus.SENT]
        self.chance.shuffle(open_)
        whole = self.chance.random() < 0.7
        for index in open_ if whole else open_[: len(open_) // 2]:
            self._outcome(job, index)
            if self.chance.random() < 0.1:
                stray = e.StrayOutcomeRecorded(
                    job=job.number, custom_id="x", reason="repeated", kind="succeeded", body=9
                )
                self.append(stray)
        if whole:
            retries = schedule_retries(self.run, job, job.undecided, self.now, self.chance.random)
            done = e.JobCompleted(
                job=job.number, batch_id=f"b{job.number}", outcomes=dict(job.outcomes), strays={}
            )
            self.append(done, *retries)

    def _outcome(self, job: Job, index: int) -> None:
        why = self.chance.choice([None, None, None, *BAD_ANSWERS, "canceled"])
        billed = why in (None, "refusal", "max_tokens")
        usage = self._usage() if billed else None
        self.append(
            e.OutcomeRecorded(
                job=job.number,
                index=index,
                kind="succeeded" if billed else "errored",
                stop_reason=None,
                error=None if why is None else error(why),
                usage=usage,
                body=index,
            )
        )
        self.answered[index] = "completed" if why is None else "bad"
        if usage is not None:
            cost = charge(job.number, index, usage, PRICE if self.priced else None)
            self.spent += Decimal(cost.amount or 0)
            self.append(cost)

    def _usage(self) -> values.Usage:
        cold = self.caching and self.chance.random() < 0.3
        written = 0 if cold else self.chance.randint(0, MOST_INPUT // 2)
        return values.Usage(
            input_tokens=self.chance.randint(0, MOST_INPUT // 2),
            output_tokens=self.chance.randint(0, MOST_OUTPUT),
            cache_write_1h_tokens=written,
        )

    def calm_down(self, turns: int = 400) -> bool:
        """Whether the run comes to an end without more crashes, additions or bad answers."""
        self.cancelling = False
        self.busy.clear()
        self.append(e.ItemsChosen(items=None))
        for _ in range(turns):
            self.now += 3600 * SECOND
            self._start_steps()
            if self.run.status == "completed" or (self.run.limit_reached and not self.run.open):
                return True
            for number in list(self.busy):
                self._answer_well(number)
        return False

    def _answer_well(self, number: int) -> None:
        job = self.run.jobs[number]
        doing = self.busy.pop(number)
        if doing in ("submit", "settle"):
            self.append(e.BatchSubmitted(job=number, batch_id=f"b{number}", created_at=0, expires_at=None))
        elif doing == "poll":
            counts = values.Counts(processing=0, succeeded=0, errored=0, canceled=0, expired=0)
            self.append(e.BatchPolled(job=number, batch_id=f"b{number}", status="ended", counts=counts))
        elif job.status is JobStatus.ENDED:
            for index in [i for i in job.indexes() if self.run.items.status[i] == ItemStatus.SENT]:
                self.append(
                    e.OutcomeRecorded(
                        job=number,
                        index=index,
                        kind="succeeded",
                        stop_reason=None,
                        error=None,
                        usage=None,
                        body=None,
                    )
                )
            retries = schedule_retries(self.run, job, job.undecided, self.now, self.chance.random)
            self.append(e.JobCompleted(job=number, batch_id=f"b{number}", outcomes={}, strays={}), *retries)
