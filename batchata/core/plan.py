"""Choose which waiting items travel together in the next job, and how many waves of jobs a limit makes."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate

from batchata.core.accounts import room
from batchata.core.caching import must_prime
from batchata.core.money import EXACT
from batchata.core.ranges import within
from batchata.core.state import ItemStatus, JobStatus, Run
from batchata.core.values import Limits, Ranges

ENVELOPE_BYTES = 64  # around the requests of a batch


_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Measures:
    """The size of an item's request (bytes), and its worst-case cost (USD, None without a price)."""

    size: Callable[[int], int]
    worst_cost: Callable[[int], Decimal | None]


@dataclass(frozen=True, slots=True)
class Plan:
    """The items of one job, their total bytes, and the money to reserve for them."""

    items: list[int]
    bytes: int
    reserved: Decimal | None


@dataclass(frozen=True, slots=True)
class OverBudget:
    """Items wait, but not even the next one fits into what is left of `max_cost` (USD)."""

    needed: Decimal


@dataclass(frozen=True, slots=True)
class TooSmall:
    """So few items fit into what is left of `max_cost` that the job waits for open jobs to release some."""

    items: int


def plan_job(run: Run, now: int, measures: Measures) -> Plan | TooSmall | OverBudget | None:
    """Plan the next job, in the order of the input; None when no item is due.

    Items that are sent again travel among themselves, before those that were never sent; those go first only
    where no money is left for the others. While a cached beginning is still to be written, one item goes
    alone, and the others wait for it.

    A job that `max_cost` makes smaller is sent while others are open only if it has half of `items_per_job`
    and none of the others is just being collected: each batch may take hours, and a run that sent whatever
    just fits would send single items long before its end.

    So of N equal items in jobs of J, of which an answer costs the share s of what is held back for it, a
    limit makes at most 2N/J + 1 jobs of half a job or more, and then log(J/2) / -log(1 - s/2) + 1 smaller
    ones: each of these has all the room to itself, which shrinks by half of s with each.
    """
    assert run.settings is not None
    same_as = run.items.same_as
    chosen, status = run.chosen, run.items.status
    coming = range(run.next_fresh, run.total) if chosen is None else _coming(run, chosen)
    fresh = (i for i in coming if i not in same_as and status[i] == ItemStatus.FRESH)
    due: Iterator[int] = filter(run.may_send, run.requeued.due(now))
    due = _of_one_limit(run, due) if run.items.raised else due
    budget = room(run)
    most = min(run.settings.items_per_job, run.limits.batch_requests)
    limit = run.limits.batch_bytes
    most_bytes = limit if run.most_bytes is None else min(run.most_bytes, limit)
    if must_prime(run, now):
        if run.open:
            return None
        most = 1
    least = _least(run, most)
    again = _take(due, most, most_bytes, least, measures, budget)
    if isinstance(again, Plan):
        return again
    first = _take(fresh, most, most_bytes, least, measures, budget)
    if isinstance(first, Plan | TooSmall) or again is None:
        return first
    if isinstance(again, OverBudget) and isinstance(first, OverBudget):
        return min(again, first, key=lambda over: over.needed)
    return again


def _coming(run: Run, chosen: Ranges) -> Iterable[int]:
    """Return the chosen items that may not have been sent yet, each as the item whose request it shares."""
    coming = within(chosen, 0 if run.items.same_as else run.next_fresh, run.total)
    same_as = run.items.same_as
    return sorted({same_as.get(index, index) for index in coming}) if same_as else coming


def _of_one_limit(run: Run, candidates: Iterable[int]) -> Iterator[int]:
    """Keep items whose answers have the first one's `max_tokens`: a job has only one."""
    limit = None
    for index in candidates:
        own = run.max_tokens_of(index)
        limit = own if limit is None else limit
        if own == limit:
            yield index


