"""The user's own prices, from an argument or a file, checked.

A price list maps models to list prices in USD per million tokens, before the batch discount: `input` and
`output`, and where it matters `cache_write_5m`, `cache_write_1h` and `cache_read`, and `web_search` per
thousand searches. `tiers` are further prices of the same form, each for requests whose whole prompt has more
than `above` tokens. A JSON or TOML file has the same shape.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any

from batchata.core.money import EXACT
from batchata.core.pricing import ModelPrice, PriceTier, UnitPrices
from batchata.errors import InvalidInputError
from batchata.providers.prices import WEB_SEARCHES, us_factor

type Prices = Mapping[str, Mapping[str, Any]]

_THOUSAND = Decimal(1_000)
_MOST = Decimal(1_000_000)
_LAST = Decimal("1e-8")  # after the point; with them the cost of any run is exact
_FIELDS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_write_5m": "cache_write_5m_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
    "cache_read": "cache_read_tokens",
    "web_search": "web_search_requests",
}
_EXAMPLE = "{'input': 2, 'output': 10}"
_MEANING = "USD per million tokens, before the batch discount"


def given_price(prices: Prices | str | os.PathLike[str] | None, model: str) -> ModelPrice | None:
    """The price that the user gave for the model; None when no prices were given at all.

    Raises InvalidInputError for prices that cannot be read, are no prices, or are not for this model.
    """
    if prices is None:
        return None
    if isinstance(prices, str | os.PathLike):
        path = os.fspath(prices)
        return _chosen(_read(path), model, f"prices file {os.path.basename(path)}", shared=True)
    return _chosen(prices, model, "prices argument", shared=False)


def _chosen(prices: object, model: str, source: str, *, shared: bool) -> ModelPrice:
    """A file may be shared by many scripts, an argument is for this run."""
    if not isinstance(prices, Mapping) or not all(isinstance(name, str) for name in prices):
        raise InvalidInputError(
            f"{source}: has to map models to prices, such as {{{model!r}: {_EXAMPLE}}} ({_MEANING}), "
            f"not {prices!r}"
        )
    found = {name: _model_price(entry, name, source) for name, entry in prices.items()}
    unused = [name for name in found if name != model]
    if model not in found or (unused and not shared):
        near = get_close_matches(model, unused, n=1)
        hint = f"; did you mean {model!r} by {near[0]!r}?" if near and model not in found else ""
        named = ", ".join(map(repr, unused)) or "no model"
        raise InvalidInputError(f"{source}: prices for {named}, but the run uses {model!r}{hint}")
    return found[model]


def _read(path: str) -> object:
    name = os.path.basename(path)
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as exc:
        raise InvalidInputError(f"prices file {path!r} cannot be read: {exc.strerror or exc}") from exc
    try:
        if name.endswith(".toml"):
            return tomllib.loads(data.decode(), parse_float=Decimal)
        if name.endswith(".json"):
            return json.loads(data, parse_float=Decimal)
    except (ValueError, RecursionError) as exc:
        raise InvalidInputError(f"prices file {path!r} is not valid {name[-4:].upper()}: {exc}") from exc
    raise InvalidInputError(f"prices file {path!r} has to end in .json or .toml")


def _model_price(entry: object, model: str, source: str) -> ModelPrice:
    place = f"{source}: {model}"
    if not isinstance(entry, Mapping):
        raise InvalidInputError(f"{place} has to be prices, such as {_EXAMPLE} ({_MEANING}), not {entry!r}")
    tiers = entry.get("tiers", ())
    if not isinstance(tiers, list | tuple) or not all(isinstance(tier, Mapping) for tier in tiers):
        raise InvalidInputError(f"{place}.tiers has to be a list of prices, each with 'above': {tiers!r}")
    base = {name: value for name, value in entry.items() if name != "tiers"}
    further = [_tier(tier, f"{place}.tiers[{n}]") for n, tier in enumerate(tiers)]
    if [tier.above for tier in further] != sorted({tier.above for tier in further}):
        raise InvalidInputError(f"{place}.tiers have to ascend by 'above', each with another one")
    return ModelPrice(source, [PriceTier(-1, _units(base, place)), *further], us_factor(model))


def _tier(tier: Mapping[str, Any], place: str) -> PriceTier:
    above = tier.get("above")
    if isinstance(above, bool) or not isinstance(above, int) or above < 1:
        raise InvalidInputError(
            f"{place}.above has to be a number of prompt tokens, 1 or more, not {above!r}"
        )
    return PriceTier(above, _units({k: v for k, v in tier.items() if k != "above"}, place))


def _units(entry: Mapping[Any, Any], place: str) -> UnitPrices:
    units: dict[str, Decimal] = {}
    for name, value in entry.items():
        kind = _FIELDS.get(str(name).removesuffix("_tokens"))
        if kind is None:
            raise InvalidInputError(f"{place} has a price for {name!r}; known are {', '.join(_FIELDS)}")
        if kind in units:
            raise InvalidInputError(f"{place} has two prices for {name!r}; give one")
        units[kind] = _price(value, f"{place}.{name}")
    lacking = [name for name in ("input", "output") if _FIELDS[name] not in units]
    if lacking:
        raise InvalidInputError(f"{place} lacks {' and '.join(lacking)} ({_MEANING})")
    searches = units.pop("web_search_requests", None)
    return UnitPrices(
        **units, web_search_requests=WEB_SEARCHES if searches is None else EXACT.multiply(searches, _THOUSAND)
    )


def _price(value: object, place: str) -> Decimal:
    """A float is taken as it is printed."""
    try:
        price = Decimal(str(value)) if isinstance(value, str | int | float | Decimal) else Decimal("NaN")
    except InvalidOperation:
        price = Decimal("NaN")
    if isinstance(value, bool) or not price.is_finite() or not 0 <= price < _MOST:
        raise InvalidInputError(f"{place} has to be an amount in USD, 0 or more, not {value!r}")
    if price != price.quantize(_LAST, context=EXACT):
        raise InvalidInputError(f"{place} has more than 8 digits after the point: {value!r}")
    return EXACT.add(price, 0)
