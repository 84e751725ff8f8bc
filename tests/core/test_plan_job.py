"""Which items travel together next: by count, by bytes and by money, retries before fresh ones."""

from __future__ import annotations

from decimal import Decimal

import pytest
from core_given import (
    START,
    charged,
    error,
    given,
    items_added,
    job_completed,
    measures,
    outcome,
    polled,
    retry_scheduled,
    run_started,
    submission_failed,
    submission_started,
    submission_unknown,
    submitted,
    when,
)
from msgspec.structs import replace

from batchata.core import events as e
from batchata.core.evolve import fold
from batchata.core.plan import (
    ENVELOPE_BYTES,
    Measures,
    OverBudget,
    Plan,
    packed,
    plan_job,
)
from batchata.core.state import Run
from batchata.core.values import Limits

MAX_REQUESTS, MAX_BYTES = Limits().batch_requests, Limits().batch_bytes


def planned(run: Run, measured: Measures | None = None, now: int = START) -> list[int]:
    """The items of the next job; there must be one."""
    plan = plan_job(run, now, measured or measures())
    assert isinstance(plan, Plan)
    return plan.items


def failing(*indexes: int, job: int = 0) -> list[e.Event]:
    """The job's results: bad answers for these items, and its end."""
    bad = [outcome(job, index, "errored", "api_error") for index in indexes]
    return [polled(job, "ended"), *bad, job_completed(job)]


def test_nothing_waits_nothing_travels() -> None:
    """Without items, or with all of them under way, there is no next job."""
    assert plan_job(given(), START, measures()) is None
    run = given(items_added(0, 2), *submitted(0, (0, 1)))
    assert plan_job(run, START, measures()) is None


def test_items_travel_in_input_order_up_to_the_count() -> None:
    """The first job takes the first items, the second those behind them."""
    run = given(items_added(0, 5), items_per_job=3)
    assert planned(run) == [0, 1, 2]
    when(run, *submitted(0, (0, 2)))
    assert planned(run) == [3, 4]


def test_what_was_too_large_is_sent_in_halves() -> None:
    """A job of 1,000 bytes was refused for its size: none has more than 500 from then on, then 250."""
    run = given(items_added(0, 10), items_per_job=10)
    too_large = replace(submission_failed(0), error=error("request_too_large"))
    for number, most in enumerate((500, 250)):
        started = replace(submission_started(number, (0, 9)), bytes=2 * most)
        when(run, started, replace(too_large, job=number))
        plan = plan_job(run, START, measures(size=100))
        assert isinstance(plan, Plan)
        assert most - 100 < plan.bytes <= most
        assert 0 < len(plan.items) < 5


def test_no_job_has_more_requests_than_the_api_takes() -> None:
    """100,000 requests a batch, whatever the settings say."""
    run = given(items_added(0, MAX_REQUESTS + 1), items_per_job=MAX_REQUESTS + 1)
    assert len(planned(run)) == MAX_REQUESTS == 100_000


def test_a_job_keeps_the_limits_that_its_run_began_with() -> None:
    """Another provider takes other batches, and the log says what it took."""
    few = replace(run_started(), limits=Limits(batch_requests=2, batch_bytes=10_000))
    run = fold((n, START, event) for n, event in enumerate([few, items_added(0, 5)], 1))
    assert planned(run) == [0, 1]
    assert planned(run, measures(7_000)) == [0]


def test_a_job_stays_below_the_margin_of_bytes() -> None:
    """240 MB with the envelope, a margin below the documented 256: what would exceed it waits."""
    assert MAX_BYTES == 240_000_000
    run = given(items_added(0, 10))
    exact = (MAX_BYTES - ENVELOPE_BYTES) // 4
    plan = plan_job(run, START, measures(exact))
    assert isinstance(plan, Plan)
    assert (plan.items, plan.bytes) == ([0, 1, 2, 3], ENVELOPE_BYTES + 4 * exact)
    assert plan.bytes <= MAX_BYTES
    assert planned(run, measures(exact + 1)) == [0, 1, 2]


def test_a_single_item_beyond_the_margin_travels_alone() -> None:
    """It is for the provider to refuse; it must neither block the run nor take others with it."""
    sizes = [10, MAX_BYTES + 1, 10]
    measured = Measures(size=lambda index: sizes[index], worst_cost=lambda index: None)
    run = given(items_added(0, 3))
    assert planned(run, measured) == [0]
    when(run, *submitted(0, (0, 0)))
    assert planned(run, measured) == [1]
    when(run, *submitted(1, (1, 1)))
    assert planned(run, measured) == [2]


def test_a_job_is_made_smaller_to_fit_the_money() -> None:
    """As many items as the limit allows; an exact fit fits, and what they may cost is reserved."""
    run = given(items_added(0, 5), max_cost="0.3")
    plan = plan_job(run, START, measures(worst_cost="0.1"))
    assert plan == Plan([0, 1, 2], ENVELOPE_BYTES + 3 * 1000, Decimal("0.3"))


