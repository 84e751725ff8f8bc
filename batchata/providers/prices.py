"""Find what a model's tokens cost by the tables of genai-prices and tokencost."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from batchata.core.money import EXACT, MILLION
from batchata.core.pricing import ModelPrice, PriceTier, UnitPrices
from batchata.providers.exchange import PriceRules
from batchata.providers.registry import price_rules

_version = cache(version)  # a package's metadata is a file that is read and parsed

_GENAI_FIELDS = {
    "input_tokens": "input_mtok",
    "output_tokens": "output_mtok",
    "cache_write_5m_tokens": "cache_write_mtok",
    "cache_write_1h_tokens": "cache_write_1h_mtok",
    "cache_read_tokens": "cache_read_mtok",
}
_BATCH = {"processing": "batch"}
_REDUCED = ("input_tokens", "output_tokens")  # by the general discount, where no prices of batches are listed
_TOKENCOST_FIELDS = {
    "input_tokens": "input_cost_per_token",
    "output_tokens": "output_cost_per_token",
    "cache_write_5m_tokens": "cache_creation_input_token_cost",
    "cache_read_tokens": "cache_read_input_token_cost",
}


def find_price(model: str, at: datetime) -> ModelPrice | None:
    """Return the model's list prices at a time, or None when no source knows the model."""
    rules = price_rules(model)
    if rules.listed is None:
        return None
    found = _from_genai_prices(model, rules.listed, rules, at)
    return _from_tokencost(model, rules) if found is None and rules.always_discounted else found


def _from_genai_prices(model: str, listed: str, rules: PriceRules, at: datetime) -> ModelPrice | None:
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, info = get_snapshot().find_provider_model(listed, None, rules.provider, None)
    except LookupError:
        return None
    prices, in_batch = info.get_prices(at), _in_batch(info, rules, at)
    if in_batch is None and not rules.always_discounted:
        return None
    thresholds = sorted(
        {
            tier.start
            for table in (prices, in_batch)
            for name in _GENAI_FIELDS.values()
            for tier in _tiers(table, name)
        }
    )
    above_which = (-1, *(thresholds if rules.has_tiers else ()))
    return ModelPrice(
        source=f"genai-prices {_version('genai-prices')}" + ("" if listed == model else f" ({listed})"),
        tiers=[PriceTier(above, _unit_prices(prices, in_batch, above, rules)) for above in above_which],
        us_factor=rules.us_factor,
    )


def _in_batch(info: Any, rules: PriceRules, at: datetime) -> Any:
    """Return the table's own batch prices, where they apply and the model has some; else None."""
    variants = (info.price_variants or ()) if rules.batch_listed else ()
    known = [v for v in variants if v.when == _BATCH and (v.constraint is None or v.constraint.active(at))]
    return info.get_prices(at, _BATCH) if known else None


def _tiers(prices: Any, name: str) -> list[Any]:
    return list(getattr(getattr(prices, name, None), "tiers", ()))


def _unit_prices(prices: Any, in_batch: Any, above: int, rules: PriceRules) -> UnitPrices:
    """Return list prices that the batch factor turns into these prices of a batch."""
    table = prices if in_batch is None else in_batch
    units = {kind: _at(getattr(table, name), above) for kind, name in _GENAI_FIELDS.items()}
    if rules.batch_listed:
        reduced = _REDUCED if in_batch is None else ()
        units = {
            kind: price if price is None or kind in reduced else EXACT.divide(price, rules.batch_factor)
            for kind, price in units.items()
        }
    return filled(
        UnitPrices(**units, web_search_requests=rules.web_searches, batch_factor=rules.batch_factor), rules
    )


def filled(listed: UnitPrices, rules: PriceRules) -> UnitPrices:
    """Where a service caches by itself, give kinds without a price of their own the price of other input."""
    if not rules.caches_unasked:
        return listed
    fresh, written = listed.input_tokens, listed.cache_write_5m_tokens
    read, longer = listed.cache_read_tokens, listed.cache_write_1h_tokens
    written = fresh if written is None else written
    return replace(
        listed,
        cache_write_5m_tokens=written,
        cache_write_1h_tokens=written if longer is None else longer,
        cache_read_tokens=fresh if read is None else read,
    )


def _at(price: Any, above: int) -> Decimal | None:
    if price is None or isinstance(price, Decimal):
        return price
    reached = [tier.price for tier in price.tiers if tier.start <= above]
    return Decimal(reached[-1] if reached else price.base)


def _from_tokencost(model: str, rules: PriceRules) -> ModelPrice | None:
    entry = _tokencost_table().get(model.lower())
    if entry is None:
        return None
    prices = {kind: entry.get(name) for kind, name in _TOKENCOST_FIELDS.items()}
    units = {
        kind: None if p is None else EXACT.multiply(Decimal(str(p)), MILLION) for kind, p in prices.items()
    }
    source = f"tokencost {_version('tokencost')}"
    listed = UnitPrices(**units, web_search_requests=rules.web_searches, batch_factor=rules.batch_factor)
    return ModelPrice(source=source, tiers=[PriceTier(-1, filled(listed, rules))], us_factor=rules.us_factor)


@cache
def _tokencost_table() -> Mapping[str, Mapping[str, Any]]:
    """Read tokencost's own file without importing tokencost, which takes seconds to load the SDK."""
    spec = importlib.util.find_spec("tokencost")
    if spec is None or not spec.submodule_search_locations:
        return {}
    path = Path(next(iter(spec.submodule_search_locations))) / "model_prices.json"
    table: dict[str, Mapping[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return {name.lower(): entry for name, entry in table.items()}
