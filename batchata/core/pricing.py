"""What a request costs: unit prices, tiers and exact sums, in Decimal USD."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from batchata.core.events import CostCharged, Usage

MILLION = Decimal(1_000_000)
BATCH_FACTOR = Decimal("0.5")  # every token category is billed at half the list price in a batch


@dataclass(frozen=True, slots=True)
class UnitPrices:
    """List prices in USD per million tokens, one for each kind of token; None where none is known."""

    input_tokens: Decimal | None
    output_tokens: Decimal | None
    cache_write_5m_tokens: Decimal | None = None
    cache_write_1h_tokens: Decimal | None = None
    cache_read_tokens: Decimal | None = None

    def of(self, kind: str) -> Decimal | None:
        """The price of one kind of token."""
        price: Decimal | None = getattr(self, kind)
        return price


@dataclass(frozen=True, slots=True)
class PriceTier:
    """Prices for requests whose whole prompt has more than `above` tokens; they hold for all its tokens."""

    above: int
    prices: UnitPrices


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """All prices of one model and where they came from; tiers ascend and the first begins at -1."""

    source: str
    tiers: Sequence[PriceTier]

    def for_prompt(self, tokens: int) -> UnitPrices:
        """The prices that hold for a request whose prompt has this many tokens, cached ones included."""
        return next(tier.prices for tier in reversed(self.tiers) if tokens > tier.above)


def prompt_tokens(usage: Usage) -> int:
    """All input tokens of a request, whether fresh, written to a cache or read from one."""
    return (
        usage.input_tokens
        + usage.cache_write_5m_tokens
        + usage.cache_write_1h_tokens
        + usage.cache_read_tokens
    )


def charge(job: int, index: int, usage: Usage, price: ModelPrice | None) -> CostCharged:
    """The event that says what this request cost, with every figure needed to check it later."""
    tokens = {kind: getattr(usage, kind) for kind in Usage.__struct_fields__}
    used = [kind for kind, number in tokens.items() if number]
    batch_prices = _batch_prices(price, usage, used)
    amount = (
        None
        if batch_prices is None
        else sum((batch_prices[k] * tokens[k] for k in used), Decimal(0)) / MILLION
    )
    return CostCharged(
        job=job,
        index=index,
        amount=None if amount is None else plain(amount),
        unit_prices={}
        if batch_prices is None
        else {kind: plain(unit) for kind, unit in batch_prices.items()},
        price_source="unknown" if price is None else price.source,
        **tokens,
    )


def _batch_prices(price: ModelPrice | None, usage: Usage, used: list[str]) -> dict[str, Decimal] | None:
    if price is None:
        return None
    listed = price.for_prompt(prompt_tokens(usage))
    units = {kind: listed.of(kind) for kind in used}
    return (
        None
        if None in units.values()
        else {k: unit * BATCH_FACTOR for k, unit in units.items() if unit is not None}
    )


def worst_cost(price: ModelPrice, input_tokens: int, max_tokens: int) -> Decimal:
    """The most that a request can cost: all input at the dearest kind of input, all of `max_tokens` used."""
    return max(
        (_dearest_input(tier.prices) * input_tokens + (tier.prices.output_tokens or 0) * max_tokens)
        * BATCH_FACTOR
        / MILLION
        for tier in price.tiers
    )


def _dearest_input(prices: UnitPrices) -> Decimal:
    kinds = (kind for kind in Usage.__struct_fields__ if kind != "output_tokens")
    return max((unit for unit in map(prices.of, kinds) if unit is not None), default=Decimal(0))


def plain(amount: Decimal) -> str:
    """The amount in plain digits, without exponent and without trailing zeros."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
