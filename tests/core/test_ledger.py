"""What the charges of a run add up to, whatever was charged at whatever price."""

from __future__ import annotations

from decimal import Decimal

from core_given import (
    PROCESS,
    START,
    charged,
    given,
    items_added,
    job_completed,
    measures,
    outcome,
    settled,
    submission_started,
    submission_unknown,
    submitted,
    when,
)
from hypothesis import given as drawn
from hypothesis import strategies as st
from msgspec.structs import replace

from batchata.core.accounts import (
    batch_saving,
    cost_by_kind,
    ledger_lines,
    overruns,
    owed,
    room,
    unpriced_kinds,
)
from batchata.core.events import CostLimitReached, JobAbandoned, RunResumed
from batchata.core.invariants import charged as charged_by
from batchata.core.money import TOKEN_KINDS
from batchata.core.plan import OverBudget, Plan, plan_job
from batchata.core.pricing import ModelPrice, PriceTier, UnitPrices, charge
from batchata.core.values import Usage
from batchata.terminal.account import cost_lines

D = Decimal
CHEAP = UnitPrices(*map(D, ("0.1", "0.5", "0.125", "0.2", "0.01", "10000")))
PRICES = [
    ModelPrice("one", [PriceTier(-1, CHEAP), PriceTier(1_000, CHEAP.times(D(5)))], us_factor=D("1.1")),
    ModelPrice("two", [PriceTier(-1, UnitPrices(D(3), D(15)))]),
    None,
]
USAGES = st.builds(Usage, **dict.fromkeys(Usage.__struct_fields__, st.integers(0, 900)))
TICKS = st.none() | st.integers(1, 10**7)  # what a provider says itself
CHARGES = st.lists(
    st.tuples(USAGES, st.sampled_from(PRICES), st.sampled_from(["us", None]), TICKS), max_size=8
)


@drawn(CHARGES)
def test_the_ledger_adds_up_to_what_was_spent(
    charges: list[tuple[Usage, ModelPrice | None, str | None, int | None]],
) -> None:
    """By line and by kind the sum is the run's to the last digit, and the lines hold all priced tokens."""
    run = given(items_added(0, 1), *submitted(0, (0, 0)))
    events = [charge(0, 0, usage, price, geo, ticks) for usage, price, geo, ticks in charges]
    when(run, *events)
    lines = ledger_lines(run)
    assert sum((line.amount for line in lines), D(0)) == run.spent
    assert sum(cost_by_kind(run).values(), D(0)) == run.spent
    for kind in Usage.__struct_fields__:
        priced = sum(getattr(event, kind) for event in events if event.amount is not None and not event.ticks)
        assert sum(line.quantity for line in lines if line.kind == kind) == priced
        left = sum(getattr(event, kind) for event in events if event.amount is None)
        assert unpriced_kinds(run).get(kind, 0) == left
    tokens = sum((cost for kind, cost in cost_by_kind(run).items() if kind in TOKEN_KINDS), D(0))
    assert batch_saving(run) == tokens


def test_what_the_provider_says_it_charged_counts_where_prices_say_something_else() -> None:
    """Where both are the same the prices stand; without a price or a usage the cost is known by it."""
    usage, price = Usage(input_tokens=10, output_tokens=2), PRICES[0]
    by_price = charge(0, 0, usage, price)
    assert by_price.amount == "0.000001"
    assert charge(0, 0, usage, price, None, 10_000) == by_price
    for used, known in ((usage, price), (usage, None), (None, price)):
        said = charge(0, 0, used, known, None, 12_345)
        assert (said.amount, said.ticks, said.unit_prices) == ("0.0000012345", 12_345, {})
        assert charged_by(said) == D(said.amount or "0")


def test_a_limit_that_is_reached_says_what_would_do() -> None:
    """The next item and all pending ones, on top of what is spent and withheld; a new start forgets it."""
    run = given(items_added(0, 2), max_cost="1")
    reached = CostLimitReached(
        limit="1", spent="0.5", reserved="0", withheld="0.2", needed="0.4", needed_for_all="0.8"
    )
    when(run, reached)
    assert (run.needed, run.needed_for_all) == (D("1.1"), D("1.5"))
    when(run, RunResumed(process=PROCESS, library_version="1", changed={}))
    assert (run.needed, run.needed_for_all) == (None, None)


def test_what_is_left_is_what_nothing_holds() -> None:
    """Of a limit of 1, 0.25 are spent and 0.5 more held back for the open job."""
    run = given(
        items_added(0, 1), *submitted(0, (0, 0), reserved="0.75"), charged(0, 0, "0.25"), max_cost="1"
    )
    assert (owed(run), room(run)) == (D("0.75"), D("0.25"))
    assert room(given(items_added(0, 1))) is None


def test_what_may_have_been_billed_unseen_is_no_room() -> None:
    """A given-up job's worst case counts against the limit as what is spent does, for the next job too."""
    run = given(items_added(0, 9), *submitted(0, (0, 0), reserved="0.75"), max_cost="1")
    when(run, JobAbandoned(job=0, batch_id="msgbatch_0"))
    assert (run.spent, run.reserved, run.withheld) == (0, 0, D("0.75"))
    assert (owed(run), room(run)) == (D("0.75"), D("0.25"))
    assert isinstance(plan_job(run, START, measures(worst_cost="0.25")), Plan)
    assert plan_job(run, START, measures(worst_cost="0.26")) == OverBudget(D("0.26"))


def test_every_further_batch_of_a_lost_job_may_be_billed() -> None:
    """Three proven batches: one is the job's, and the worst case of the two others is withheld."""
    run = given(items_added(0, 9), submission_started(0, (0, 0), reserved="0.25"), max_cost="1")
    when(run, submission_unknown(0), replace(settled(0, "adopted"), surplus=["msgbatch_1", "msgbatch_2"]))
    assert (run.spent, run.reserved, run.withheld) == (0, D("0.25"), D("0.5"))
    assert room(run) == D("0.25")


def test_a_run_that_has_ended_names_the_limit_that_it_had_and_the_one_given_now() -> None:
    """It takes no other one up; while it goes on the start that is given one does."""
    run = given(items_added(0, 0), max_cost="1")
    for status, now, told in (("running", "2", False), ("completed", "1", False), ("completed", "2", True)):
        run.status = status
        (line,) = [line for line in cost_lines(run, now) if line.startswith("limit")]
        assert line.startswith("limit     $1.00: ")
        assert ("; max_cost is $2.00 now" in line) is told


def test_a_job_that_was_dearer_than_its_worst_case_is_told() -> None:
    """A bound that did not hold is never passed over in silence."""
    jobs = [*submitted(0, (0, 0), reserved="0.25"), *submitted(1, (1, 1), reserved="0.25")]
    charges = [outcome(0, 0), charged(0, 0, "0.26"), job_completed(0), outcome(1, 1), charged(1, 1, "0.25")]
    run = given(items_added(0, 2), *jobs, *charges, job_completed(1))
    assert [job.number for job in overruns(run)] == [0]
    (warning,) = [line for line in cost_lines(run) if line.startswith("warning")]
    assert "job 0 cost $0.26, more than the $0.25" in warning
