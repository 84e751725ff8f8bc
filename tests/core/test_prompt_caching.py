"""When caching pays, when one request goes ahead to fill the cache, and what caching saved."""

from __future__ import annotations

from decimal import Decimal

import pytest
from core_given import (
    SECOND,
    START,
    batch_submitted,
    given,
    items_added,
    job_completed,
    measures,
    outcome,
    polled,
    run_started,
    submission_started,
    when,
)
from core_histories import CACHED, History
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st
from msgspec.structs import replace

from batchata.core import events as e
from batchata.core import values
from batchata.core.accounts import saved_by_cache, saved_by_dedupe
from batchata.core.caching import HIT_RATE, cached_cost, costs_of_prefix, is_priming, must_prime
from batchata.core.evolve import evolve
from batchata.core.plan import Plan, plan_job
from batchata.core.pricing import ModelPrice, PriceTier, UnitPrices, charge
from batchata.core.state import Run

SEEDS = st.integers(0, 2**32)
HOUR = 3_600 * SECOND
SONNET = ModelPrice("a table", [PriceTier(-1, UnitPrices(*map(Decimal, ("2", "10", "2.5", "4", "0.1"))))])
OLDER = ModelPrice("a table", [PriceTier(-1, UnitPrices(*map(Decimal, ("5", "25", "6.25", "10", "0.5"))))])


def caching(*happened: e.Event, plan: values.CachePlan | None = CACHED, **changed: object) -> Run:
    """A run whose requests share a cached beginning."""
    run = Run()
    for event in (replace(run_started(**changed), cache=plan), items_added(0, 9), *happened):
        when(run, event)
    return run


def answered(job: int, index: int, price: ModelPrice | None = SONNET, **tokens: int) -> list[e.Event]:
    """A job of one item, sent and answered with this usage."""
    usage = values.Usage(**({"input_tokens": 10, "output_tokens": 5} | tokens))
    said = replace(outcome(job, index), usage=usage)
    sent = [submission_started(job, (index, index)), batch_submitted(job), polled(job), polled(job, "ended")]
    return [*sent, said, charge(job, index, usage, price), job_completed(job)]


def planned(run: Run, now: int = START) -> list[int] | None:
    plan = plan_job(run, now, measures())
    return plan.items if isinstance(plan, Plan) else None


@pytest.mark.parametrize(("price", "fewest"), [(SONNET, 3), (OLDER, 3)])
def test_caching_pays_from_some_number_of_requests_on(price: ModelPrice, fewest: int) -> None:
    """One writes at twice the price, four fifths of the others read, the rest write again."""
    assert Decimal("0.8") == HIT_RATE
    for requests in range(1, 8):
        plain, cached = costs_of_prefix(price, 1000, requests) or (0, 0)
        assert (cached < plain) == (requests >= fewest)
    plain, cached = costs_of_prefix(SONNET, 1_000_000, 11) or (0, 0)
    assert plain == 11 * Decimal(1)
    assert cached == Decimal(2) + 10 * (Decimal("0.8") * Decimal("0.05") + Decimal("0.2") * 2)


def test_without_all_prices_it_cannot_be_told() -> None:
    """Neither for the whole nor for one request."""
    half = ModelPrice("half", [PriceTier(-1, UnitPrices(Decimal(2), Decimal(10)))])
    assert costs_of_prefix(half, 1000, 10) is None
    assert cached_cost(half, 1000, 500, 10) is None


def test_one_request_goes_ahead_and_the_others_wait() -> None:
    """Then they go as many together as always."""
    run = caching(items_per_job=5)
    assert planned(run) == [0]
    when(run, submission_started(0, (0, 0)), batch_submitted(0))
    assert is_priming(run)
    assert planned(run) is None
    run = caching(*answered(0, 0, cache_write_1h_tokens=2000), items_per_job=5)
    assert planned(run) == [1, 2, 3, 4, 5]


def test_without_caching_nothing_waits() -> None:
    """Neither without a plan nor with one that caches nothing."""
    nothing = values.CachePlan(level=None, blocks=0, digest="", tokens=0, reason="too short")
    for plan in (None, nothing):
        assert planned(caching(plan=plan, items_per_job=5)) == [0, 1, 2, 3, 4]


