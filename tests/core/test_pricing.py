"""What a request costs: exact, each by itself, at half the list price, and unknown rather than zero."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchata.core.money import TOKEN_KINDS, plain
from batchata.core.pricing import (
    ModelPrice,
    PriceTier,
    UnitPrices,
    charge,
    expected_cost,
    prompt_tokens,
    worst_cost,
)
from batchata.core.values import Usage

KINDS = TOKEN_KINDS
D = Decimal


def prices(*units: str | None) -> UnitPrices:
    """Per million: input, output, cache write 5m, cache write 1h, cache read, web searches."""
    return UnitPrices(*(None if unit is None else D(unit) for unit in units))


LISTED = prices("2", "10", "2.5", "4", "0.1", "10000")
SONNET = ModelPrice("a table", [PriceTier(-1, LISTED)], us_factor=D("1.1"))
HAIKU = ModelPrice(
    "a table",
    [
        PriceTier(-1, prices("0.1", "0.5", "0.125", "0.2", "0.01")),
        PriceTier(100_000, prices("0.5", "2.5", "0.625", "1", "0.05")),
    ],
)


def amount(price: ModelPrice | None, **tokens: int) -> Decimal | None:
    text = charge(0, 0, Usage(**tokens), price).amount
    return None if text is None else D(text)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("input_tokens", "0.000001"),
        ("output_tokens", "0.000005"),
        ("cache_write_5m_tokens", "0.00000125"),
        ("cache_write_1h_tokens", "0.000002"),
        ("cache_read_tokens", "0.00000005"),
    ],
)
def test_every_kind_of_token_is_half_price_in_a_batch(kind: str, expected: str) -> None:
    """One token of each kind costs half a millionth of its list price."""
    assert amount(SONNET, **{kind: 1}) == D(expected)


def test_all_kinds_add_up() -> None:
    """The example worked out by hand: 100 in, 600 read, 100 and 200 written, 50 out."""
    used = {"input_tokens": 100, "output_tokens": 50, "cache_read_tokens": 600}
    written = {"cache_write_5m_tokens": 100, "cache_write_1h_tokens": 200}
    assert amount(SONNET, **used, **written) == D("0.000905")


def test_the_tier_is_that_of_the_request() -> None:
    """Above 100,000 prompt tokens every token of the request costs more, output too; at the edge not yet."""
    assert amount(HAIKU, input_tokens=100_000, output_tokens=1000) == D("0.00525")
    assert amount(HAIKU, input_tokens=100_001, output_tokens=1000) == D("0.02625025")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "output_tokens"])
def test_cached_tokens_count_towards_the_tier(kind: str) -> None:
    """The prompt is fresh, written and read tokens together."""
    usage = Usage(**{"input_tokens": 1, kind: 100_001})
    assert prompt_tokens(usage) == sum(getattr(usage, k) for k in KINDS if k != "output_tokens")
    assert charge(0, 0, usage, HAIKU).unit_prices["input_tokens"] == "0.25"


def test_output_does_not_count_towards_the_tier() -> None:
    """A long answer to a short prompt stays cheap."""
    assert amount(HAIKU, input_tokens=1, output_tokens=200_000) == D("0.05000005")


def test_the_charge_says_what_is_needed_to_check_it() -> None:
    """Tokens by kind, the unit prices used and where they came from are in the event itself."""
    event = charge(3, 14, Usage(input_tokens=7, output_tokens=5, cache_read_tokens=2), SONNET)
    assert (event.job, event.index, event.price_source) == (3, 14, "a table")
    assert event.unit_prices == {"input_tokens": "1", "output_tokens": "5", "cache_read_tokens": "0.05"}
    assert event.amount == "0.0000321"


USAGES = st.builds(Usage, **dict.fromkeys(KINDS, st.integers(0, 2_000_000)))
UNITS = st.none() | st.integers(0, 200_000).map(lambda n: D(n) / 1000)


@given(USAGES, st.sampled_from([SONNET, HAIKU]))
def test_a_charge_can_be_checked_from_its_own_figures(usage: Usage, price: ModelPrice) -> None:
    """Amount = sum of tokens times unit price, to the last digit."""
    event = charge(0, 0, usage, price)
    total = sum((D(unit) * getattr(event, kind) for kind, unit in event.unit_prices.items()), D(0))
    assert event.amount is not None
    assert D(event.amount) == total / 1_000_000
    assert {kind: getattr(event, kind) for kind in KINDS} == {kind: getattr(usage, kind) for kind in KINDS}


def test_without_a_price_the_amount_is_unknown() -> None:
    """Never zero: tokens were used and will be billed."""
    event = charge(0, 0, Usage(input_tokens=5), None)
    assert (event.amount, event.price_source, event.unit_prices) == (None, "unknown", {})
    assert charge(0, 0, Usage(), None).amount is None


@pytest.mark.parametrize("missing", KINDS)
def test_one_unknown_unit_price_makes_the_amount_unknown(missing: str) -> None:
    """The rest is not the cost; a kind of which no token was used does not matter."""
    units: dict[str, Any] = {kind: D(1) for kind in KINDS if kind != missing}
    price = ModelPrice("a table", [PriceTier(-1, UnitPrices(**{missing: None, **units}))])
    assert amount(price, **dict.fromkeys(KINDS, 1)) is None
    assert amount(price, **dict.fromkeys(units, 1)) == D("0.000002")


def test_web_searches_are_not_halved() -> None:
    """A search costs a cent beside its tokens, in a batch as well; without a price it makes all unknown."""
    event = charge(0, 0, Usage(input_tokens=100, web_search_requests=3), SONNET)
    assert (event.amount, event.web_search_requests) == ("0.0301", 3)
    assert event.unit_prices == {"input_tokens": "1", "web_search_requests": "10000"}
    assert charge(0, 0, Usage(web_search_requests=1), HAIKU).amount is None


def test_data_residency_costs_a_tenth_more_on_every_token() -> None:
    """Where the answer says it was made in the US; searches cost the same, the source names the factor."""
    usage = Usage(input_tokens=100, output_tokens=10, web_search_requests=1)
    event = charge(0, 0, usage, SONNET, "us")
    assert event.amount == "0.010165"
    assert event.unit_prices == {
        "input_tokens": "1.1",
        "output_tokens": "5.5",
        "web_search_requests": "10000",
    }
    assert event.price_source == "a table, times 1.1 for inference_geo us"
    assert charge(0, 0, usage, HAIKU, "us").price_source == "a table"  # a model without the surcharge


@pytest.mark.parametrize("geo", [None, "", "global", "not_available"])
def test_without_data_residency_nothing_is_added(geo: str | None) -> None:
    """The words with which answers say that they may come from anywhere."""
    assert charge(0, 0, Usage(output_tokens=10), SONNET, geo).amount == "0.00005"


def test_a_place_that_is_not_in_the_price_list_has_no_price() -> None:
    """A surcharge that nobody has told us of is unknown, not zero."""
    event = charge(0, 0, Usage(output_tokens=10), SONNET, "eu")
    assert (event.amount, event.price_source, event.unit_prices) == (
        None,
        "unknown for inference_geo eu",
        {},
    )


@st.composite
def priced(draw: st.DrawFn) -> ModelPrice:
    """Any price table: tiers up or down, kinds with and without a price."""
    edges = [-1, *sorted(draw(st.sets(st.integers(0, 300_000), max_size=2)))]
    tiers = [PriceTier(edge, UnitPrices(*(draw(UNITS) for _ in KINDS))) for edge in edges]
    return ModelPrice("any", tiers, us_factor=draw(st.sampled_from([D(1), D("1.1")])))


@given(priced(), USAGES, st.integers(0, 1000), st.integers(0, 1000))
def test_no_request_costs_more_than_was_reserved(
    price: ModelPrice, usage: Usage, spare_input: int, spare_output: int
) -> None:
    """`max_cost` is a promise: within the bounds, no mixture of token kinds exceeds the worst case."""
    cost = amount(price, **{kind: getattr(usage, kind) for kind in KINDS})
    most = prompt_tokens(usage) + spare_input, usage.output_tokens + spare_output
    assert cost is None or cost <= worst_cost(price, *most)
    placed = charge(0, 0, usage, price, "us").amount
    assert placed is None or D(placed) <= worst_cost(price, *most, us=True)


@given(priced(), st.integers(0, 400_000), st.integers(0, 10_000))
def test_without_caching_only_fresh_input_is_reserved(price: ModelPrice, tokens: int, output: int) -> None:
    """A request that asks for no caching is never billed for any: the bound is that of fresh tokens."""
    cost = amount(price, input_tokens=tokens, output_tokens=output)
    bound = worst_cost(price, tokens, output, caching=False)
    assert cost is None or cost <= bound <= worst_cost(price, tokens, output)


def test_the_worst_case_is_no_worse_than_can_be() -> None:
    """A prompt that cannot reach the dear tier reserves nothing for it: five times as many items fit."""
    assert worst_cost(HAIKU, 100_000, 1000) == D("0.01025")
    assert worst_cost(HAIKU, 100_001, 1000) == D("0.0512505")
    assert worst_cost(SONNET, 1_000_000, 0) == D("2")
    assert worst_cost(SONNET, 1_000_000, 0, caching=False) == D("1")
    assert worst_cost(SONNET, 1_000_000, 0, caching=False, us=True) == D("1.1")


def test_amounts_are_written_in_plain_digits() -> None:
    """No exponent and no trailing zeros: the same amount is always the same text."""
    assert [plain(D(text)) for text in ("1E+3", "0.0000010", "0E-9", "25.00", "100", "1E-12")] == [
        "1000",
        "0.000001",
        "0",
        "25",
        "100",
        "0.000000000001",
    ]


@pytest.mark.parametrize(("tokens", "cost"), [(100_000, "0.00525"), (100_001, "0.02625025")])
def test_an_expected_cost_is_what_would_be_charged(tokens: int, cost: str) -> None:
    """The same tier and the same batch price as in the charge for so many tokens."""
    assert expected_cost(HAIKU, tokens, 1_000) == D(cost)
    assert amount(HAIKU, input_tokens=tokens, output_tokens=1_000) == D(cost)


def test_an_expected_cost_without_a_price_is_unknown() -> None:
    """A price of one kind alone is no price."""
    assert expected_cost(ModelPrice("half", [PriceTier(-1, prices("2", None))]), 1, 1) is None
