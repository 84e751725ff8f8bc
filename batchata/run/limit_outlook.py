"""Show what `max_cost` makes of a run still to be sent: how many waves, and what would avoid them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from batchata.core.accounts import left_of, owed
from batchata.core.money import EXACT, plain
from batchata.core.state import Run
from batchata.core.values import Settings
from batchata.core.waves import Shape, Waves, waves, waves_without_limit
from batchata.run.definition import Definition

_AMPLE: Final = 4  # so many times as long as expected nearly no answer is


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is expected of the rest of a run.

    Tokens of an answer, its share of the worst-case cost, and what the batches under way will release (USD).
    """

    output_tokens: int
    share: Decimal
    released: Decimal


@dataclass(frozen=True, slots=True)
class Outlook:
    """Under the limit and without it; the names are those of `Estimate`."""

    under_limit: Waves
    without_limit: Waves
    one_wave_max_cost: Decimal
    one_wave_max_tokens: int | None = None
    sparing_max_tokens: int | None = None
    sparing_max_cost: Decimal | None = None


def outlook(
    definition: Definition,
    settings: Settings,
    run: Run,
    worst: Mapping[int, Decimal | None],
    ahead: Ahead,
) -> Outlook | None:
    """Look ahead for items that are to be sent and cost `worst` each; None where a price is unknown."""
    known = {index: cost for index, cost in worst.items() if cost is not None}
    if len(known) < len(worst):
        return None
    shape = Shape(settings.items_per_job, settings.max_parallel_jobs)
    at_once, left = _sum(known.values()), left_of(settings.max_cost, run)
    free, needed = waves_without_limit(len(known), shape), EXACT.add(owed(run), at_once)
    if left is None or at_once <= left:
        return Outlook(free, free, needed, None if left is None else definition.max_tokens)
    line = _Line(at_once, _with_one_token(definition, run, known), definition.max_tokens)
    sparing = _sparing(definition, ahead.output_tokens)
    return Outlook(
        under_limit=waves(known.values(), ahead.share, left, shape, ahead.released),
        without_limit=free,
        one_wave_max_cost=needed,
        one_wave_max_tokens=line.tokens_for(left),
        sparing_max_tokens=sparing,
        sparing_max_cost=EXACT.add(owed(run), line.cost_of(sparing)),
    )


@dataclass(frozen=True, slots=True)
class _Line:
    """What all items may cost at worst (USD) with `max_tokens`, and with answers of one token.

    The worst case grows by the same amount with each token, or by more where a dearer tier begins: what the
    straight line between the two says is never too little.
    """

    worst: Decimal
    least: Decimal
    max_tokens: int

    def cost_of(self, tokens: int) -> Decimal:
        """Return the cost with answers of at most so many tokens."""
        if self.max_tokens == 1:
            return self.worst
        more = EXACT.multiply(EXACT.subtract(self.worst, self.least), tokens - 1)
        return Decimal(plain(EXACT.add(self.least, EXACT.divide(more, self.max_tokens - 1))))

    def tokens_for(self, amount: Decimal) -> int | None:
        """Return the most tokens that cost no more than this amount; None where not even one does."""
        if self.least > amount:
            return None
        more = EXACT.multiply(EXACT.subtract(amount, self.least), self.max_tokens - 1)
        return 1 + int(EXACT.divide_int(more, EXACT.subtract(self.worst, self.least)))


def _with_one_token(definition: Definition, run: Run, items: Iterable[int]) -> Decimal:
    measures = definition.measures(raised=run.items.raised, max_tokens=1)
    return _sum(cost for index in items if (cost := measures.worst_cost(index)) is not None)


def _sparing(definition: Definition, output_tokens: int) -> int:
    """Return a round `max_tokens` that leaves answers ample room, and no more than there is now."""
    thinking = definition.params.get("thinking") or {}
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    least = max(_AMPLE * output_tokens, 100) + (budget if isinstance(budget, int) else 0)
    step = 10 ** (len(str(least)) - 2)
    return int(min(-(-least // step) * step, definition.max_tokens))


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
