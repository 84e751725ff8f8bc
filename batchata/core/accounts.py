"""Add up a run's charges: by kind of token, by unit price, and against what was reserved."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from batchata.core.money import EXACT, MILLION, TOKEN_KINDS, amount_of, quotient, sum_of
from batchata.core.pricing import STATED
from batchata.core.state import Job, JobStatus, Run
from batchata.text import number_of


def together(spent: Decimal, reserved: Decimal, withheld: Decimal) -> Decimal:
    """Return what counts against the limit, in USD: spent, reserved and withheld.

    Reserved is for open jobs, withheld for requests that may have been billed without a reported cost.
    """
    return EXACT.add(EXACT.add(spent, reserved), withheld)


def owed(run: Run) -> Decimal:
    """Return what the run has cost and may still cost at worst, in USD."""
    return together(run.spent, run.reserved, run.withheld)


def room(run: Run) -> Decimal | None:
    """Return what is left of `max_cost` for new jobs, in USD; below zero after the limit was lowered.

    None without a limit.
    """
    return None if run.settings is None else left_of(run.settings.max_cost, run)


def left_of(max_cost: str | None, run: Run) -> Decimal | None:
    """Return what would be left of this limit, whatever the run's own is (USD)."""
    return None if max_cost is None else EXACT.subtract(Decimal(max_cost), owed(run))


def awaits_room(run: Run) -> bool:
    """Whether items that were never sent wait only for `max_cost`, which open batches will release."""
    settings = run.settings
    if settings is None or settings.max_cost is None or run.sending_ended is not None:
        return False
    return (
        0 < len(run.open) < settings.max_parallel_jobs and run.next_fresh < run.total and run.chosen is None
    )


_TICKS = "ticks"  # of 1e-10 USD
_A_MILLION_TICKS = Decimal("0.0001")  # USD


@dataclass(frozen=True, slots=True)
class Line:
    """So many tokens of one kind, or ticks, at a price per million (USD) from one source."""

    kind: str
    quantity: int
    unit_price: Decimal
    source: str

    @property
    def amount(self) -> Decimal:
        """What they cost together, in USD."""
        return amount_at(self.unit_price, self.quantity)


def amount_at(unit_price: Decimal, quantity: int) -> Decimal:
    """Return what so many tokens of a kind cost at a price per million, in USD."""
    return EXACT.divide(EXACT.multiply(unit_price, quantity), MILLION)


def ledger_lines(run: Run) -> list[Line]:
    """Return what was charged at a known price, by kind, then by unit price; it adds up to `run.spent`."""
    sums: dict[tuple[str, str, str], int] = defaultdict(int)
    for (source, units), used in run.ledger.items():
        for kind, unit in units:
            sums[kind, unit, source] += used[kind]
    order = {kind: place for place, kind in enumerate(run.usage)}
    lines = [Line(kind, count, amount_of(unit), source) for (kind, unit, source), count in sums.items()]
    stated = [Line(_TICKS, run.ticks, _A_MILLION_TICKS, STATED)] if run.ticks else []
    return [*sorted(lines, key=lambda line: (order[line.kind], line.unit_price, line.source)), *stated]


def unpriced_kinds(run: Run) -> dict[str, int]:
    """Return how much of each kind was used at an unknown price, where any was."""
    left = {kind: used - run.stated[kind] for kind, used in run.usage.items()}
    for line in ledger_lines(run):
        if line.kind != _TICKS:
            left[line.kind] -= line.quantity
    return {kind: quantity for kind, quantity in left.items() if quantity}


def cost_by_kind(run: Run) -> dict[str, Decimal]:
    """Return USD by kind, of what was charged at a known price."""
    costs: dict[str, Decimal] = {}
    for line in ledger_lines(run):
        costs[line.kind] = EXACT.add(costs.get(line.kind, Decimal(0)), line.amount)
    return costs


def batch_saving(run: Run) -> Decimal:
    """Return how much more the same tokens would have cost outside of batches, in USD."""
    costs = cost_by_kind(run)
    reduced = sum_of(cost for kind, cost in costs.items() if kind in TOKEN_KINDS)
    return EXACT.subtract(EXACT.divide(reduced, Decimal(run.limits.batch_factor)), reduced)


def overruns(run: Run) -> list[Job]:
    """Return the jobs that cost more than was reserved for them."""
    closed = (job for job in run.jobs.values() if job.status is JobStatus.COMPLETED)
    return [job for job in closed if job.reserved is not None and job.cost > job.reserved]


def why_unknown(run: Run) -> str:
    """Say in words why part of the cost is unknown: "no price for 2 answers"."""
    unread, unpriced = run.unmeasured, run.unpriced - run.unmeasured
    parts = [f"no price for {number_of(unpriced, 'answer')}"] if unpriced else []
    if unread:
        parts.append(f"what {number_of(unread, 'answer')} used cannot be read")
    return " and ".join(parts)


_CACHED = ("cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens")


def saved_by_dedupe(run: Run) -> Decimal | None:
    """Return what items that share a request would have cost in requests of their own; None if unknown."""
    total = Decimal(0)
    most = _usual_cost(run)
    for original, copies in run.items.copies.items():
        cost = run.items.cost(original)
        if cost is None:
            return None
        total = EXACT.fma(cost if most is None else min(cost, most), len(copies), total)
    return total


def _usual_cost(run: Run) -> Decimal | None:
    """Return the usual cost: with caching an original may pay for the prefix that copies would only read."""
    answers = sum(job.answers for job in run.jobs.values())
    return quotient(run.spent, answers) if answers and any(run.usage[kind] for kind in _CACHED) else None


def saved_by_cache(run: Run) -> Decimal | None:
    """Return what caching saved (USD); negative where it cost more.

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
