"""A limit between what is expected and the worst case: how small its jobs get, and how many there are."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from core_given import (
    SECOND,
    START,
    batch_submitted,
    charged,
    error,
    given,
    items_added,
    job_completed,
    outcome,
    polled,
    retry_scheduled,
    submission_started,
    submitted,
    when,
)

from batchata.core import events as e
from batchata.core.accounts import owed, room
from batchata.core.decide import AwaitRoom, Finish, Situation, Step, StopAtLimit, Submit, next_steps
from batchata.core.money import plain
from batchata.core.plan import Measures, OverBudget, Plan, TooSmall, plan_job
from batchata.core.ranges import to_ranges
from batchata.core.state import Run

D = Decimal
LATENCY = (60, 90, 120, 900, 3600)  # seconds that a batch takes


def most_jobs(items: int, items_per_job: int, share: float) -> int:
    """The bound that `plan_job` states, for items that cost so much of what is held back for them."""
    half = (items_per_job + 1) // 2
    if half == 1:
        return items
    alone = math.ceil(math.log(half) / -math.log1p(-share / 2)) + 1
    return min(items, items // half + 1 + alone)


@dataclass
class Sent:
    """One job as it was sent."""

    items: int
    alone: bool  # no other job was open
    last: bool  # nothing was left to be sent
    is_retry: bool


@dataclass
class World:
    """A provider whose batches end after random times, and a run under a limit."""

    run: Run
    worst: Decimal
    cost: Decimal
    chance: Random
    failing: float = 0.0
    now: int = START
    jobs: list[Sent] = field(default_factory=list)
    ends: list[tuple[int, int]] = field(default_factory=list)
    awaiting: Any = None
    stopped: bool = False

    def plays(self) -> None:
        """To the end, and never for ever."""
        for _ in range(20_000):
            steps = self._steps()
            for step in steps:
                self._take(step)
            assert (room(self.run) or 0) >= 0, "the limit was passed"
            if self.stopped or self.run.status == "completed":
                return
            if not any(isinstance(step, Submit) for step in steps):
                self._time_passes()
        raise AssertionError("it never ends")

    def _steps(self) -> Iterator[Step]:
        measures = Measures(size=lambda index: 1000, worst_cost=lambda index: self.worst)
        situation = Situation(busy=frozenset(self.run.open), awaiting=self.awaiting)
        return list(next_steps(self.run, self.now, measures, situation))

    def _take(self, step: Step) -> None:
        match step:
            case Submit(number, plan):
                alone = not self.run.open
                again = plan.items[0] < self.run.next_fresh
                ranges = to_ranges(plan.items)
                when(self.run, submission_started(number, *ranges, reserved=plain(plan.reserved or D(0))))
                when(self.run, batch_submitted(number), at=self.now)
                last = self.run.next_fresh == self.run.total and not len(self.run.requeued)
                self.jobs.append(Sent(len(plan.items), alone, last, again))
                heapq.heappush(self.ends, (self.now + self.chance.choice(LATENCY) * SECOND, number))
            case AwaitRoom(outlook):
                self.awaiting = outlook
            case StopAtLimit():
                assert not self.run.open
                self.stopped = True
            case Finish():
                done = self.run
                when(
                    done,
                    e.RunCompleted(completed_items=done.completed, failed_items=done.failed, total_cost=None),
                )
            case _:
                raise AssertionError(step)

    def _time_passes(self) -> None:
        """Until the next batch ends or a retry is due."""
        due = [time for time in self.run.requeued.times() if time > self.now]
        assert self.ends or due, "nothing is open, nothing is due, and nothing was sent"
        if self.ends and (not due or self.ends[0][0] <= min(due)):
            self.now, number = heapq.heappop(self.ends)
            self._ends(number)
        else:
            self.now = min(due)

    def _ends(self, number: int) -> None:
        again = []
        for index in list(self.run.jobs[number].indexes()):
            bad = self.chance.random() < self.failing
            again += [index] if bad else []
            why = "api_error" if bad else None
            when(self.run, outcome(number, index, why=why), charged(number, index, plain(self.cost)))
        size = self.run.jobs[number].request_count
        when(self.run, polled(number, "ended", size), job_completed(number, succeeded=size), at=self.now)
        if again:
            later = self.now + self.chance.randint(1, 60) * SECOND
            when(self.run, retry_scheduled(*to_ranges(again), not_before=later), at=self.now)


def world(count: int, limit: Decimal, cost: str, worst: str, seed: int = 1, **settings: Any) -> World:
    run = given(items_added(0, count), max_cost=plain(limit), **settings)
    return World(run, D(worst), D(cost), Random(seed))


@pytest.mark.parametrize(
    ("limit", "jobs"), [("1.50", 23), ("2", 14), ("3", 13), ("5", 12), ("7.05", 10), (None, 10)]
)
def test_two_hundred_invoices(limit: str | None, jobs: int) -> None:
    """Expected are $1.47, at worst $7.05: jobs of the size asked for while the limit has room for half."""
    for seed in range(8):
        played = world(200, D(limit or 1000), "0.00735", "0.03525", seed, items_per_job=20)
        played.plays()
        assert played.run.completed == 200
        assert len(played.jobs) <= jobs
        assert all(job.items >= 10 or job.alone or job.last for job in played.jobs)


@pytest.mark.parametrize("seed", range(40))
def test_jobs_are_few_and_large_and_the_run_ends(seed: int) -> None:
    """For limits and sizes of all kinds: within the bound, small only where nothing is open, no deadlock."""
    chance = Random(seed)
    count, size = chance.randint(1, 400), chance.choice([1, 2, 3, 7, 20, 50, 300])
    share = chance.choice([0.01, 0.1, 0.2, 0.5, 0.9, 1.0])
    worst = D("0.01")
    cost = worst * D(str(share))
    expected = cost * count
    limit = max(expected * D(chance.choice(["0.5", "1", "1.02", "1.3", "2", "5", "50"])), worst)
    settings = {"items_per_job": size, "max_parallel_jobs": chance.choice([1, 2, 10])}
    played = world(count, limit, plain(cost), plain(worst), seed, **settings)
    played.plays()
    assert len(played.jobs) <= most_jobs(count, size, share)
    assert all(job.items >= (size + 1) // 2 or job.alone or job.last for job in played.jobs)
    if played.stopped:
        assert limit - owed(played.run) < worst
    else:
        assert played.run.completed == count


@pytest.mark.parametrize("seed", range(25))
def test_items_that_are_sent_again_change_nothing(seed: int) -> None:
    """With a third of the answers no good, no fresh job is small but where it must be, and the run ends."""
    chance = Random(seed)
    count, size = chance.randint(1, 200), chance.choice([1, 5, 20])
    limit = D("0.01") * chance.randint(1, 3 * size) + count * D("0.002") * chance.randint(0, 2)
    played = world(count, limit, "0.002", "0.01", seed, items_per_job=size, max_parallel_jobs=4)
    played.failing = 0.33
    played.plays()
    fresh = [job for job in played.jobs if not job.is_retry]
    ended = played.run.next_fresh == played.run.total
    # The last fresh job is whatever is left over.
    small = [job for job in (fresh[:-1] if ended else fresh) if job.items < (size + 1) // 2]
    assert all(job.alone for job in small)
    if played.stopped:
        assert limit - owed(played.run) < D("0.01")
    else:
        assert played.run.pending == 0


def test_half_a_job_is_enough_and_less_is_not() -> None:
    """While another job is open: five of ten items go, four wait until there is room for more."""
    run = given(items_added(0, 30), *submitted(0, (0, 9), reserved="1"), items_per_job=10, max_cost="1.5")
    tenth, eighth = (measured(cost) for cost in ("0.1", "0.125"))
    plan = plan_job(run, START, tenth)
    assert isinstance(plan, Plan)
    assert plan.items == [10, 11, 12, 13, 14]
    assert plan_job(run, START, eighth) == TooSmall(4)


def test_what_ends_the_run_goes_at_once() -> None:
    """Nothing is gained by waiting with the last items, when all of them fit."""
    run = given(items_added(0, 12), *submitted(0, (0, 9), reserved="1"), items_per_job=10, max_cost="1.2")
    plan = plan_job(run, START, measured("0.1"))
    assert isinstance(plan, Plan)
    assert plan.items == [10, 11]


def test_a_job_that_is_being_collected_is_waited_for() -> None:
    """It releases room within seconds; a whole job needs none of that and goes."""
    run = given(items_added(0, 40), *submitted(0, (0, 9), reserved="1"), items_per_job=10, max_cost="1.9")
    when(run, polled(0, "ended", 10))
    assert plan_job(run, START, measured("0.1")) == TooSmall(9)
    assert isinstance(plan_job(run, START, measured("0.09")), Plan)


def test_with_nothing_open_whatever_fits_is_sent() -> None:
    """Nothing would make more room: one item alone goes, and what does not fit is said as ever."""
    run = given(items_added(0, 30), items_per_job=10, max_cost="1.5")
    plan = plan_job(run, START, measured("1.5"))
    assert isinstance(plan, Plan)
    assert plan.items == [0]
    assert plan_job(run, START, measured("1.51")) == OverBudget(D("1.51"))


def test_retries_too_wait_for_room() -> None:
    """Four of ten retries fit: they wait, and so do fresh items that would be too few."""
    run = given(items_added(0, 40), *submitted(0, (0, 9)), items_per_job=10, max_cost="1.4")
    bad = [outcome(0, index, "errored", "api_error") for index in range(10)]
    when(run, polled(0, "ended", 10), *bad, job_completed(0, errored=10), retry_scheduled((0, 9)))
    when(run, *submitted(1, (10, 19), reserved="1"))
    assert plan_job(run, START, measured("0.1")) == TooSmall(4)
    when(run, polled(1, "ended", 10), *[outcome(1, index) for index in range(10, 20)])
    when(run, job_completed(1, succeeded=10))
    plan = plan_job(run, START, measured("0.1"))
    assert isinstance(plan, Plan)
    assert plan.items == list(range(10))


def test_nothing_is_planned_anew_until_a_job_ends_or_a_retry_is_due() -> None:
    """Results arrive many times before a job ends, and a plan looks at every item that fits."""
    looked = []

    def cost(index: int) -> Decimal:
        looked.append(index)
        return D("0.1")

    counting = Measures(size=lambda index: 1, worst_cost=cost)
    run = given(
        items_added(0, 100_000),
        *submitted(0, (0, 9_999), reserved="1000"),
        items_per_job=10_000,
        max_cost="1400",
    )
    steps = next_steps(run, START, counting, Situation(busy={0}))
    (waits,) = steps
    assert isinstance(waits, AwaitRoom)
    assert len(looked) <= 10_000
    looked.clear()
    when(run, *[outcome(0, index) for index in range(500)])
    assert next_steps(run, START, counting, Situation(busy={0}, awaiting=waits.outlook)) == []
    assert looked == []
    failed = e.SubmissionFailed(job=0, error=error("overloaded_error"), not_before=START + SECOND)
    run = when(given(items_added(0, 30), *submitted(0, (0, 9))), failed)
    assert isinstance(next_steps(run, START, counting, Situation(busy=(), awaiting=waits.outlook))[0], Submit)


def measured(worst: str) -> Measures:
    """Items that all cost so much at worst."""
    return Measures(size=lambda index: 1000, worst_cost=lambda index: D(worst))
