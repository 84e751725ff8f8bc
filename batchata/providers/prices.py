"""Find what a model's tokens cost: by the user's own prices, genai-prices, or tokencost's table."""

from __future__ import annotations

import importlib.util
import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from functools import cache, reduce
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import pydantic

from batchata.answers.field_paths import inside
from batchata.core.money import EXACT, MILLION
from batchata.core.pricing import ModelPrice, PriceTier, UnitPrices
from batchata.errors import InvalidInputError
from batchata.paths import PathLike
from batchata.providers.port import PriceRules
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
    """Return the table's own prices of batches, where they count and the model has some; else None."""
    variants = (info.price_variants or ()) if rules.batch_listed else ()
    known = [v for v in variants if v.when == _BATCH and (v.constraint is None or v.constraint.active(at))]
    return info.get_prices(at, _BATCH) if known else None


def _tiers(prices: Any, name: str) -> list[Any]:
    return list(getattr(getattr(prices, name, None), "tiers", ()))


def _unit_prices(prices: Any, in_batch: Any, above: int, rules: PriceRules) -> UnitPrices:
    """Return list prices such that the factor makes those of a batch of them."""
    table = prices if in_batch is None else in_batch
    units = {kind: _at(getattr(table, name), above) for kind, name in _GENAI_FIELDS.items()}
    if rules.batch_listed:
        reduced = _REDUCED if in_batch is None else ()
        units = {
            kind: price if price is None or kind in reduced else EXACT.divide(price, rules.batch_factor)
            for kind, price in units.items()
        }
    return _filled(
        UnitPrices(**units, web_search_requests=rules.web_searches, batch_factor=rules.batch_factor), rules
    )


def _filled(listed: UnitPrices, rules: PriceRules) -> UnitPrices:
    """Where a service caches by itself, what has no price of its own is billed like other input."""
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
    return ModelPrice(source=source, tiers=[PriceTier(-1, _filled(listed, rules))], us_factor=rules.us_factor)


