"""Which failed requests are paid for again, how often, and when."""

from __future__ import annotations

from typing import Any

import pytest
from core_given import SECOND, START, given, items_added, outcome, polled, retry_scheduled, submitted, when
from hypothesis import given as for_all
from hypothesis import strategies as st

from batchata.core import events as e
from batchata.core.retry import DEFAULT_RETRY_DELAY, FINAL, LONGEST_DELAY, backoff, schedule_retries
from batchata.core.state import Run
from batchata.core.values import Limits

FINAL_KINDS = [
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "refusal",
    "max_tokens",
    "model_context_window_exceeded",
]
RETRIED_KINDS = [
    "rate_limit_error",
    "timeout_error",
    "api_error",
    "overloaded_error",
    "expired",
    "missing",
    "invalid_output",
    "pause_turn",
    "broken_off",
    "unknown_outcome",
]


def ended(*why: str, **settings: Any) -> Run:
    """A run whose one job was answered with these errors."""
    run = given(items_added(0, len(why)), *submitted(0, (0, len(why) - 1)), polled(0, "ended"), **settings)
    return when(run, *(outcome(0, index, "errored", kind) for index, kind in enumerate(why)))


def scheduled(run: Run, job: int = 0, jitter: float = 0.0) -> list[e.RetryScheduled]:
    return schedule_retries(run, run.jobs[job], run.jobs[job].undecided, START, lambda: jitter)


@pytest.mark.parametrize("kind", FINAL_KINDS)
def test_what_cannot_get_better_is_final(kind: str) -> None:
    """The request, the key or the account must change first: paying again would be paying for nothing."""
    assert kind in FINAL.union(Limits().final_errors)
    assert scheduled(ended(kind)) == []


@pytest.mark.parametrize("kind", RETRIED_KINDS)
def test_what_may_get_better_is_sent_again(kind: str) -> None:
    """The decision is an event with its reason, the attempt it will be, and a time."""
    assert scheduled(ended(kind)) == [
        e.RetryScheduled(
            job=0, items=[(0, 0)], attempt=2, delay=30.0, not_before=START + 30 * SECOND, reason=kind
        )
    ]


def test_good_answers_are_left_alone() -> None:
    """Only what is undecided in this job is looked at."""
    run = given(items_added(0, 3), *submitted(0, (0, 2)), polled(0, "ended"), outcome(0, 0), outcome(0, 2))
    when(run, outcome(0, 1, "expired", "expired"))
    assert [event.items for event in scheduled(run)] == [[(1, 1)]]


def test_one_event_for_each_reason() -> None:
    """Items are grouped in input order, whatever the order of the results was."""
    run = given(items_added(0, 5), *submitted(0, (0, 4)), polled(0, "ended"))
    for index, kind in ((4, "expired"), (0, "expired"), (2, "api_error"), (1, "expired"), (3, "refusal")):
        when(run, outcome(0, index, "errored", kind))
    assert {event.reason: event.items for event in scheduled(run)} == {
        "expired": [(0, 1), (4, 4)],
        "api_error": [(2, 2)],
    }


@pytest.mark.parametrize("most", [1, 2, 3])
def test_attempts_end_at_the_maximum(most: int) -> None:
    """`max_attempts` counts the first one too."""
    run = ended("api_error", max_attempts=most)
    for attempt in range(1, most):
        (retry,) = scheduled(run, job=attempt - 1)
        assert retry.attempt == attempt + 1
        done = e.JobCompleted(job=attempt - 1, batch_id="b", outcomes={}, strays={})
        when(run, done, retry, *submitted(attempt, (0, 0)), polled(attempt, "ended"))
        when(run, outcome(attempt, 0, "errored", "api_error"))
    assert scheduled(run, job=most - 1) == []


def test_what_we_cancelled_waits_again_without_counting() -> None:
    """Our own doing costs no attempt, waits for nothing, and is allowed even after the last attempt."""
    run = ended("canceled", max_attempts=1)
    when(run, e.BatchCancelRequested(job=0, batch_id="msgbatch_0", reason="requested"))
    (retry,) = scheduled(run)
    assert retry == e.RetryScheduled(job=0, items=[(0, 0)], attempt=1, not_before=START, reason="canceled")
    when(run, e.JobCompleted(job=0, batch_id="b", outcomes={}, strays={}), retry, *submitted(1, (0, 0)))
    assert run.items.attempts[0] == 1


def test_what_an_empty_account_refused_does_not_use_up_an_attempt() -> None:
    """It says nothing of the request: that waits at once for the next start, with the attempts it had."""
    (retry,) = scheduled(ended("billing_error", max_attempts=1))
    assert (retry.attempt, retry.delay, retry.not_before) == (1, 0.0, START)


def test_what_somebody_else_cancelled_is_final() -> None:
    """A cancellation in the Console is a person's decision."""
    assert scheduled(ended("canceled")) == []


def test_other_failures_in_a_cancelled_batch_count_as_ever() -> None:
    """That we cancelled the batch excuses only the requests it had not processed."""
    run = ended("canceled", "api_error", "refusal", max_attempts=2)
    when(run, e.BatchCancelRequested(job=0, batch_id="msgbatch_0", reason="requested"))
    assert [(event.reason, event.attempt) for event in scheduled(run)] == [("canceled", 1), ("api_error", 2)]


def test_a_fresh_set_of_attempts_has_the_whole_number() -> None:
    """After `retry_failed` an item is tried as often as a new one."""
    run = ended("api_error", max_attempts=2)
    when(run, e.JobCompleted(job=0, batch_id="b", outcomes={}, strays={}))
    when(run, retry_scheduled((0, 0), attempt=1), *submitted(1, (0, 0)), polled(1, "ended"))
    when(run, outcome(1, 0, "errored", "api_error"))
    assert [event.attempt for event in scheduled(run, job=1)] == [2]


def test_the_pause_doubles_with_each_attempt() -> None:
    """30, 60, 120 … seconds, an hour at the longest."""
    assert [backoff(attempt, DEFAULT_RETRY_DELAY, 0.0) for attempt in (2, 3, 4, 5)] == [30, 60, 120, 240]
    assert backoff(100, DEFAULT_RETRY_DELAY, 0.0) == LONGEST_DELAY == 3600


@for_all(st.integers(2, 100), st.floats(0, 5000), st.floats(0, 1, exclude_max=True))
def test_jitter_takes_off_up_to_half(attempt: int, base: float, jitter: float) -> None:
    """Never longer than the doubled pause, never less than half of it: retries spread, and still wait."""
    full = min(base * 2 ** (attempt - 2), LONGEST_DELAY)
    assert full / 2 <= backoff(attempt, base, jitter) <= full


def test_the_random_number_decides_the_time() -> None:
    """It is asked for once a group, so that a group stays together."""
    run = ended("api_error", "api_error", "expired", retry_delay=10.0)
    numbers = iter([0.0, 0.5])
    found = schedule_retries(run, run.jobs[0], run.jobs[0].undecided, START, lambda: next(numbers))
    assert [event.not_before - START for event in found] == [10 * SECOND, 7_500_000]


def test_a_pause_of_zero_is_allowed() -> None:
    """`retry_delay=0` sends again at once."""
    assert [event.not_before for event in scheduled(ended("api_error", retry_delay=0.0))] == [START]
