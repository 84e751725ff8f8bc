"""What each event changes: given a run, when something happens, then this is known."""

from __future__ import annotations

from decimal import Decimal

import pytest
from core_given import (
    PROCESS,
    SECOND,
    START,
    batch_submitted,
    call_failed,
    charged,
    dump,
    error,
    given,
    items_added,
    job_completed,
    outcome,
    polled,
    retry_scheduled,
    run_started,
    settled,
    submission_failed,
    submission_started,
    submission_unknown,
    submitted,
    when,
)

from batchata.core import events as e
from batchata.core import values
from batchata.core.error_kinds import INCOMPLETE
from batchata.core.evolve import _RULES, evolve, fold
from batchata.core.state import ItemStatus, JobStatus, Run

FRESH, SENT, UNDECIDED, WAITING, COMPLETED, FAILED = ItemStatus


def statuses(run: Run) -> list[int]:
    return list(run.items.status)


def test_every_event_has_a_rule() -> None:
    """An event that changes nothing by accident would be a hole in the state."""
    assert set(_RULES) == set(e.Event.__subclasses__()) - {
        cls for cls in e.Event.__subclasses__() if cls.__module__ != e.__name__
    }


def test_an_empty_fold_is_an_empty_run() -> None:
    """Without events nothing is known."""
    run = fold([])
    assert (run.status, run.version, run.total, run.pending) == ("empty", 0, 0, 0)


def test_every_event_moves_version_and_time() -> None:
    """The state says up to which event it was folded and when that was."""
    run = Run()
    evolve(run, 1, START, run_started())
    evolve(run, 2, START + 5, items_added(0, 3))
    assert (run.version, run.started_at, run.updated_at) == (2, START, START + 5)


def test_started_runs_and_added_items_are_pending() -> None:
    """Items exist once they are added, and wait; where each one's input lies is known."""
    added = e.ItemsAdded(first=2, count=3, digest="all five", first_body=40)
    run = given(items_added(0, 2), added)
    assert run.status == "running"
    assert (run.total, run.pending, run.fingerprint) == (5, 5, "all five")
    assert statuses(run) == [FRESH] * 5
    assert [run.input_body(i) for i in range(5)] == [0, 1, 40, 41, 42]


def test_a_submission_reserves_and_sends() -> None:
    """From the intent on the items are under way, an attempt is counted and the money is held back."""
    run = given(items_added(0, 5), submission_started(0, (0, 2), reserved="0.30"))
    assert statuses(run) == [SENT, SENT, SENT, FRESH, FRESH]
    assert list(run.items.attempts) == list(run.items.sends) == [1, 1, 1, 0, 0]
    assert list(run.items.job) == [0, 0, 0, -1, -1]
    assert run.next_fresh == 3
    assert run.reserved == Decimal("0.30")
    assert run.jobs[0].status is JobStatus.STARTED
    assert list(run.open) == [0]
    assert run.jobs[0].custom_id(2) == "tag-0-2"


@pytest.mark.parametrize("span", [(1, 3), (-1, 0), (1, 0), (0, 10**15)])
def test_a_job_carries_no_items_that_are_not_there(span: tuple[int, int]) -> None:
    """A log that was changed may name any; none are made for it, whatever memory that would take."""
    run = given(run_started(), items_added(0, 3))
    with pytest.raises(IndexError):
        when(run, submission_started(1, span))
    assert len(run.items) == 3


def test_a_submitted_batch_has_its_id_and_times() -> None:
    """The provider's id and clock and our own are all kept."""
    run = given(items_added(0, 2), submission_started(0, (0, 1)))
    when(run, batch_submitted(0), at=START + SECOND)
    job = run.jobs[0]
    assert (job.status, job.batch_id) == (JobStatus.SUBMITTED, "msgbatch_0")
    assert (job.created_at, job.submitted_at) == (START, START + SECOND)


@pytest.mark.parametrize(
    "end", [[submission_failed(0)], [submission_unknown(0), settled(0, "absent")]], ids=["failed", "absent"]
)
def test_a_job_that_never_was_gives_everything_back(end: list[e.Event]) -> None:
    """Items wait again, the attempt does not count, nothing is reserved, the job is closed."""
    run = given(items_added(0, 2), submission_started(0, (0, 1), reserved="1"), *end)
    assert statuses(run) == [WAITING, WAITING]
    assert list(run.items.attempts) == list(run.items.sends) == [0, 0]
    assert (run.reserved, run.open, run.pending) == (Decimal(0), {}, 2)
    assert run.jobs[0].status is JobStatus.FAILED


def test_a_failed_submission_waits_as_long_as_it_was_told() -> None:
    """The items are due only when the pause is over."""
    run = given(items_added(0, 2), submission_started(0, (0, 1)), submission_failed(0, START + 9))
    assert list(run.requeued.due(START + 8)) == []
    assert list(run.requeued.due(START + 9)) == [0, 1]


