"""Prices that the user gives: by argument or file, before all tables, and refused when they are odd."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from batchata.core.pricing import charge
from batchata.core.values import Usage
from batchata.errors import InvalidInputError
from batchata.providers.given_prices import given_price

MODEL = "claude-sonnet-5-5"
WHOLE = {"input": 1, "output": "5", "cache_write_5m": 1.25, "cache_write_1h": 2, "cache_read": Decimal("0.1")}
EVERY = Usage(**dict.fromkeys(Usage.__struct_fields__, 10) )  # fmt: skip
TOML = """
[claude-sonnet-5-5]
input = 1
output = 5
cache_write_5m = 1.25
cache_write_1h = 2
cache_read = 0.1

[[claude-sonnet-5-5.tiers]]
above = 100_000
input = 3
output = 7.5

[another-model]
input = 9
output = 9
"""


def amount(prices: Any, **used: int) -> str | None:
    return charge(0, 0, Usage(**used), given_price(prices, MODEL)).amount


def test_given_prices_are_list_prices_that_a_batch_halves() -> None:
    """As numbers or as text, each kind by its own name; a search costs ten dollars a thousand as always."""
    event = charge(0, 0, EVERY, given_price({MODEL: WHOLE}, MODEL))
    assert event.unit_prices == {
        "input_tokens": "0.5",
        "output_tokens": "2.5",
        "cache_write_5m_tokens": "0.625",
        "cache_write_1h_tokens": "1",
        "cache_read_tokens": "0.05",
        "web_search_requests": "10000",
    }
    assert event.price_source == "prices argument"
    assert amount({MODEL: WHOLE | {"web_search": 2}}, web_search_requests=3) == "0.006"


def test_a_float_is_taken_as_it_is_printed() -> None:
    """0.1 means ten cents, not its binary neighbour."""
    assert amount({MODEL: {"input": 0.1, "output": 0.3}}, input_tokens=1, output_tokens=1) == "0.0000002"


def test_the_names_that_the_log_uses_are_taken_too() -> None:
    """`input_tokens` is `input`."""
    assert amount({MODEL: {"input_tokens": 2, "output_tokens": 10}}, input_tokens=1) == "0.000001"


def test_a_kind_without_a_given_price_is_unknown() -> None:
    """A price list that is given replaces the tables as a whole; nothing is mixed in."""
    assert amount({MODEL: {"input": 1, "output": 1}}, cache_read_tokens=1) is None


def test_tiers_are_given_like_prices() -> None:
    """Above its threshold a tier's prices hold for every token."""
    prices = {MODEL: {"input": 1, "output": 1, "tiers": [{"above": 10, "input": 3, "output": 5}]}}
    assert amount(prices, input_tokens=10, output_tokens=2) == "0.000006"
    assert amount(prices, input_tokens=11, output_tokens=2) == "0.0000215"


@pytest.mark.parametrize("kind", ["toml", "json"])
def test_a_file_gives_the_same(tmp_path: Path, kind: str) -> None:
    """TOML and JSON of the same shape; a file may hold other models too, and is named as the source."""
    path = tmp_path / f"our-prices.{kind}"
    tiers = [{"above": 100_000, "input": 3, "output": 7.5}]
    listed = {MODEL: json.loads(json.dumps(WHOLE, default=float)) | {"tiers": tiers}, "another-model": WHOLE}
    path.write_text(TOML if kind == "toml" else json.dumps(listed, default=float))
    for given in (path, str(path)):
        price = given_price(given, MODEL)
        assert price is not None
        assert price.source == f"prices file our-prices.{kind}"
        assert (
            charge(0, 0, EVERY, price).amount
            == charge(0, 0, EVERY, given_price({MODEL: WHOLE}, MODEL)).amount
        )
        assert price.for_prompt(100_001).output_tokens == Decimal("7.5")


@pytest.mark.parametrize("name", ["mistral/mistral-small-latest", "mistral-small-latest"])
def test_a_model_goes_by_its_name_with_or_without_its_provider(tmp_path: Path, name: str) -> None:
    """As a run names it; beside models of providers that there are not, in a file that scripts share."""
    prices = {name: {"input": 1, "output": 2}}
    found = given_price(prices, "mistral-small-latest", "mistral")
    assert found is not None
    shared = tmp_path / "prices.json"
    shared.write_text(json.dumps(prices | {"meta-llama/Llama-3": {"input": 1, "output": 1}}))
    held = given_price(shared, "mistral-small-latest", "mistral")
    assert held is not None
    assert held.tiers == found.tiers
    both = {"mistral/mistral-small-latest": WHOLE, "mistral-small-latest": WHOLE}
    with pytest.raises(InvalidInputError, match="are one model; leave one out"):
        given_price(both, "mistral-small-latest", "mistral")


