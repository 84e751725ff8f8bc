"""Predict how many waves of jobs a limit makes, by expected costs, before anything is sent."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate

from batchata.core.money import EXACT

_NOTHING = Decimal(0)


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
    """Simulate requests in this order, where each wave comes back before the next is sent.

    Each may cost its `worst` and is expected to cost that share of it. `room` is what `max_cost` leaves now,
    `released` what it leaves more once the batches that are under way have come back (USD).
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