def test_money_spent_and_reserved_is_not_there_twice() -> None:
    """What is left is the limit less the spent and the reserved, of open and unknown jobs alike."""
    run = given(items_added(0, 9), *submitted(0, (0, 0), reserved="0.2"), max_cost="1", items_per_job=8)
    when(run, charged(0, 0, "0.1"), polled(0, "ended"), outcome(0, 0), job_completed(0))
    when(run, *submitted(1, (1, 1), reserved="0.3"))
    when(run, submission_started(2, (2, 2), reserved="0.2"), submission_unknown(2))
    plan = plan_job(run, START, measures(worst_cost="0.1"))
    assert isinstance(plan, Plan)
    assert plan.reserved == Decimal("0.4")
    assert plan.items == [3, 4, 5, 6]


def test_not_even_one_item_fits() -> None:
    """Then what the next one needs is said, to the last digit."""
    run = given(items_added(0, 5), max_cost="0.3")
    assert plan_job(run, START, measures(worst_cost="0.300001")) == OverBudget(Decimal("0.300001"))


def test_a_dear_retry_does_not_hold_up_what_there_is_money_for() -> None:
    """The run goes on as long as money allows; when neither fits, the cheaper one says what is needed."""
    run = given(items_added(0, 3), *submitted(0, (0, 0)), outcome(0, 0, "errored", "api_error"), max_cost="1")
    when(run, job_completed(0), retry_scheduled((0, 0)))
    costs = {0: Decimal("1.5"), 1: Decimal("0.4"), 2: Decimal("0.7")}
    measured = Measures(size=lambda index: 1, worst_cost=costs.__getitem__)
    assert planned(run, measured) == [1]
    when(run, *submitted(1, (1, 1), reserved="0.4"))
    assert plan_job(run, START, measured) == OverBudget(Decimal("0.7"))


def test_without_a_price_a_limit_allows_nothing() -> None:
    """An unknown cost never passes as none."""
    run = given(items_added(0, 5), max_cost="1000000")
    assert plan_job(run, START, measures(worst_cost=None)) == OverBudget(Decimal("Infinity"))


def test_without_a_limit_a_price_is_not_needed() -> None:
    """The run goes on and nothing can be reserved; with a price the reservation is counted all the same."""
    run = given(items_added(0, 2))
    unpriced, priced = (plan_job(run, START, measures(worst_cost=cost)) for cost in (None, "0.1"))
    assert isinstance(unpriced, Plan)
    assert isinstance(priced, Plan)
    assert (unpriced.reserved, priced.reserved) == (None, Decimal("0.2"))


def test_retries_go_before_fresh_items_and_never_with_them() -> None:
    """A job is all retries or all fresh, so that each job covers one stretch of the input at first."""
    run = given(items_added(0, 6), *submitted(0, (0, 2)), outcome(0, 0), items_per_job=4)
    when(run, *failing(1, 2), retry_scheduled((1, 2)))
    assert planned(run) == [1, 2]
    when(run, *submitted(1, (1, 2)))
    assert planned(run) == [3, 4, 5]


def test_retries_wait_for_their_time_and_hold_up_nobody() -> None:
    """Before that, fresh items go; from that moment on, the retries."""
    run = given(items_added(0, 2), *submitted(0, (0, 0)), *failing(0))
    when(run, retry_scheduled((0, 0), not_before=START + 10))
    assert planned(run, now=START + 9) == [1]
    assert planned(run, now=START + 10) == [0]


def test_those_that_waited_longest_go_first() -> None:
    """When not all retries fit, the order is that of their times, not of the input."""
    run = given(items_added(0, 4), *submitted(0, (0, 3)), *failing(0, 1, 2, 3), items_per_job=2)
    when(run, retry_scheduled((0, 1), not_before=START + 9), retry_scheduled((2, 3), not_before=START + 5))
    assert planned(run, now=START + 9) == [2, 3]


def test_items_of_a_failed_submission_travel_again() -> None:
    """They are sent like retries, before the fresh ones, without a new attempt."""
    run = given(items_added(0, 4), submission_started(0, (0, 1)), submission_failed(0, START + 3))
    assert planned(run, now=START + 2) == [2, 3]
    assert planned(run, now=START + 3) == [0, 1]


@pytest.mark.parametrize(
    ("sizes", "items_per_job", "jobs"),
    [([], 5, 0), ([10], 5, 1), ([10] * 10, 5, 2), ([10] * 11, 5, 3), ([MAX_BYTES // 2] * 3, 5, 3)],
)
def test_packed_counts_the_jobs_that_plan_job_makes(sizes: list[int], items_per_job: int, jobs: int) -> None:
    """By count and by bytes, as the plan does where money is no matter."""
    assert packed(sizes, items_per_job, Limits()) == (jobs, sum(sizes) + jobs * ENVELOPE_BYTES)


def test_a_pilot_keeps_others_from_being_sent_again_and_ends_with_its_last_job() -> None:
    """What is not chosen waits, whatever it waits for; the pilot is done when nothing is open any more."""
    again = retry_scheduled((0, 1))
    run = given(items_added(0, 6), *submitted(0, (0, 1)), *failing(0, 1), again)
    when(run, e.ItemsChosen(items=[(1, 2)]))
    assert planned(run) == [1]
    when(run, *submitted(1, (1, 1)), outcome(1, 1), *submitted(2, (2, 2)), outcome(2, 2))
    assert not run.is_pilot_done
    when(run, job_completed(1), job_completed(2))
    assert run.is_pilot_done