@cache
def _tokencost_table() -> Mapping[str, Mapping[str, Any]]:
    """Read tokencost's own file without importing tokencost, which takes seconds to load the SDK."""
    spec = importlib.util.find_spec("tokencost")
    if spec is None or not spec.submodule_search_locations:
        return {}
    path = Path(next(iter(spec.submodule_search_locations))) / "model_prices.json"
    table: dict[str, Mapping[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return {name.lower(): entry for name, entry in table.items()}


# ---- The user's own prices

type Prices = Mapping[str, Mapping[str, Any]]

_THOUSAND = Decimal(1_000)
_MOST = Decimal(1_000_000)
_LAST = Decimal("1e-8")  # after the point; with them the cost of any run is exact
_EXAMPLE = "{'input': 2, 'output': 10}"
_MEANING = "USD per million tokens, before the batch discount"


def given_price(prices: Prices | PathLike | None, model: str, provider: str = "") -> ModelPrice | None:
    """Return the price that the user gave for the model; None when no prices were given at all.

    The model goes by its own name or with its provider's in front, as it is written for a run.

    A price list maps models to list prices in USD per million tokens, before the batch discount: `input` and
    `output`, and where it matters `cache_write_5m`, `cache_write_1h` and `cache_read`, and `web_search` per
    thousand searches. `tiers` are further prices of the same form, each for requests whose whole prompt has
    more than `above` tokens. A JSON or TOML file has the same shape.

    Raises InvalidInputError for prices that cannot be read, are no prices, or are not for this model.
    """
    if prices is None:
        return None
    if isinstance(prices, str | os.PathLike):
        path = os.fspath(prices)
        return _chosen(_read(path), model, provider, f"prices file {Path(path).name}", shared=True)
    return _chosen(prices, model, provider, "prices argument", shared=False)


def _chosen(prices: object, model: str, provider: str, source: str, *, shared: bool) -> ModelPrice:
    """Choose between the argument and a file: a file may be shared by many scripts."""
    if not isinstance(prices, Mapping) or not all(isinstance(name, str) for name in prices):
        raise InvalidInputError(
            f"{source}: must map models to prices, such as {{{model!r}: {_EXAMPLE}}} ({_MEANING}), "
            f"not {prices!r}"
        )
    bare = model.removeprefix(f"{provider}/")
    whole = f"{provider}/{bare}" if provider else model
    meant = [name for name in prices if name in (bare, whole)]
    found = {
        name: _model_price(entry, source, name, price_rules(whole if name in meant else name))
        for name, entry in prices.items()
    }
    if len(meant) > 1:
        raise InvalidInputError(f"{source}: {' and '.join(map(repr, meant))} are one model; leave one out")
    unused = [name for name in found if name not in meant]
    if not meant or (unused and not shared):
        near = get_close_matches(model, unused, n=1)
        hint = f"; did you mean {model!r} by {near[0]!r}?" if near and not meant else ""
        named = ", ".join(map(repr, unused)) or "no model"
        raise InvalidInputError(f"{source}: prices for {named}, but the run uses {model!r}{hint}")
    return found[meant[0]]


def _read(path: str) -> object:
    name = Path(path).name
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as exc:  # ValueError: a path with a NUL or half of a surrogate pair
        why = getattr(exc, "strerror", None) or exc
        raise InvalidInputError(f"prices file {path!r} cannot be read: {why}") from exc
    try:
        if name.endswith(".toml"):
            return tomllib.loads(data.decode(), parse_float=Decimal)
        if name.endswith(".json"):
            return json.loads(data, parse_float=Decimal)
    except (ValueError, RecursionError) as exc:
        raise InvalidInputError(f"prices file {path!r} is not valid {name[-4:].upper()}: {exc}") from exc
    raise InvalidInputError(f"prices file {path!r} must end in .json or .toml")


def _model_price(entry: object, source: str, model: str, rules: PriceRules) -> ModelPrice:
    try:
        given = _ModelPrices.model_validate(entry)
    except pydantic.ValidationError as exc:
        raise InvalidInputError(_wrong(exc, f"{source}: {model}")) from exc
    thresholds = [tier.above for tier in given.tiers]
    if thresholds != sorted({*thresholds}):
        raise InvalidInputError(f"{source}: {model}.tiers must ascend by 'above', no two alike")
    further = (PriceTier(tier.above, tier.units(rules)) for tier in given.tiers)
    return ModelPrice(source, [PriceTier(-1, given.units(rules)), *further], rules.us_factor)


def _amount(value: object) -> Decimal:
    """Read an amount; a float counts as printed."""
    try:
        price = Decimal(str(value)) if isinstance(value, str | int | float | Decimal) else Decimal("NaN")
    except InvalidOperation:
        price = Decimal("NaN")
    if isinstance(value, bool) or not price.is_finite() or not 0 <= price < _MOST:
        raise ValueError("must be an amount in USD, 0 or more, not")
    if price != price.quantize(_LAST, context=EXACT):
        raise ValueError("has more than 8 digits after the point:")
    return EXACT.add(price, 0)


type _Amount = Annotated[Decimal, pydantic.BeforeValidator(_amount)]
type _Maybe = Annotated[Decimal | None, pydantic.BeforeValidator(_amount)]


class _Given(pydantic.BaseModel):
    """Prices by kind; the names of the log are taken too: `input_tokens` is `input`."""

    model_config = pydantic.ConfigDict(extra="forbid")

    input: _Amount
    output: _Amount
    cache_write_5m: _Maybe = None
    cache_write_1h: _Maybe = None
    cache_read: _Maybe = None
    web_search: _Maybe = None

    @pydantic.model_validator(mode="before")
    @classmethod
    def _by_short_names(cls, entry: object) -> dict[str, Any]:
        if not isinstance(entry, Mapping):
            raise ValueError(f"must be prices, such as {_EXAMPLE} ({_MEANING}), not")  # noqa: TRY004 - pydantic takes ValueError alone
        found: dict[str, Any] = {}
        for name, value in entry.items():
            short = str(name).removesuffix("_tokens")
            if short in found:
                raise ValueError(f"has two prices for {name!r}; give one of them:")
            found[short] = value
        return found

    def units(self, rules: PriceRules) -> UnitPrices:
        """Return the same by the log's kinds of units."""
        searches = self.web_search
        listed = rules.web_searches if searches is None else EXACT.multiply(searches, _THOUSAND)
        given = UnitPrices(
            input_tokens=self.input,
            output_tokens=self.output,
            cache_write_5m_tokens=self.cache_write_5m,
            cache_write_1h_tokens=self.cache_write_1h,
            cache_read_tokens=self.cache_read,
            web_search_requests=listed,
            batch_factor=rules.batch_factor,
        )
        return _filled(given, rules)


class _Tier(_Given):
    above: Annotated[int, pydantic.Field(strict=True, ge=1)]


class _ModelPrices(_Given):
    tiers: list[_Tier] = []


def _wrong(exc: pydantic.ValidationError, place: str) -> str:
    """Say what to change: an unknown name first, then an amount, then what is missing."""
    order = {"extra_forbidden": 0, "missing": 2}
    error = min(exc.errors(), key=lambda error: order.get(error["type"], 1))
    *outer, name = error["loc"] or ("",)
    at, value = _place(place, outer), error["input"]
    match error["type"]:
        case "extra_forbidden":
            return f"{at} has a price for {name!r}; known are {', '.join(_Given.model_fields)}"
        case "value_error":
            return f"{_place(place, error['loc'])} {error['ctx']['error']} {value!r}"
        case "list_type":
            return f"{at}.{name} must be a list of prices, each with 'above': {value!r}"
        case kind if name == "above":
            given = None if kind == "missing" else value
            return f"{at}.above must be a number of prompt tokens, 1 or more, not {given!r}"
    lacking = [str(e["loc"][-1]) for e in exc.errors() if e["type"] == "missing"]
    return f"{at} lacks {' and '.join(dict.fromkeys(lacking))} ({_MEANING})"


def _place(place: str, steps: Iterable[str | int]) -> str:
    return reduce(inside, steps, place)
