"""Hold an estimate of what a run will use and cost, as a value and as text, with the waves of `max_cost`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from typing import Final

from batchata.core.accounts import left_of, owed
from batchata.core.money import EXACT, plain
from batchata.core.plan import Shape, Waves, waves, waves_without_limit
from batchata.core.state import Run
from batchata.core.values import Settings
from batchata.run.definition import Definition
from batchata.text import number_of, preformatted, rounded, size, usd

_NEXT: Final = "\n" + " " * 10  # a line that goes on below its words


_AMPLE: Final = 4  # so many times as long as expected nearly no answer is


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What the items of a run that have no result yet are going to use and to cost. Costs in USD.

        estimate = manager.estimate()
        print(estimate, estimate.cost, estimate.one_wave_max_cost)

    A cost is None when no price is known for the model. Retries are in `worst_cost_with_retries` only.

    Attributes:
        model: the model's id.
        items: items without a result; in a run that has begun, those that remain.
        sent_items: those among them whose batch is under way.
        cache: with `cache="auto"` what is cached, or why nothing is, as a sentence; else None.
        shared_items: those among them that share the request of another item (`dedupe`).
        jobs: jobs to be sent, unless `max_cost` makes them smaller.
        bytes: upper bound of the bytes to be uploaded.
        input_tokens: expected input tokens of the items.
        output_tokens: expected output tokens of the items, thinking included.
        cost: expected cost, in a batch.
        cost_without_batch: what the same would cost at list price.
        worst_cost: upper bound of the cost of asking once for each item: every answer `max_tokens` long.
        worst_cost_with_retries: upper bound when each item took all of its `max_attempts`.
        max_cost: the limit of the run; None without one.
        spent: what the run has cost so far; None when that is unknown.
        done_items: items that are completed or failed already.
        price_source: where the price comes from; None without one.
        input_basis: what the input tokens rest on, as a sentence.
        output_basis: what the output tokens rest on, as a sentence.
        sampled_items: items whose tokens the provider counted, with `exact`.
        waves: rounds of jobs that wait for the ones before, by what is expected, with `max_cost` and
            `max_parallel_jobs`; None when no price is known, like all that follows.
        waves_without_limit: how many `max_parallel_jobs` alone makes.
        jobs_under_limit: about how many jobs `max_cost` makes.
        unsent_items: for how many of the items `max_cost` is expected to leave no room.
        one_wave_max_cost: the `max_cost` with which no job waits for room: all that is to be sent fits at
            worst.
        one_wave_max_tokens: the highest `max_tokens` with which none waits under the limit that there is;
            None without one, and where not even answers of one token fit.
        sparing_max_tokens: where jobs wait for room, a `max_tokens` that still leaves answers ample room,
            four times what is expected; else None.
        sparing_max_cost: the `max_cost` with which none would wait then.
        margin: with `exact`, the share by which the sample may miss the input tokens (95 %); else None.
    """

    model: str
    items: int
    sent_items: int
    jobs: int
    bytes: int
    input_tokens: int
    output_tokens: int
    cost: Decimal | None
    cost_without_batch: Decimal | None
    worst_cost: Decimal | None
    worst_cost_with_retries: Decimal | None
    max_cost: Decimal | None
    spent: Decimal | None
    done_items: int
    price_source: str | None
    input_basis: str
    output_basis: str
    sampled_items: int = 0
    margin: float | None = None
    shared_items: int = 0
    cache: str | None = None
    waves: int | None = None
    waves_without_limit: int | None = None
    jobs_under_limit: int | None = None
    unsent_items: int | None = None
    one_wave_max_cost: Decimal | None = None
    one_wave_max_tokens: int | None = None
    sparing_max_tokens: int | None = None
    sparing_max_cost: Decimal | None = None

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        """Show the estimate in a notebook."""
        return preformatted(str(self))

    def _lines(self) -> list[str]:
        margin = "" if not self.margin else f" ± {self.margin:.1%}"
        lines = [f"estimate  {self.model}, {self._scope()}"]
        if not self.items:
            return lines
        lines += [
            f"input     {self.input_tokens:,} tokens{margin} ({self.input_basis})",
            f"output    {self.output_tokens:,} tokens ({self.output_basis})",
        ]
        if self.cost is None or self.cost_without_batch is None or self.worst_cost is None:
            return [*lines, "cost      unknown: no price is known for this model"]
        lines += [
            f"cost      {rounded(self.cost)} expected; {rounded(self.cost_without_batch)} without a batch",
            f"at worst  {self._at_worst()}",
        ]
        lines += [] if self.cache is None else [f"cache     {self.cache}"]
        return lines if self.max_cost is None else [*lines, f"limit     {self._against(self.max_cost)}"]

    def _scope(self) -> str:
        if not self.items:
            return f"nothing left to do: {number_of(self.done_items, 'item is', 'items are')} done"
        remaining = f" that remain of {self.items + self.done_items:,}" if self.done_items else ""
        sent = f", {self.sent_items:,} of them under way" if self.sent_items else ""
        sent += f", {self.shared_items:,} of them identical to others" if self.shared_items else ""
        jobs = f"{number_of(self.jobs, 'job')} to send, at most {size(self.bytes)}"
        return f"{number_of(self.items, 'item')}{remaining}{sent}; {jobs}"

    def _at_worst(self) -> str:
        assert self.worst_cost is not None
        once = f"{rounded(self.worst_cost)}, were every answer as long as max_tokens allows"
        retried = self.worst_cost_with_retries
        if retried is None or retried == self.worst_cost:
            return once
        return f"{once}; {rounded(retried)} with every retry as well"

    def _against(self, limit: Decimal) -> str:
        assert self.cost is not None
        assert self.worst_cost is not None
        assert self.worst_cost_with_retries is not None
        left = None if self.spent is None else EXACT.subtract(limit, self.spent)
        spent = f", {rounded(self.spent)} of it spent" if self.spent else ""
        said = f"max_cost {usd(limit)}{spent}:"
        if left is None:
            return f"{said} what was spent so far is not known"
        if self.one_wave_max_cost is None or self.one_wave_max_cost <= limit:
            enough = self.worst_cost_with_retries <= left
            return f"{said} enough{' even at worst' if enough else ', unless most is sent again'}"
        if self.unsent_items:
            fits = self.items - self.unsent_items
            room = f"only for about {fits:,} items" if fits else "not even for the next item"
            return f"{said} not enough for what is expected, {room}.{_NEXT}{self._at_once()}"
        if (self.waves or 0) <= (self.waves_without_limit or 0):
            return f"{said} enough for what is expected, and no job waits longer for it"
        return (
            f"{said} enough for what is expected, but not for the worst case: about "
            f"{self.jobs_under_limit:,} jobs in {self.waves:,} waves,{_NEXT}one after another, each of which "
            f"can take hours. {self._at_once()}"
        )

    def _at_once(self) -> str:
        """Say which limits need no waiting."""
        assert self.one_wave_max_cost is not None
        tokens, sparing = self.one_wave_max_tokens or 0, self.sparing_max_tokens or 0
        said = f"All at once: max_cost={_up(self.one_wave_max_cost)}"
        if tokens >= sparing:
            return f"{said}, or max_tokens={tokens} with this limit"
        if self.sparing_max_cost is not None and self.sparing_max_cost < self.one_wave_max_cost:
            return f"{said}, or {_up(self.sparing_max_cost)} with max_tokens={sparing}"
        return said


def _up(amount: Decimal) -> str:
    """Round up to three digits: an amount that is enough, and easy to type."""
    step = Decimal(1).scaleb(amount.adjusted() - 2)
    return plain(amount.quantize(step, ROUND_UP, context=EXACT))


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is expected of the rest of a run: tokens of an answer and its share of the worst-case cost.

    Also what the batches under way will release (USD).
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

    The worst case grows by the same amount with each token, or faster where a more expensive tier begins: the
    straight line between the two is never too low.
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
    least = max(_AMPLE * output_tokens, 100) + definition.model.thinking_budget(definition.params)
    step = 10 ** (len(str(least)) - 2)
    return int(min(-(-least // step) * step, definition.max_tokens))


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
