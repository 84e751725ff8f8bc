"""Compute what a request costs: unit prices, tiers, surcharges and exact sums, in Decimal USD."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from operator import attrgetter

import msgspec

from batchata.core.events import CostCharged
from batchata.core.money import (
    EXACT,
    INPUT_KINDS,
    MILLION,
    PICOS_A_TICK,
    TOKEN_KINDS,
    pico_text,
    plain,
)
from batchata.core.values import Limits, Usage

STATED = "the provider's own word"  # a charge's source where no unit price was applied
NO_USAGE = "unknown: what the answer used cannot be read"  # a charge's source where no price would help
_ZERO, _ONE = Decimal(0), Decimal(1)
# No request uses more: the longest prompt that a model takes has a million tokens, and server tools go
# through it ten times at most.
MOST_TOKENS, MOST_SEARCHES = 10_000_000, 10_000
MOST_TICKS = 10**13  # a thousand USD
BATCH_FACTOR = Decimal(Limits().batch_factor)
_KINDS = Usage.__struct_fields__
of_each_kind = attrgetter(*_KINDS)
_ANYWHERE = (None, "", "global", "not_available")  # what answers say where no residency was asked for


@dataclass(frozen=True)
class UnitPrices:
    """List prices in USD per million tokens, one for each kind of token; None where none is known.

    Of web searches it is the price per million requests. In a batch, prices of tokens are multiplied by
    `batch_factor`.
    """

    input_tokens: Decimal | None
    output_tokens: Decimal | None
    cache_write_5m_tokens: Decimal | None = None
    cache_write_1h_tokens: Decimal | None = None
    cache_read_tokens: Decimal | None = None
    web_search_requests: Decimal | None = None
    batch_factor: Decimal = BATCH_FACTOR

    @cached_property
    def in_batch(self) -> dict[str, tuple[Decimal, str]]:
        """Return the known prices in a batch, as numbers and in plain digits. Only tokens are cheaper."""
        listed = {kind: getattr(self, kind) for kind in Usage.__struct_fields__}
        known = {kind: price for kind, price in listed.items() if price is not None}
        reduced = {
            kind: EXACT.multiply(price, self.batch_factor) if kind in TOKEN_KINDS else price
            for kind, price in known.items()
        }
        return {kind: (price, plain(price)) for kind, price in reduced.items()}

    @cached_property
    def picos(self) -> dict[str, int]:
        """The prices of one token or search in a batch, those that are whole picodollars."""
        each = {kind: EXACT.multiply(price, MILLION) for kind, (price, _) in self.in_batch.items()}
        return {kind: int(price) for kind, price in each.items() if price == int(price)}

    def times(self, factor: Decimal) -> UnitPrices:
        """Multiply the price of every kind of token by a factor."""
        listed = {kind: getattr(self, kind) for kind in TOKEN_KINDS}
        raised = {kind: price and EXACT.multiply(price, factor) for kind, price in listed.items()}
        return replace(self, **raised)


@dataclass(frozen=True, slots=True)
class PriceTier:
    """Prices for requests whose whole prompt has more than `above` tokens; they hold for all its tokens."""

    above: int
    prices: UnitPrices


@dataclass(frozen=True)
class ModelPrice:
    """All prices of one model and where they came from; tiers ascend and the first begins at -1.

    `us_factor` is what every token costs more where inference is kept in the United States.
    """

    source: str
    tiers: Sequence[PriceTier]
    us_factor: Decimal = _ONE

    def for_prompt(self, tokens: int) -> UnitPrices:
        """Return the prices for a request whose prompt has this many tokens, cached ones included."""
        if len(self.tiers) == 1:
            return self.tiers[0].prices
        return next(tier.prices for tier in reversed(self.tiers) if tokens > tier.above)

    def for_usage(self, usage: Usage) -> UnitPrices:
        """Return the prices for a request that used so much."""
        return self.for_prompt(prompt_tokens(usage) if len(self.tiers) > 1 else 0)

    def kept_in(self, geo: str | None) -> ModelPrice | None:
        """Return the prices at the place of inference; None for a place without known prices."""
        if geo in _ANYWHERE:
            return self
        return self.in_us if geo == "us" else None

    @cached_property
    def in_us(self) -> ModelPrice:
        """Return the prices with data residency in the United States."""
        if self.us_factor == 1:
            return self
        tiers = [PriceTier(tier.above, tier.prices.times(self.us_factor)) for tier in self.tiers]
        return ModelPrice(f"{self.source}, times {plain(self.us_factor)} for inference_geo us", tiers)

    @cached_property
    def dearest(self) -> list[tuple[Decimal, Decimal, Decimal]]:
        """Return for each tier the price of fresh input, of the dearest kind of input, and of output."""
        found = []
        for tier in self.tiers:
            known = [p for kind in INPUT_KINDS if (p := getattr(tier.prices, kind)) is not None]
            fresh, output = tier.prices.input_tokens or _ZERO, tier.prices.output_tokens or _ZERO
            found.append((fresh, max(known, default=_ZERO), output))
        return found

    def unknown_kinds(self, *, caching: bool) -> list[str]:
        """Return the kinds of token that a request may use and that have no price in some tier."""
        kinds = TOKEN_KINDS if caching else ("input_tokens", "output_tokens")
        return [kind for kind in kinds if any(getattr(tier.prices, kind) is None for tier in self.tiers)]


def quantities(usage: Usage | CostCharged) -> list[tuple[str, int]]:
    """Return what was used, by kind, without the zeros."""
    return [pair for pair in zip(_KINDS, of_each_kind(usage), strict=True) if pair[1]]


def prompt_tokens(usage: Usage | CostCharged) -> int:
    """Add up all input tokens of a request: fresh, written to a cache and read from one."""
    return (
        usage.input_tokens
        + usage.cache_write_5m_tokens
        + usage.cache_write_1h_tokens
        + usage.cache_read_tokens
    )


def charge(
    job: int,
    index: int,
    usage: Usage | None,
    price: ModelPrice | None,
    geo: str | None = None,
    ticks: int | None = None,
) -> CostCharged:
    """Return the event that records the cost of a request, with every figure needed to check it.

    Without a `usage` that can be read the cost is unknown. `geo` is where the answer says that inference took
    place, `ticks` what the provider says that it charged: that counts, where prices give something else.
    """
    if ticks is not None:
        return _stated(charge(job, index, usage, price, geo), ticks)
    if usage is None:
        return msgspec.structs.replace(charge(job, index, Usage(), None), price_source=NO_USAGE)
    used = dict(quantities(usage))
    placed = None if price is None else price.kept_in(geo)
    units = {} if placed is None else placed.for_usage(usage).in_batch
    known = placed is not None and used.keys() <= units.keys()
    millions = _ZERO
    for kind, number in used.items() if known else ():
        millions = EXACT.fma(units[kind][0], number, millions)
    return CostCharged(
        job=job,
        index=index,
        amount=plain(EXACT.divide(millions, MILLION)) if known else None,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_write_5m_tokens=usage.cache_write_5m_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        web_search_requests=usage.web_search_requests,
        unit_prices={kind: units[kind][1] for kind in used} if known else {},
        price_source=_source(price, placed, geo),
    )


def _stated(priced: CostCharged, ticks: int) -> CostCharged:
    """Return the charge that the provider states; the one computed from prices where both are the same."""
    said = pico_text(ticks * PICOS_A_TICK)
    if said == priced.amount:
        return priced
    return msgspec.structs.replace(priced, amount=said, ticks=ticks, unit_prices={}, price_source=STATED)


def _source(price: ModelPrice | None, placed: ModelPrice | None, geo: str | None) -> str:
    if placed is not None:
        return placed.source
    return "unknown" if price is None else f"unknown for inference_geo {geo}"


def expected_cost(price: ModelPrice, input_tokens: int, output_tokens: int) -> Decimal | None:
    """Return the cost of an uncached request of so many tokens in a batch (USD); None if unknown."""
    units = price.for_prompt(input_tokens).in_batch
    if "input_tokens" not in units or "output_tokens" not in units:
        return None
    output = EXACT.multiply(units["output_tokens"][0], output_tokens)
    return EXACT.divide(EXACT.fma(units["input_tokens"][0], input_tokens, output), MILLION)


def worst_cost(
    price: ModelPrice, input_tokens: int, max_tokens: int, *, caching: bool = True, us: bool = False
) -> Decimal:
    """Return the most that a request can cost: all of the input, and all of `max_tokens` used.

    With `caching` all input is taken at its dearest kind; with `us` with data residency. A tier counts only
    where so many input tokens reach it.
    """
    worst = max(
        EXACT.fma(dearest if caching else fresh, input_tokens, EXACT.multiply(output, max_tokens))
        for tier, (fresh, dearest, output) in zip(price.tiers, price.dearest, strict=True)
        if tier.above < input_tokens
    )
    factor = price.tiers[0].prices.batch_factor
    factor = EXACT.multiply(factor, price.us_factor) if us else factor
    return EXACT.divide(EXACT.multiply(worst, factor), MILLION)
