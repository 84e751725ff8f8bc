"""The rule of `max_cost`: what a run owes in the worst case, and what the limit still leaves."""

from __future__ import annotations

from decimal import Decimal

from batchata.core.pricing import EXACT
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
    if run.settings is None or run.settings.max_cost is None:
        return None
    return EXACT.subtract(Decimal(run.settings.max_cost), owed(run))
