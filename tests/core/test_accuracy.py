"""How far the estimate was from what was used, given the events of completed jobs."""

from __future__ import annotations

from decimal import Decimal

import pytest
from core_given import (
    batch_submitted,
    charged,
    given,
    items_added,
    job_completed,
    outcome,
    polled,
    submission_started,
)

from batchata.core.events import Event
from batchata.core.values import Expected


def job(number: int, cost: str | None, *amounts: str | None) -> list[Event]:
    """A job of four requests for which 424 and 80 tokens were expected; some are answered, for 106 and 10."""
    items = range(4 * number, 4 * number + 4)
    expected = Expected(input_tokens=424, output_tokens=80, cost=cost)
    answered: list[Event] = []
    for index, amount in zip(items, amounts, strict=False):
        answered += [outcome(number, index), charged(number, index, amount)]
    rest = [outcome(number, index, "expired", why="expired") for index in items[len(amounts) :]]
    start = submission_started(number, (items[0], items[-1]), expected=expected)
    end = [polled(number, "ended", 4), *answered, *rest, job_completed(number)]
    return [start, batch_submitted(number), *end]


def test_a_completed_job_counts_with_what_was_expected_of_it() -> None:
    """Expected and used are added up, and the error is their ratio."""
    run = given(items_added(0, 4), *job(0, "0.0012", "0.0002", "0.0002", "0.0003", "0.0003"))
    seen = run.accuracy
    assert (seen.answers, seen.expected_input, seen.used_input) == (4, 424, 424)
    assert (seen.expected_output, seen.used_output) == (80, 40)
    assert (seen.expected_cost, seen.used_cost) == (Decimal("0.0012"), Decimal("0.001"))
    assert seen.cost_error == pytest.approx(0.2)
    assert (seen.input_error, seen.output_error) == (0, 1)


def test_requests_that_are_not_billed_are_not_expected_either() -> None:
    """Of a job that expired half, half of what was expected counts."""
    run = given(items_added(0, 4), *job(0, "0.0012", "0.0003", "0.0003"))
    seen = run.accuracy
    assert (seen.answers, seen.expected_input, seen.used_input) == (2, 212, 212)
    assert seen.expected_cost == Decimal("0.0006")
    assert seen.cost_error == 0


def test_an_open_job_does_not_count_yet() -> None:
    """Nor does one for which nothing was expected, as in logs of old."""
    events = job(0, "0.0012", "0.0002", "0.0002", "0.0003", "0.0003")
    assert given(items_added(0, 4), *events[:-1]).accuracy.answers == 0
    unexpected = [submission_started(0, (0, 3)), *events[1:]]
    assert given(items_added(0, 4), *unexpected).accuracy.answers == 0


@pytest.mark.parametrize(("cost", "amount"), [(None, "0.0002"), ("0.0012", None)])
def test_without_a_price_no_error_of_the_cost_is_told(cost: str | None, amount: str | None) -> None:
    """Neither when none was expected nor when none is known; tokens are compared all the same."""
    run = given(items_added(0, 4), *job(0, cost, *[amount] * 4))
    assert run.accuracy.cost_error is None
    assert run.accuracy.input_error == 0