def test_an_unknown_submission_keeps_items_and_money() -> None:
    """While a batch may exist, its cost stays reserved and its items are not sent again."""
    run = given(items_added(0, 2), submission_started(0, (0, 1), reserved="1"), submission_unknown(0))
    assert run.jobs[0].status is JobStatus.UNKNOWN
    assert run.reserved == Decimal(1)
    assert statuses(run) == [SENT, SENT]
    assert len(run.requeued) == 0


def test_an_adopted_submission_is_a_batch() -> None:
    """What was found to be ours goes on as if its answer had arrived."""
    lost = [items_added(0, 2), submission_started(0, (0, 1)), submission_unknown(0)]
    found = given(*lost, settled(0, "adopted"))
    assert (found.jobs[0].status, found.jobs[0].batch_id) == (JobStatus.SUBMITTED, "msgbatch_0")
    assert list(found.open) == [0]


def test_a_poll_is_counted_and_an_end_noticed() -> None:
    """A batch is collected once the provider calls it ended; a late poll changes nothing of that."""
    run = given(items_added(0, 2), *submitted(0, (0, 1)), polled(0))
    assert (run.jobs[0].status, run.polls) == (JobStatus.SUBMITTED, 1)
    when(run, polled(0, "canceling"))
    assert run.jobs[0].status is JobStatus.SUBMITTED
    when(run, polled(0, "ended"), at=START + 7)
    assert (run.jobs[0].status, run.jobs[0].polled_at) == (JobStatus.ENDED, START + 7)
    assert run.jobs[0].counts == values.Counts(processing=0, succeeded=1, errored=0, canceled=0, expired=0)


def test_a_failed_poll_makes_its_jobs_wait_until_one_succeeds() -> None:
    """No call about these jobs before the time given; an answer ends the wait."""
    run = given(items_added(0, 4), *submitted(0, (0, 1)), *submitted(1, (2, 3)))
    when(run, call_failed(0, 1, not_before=START + 60))
    assert [job.not_before for job in run.jobs.values()] == [START + 60] * 2
    when(run, polled(1))
    assert [job.not_before for job in run.jobs.values()] == [START + 60, 0]


def test_a_good_answer_completes_its_item_at_once() -> None:
    """A result is there as soon as it is recorded; a bad answer is undecided until the job is done."""
    run = given(items_added(0, 3), *submitted(0, (0, 2)), polled(0, "ended"))
    when(run, outcome(0, 1, body=7), outcome(0, 0, "errored", "overloaded_error", body=8))
    assert statuses(run) == [UNDECIDED, COMPLETED, SENT]
    assert (run.completed, run.failed, run.pending) == (1, 0, 2)
    assert list(run.items.outcome) == [run.version, run.version - 1, 0]
    assert run.jobs[0].undecided == {0: "overloaded_error"}
    assert run.jobs[0].outcomes == {"succeeded": 1, "errored": 1}
    assert (run.jobs[0].bodies, run.jobs[0].recorded) == ([(7, 8)], 2)


def test_a_completed_job_fails_what_is_still_undecided() -> None:
    """Without a decision to pay again, a bad answer is the end."""
    run = given(items_added(0, 2), *submitted(0, (0, 1), reserved="1"), polled(0, "ended"))
    when(run, outcome(0, 0), outcome(0, 1, "expired", "expired"), job_completed(0, succeeded=1, expired=1))
    assert statuses(run) == [COMPLETED, FAILED]
    assert (run.completed, run.failed, run.pending, run.reserved) == (1, 1, 0, Decimal(0))
    assert run.open == {}


def test_a_scheduled_retry_takes_a_failure_back() -> None:
    """The item is pending again, with the attempt that the event names, from the time that it names."""
    run = given(items_added(0, 2), *submitted(0, (0, 1)), polled(0, "ended"), outcome(0, 0))
    when(run, outcome(0, 1, "errored", "api_error"), job_completed(0), retry_scheduled((1, 1), not_before=9))
    assert statuses(run) == [COMPLETED, WAITING]
    assert (run.failed, run.pending, run.retries) == (0, 1, 1)
    when(run, *submitted(1, (1, 1)))
    assert (run.items.attempts[1], run.items.sends[1], run.items.job[1]) == (2, 2, 1)
    assert len(run.requeued) == 0


def test_a_requested_retry_begins_a_fresh_set_of_attempts() -> None:
    """Attempt 1 forgets those before, but not how often the item was sent; a completed run runs again."""
    run = given(items_added(0, 1), *submitted(0, (0, 0)), polled(0, "ended"))
    when(run, outcome(0, 0, "errored", "api_error"), job_completed(0))
    when(run, e.RunCompleted(completed_items=0, failed_items=1, total_cost="0"))
    assert run.status == "completed"
    when(run, retry_scheduled((0, 0), attempt=1), *submitted(1, (0, 0)))
    assert run.status == "running"
    assert (run.items.attempts[0], run.items.sends[0]) == (1, 2)


