"""What a run does next: given its state, the time and the calls under way."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from core_given import (
    SECOND,
    START,
    batch_submitted,
    call_failed,
    given,
    items_added,
    job_completed,
    measures,
    outcome,
    polled,
    retry_scheduled,
    settled,
    submission_failed,
    submission_started,
    submission_unknown,
    submitted,
    when,
)

from batchata.core import events as e
from batchata.core.decide import (
    Cancel,
    Collect,
    Finish,
    Poll,
    Settle,
    Situation,
    Step,
    StopAtLimit,
    Submit,
    next_steps,
    poll_due,
    settle_by,
    wake_at,
)
from batchata.core.plan import OverBudget, Plan
from batchata.core.state import Run

SOON = START + 2 * SECOND


def steps(run: Run, now: int = SOON, worst_cost: str | None = None, **situation: Any) -> list[Step]:
    busy = situation.pop("busy", frozenset())
    return next_steps(run, now, measures(worst_cost=worst_cost), Situation(busy=busy, **situation))


def kinds(found: list[Step]) -> list[type]:
    return [type(step) for step in found]


def test_a_fresh_run_submits_one_job_at_a_time() -> None:
    """The state must know of a job before the next is planned; its number is the next free one."""
    run = given(items_added(0, 120))
    (step,) = steps(run)
    assert isinstance(step, Submit)
    assert (step.number, step.plan.items) == (0, list(range(50)))
    when(run, submission_started(0, (0, 49)))
    (second,) = steps(run, busy={0})
    assert isinstance(second, Submit)
    assert (second.number, second.plan.items[0]) == (1, 50)


def test_at_most_so_many_jobs_are_open() -> None:
    """A job is open from its intent to its completion; the next starts only when one has closed."""
    run = given(items_added(0, 9), items_per_job=1, max_parallel_jobs=2)
    when(run, *submitted(0, (0, 0)), submission_started(1, (1, 1)))
    assert Submit not in kinds(steps(run, busy={0, 1}))
    when(run, submission_unknown(1))
    assert Submit not in kinds(steps(run, busy={0, 1}))
    when(run, polled(0, "ended"), outcome(0, 0), job_completed(0))
    assert Submit in kinds(steps(run, busy={1}))


def test_busy_jobs_get_no_further_call() -> None:
    """One call about a job at a time, whatever it is."""
    run = given(items_added(0, 4), *submitted(0, (0, 0)), *submitted(1, (1, 1)), polled(1, "ended"))
    when(run, submission_started(2, (2, 2)), submission_started(3, (3, 3)), submission_unknown(3))
    assert steps(run, busy={0, 1, 2, 3}, check_now=True, cancelling=True) == []
    assert steps(run, busy={1, 2, 3}) == [Poll((0,))]


def test_unknown_submissions_are_settled_first() -> None:
    """Whether money is owed comes before anything that may cost more; a crash leaves the same doubt."""
    run = given(items_added(0, 4), submission_started(0, (0, 0)), *submitted(1, (1, 1)))
    when(run, submission_started(2, (2, 2)), submission_unknown(2))
    assert kinds(steps(run)) == [Settle, Settle, Poll, Submit]
    assert steps(run)[:2] == [Settle(0), Settle(2)]


def test_settling_waits_when_it_was_told_to() -> None:
    """After a look that decided nothing, the next comes at its time."""
    run = given(items_added(0, 1), submission_started(0, (0, 0)), submission_unknown(0))
    when(run, call_failed(0, not_before=SOON))
    assert steps(run, now=SOON - 1) == []
    assert steps(run, now=SOON) == [Settle(0)]


def test_items_of_an_unknown_submission_are_not_sent_again() -> None:
    """They would be paid twice."""
    run = given(items_added(0, 2), submission_started(0, (0, 1)), submission_unknown(0))
    assert steps(run) == [Settle(0)]
    when(run, settled(0, "absent"))
    (step,) = steps(run)
    assert isinstance(step, Submit)
    assert step.plan.items == [0, 1]


def test_ended_batches_are_collected() -> None:
    """At once, unless a failed download asked for patience."""
    run = given(items_added(0, 1), *submitted(0, (0, 0)), polled(0, "ended"))
    assert steps(run) == [Collect(0)]
    when(run, call_failed(0, not_before=SOON + 1))
    assert steps(run) == []
    assert steps(run, now=SOON + 1) == [Collect(0)]


def test_polls_are_grouped() -> None:
    """Batches that are due soon come along with one that is due; those asked a moment ago do not."""
    run = given(items_added(0, 3), *submitted(0, (0, 0)), items_per_job=1)
    when(run, *submitted(1, (1, 1)), at=START + 1 * SECOND)
    when(run, *submitted(2, (2, 2)), at=START + 2 * SECOND)
    assert Poll((0, 1)) in steps(run, now=START + 2 * SECOND)


def test_one_round_an_interval_answers_for_all() -> None:
    """However scattered the batches were created, after two intervals all are polled in one call."""
    count = 9
    run = given(items_added(0, count), items_per_job=1, max_parallel_jobs=count)
    for number in range(count):
        when(run, *submitted(number, (number, number)), at=START + number * SECOND // 4)
    rounds = []
    for tick in range(1, 60):
        now = START + 2 * SECOND + tick * SECOND // 10
        for step in steps(run, now=now, submitting=False):
            when(run, *(polled(job) for job in step.jobs), at=now)
            rounds.append((tick, len(step.jobs)))
    assert [size for _, size in rounds][-2:] == [count, count]
    assert rounds[-1][0] - rounds[-2][0] >= 20


def test_many_open_batches_are_polled_less_often() -> None:
    """A round takes a call for each hundred of them; an interval that the user gave is kept."""
    count = 2_000
    run = given(items_added(0, count), items_per_job=1, max_parallel_jobs=count)
    for number in range(count):
        when(run, *submitted(number, (number, number)))
    assert steps(run, now=START + 6 * SECOND - 1, submitting=False) == []
    assert len(steps(run, now=START + 6 * SECOND, submitting=False)[0].jobs) == count


def test_nobody_is_asked_before_it_is_due() -> None:
    """A poll that just happened is not repeated."""
    run = given(items_added(0, 1), *submitted(0, (0, 0)), polled(0))
    assert steps(run, now=START + 2 * SECOND - 1) == []
    assert steps(run, now=START + 2 * SECOND) == [Poll((0,))]


def test_a_job_that_must_wait_is_left_out_of_the_others_polls() -> None:
    """The provider asked for a pause about one job; that another is due does not end it."""
    run = given(items_added(0, 2), *submitted(0, (0, 0)), *submitted(1, (1, 1)))
    when(run, call_failed(0, not_before=START + 60 * SECOND))
    assert steps(run, now=SOON) == [Poll((1,))]


def test_a_look_now_asks_whatever_is_due() -> None:
    """`is_complete()` wants an answer, not a schedule."""
    run = given(items_added(0, 1), *submitted(0, (0, 0)), polled(0))
    assert steps(run, now=START, check_now=True) == [Poll((0,))]


@pytest.mark.parametrize(
    ("age", "interval"), [(0, 2.0), (10, 2.0), (20, 2.0), (100, 10.0), (300, 30.0), (600, 60.0), (9000, 60.0)]
)
def test_poll_intervals_grow_with_the_age_of_the_batch(age: int, interval: float) -> None:
    """A tenth of the time it has run, between 2 and 60 seconds."""
    run = given(items_added(0, 1), *submitted(0, (0, 0)))
    last = START + age * SECOND
    when(run, polled(0), at=last)
    assert poll_due(run, run.jobs[0]) == last + int(interval * SECOND)


def test_a_chosen_poll_interval_is_kept() -> None:
    """What the user set is neither lengthened nor shortened."""
    run = given(items_added(0, 1), *submitted(0, (0, 0)), poll_interval=0.05)
    when(run, polled(0), at=START + 900 * SECOND)
    assert poll_due(run, run.jobs[0]) == START + 900 * SECOND + 50_000


def test_a_pause_puts_the_next_poll_off() -> None:
    """What the provider asked for (`retry-after`) wins over the interval."""
    run = given(items_added(0, 1), *submitted(0, (0, 0)), call_failed(0, not_before=START + 500 * SECOND))
    assert poll_due(run, run.jobs[0]) == START + 500 * SECOND


def test_cancelling_asks_each_running_batch_once() -> None:
    """Batches that run are cancelled, then polled until they end; nothing new is sent by a run that stops."""
    run = given(items_added(0, 4), *submitted(0, (0, 0)), *submitted(1, (1, 1)), polled(1, "ended"))
    when(run, *submitted(2, (2, 2)))
    stopping: dict[str, Any] = {"cancelling": True, "submitting": False}
    assert steps(run, **stopping) == [Collect(1), Cancel(0), Cancel(2)]
    assert steps(run, cancelled={0, 2}, **stopping) == [Collect(1), Poll((0, 2))]


def test_a_run_that_cancels_still_settles() -> None:
    """A batch that may exist must be found before it can be cancelled."""
    run = given(items_added(0, 2), submission_started(0, (0, 1)))
    assert steps(run, cancelling=True, submitting=False) == [Settle(0)]
    when(run, batch_submitted(0))
    assert steps(run, cancelling=True, submitting=False) == [Cancel(0)]


def test_a_run_that_stops_submits_nothing() -> None:
    """What is open is still followed."""
    run = given(items_added(0, 2), *submitted(0, (0, 0)))
    assert kinds(steps(run)) == [Poll, Submit]
    assert kinds(steps(run, submitting=False)) == [Poll]


def test_the_limit_is_said_once_when_nothing_more_can_come_back() -> None:
    """While jobs are open their reservations may be released; only then the run stops, and says so once."""
    run = given(items_added(0, 3), *submitted(0, (0, 0), reserved="0.9"), max_cost="1", items_per_job=1)
    assert kinds(steps(run, worst_cost="0.9")) == [Poll]
    when(run, polled(0, "ended"), outcome(0, 0), job_completed(0))
    assert isinstance(steps(run, worst_cost="0.9")[0], Submit)
    assert steps(run, worst_cost="1.1") == [StopAtLimit(OverBudget(Decimal("1.1")))]
    when(run, e.CostLimitReached(limit="1", spent="0", reserved="0", withheld="0", needed="1.1"))
    assert steps(run, worst_cost="1.1") == []


def test_a_run_finishes_when_every_item_is_decided() -> None:
    """Not before its last job is closed, and never with something pending."""
    run = given(items_added(0, 2), *submitted(0, (0, 1)), polled(0, "ended"), outcome(0, 0))
    assert kinds(steps(run)) == [Collect]
    when(run, outcome(0, 1))
    assert kinds(steps(run)) == [Collect]
    when(run, job_completed(0))
    assert steps(run) == [Finish()]


def test_a_failed_item_that_will_be_retried_keeps_the_run_open() -> None:
    """A retry that is not due yet is pending."""
    run = given(items_added(0, 1), *submitted(0, (0, 0)), polled(0, "ended"))
    when(run, outcome(0, 0, "errored", "api_error"), job_completed(0))
    assert steps(run) == [Finish()]
    when(run, retry_scheduled((0, 0), not_before=SOON + 1))
    assert steps(run) == []
    (step,) = steps(run, now=SOON + 1)
    assert isinstance(step, Submit)
    assert step.plan == Plan([0], step.plan.bytes, None)


def test_a_run_without_items_is_finished() -> None:
    """Nothing to do is done."""
    assert steps(given()) == [Finish()]


def test_sleep_ends_when_the_first_thing_is_due() -> None:
    """The earliest of polls, pauses and retries of jobs that no call is about."""
    run = given(items_added(0, 4), *submitted(0, (0, 0)), *submitted(1, (1, 1)))
    when(run, submission_started(2, (2, 2)), submission_failed(2, START + 7 * SECOND))
    assert wake_at(run, busy=set(), now=0) == START + 2 * SECOND
    assert wake_at(run, busy={0, 1}, now=0) == START + 7 * SECOND


def test_what_is_due_already_is_no_reason_to_wake() -> None:
    """Retries that wait for a free place among the jobs must not keep the loop spinning."""
    run = given(items_added(0, 2), submission_started(0, (0, 0)), submission_failed(0, START + SECOND))
    when(run, *submitted(1, (1, 1)))
    assert wake_at(run, {1}, now=START) == START + SECOND
    assert wake_at(run, {1}, now=START + SECOND) is None


def test_nothing_due_means_no_alarm() -> None:
    """Only a call under way can bring the run on."""
    run = given(items_added(0, 1), *submitted(0, (0, 0)))
    assert wake_at(run, busy={0}, now=0) is None
    assert wake_at(given(items_added(0, 3)), busy=set(), now=0) is None


def test_a_lost_batch_counts_as_absent_after_the_delay() -> None:
    """Thirty seconds from the end of the sending, or what the user set."""
    lost = [items_added(0, 1), submission_started(0, (0, 0)), submission_unknown(0)]
    run = given(*lost)
    assert settle_by(run, run.jobs[0]) == START + 30 * SECOND
    run = given(*lost, settle_delay=0.5)
    assert settle_by(run, run.jobs[0]) == START + SECOND // 2