@pytest.mark.parametrize("name", ["xai/mine", "mine"])
def test_a_model_that_only_its_provider_knows_is_priced_as_that_provider_bills(name: str) -> None:
    """The prices of xAI's batches are given as they are billed; Anthropic's would be halved."""
    found = given_price({name: {"input": 1, "output": 2}}, "mine", "xai")
    assert found is not None
    assert charge(0, 0, Usage(input_tokens=1_000_000), found).amount == "1"


def test_no_prices_is_no_price() -> None:
    """None leaves it to the tables."""
    assert given_price(None, MODEL) is None


ODD: dict[str, tuple[Any, tuple[str, ...]]] = {
    "negative": ({MODEL: {"input": -1, "output": 1}}, (f"{MODEL}.input", "0 or more", "-1")),
    "NaN": ({MODEL: {"input": 1, "output": float("nan")}}, (f"{MODEL}.output", "0 or more", "nan")),
    "infinite": ({MODEL: {"input": "Infinity", "output": 1}}, ("0 or more", "Infinity")),
    "text": ({MODEL: {"input": "cheap", "output": 1}}, ("0 or more", "'cheap'")),
    "bool": ({MODEL: {"input": True, "output": 1}}, ("0 or more", "True")),
    "None": ({MODEL: {"input": None, "output": 1}}, ("0 or more", "None")),
    "too fine": ({MODEL: {"input": "0.123456789", "output": 1}}, ("more than 8 digits",)),
    "a number": ({MODEL: 3}, ("such as {'input': 2, 'output': 10}", "per million tokens", "not 3")),
    "no output": ({MODEL: {"input": 1}}, (f"{MODEL} lacks output",)),
    "misspelt": ({MODEL: {"input": 1, "ouput": 1}}, ("'ouput'", "known are input, output, cache_write_5m")),
    "twice": ({MODEL: {"input": 1, "input_tokens": 1, "output": 1}}, ("two prices for 'input_tokens'",)),
    "another model": (
        {"claude-sonnet-5": WHOLE},
        ("prices for 'claude-sonnet-5'", f"the run uses '{MODEL}'", "did you mean"),
    ),
    "one model too many": ({MODEL: WHOLE, "gpt": WHOLE}, ("prices for 'gpt'", f"the run uses '{MODEL}'")),
    "nothing": ({}, ("no model", f"the run uses '{MODEL}'")),
    "a list": ([1], ("must map models to prices", "[1]")),
    "keys that are no names": ({1: WHOLE}, ("must map models to prices",)),
    "tiers": ({MODEL: {"input": 1, "output": 1, "tiers": {"above": 1}}}, ("tiers must be a list",)),
    "tier without above": (
        {MODEL: {"input": 1, "output": 1, "tiers": [{"input": 1, "output": 1}]}},
        ("tiers[0].above", "None"),
    ),
    "tiers that descend": (
        {MODEL: WHOLE | {"tiers": [WHOLE | {"above": 9}, WHOLE | {"above": 8}]}},
        ("must ascend",),
    ),
    "tier in part": (
        {MODEL: {"input": 1, "output": 1, "tiers": [{"above": 5, "input": 1}]}},
        ("tiers[0] lacks output",),
    ),
    "no file": ("/nowhere/prices.toml", ("cannot be read", "No such file")),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_prices_are_refused_with_what_to_change(name: str) -> None:
    """Each names the place and what is allowed there."""
    prices, words = ODD[name]
    with pytest.raises(InvalidInputError) as caught:
        given_price(prices, MODEL)
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("prices.toml", "[claude", "is not valid TOML"),
        ("prices.json", "{", "is not valid JSON"),
        ("prices.json", "\xff", "is not valid JSON"),
        ("prices.json", "[]", "must map models to prices"),
        ("prices.yaml", "", "must end in .json or .toml"),
        ("prices.toml", "[another]\ninput = 1\noutput = 1", "prices for 'another', but the run uses"),
    ],
)
def test_odd_price_files_are_refused(tmp_path: Path, name: str, text: str, words: str) -> None:
    """A file that cannot be read as prices for this run never means the tables' prices instead."""
    path = tmp_path / name
    path.write_text(text, encoding="latin-1")
    with pytest.raises(InvalidInputError, match=words):
        given_price(path, MODEL)
