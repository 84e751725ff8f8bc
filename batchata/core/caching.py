"""Decide when prompt caching pays, and when a run waits for one request to fill the cache."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from batchata.core.money import MILLION, exactly
from batchata.core.pricing import ModelPrice
from batchata.core.state import Run

# The documentation says that 30 to 98% of the requests of a batch find their cached beginning, and that an
# entry cannot be read before the first response begins. Here an entry is there before all but one are sent.
HIT_RATE: Final = Decimal("0.8")
# An entry that was asked to live for an hour, with a margin for what runs late.
_LIFE: Final = 50 * 60 * 1_000_000
_TRIES: Final = 2  # requests sent ahead that found nothing cached, until no more are


@exactly
def costs_of_prefix(price: ModelPrice, tokens: int, requests: int) -> tuple[Decimal, Decimal] | None:
    """Return what the shared prefix of so many requests costs in a batch (USD): uncached, and cached.

    Cached, one request writes it for an hour before the others, `HIT_RATE` of these read it, and the rest
    write it again. None when a price is unknown.
    """
    units = price.for_prompt(tokens).in_batch
    kinds = ("input_tokens", "cache_write_1h_tokens", "cache_read_tokens")
    if requests < 1 or any(kind not in units for kind in kinds):
        return None
    fresh, write, read = (units[kind][0] for kind in kinds)
    later = HIT_RATE * read + (1 - HIT_RATE) * write
    return fresh * tokens * requests / MILLION, (write + later * (requests - 1)) * tokens / MILLION


@exactly
def cached_cost(price: ModelPrice, tokens: int, cached: int, output: int) -> Decimal | None:
    """Return the expected cost of a request, `cached` of its input tokens shared (USD, in a batch)."""
    units = price.for_prompt(tokens).in_batch
    kinds = ("input_tokens", "cache_write_1h_tokens", "cache_read_tokens", "output_tokens")
    if any(kind not in units for kind in kinds):
        return None
    fresh, write, read, answer = (units[kind][0] for kind in kinds)
    later = HIT_RATE * read + (1 - HIT_RATE) * write
    return (fresh * (tokens - cached) + later * cached + answer * output) / MILLION


def must_prime(run: Run, now: int) -> bool:
    """Whether one request has to fill the cache before others are sent."""
    if run.started is None or run.started.cache is None or run.started.cache.level is None:
        return False
    if run.cold_jobs >= _TRIES:
        return False  # what was sent ahead cached nothing: waiting for more of it would help nothing
    return not run.cached_at or now >= run.cached_at + _LIFE


def is_priming(run: Run) -> bool:
    """Whether the only request under way is the one that fills the cache."""
    jobs = list(run.open.values())
    return len(jobs) == 1 and jobs[0].request_count == 1 and must_prime(run, run.updated_at)
