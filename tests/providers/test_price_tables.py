"""List prices of every model that Batchata knows, against the price list they must match."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage as GenaiUsage
from genai_prices import calc_price
from hypothesis import given
from hypothesis import strategies as st

from batchata.core.pricing import UnitPrices, charge, prompt_tokens
from batchata.core.values import Usage
from batchata.providers.anthropic.models import MODELS
from batchata.providers.prices import find_price

TODAY = datetime(2026, 11, 22, tzinfo=UTC)

# USD per million tokens: input, output, 5-minute cache write, 1-hour cache write, cache read.
# Source: Anthropic's price list, August to November 2026.
CURRENT = {
    "claude-fable-5-2": "8 40 10 16 0.20",
    "claude-mythos-5-2": "8 40 10 16 0.20",
    "claude-fable-5-1": "10 50 12.5 20 0.25",
    "claude-mythos-5-1": "10 50 12.5 20 0.25",
    "claude-fable-5": "10 50 12.5 20 1.00",
    "claude-mythos-5": "10 50 12.5 20 1.00",
    "claude-opus-5-5": "4 20 5 8 0.20",
    "claude-opus-5": "5 25 6.25 10 0.50",
    "claude-opus-4-8": "5 25 6.25 10 0.50",
    "claude-opus-4-7": "5 25 6.25 10 0.50",
    "claude-opus-4-6": "5 25 6.25 10 0.50",
    "claude-opus-4-5": "5 25 6.25 10 0.50",
    "claude-opus-4-5-20251101": "5 25 6.25 10 0.50",
    "claude-sonnet-5-5": "2 10 2.5 4 0.10",
    "claude-sonnet-5": "2 10 2.5 4 0.20",
    "claude-sonnet-4-6": "3 15 3.75 6 0.30",
    "claude-sonnet-4-5": "3 15 3.75 6 0.30",
    "claude-sonnet-4-5-20250929": "3 15 3.75 6 0.30",
    "claude-haiku-4-5": "1 5 1.25 2 0.10",
    "claude-haiku-4-5-20251001": "1 5 1.25 2 0.10",
    "claude-opus-4-1": "15 75 18.75 30 1.50",
    "claude-opus-4-1-20250805": "15 75 18.75 30 1.50",
}
# Retired ids: input, output, 5-minute cache write, cache read; `-` where no price was ever published.
LEGACY = {
    "claude-opus-4-20250514": "15 75 18.75 1.50",
    "claude-sonnet-4-20250514": "3 15 3.75 0.30",
    "claude-3-7-sonnet-20250219": "3 15 3.75 0.30",
    "claude-3-7-sonnet-latest": "3 15 3.75 0.30",
    "claude-3-5-sonnet-20241022": "3 15 3.75 0.30",
    "claude-3-5-sonnet-latest": "3 15 3.75 0.30",
    "claude-3-5-sonnet-20240620": "3 15 3.75 0.30",
    "claude-3-5-haiku-20241022": "0.80 4 1.00 0.08",
    "claude-3-5-haiku-latest": "0.80 4 1.00 0.08",  # tokencost says 1 / 5 / 1.25 / 0.10, which is wrong
    "claude-3-haiku-20240307": "0.25 1.25 0.30 0.03",
    "claude-3-opus-20240229": "15 75 18.75 1.50",
    "claude-3-sonnet-20240229": "3 15 - -",
}


def listed(model: str, prompt: int = 1000) -> UnitPrices:
    price = find_price(model, TODAY)
    assert price is not None, f"no price for {model}"
    return price.for_prompt(prompt)


def row(text: str) -> list[Decimal | None]:
    return [None if unit == "-" else Decimal(unit) for unit in text.split()]


@pytest.mark.parametrize("model", CURRENT)
@pytest.mark.parametrize("prompt", [0, 100_001, 200_001, 900_000])
def test_list_prices_of_current_models(model: str, prompt: int) -> None:
    """All five prices, whatever the length of the prompt: these models have no long-context surcharge."""
    units = listed(model, prompt)
    columns = [
        units.input_tokens,
        units.output_tokens,
        units.cache_write_5m_tokens,
        units.cache_write_1h_tokens,
        units.cache_read_tokens,
    ]
    assert columns == row(CURRENT[model])


@pytest.mark.parametrize(
    ("prompt", "expected"), [(100_000, "0.10 0.50 0.125 0.20 0.01"), (100_001, "0.50 2.50 0.625 1.00 0.05")]
)
def test_haiku_5_5_has_a_cliff_at_100k_tokens(prompt: int, expected: str) -> None:
    """Up to 100,000 tokens of prompt one price, above five times as much, for every token of the request."""
    units = listed("claude-haiku-5-5", prompt)
    columns = [
        units.input_tokens,
        units.output_tokens,
        units.cache_write_5m_tokens,
        units.cache_write_1h_tokens,
        units.cache_read_tokens,
    ]
    assert columns == row(expected)


@pytest.mark.parametrize("model", LEGACY)
def test_list_prices_of_retired_models(model: str) -> None:
    """Old logs still name them. Where no cache price was published, one may be derived."""
    units = listed(model)
    columns = [units.input_tokens, units.output_tokens, units.cache_write_5m_tokens, units.cache_read_tokens]
    for price, expected in zip(columns, row(LEGACY[model]), strict=True):
        assert expected is None or price == expected


def test_a_model_that_never_existed_has_no_price() -> None:
    """genai-prices matches it by prefix; the price would be invented."""
    assert find_price("claude-3-5-haiku-20240307", TODAY) is None


@pytest.mark.parametrize("model", ["claude-mythos-preview", "claude-sonnet-99", "no-such-model", ""])
def test_an_unknown_model_has_no_price(model: str) -> None:
    """Unknown is None, never a guess and never zero."""
    assert find_price(model, TODAY) is None


def test_the_price_is_that_of_the_day() -> None:
    """Opus 4.6 had a surcharge on long prompts until 2026-03-13: the time given decides."""
    before = find_price("claude-opus-4-6", datetime(2026, 3, 12, tzinfo=UTC))
    assert before is not None
    assert before.for_prompt(200_001).input_tokens == Decimal(10)
    assert before.for_prompt(200_000).input_tokens == Decimal(5)
    assert listed("claude-opus-4-6", 200_001).input_tokens == Decimal(5)


def test_the_source_names_the_table_and_its_version() -> None:
    """The log must say where a price came from, and in whose name it stood there."""
    own, other = (find_price(model, TODAY) for model in ("claude-fable-5-1", "claude-mythos-5-1"))
    assert own is not None
    assert other is not None
    assert own.source.startswith("genai-prices 0.")
    assert other.source == f"{own.source} (claude-fable-5-1)"


@given(
    st.sampled_from(["claude-haiku-5-5", "claude-opus-5-5", "claude-sonnet-5", "claude-haiku-4-5"]),
    st.builds(Usage, **dict.fromkeys(Usage.__struct_fields__, st.integers(0, 150_000))),
)
def test_charges_are_half_of_what_genai_prices_computes(model: str, usage: Usage) -> None:
    """An independent calculation of the standard price, halved, gives the same amount to the last digit."""
    written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    theirs = GenaiUsage(
        input_tokens=prompt_tokens(usage),
        output_tokens=usage.output_tokens,
        cache_write_tokens=written,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        cache_read_tokens=usage.cache_read_tokens,
    )
    standard = calc_price(theirs, model, provider_id="anthropic", genai_request_timestamp=TODAY)
    amount = charge(0, 0, usage, find_price(model, TODAY)).amount
    assert amount is not None
    searches = usage.web_search_requests * Decimal("0.01")
    assert Decimal(amount) == standard.total_price / 2 + searches


@pytest.mark.parametrize("model", MODELS)
def test_data_residency_costs_more_from_claude_4_6_on(model: str) -> None:
    """A tenth on every token, and nothing on models that do not offer it; searches a cent each on all."""
    price = find_price(model, TODAY)
    if price is None:
        assert model in UNPRICED or model.startswith(("claude-1", "claude-instant"))
        return
    old = ("claude-2", "claude-3", "claude-instant", "claude-haiku-4-5", "claude-opus-4-0", "claude-opus-4-1")
    older = (*old, "claude-opus-4-2", "claude-opus-4-5", "claude-sonnet-4-0", "claude-sonnet-4-2")
    dear = not model.startswith((*older, "claude-sonnet-4-5", "claude-1"))
    assert (price.us_factor == Decimal("1.1")) is dear
    assert price.for_prompt(1).web_search_requests == 10_000


UNPRICED = {"claude-mythos-preview", "claude-3-5-haiku-20240307"}