def test_after_an_hour_without_use_it_is_filled_again() -> None:
    """Counted from when a batch that used it was last seen running: it may have ended right after."""
    run = caching(*answered(0, 0, cache_write_1h_tokens=2000), items_per_job=5)
    assert planned(run, START + HOUR // 2) == [1, 2, 3, 4, 5]
    assert planned(run, START + HOUR) == [1]
    when(run, *answered(1, 1, cache_read_tokens=2000), at=START + 2 * HOUR)
    assert planned(run, START + 2 * HOUR + HOUR // 2) == [2, 3, 4, 5, 6]


def test_a_batch_found_ended_after_a_day_warms_nothing() -> None:
    """The poll that finds it ended tells when it was asked, not when the cache was used."""
    run = caching(submission_started(0, (0, 0)), batch_submitted(0), items_per_job=5)
    _, _, _, _, *rest = answered(0, 0, cache_write_1h_tokens=2000)
    when(run, polled(0, "ended"), *rest, at=START + 24 * HOUR)
    assert planned(run, START + 24 * HOUR) == [1]


def test_when_nothing_gets_cached_nothing_waits_for_ever() -> None:
    """After two requests sent ahead that cached nothing, the rest goes as it always does."""
    run = caching(*answered(0, 0), items_per_job=5)
    assert planned(run) == [1]
    when(run, *answered(1, 1))
    assert not must_prime(run, START)
    assert planned(run) == [2, 3, 4, 5, 6]


def test_what_was_saved_is_what_fresh_tokens_would_have_cost() -> None:
    """Reads save the difference to fresh input, writes cost theirs."""
    run = caching(*answered(0, 0, cache_write_1h_tokens=2000), *answered(1, 1, cache_read_tokens=2000))
    million = Decimal(1_000_000)
    assert saved_by_cache(run) == (2000 * (Decimal(1) - 2) + 2000 * (1 - Decimal("0.05"))) / million
    run = caching(*answered(0, 0, cache_write_1h_tokens=2000))
    assert saved_by_cache(run) == -2000 / million
    assert saved_by_cache(caching(*answered(0, 0))) == 0


def test_what_was_saved_is_unknown_without_a_price() -> None:
    """Unknown, not nothing."""
    assert saved_by_cache(caching(*answered(0, 0, None, cache_read_tokens=2000))) is None


def test_a_request_with_nothing_but_cached_input_counts_by_the_others_price() -> None:
    """The price of fresh input is not beside its charge; another charge of the same list has it."""
    alone = answered(1, 1, input_tokens=0, cache_read_tokens=2000)
    run = caching(*answered(0, 0, cache_write_1h_tokens=2000), *alone)
    assert saved_by_cache(run) == (Decimal(-2000) + 2000 * Decimal("0.95")) / 1_000_000
    assert saved_by_cache(caching(*answered(0, 0, input_tokens=0, cache_read_tokens=2000))) is None


@hypothesis_given(SEEDS)
def test_such_a_run_ends_and_sends_ahead_alone(seed: int) -> None:
    """However the provider behaves: a cold cache is filled by one request, with nothing else under way."""
    history = History(seed, caching=True)
    for _ in history.play(200):
        pass
    run = Run()
    for version, at, event in history.recorded:
        cold = must_prime(run, at)
        if cold and isinstance(event, e.SubmissionStarted):
            assert event.request_count == 1
            assert not run.open
        evolve(run, version, at, event)
    assert history.calm_down()
    assert history.run.pending == 0 or history.run.limit_reached


def test_a_run_without_the_field_is_as_before() -> None:
    """Logs of old have no plan."""
    assert planned(given(items_added(0, 3), items_per_job=5)) == [0, 1, 2]


def test_what_dedupe_saved_does_not_count_the_writing_of_the_cache() -> None:
    """A copy of the request that went ahead would have read what it wrote: what is usual was saved."""
    run = caching(*answered(0, 0, cache_write_1h_tokens=2000), *answered(1, 1, cache_read_tokens=2000))
    when(run, items_added(9, 1, (9, 0)), items_added(10, 1, (10, 1)))
    mean = run.spent / 2
    assert run.items.cost(0) > mean > run.items.cost(1)
    assert saved_by_dedupe(run) == mean + run.items.cost(1)
