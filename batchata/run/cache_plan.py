"""Decide whether a run's requests have their shared prefix cached, and say why."""

from __future__ import annotations

from batchata.core.caching import costs_of_prefix
from batchata.core.pricing import ModelPrice
from batchata.core.values import CachePlan
from batchata.errors import InvalidInputError
from batchata.inputs import Inputs
from batchata.providers.port import Model, Template
from batchata.text import number_of, rounded


def check_cache(cache: object) -> str | None:
    """Return the argument `cache`, if it is a known value.

    Raises InvalidInputError.
    """
    if cache is None:
        return None
    if cache != "auto":
        raise InvalidInputError(f"cache must be 'auto' or None, not {cache!r}")
    return "auto"


def plan_cache(
    model: Model, inputs: Inputs, template: Template, price: ModelPrice | None, requests: int
) -> CachePlan:
    """Plan what so many requests cache of their prefix: up to the tools, the system prompt, or some block.

    Nothing, and why, where no beginning is shared, where it is too short, or where it does not pay.
    """
    if not inputs.count:
        return _nothing("there are no requests")
    level, blocks, digest, tokens = template.shared_beginning(inputs)
    if level is None:
        return _nothing(
            "the requests begin with nothing that could be cached: no system prompt, tools or blocks"
        )
    begun = f"the requests begin with the same {tokens:,} tokens or so"
    if tokens < model.cache_minimum:
        return _nothing(f"{begun}; {model.id} caches from {model.cache_minimum:,} on")
    costs = None if price is None else costs_of_prefix(price, tokens, requests)
    if costs is None:
        return _nothing(
            f"{begun}; without a price for each kind of token nobody can tell whether caching pays"
        )
    plain, cached = costs
    if cached >= plain:
        many = number_of(requests, "request")
        return _nothing(f"{begun}; for {many} caching costs {rounded(cached)}, not caching {rounded(plain)}")
    reason = f"{begun}; cached they cost about {rounded(cached)} instead of {rounded(plain)}"
    return CachePlan(level=level, blocks=blocks, digest=digest, tokens=tokens, reason=reason)


def _nothing(reason: str) -> CachePlan:
    return CachePlan(level=None, blocks=0, digest="", tokens=0, reason=reason)
