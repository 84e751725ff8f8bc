"""What a run did not have to pay for, because requests were shared."""

from __future__ import annotations

from decimal import Decimal

from batchata.core.pricing import EXACT, MILLION, amount_of, quotient
from batchata.core.state import Run

_CACHED = ("cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens")


def saved_by_dedupe(run: Run) -> Decimal | None:
    """What the items that share a request would have cost in requests of their own; None when unknown."""
    total = Decimal(0)
    most = _usual_cost(run)
    for original, copies in run.items.copies.items():
        cost = run.items.cost(original)
        if cost is None:
            return None
        total = EXACT.fma(cost if most is None else min(cost, most), len(copies), total)
    return total


def _usual_cost(run: Run) -> Decimal | None:
    """With caching an original may have paid for the beginning that its copies would only have read."""
    answers = sum(job.answers for job in run.jobs.values())
    return quotient(run.spent, answers) if answers and any(run.usage[kind] for kind in _CACHED) else None


def saved_by_cache(run: Run) -> Decimal | None:
    """What the cached tokens would have cost more as fresh ones (USD); negative where caching cost more.

    By the unit prices in the log. None when a price is unknown.
    """
    total = Decimal(0)
    fresh = {
        source: units
        for (source, kinds), _ in run.ledger.items()
        if (units := dict(kinds)).get("input_tokens")
    }
    for (source, kinds), used in run.ledger.items():
        units = dict(kinds)
        cached = [kind for kind in _CACHED if used.get(kind)]
        if not cached:
            continue
        unit = units.get("input_tokens") or fresh.get(source, {}).get("input_tokens")
        if unit is None or any(kind not in units for kind in cached):
            return None
        for kind in cached:
            less = EXACT.subtract(amount_of(unit), amount_of(units[kind]))
            total = EXACT.fma(less, used[kind], total)
    if run.unpriced and any(run.usage[kind] for kind in _CACHED):
        return None
    return EXACT.divide(total, MILLION)