def worst_of_pending(run: Run, measures: Measures) -> Decimal | None:
    """Return the worst-case cost of all items in no open job (USD), each sent once more."""
    total = Decimal(0)
    for index, status in enumerate(run.items.status):
        if status in (ItemStatus.FRESH, ItemStatus.WAITING) and index not in run.items.same_as:
            cost = measures.worst_cost(index)
            if cost is None:
                return None
            total = EXACT.add(total, cost)
    return total


def _least(run: Run, most: int) -> int:
    """Return how many items a job shrunk by the limit must have: more will fit when open ones end."""
    if not run.open:
        return 1
    return most if run.jobs_with(JobStatus.ENDED) else (most + 1) // 2


def _take(
    candidates: Iterable[int],
    most: int,
    most_bytes: int,
    least: int,
    measures: Measures,
    budget: Decimal | None,
) -> Plan | TooSmall | OverBudget | None:
    items: list[int] = []
    size = ENVELOPE_BYTES
    reserved: Decimal | None = Decimal(0)
    for index in candidates:
        more = measures.size(index)
        cost = measures.worst_cost(index)
        total = None if cost is None or reserved is None else EXACT.add(reserved, cost)
        over_budget = budget is not None and (total is None or total > budget)
        if over_budget and not items:
            return OverBudget(Decimal("Infinity") if cost is None else cost)
        if over_budget and len(items) < least:
            return TooSmall(len(items))
        if over_budget or (items and size + more > most_bytes):
            break
        items.append(index)
        size += more
        reserved = total
        if len(items) == most:
            break
    return Plan(sorted(items), size, reserved) if items else None


def packed(sizes: Iterable[int], items_per_job: int, limits: Limits) -> tuple[int, int]:
    """Count the jobs and total bytes for these item sizes, in this order, ignoring the budget."""
    jobs, total, count, size = 0, 0, 0, 0
    most = min(items_per_job, limits.batch_requests)
    for more in sizes:
        if not jobs or count == most or size + more > limits.batch_bytes:
            jobs, total, count, size = jobs + 1, total + ENVELOPE_BYTES, 0, ENVELOPE_BYTES
        count, size, total = count + 1, size + more, total + more
    return jobs, total


@dataclass(frozen=True, slots=True)
class Shape:
    """How many items a job takes, and how many jobs are open at once."""

    items_per_job: int
    max_parallel_jobs: int


@dataclass(frozen=True, slots=True)
class Waves:
    """So many rounds of so many jobs, each waiting for the one before; `unsent` items find no room."""

    count: int
    jobs: int
    unsent: int


def waves_without_limit(items: int, shape: Shape) -> Waves:
    """Return the waves that `max_parallel_jobs` alone makes."""
    jobs = math.ceil(items / shape.items_per_job)
    return Waves(math.ceil(jobs / shape.max_parallel_jobs), jobs, 0)


def waves(
    worst: Iterable[Decimal], share: Decimal, room: Decimal, shape: Shape, released: Decimal = _NOTHING
) -> Waves:
    """Simulate sending requests in this order, where each wave comes back before the next is sent.

    Each may cost its `worst` and is expected to cost that share of it. `room` is what `max_cost` leaves now,
    `released` what it leaves in addition once the batches under way have come back (USD).
    """
    held = list(accumulate(worst, EXACT.add, initial=_NOTHING))
    count, jobs, done, last = 0, 0, 0, len(held) - 1
    while done < last:
        fitting = bisect_right(held, EXACT.add(held[done], room), lo=done) - 1
        end = max(min(fitting, done + shape.items_per_job * shape.max_parallel_jobs), done)
        if end == done and not released:
            break
        count += end > done
        jobs += math.ceil((end - done) / shape.items_per_job)
        spent = EXACT.multiply(EXACT.subtract(held[end], held[done]), share)
        room = EXACT.subtract(EXACT.add(room, released), spent)
        released, done = _NOTHING, end
    return Waves(count, jobs, last - done)
