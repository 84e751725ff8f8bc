"""The rule of `max_cost`: what a run owes in the worst case, and what the limit still leaves."""

from __future__ import annotations

from decimal import Decimal

from batchata.core.money import EXACT
from batchata.core.state import Run


def together(spent: Decimal, reserved: Decimal, withheld: Decimal) -> Decimal:
    """What counts against the limit: what was spent, what is reserved for open jobs, and what is withheld for
    requests that may have been billed unseen (USD).
    """
    return EXACT.add(EXACT.add(spent, reserved), withheld)


def owed(run: Run) -> Decimal:
    """What the run has cost and may still cost at worst, in USD."""
    return together(run.spent, run.reserved, run.withheld)


def room(run: Run) -> Decimal | None:
    """What of `max_cost` is left for new jobs, in USD; below zero after the limit was lowered.

    None without a limit.
    """
    return None if run.settings is None else left_of(run.settings.max_cost, run)


def left_of(max_cost: str | None, run: Run) -> Decimal | None:
    """What a limit would leave of itself, whatever the run's own is (USD)."""
    return None if max_cost is None else EXACT.subtract(Decimal(max_cost), owed(run))


def awaits_room(run: Run) -> bool:
    """Whether items that were never sent wait only for what the open batches release of `max_cost`."""
    settings = run.settings
    if settings is None or settings.max_cost is None or run.sending_ended is not None:
        return False
    return 0 < len(run.open) < settings.max_parallel_jobs and run.next_fresh < run.total
