"""Read the prices that a user gives for models, as an argument or as a file of JSON or TOML."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from functools import reduce
from pathlib import Path
from typing import Annotated, Any

import pydantic

from batchata.answers.field_paths import inside
from batchata.core.money import EXACT
from batchata.core.pricing import ModelPrice, PriceTier, UnitPrices
from batchata.errors import InvalidInputError
from batchata.paths import PathLike
from batchata.providers.exchange import PriceRules
from batchata.providers.prices import filled
from batchata.providers.registry import price_rules

type Prices = Mapping[str, Mapping[str, Any]]

_THOUSAND = Decimal(1_000)
_MOST = Decimal(1_000_000)
_LAST = Decimal("1e-8")  # after the point; with them the cost of any run is exact
_EXAMPLE = "{'input': 2, 'output': 10}"
_MEANING = "USD per million tokens, before the batch discount"
_ARGUMENT, _FILE = "prices argument", "prices file"


def is_given(source: str) -> bool:
    """Whether a charge's price source says that the user gave the price."""
    return source.startswith((_ARGUMENT, _FILE))


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
        return _chosen(_read(path), model, provider, f"{_FILE} {Path(path).name}", shared=True)
    return _chosen(prices, model, provider, _ARGUMENT, shared=False)


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
    """Read an amount; a float counts as it is printed."""
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
    """Prices by kind; the log's names are taken too: `input_tokens` for `input`."""

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
        """Return the same prices by the log's kinds of units."""
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
        return filled(given, rules)


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