def test_charges_add_up_by_run_job_item_and_kind() -> None:
    """Every figure of a charge is counted once in each of the sums."""
    run = given(items_added(0, 2), *submitted(0, (0, 1), reserved="1"))
    when(run, charged(0, 0, "0.25"), charged(0, 1, "0.125"))
    assert (run.spent, run.total_cost, run.jobs[0].cost) == (Decimal("0.375"),) * 3
    assert [run.items.cost(0), run.items.cost(1)] == [Decimal("0.25"), Decimal("0.125")]
    assert run.reserved == Decimal("0.625")
    assert run.usage == {
        "input_tokens": 200,
        "output_tokens": 20,
        "cache_write_5m_tokens": 2,
        "cache_write_1h_tokens": 4,
        "cache_read_tokens": 6,
        "web_search_requests": 0,
    }
    assert run.ledger == {("test", (("input_tokens", "1.5"),)): {"input_tokens": 200}}


def test_an_unknown_charge_makes_the_total_unknown() -> None:
    """A run with one unknown price has no total, never a total that is too small; tokens still count."""
    run = given(items_added(0, 2), *submitted(0, (0, 1)), charged(0, 0, "0.25"), charged(0, 1, None))
    assert (run.spent, run.total_cost, run.unpriced) == (Decimal("0.25"), None, 1)
    assert run.usage["input_tokens"] == 200


def test_costs_beyond_the_reservation_hold_nothing_more() -> None:
    """A reservation is never negative."""
    run = given(items_added(0, 1), *submitted(0, (0, 0), reserved="0.1"), charged(0, 0, "0.4"))
    assert run.reserved == Decimal(0)


def test_strays_are_counted_by_reason_and_touch_no_item() -> None:
    """A line that belongs nowhere is reported, never guessed into a place."""
    run = given(items_added(0, 1), *submitted(0, (0, 0)))
    before = dump(run.items)
    for reason in ("foreign", "repeated", "foreign"):
        stray = e.StrayOutcomeRecorded(job=0, custom_id="x", reason=reason, kind="succeeded", body=3)
        when(run, stray)
    assert run.strays == {"foreign": 2, "repeated": 1}
    assert dump(run.items) == before


def test_the_limit_is_noted_until_the_next_start() -> None:
    """Starting again, perhaps with more money, clears the note and applies what changed."""
    limit = e.CostLimitReached(limit="1", spent="0.9", reserved="0", withheld="0", needed="0.2")
    run = given(items_added(0, 1), limit, max_cost="1")
    assert run.limit_reached
    when(run, e.RunInterrupted(reason="cost_limit", error=None, pending_items=1))
    assert (run.status, run.interrupted_by) == ("interrupted", "cost_limit")
    when(run, e.RunResumed(process=PROCESS, library_version="1", changed={"max_cost": ("1", "2")}))
    assert (run.status, run.interrupted_by, run.limit_reached) == ("running", None, False)
    assert run.settings is not None
    assert (run.settings.max_cost, run.settings.items_per_job) == ("2", 50)


def test_a_cancel_request_is_noted_on_its_job() -> None:
    """It decides later whether a cancelled request was our own doing."""
    asked = e.BatchCancelRequested(job=0, batch_id="msgbatch_0", reason="requested")
    run = given(items_added(0, 2), *submitted(0, (0, 0)), *submitted(1, (1, 1)), asked)
    assert [job.cancel_requested for job in run.jobs.values()] == [True, False]


def test_more_items_take_a_completed_run_up_again() -> None:
    """Items added at the end of a finished run are pending and come after all others."""
    run = given(items_added(0, 1), *submitted(0, (0, 0)), polled(0, "ended"), outcome(0, 0), job_completed(0))
    when(run, e.RunCompleted(completed_items=1, failed_items=0, total_cost="0"), items_added(1, 2))
    assert (run.status, run.total, run.pending, run.next_fresh) == ("running", 3, 2, 1)


def test_what_another_start_was_sending_is_unknown() -> None:
    """Nobody waits for the answer any more: it is looked for, and not sent again before it is settled."""
    run = given(items_added(0, 1), submission_started(0, (0, 0)))
    assert run.jobs[0].status is JobStatus.STARTED
    when(run, e.RunResumed(process=PROCESS, library_version="1", changed={}), at=START + SECOND)
    assert (run.jobs[0].status, run.jobs[0].alone_since) == (JobStatus.UNKNOWN, START + SECOND)
    assert statuses(run) == [SENT]


def test_what_was_learnt_of_anothers_batch_is_not_held_against_ones_own() -> None:
    """Downloads of it that lacked lines do not count: the gaps of the right batch are looked at twice."""
    run = given(items_added(0, 1), *submitted(0, (0, 0)))
    short = e.CallFailed(doing="collect", jobs=[0], error=error(INCOMPLETE), not_before=START)
    cancelled = e.BatchCancelRequested(job=0, batch_id="msgbatch_0", reason="requested")
    when(run, cancelled, polled(0, "ended"), short, short, submission_unknown(0))
    job = run.jobs[0]
    assert not job.cancel_requested
    assert (job.status, job.batch_id, job.counts, job.short_reads) == (JobStatus.UNKNOWN, None, None, 0)
    assert (job.is_misnamed, job.held) == (True, job.reserved or Decimal(0))
