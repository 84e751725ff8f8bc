"""What a model's tokens cost: list prices from genai-prices, or from tokencost's table where it has none."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from batchata.core.money import EXACT, MILLION
from batchata.core.pricing import ModelPrice, PriceTier, UnitPrices
from batchata.providers.models import MODELS

# genai-prices matches old families by prefix and so gives this one a price; the model was never published.
_NEVER_EXISTED = frozenset({"claude-3-5-haiku-20240307"})
# genai-prices lacks these models; Anthropic's price list gives each in one row with the model named here.
_PRICED_AS = {"claude-mythos-5": "claude-fable-5", "claude-mythos-5-1": "claude-fable-5-1"}
# genai-prices keeps a dearer tier above 200,000 tokens, which Anthropic's price list does not have.
_WITHOUT_TIERS = ("claude-sonnet-4-5",)
# By Anthropic's price list: every token of Claude 4.6 and later with `inference_geo: "us"`, and a million
# web searches.
US_FACTOR = Decimal("1.1")
WEB_SEARCHES = Decimal(10_000)
_GENAI_FIELDS = {
    "input_tokens": "input_mtok",
    "output_tokens": "output_mtok",
    "cache_write_5m_tokens": "cache_write_mtok",
    "cache_write_1h_tokens": "cache_write_1h_mtok",
    "cache_read_tokens": "cache_read_mtok",
}
_TOKENCOST_FIELDS = {
    "input_tokens": "input_cost_per_token",
    "output_tokens": "output_cost_per_token",
    "cache_write_5m_tokens": "cache_creation_input_token_cost",
    "cache_read_tokens": "cache_read_input_token_cost",
}


def find_price(model: str, at: datetime) -> ModelPrice | None:
    """The model's list prices at a time, or None when no source knows the model."""
    if model in _NEVER_EXISTED:
        return None
    return _from_genai_prices(model, at) or _from_tokencost(model)


def us_factor(model: str) -> Decimal:
    """What data residency in the United States multiplies the model's prices by; unknown ones are new."""
    return US_FACTOR if model not in MODELS or MODELS[model].us_surcharge else Decimal(1)


def _from_genai_prices(model: str, at: datetime) -> ModelPrice | None:
    from genai_prices.data_snapshot import get_snapshot

    listed = _PRICED_AS.get(model, model)
    try:
        _, info = get_snapshot().find_provider_model(listed, None, "anthropic", None)
    except LookupError:
        return None
    prices = info.get_prices(at)
    thresholds = sorted({tier.start for name in _GENAI_FIELDS.values() for tier in _tiers(prices, name)})
    if model.startswith(_WITHOUT_TIERS):
        thresholds = []
    return ModelPrice(
        source=f"genai-prices {version('genai-prices')}" + ("" if listed == model else f" ({listed})"),
        tiers=[PriceTier(above, _unit_prices(prices, above)) for above in (-1, *thresholds)],
        us_factor=us_factor(model),
    )


def _tiers(prices: Any, name: str) -> list[Any]:
    return list(getattr(getattr(prices, name), "tiers", ()))


def _unit_prices(prices: Any, above: int) -> UnitPrices:
    units = {kind: _at(getattr(prices, name), above) for kind, name in _GENAI_FIELDS.items()}
    return UnitPrices(**units, web_search_requests=WEB_SEARCHES)


def _at(price: Any, above: int) -> Decimal | None:
    if price is None or isinstance(price, Decimal):
        return price
    reached = [tier.price for tier in price.tiers if tier.start <= above]
    return Decimal(reached[-1] if reached else price.base)


def _from_tokencost(model: str) -> ModelPrice | None:
    entry = _tokencost_table().get(model.lower())
    if entry is None:
        return None
    prices = {kind: entry.get(name) for kind, name in _TOKENCOST_FIELDS.items()}
    units = {
        kind: None if p is None else EXACT.multiply(Decimal(str(p)), MILLION) for kind, p in prices.items()
    }
    source = f"tokencost {version('tokencost')}"
    listed = UnitPrices(**units, web_search_requests=WEB_SEARCHES)
    return ModelPrice(source=source, tiers=[PriceTier(-1, listed)], us_factor=us_factor(model))


@cache
def _tokencost_table() -> Mapping[str, Mapping[str, Any]]:
    """tokencost's own file, read without importing tokencost, which takes seconds to bring in the SDK."""
    spec = importlib.util.find_spec("tokencost")
    if spec is None or not spec.submodule_search_locations:
        return {}
    path = Path(next(iter(spec.submodule_search_locations))) / "model_prices.json"
    table: dict[str, Mapping[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return {name.lower(): entry for name, entry in table.items()}
