"""Items that share one request: what happens to it happens to all, and only one is sent and charged."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from core_given import (
    batch_submitted,
    charged,
    dump,
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
    when,
)
from core_histories import History
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

from batchata.core import events as e
from batchata.core.evolve import evolve, fold
from batchata.core.invariants import Audit
from batchata.core.plan import Plan, plan_job
from batchata.core.ranges import iterate
from batchata.core.state import ItemStatus, Run

SEEDS = st.integers(0, 2**32)


def statuses(run: Run) -> list[int]:
    return list(run.items.status)


def test_only_the_first_of_its_kind_is_sent() -> None:
    """Copies are left out of jobs, wherever they stand."""
    run = given(items_added(0, 6, (1, 0), (2, 0), (5, 3)), items_per_job=10)
    plan = plan_job(run, 0, measures())
    assert isinstance(plan, Plan)
    assert plan.items == [0, 3, 4]


def test_an_answer_answers_all_of_them_and_is_charged_once() -> None:
    """Counters count items; the cost is on the one that was sent."""
    start = [submission_started(0, (0, 0), (2, 2)), batch_submitted(0), polled(0, "ended", 2)]
    run = given(items_added(0, 4, (1, 0), (3, 0)), *start, outcome(0, 0, body=7), charged(0, 0, "0.001"))
    assert run.completed == 3
    assert [run.items.body[i] for i in (0, 1, 3)] == [7, 7, 7]
    assert [run.items.cost(i) for i in range(4)] == [Decimal("0.001"), 0, 0, 0]
    assert run.spent == Decimal("0.001")


def test_a_failure_and_its_retry_are_those_of_all() -> None:
    """They fail together, wait together, and succeed together."""
    start = [submission_started(0, (0, 0)), batch_submitted(0), polled(0, "ended")]
    failed = given(items_added(0, 3, (1, 0), (2, 0)), *start, outcome(0, 0, why="refusal"), job_completed(0))
    assert (failed.failed, failed.pending) == (3, 0)
    when(failed, retry_scheduled((0, 0)))
    assert (failed.failed, failed.pending, len(failed.requeued)) == (0, 3, 1)
    assert statuses(failed) == [ItemStatus.WAITING] * 3
    plan = plan_job(failed, 10**18, measures())
    assert isinstance(plan, Plan)
    assert plan.items == [0]


def test_a_submission_that_failed_takes_all_of_them_back() -> None:
    """Nobody was sent, so nobody's attempt counts."""
    run = given(items_added(0, 2, (1, 0)), submission_started(0, (0, 0)), submission_failed(0))
    assert statuses(run) == [ItemStatus.WAITING] * 2
    assert list(run.items.sends) == [0, 0]


def test_a_late_copy_gets_what_is_known_already() -> None:
    """Added after its original was answered, it is completed at once and belongs to a job's results."""
    start = [submission_started(0, (0, 0)), batch_submitted(0), polled(0, "ended")]
    run = given(items_added(0, 1), *start, outcome(0, 0), job_completed(0), items_added(1, 2, (1, 0)))
    assert statuses(run) == [ItemStatus.COMPLETED, ItemStatus.COMPLETED, ItemStatus.FRESH]
    assert (run.completed, run.pending) == (2, 1)
    assert (run.chunks, run.next_fresh) == ({0: (0, 1)}, 2)


@hypothesis_given(SEEDS)
def test_copies_are_as_their_originals_after_every_event(seed: int) -> None:
    """Status and outcome are the same, the accounts hold, nothing is sent twice, and jobs cover all items."""
    history = History(seed, copies=True)
    for _ in history.play(200):
        pass
    run = Run()
    for version, at, event in history.recorded:
        evolve(run, version, at, event)
        items, counted = run.items, Counter(run.items.status)
        for copy, original in items.same_as.items():
            columns = (items.status, items.attempts, items.sends, items.job, items.outcome, items.body)
            assert {column[copy] == column[original] for column in columns} == {True}, event
            assert items.cost(copy) == 0
        assert run.total == run.completed + run.failed + run.pending
        assert (run.completed, run.failed) == (counted[ItemStatus.COMPLETED], counted[ItemStatus.FAILED])
        if isinstance(event, e.SubmissionStarted):
            assert not set(iterate(event.items)) & items.same_as.keys()
        covered = [index for first, last in run.chunks.values() for index in range(first, last + 1)]
        assert covered == list(range(run.next_fresh)), event


@hypothesis_given(SEEDS)
def test_such_a_run_ends_and_replays(seed: int) -> None:
    """Once the provider behaves it ends, and folding again gives the same."""
    history = History(seed, copies=True)
    for _ in history.play(200):
        pass
    assert history.calm_down()
    assert history.run.pending == 0 or history.run.limit_reached
    assert dump(fold(history.recorded)) == dump(history.run)


def test_the_audit_finds_what_cannot_be_shared() -> None:
    """A later original, one that is a copy itself, and a copy that is sent all the same."""
    for same_as in ((0, 1), (0, 0), (2, 9)):
        assert taken(items_added(0, 3, same_as)) == [
            f"item {same_as[0]} is said to be the same as item {same_as[1]}"
        ]
    found = taken(items_added(0, 3, (1, 0)), items_added(3, 1, (3, 1)))
    assert found == ["item 3 is said to be the same as item 1"]
    sent = taken(items_added(0, 2, (1, 0)), submission_started(0, (0, 1)))
    assert sent == ["item 1 is sent although it shares a request"]


def taken(*events: e.Event) -> list[str]:
    """What the audit says of the last of these."""
    audit = Audit(10**18)
    said: list[str] = []
    for version, event in enumerate((run_started(), *events), 1):
        said = audit.take(version, version, event)
    return said[:1]
