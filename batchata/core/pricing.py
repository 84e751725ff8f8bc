"""What a request costs: unit prices, tiers and exact sums, in Decimal USD."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from batchata.core.events import CostCharged, Usage

MILLION = Decimal(1_000_000)
_ZERO = Decimal(0)
BATCH_FACTOR = Decimal("0.5")  # every token category is billed at half the list price in a batch


@dataclass(frozen=True)
class UnitPrices:
    """List prices in USD per million tokens, one for each kind of token; None where none is known."""

    input_tokens: Decimal | None
    output_tokens: Decimal | None
    cache_write_5m_tokens: Decimal | None = None
    cache_write_1h_tokens: Decimal | None = None
    cache_read_tokens: Decimal | None = None

    @cached_property
    def in_batch(self) -> dict[str, tuple[Decimal, str]]:
        """The known prices at half, as they are in a batch: as numbers and in plain digits."""
        listed = {kind: getattr(self, kind) for kind in Usage.__struct_fields__}
        halved = {kind: price * BATCH_FACTOR for kind, price in listed.items() if price is not None}
        return {kind: (price, plain(price)) for kind, price in halved.items()}


@dataclass(frozen=True, slots=True)
class PriceTier:
    """Prices for requests whose whole prompt has more than `above` tokens; they hold for all its tokens."""

    above: int
    prices: UnitPrices


@dataclass(frozen=True)
class ModelPrice:
    """All prices of one model and where they came from; tiers ascend and the first begins at -1."""

    source: str
    tiers: Sequence[PriceTier]

    def for_prompt(self, tokens: int) -> UnitPrices:
        """The prices that hold for a request whose prompt has this many tokens, cached ones included."""
        return next(tier.prices for tier in reversed(self.tiers) if tokens > tier.above)

    @cached_property
    def dearest(self) -> list[tuple[Decimal, Decimal]]:
        """For each tier the price of its dearest kind of input, and that of output."""
        kinds = [kind for kind in Usage.__struct_fields__ if kind != "output_tokens"]
        return [
            (
                max((p for kind in kinds if (p := getattr(tier.prices, kind)) is not None), default=_ZERO),
                tier.prices.output_tokens or _ZERO,
            )
            for tier in self.tiers
        ]


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
    tokens = {kind: number for kind in Usage.__struct_fields__ if (number := getattr(usage, kind))}
    units = {} if price is None else price.for_prompt(prompt_tokens(usage)).in_batch
    known = price is not None and tokens.keys() <= units.keys()
    amount = sum((units[kind][0] * number for kind, number in tokens.items()), _ZERO) if known else None
    return CostCharged(
        job=job,
        index=index,
        amount=None if amount is None else plain(amount / MILLION),
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_write_5m_tokens=usage.cache_write_5m_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        unit_prices={kind: units[kind][1] for kind in tokens} if known else {},
        price_source="unknown" if price is None else price.source,
    )


def worst_cost(price: ModelPrice, input_tokens: int, max_tokens: int) -> Decimal:
    """The most that a request can cost: all input at the dearest kind of input, all of `max_tokens` used.

    A tier counts only where so many input tokens reach it.
    """
    worst = max(
        dearest * input_tokens + output * max_tokens
        for tier, (dearest, output) in zip(price.tiers, price.dearest, strict=True)
        if tier.above < input_tokens
    )
    return worst * BATCH_FACTOR / MILLION


def plain(amount: Decimal) -> str:
    """The amount in plain digits, without exponent and without trailing zeros."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
