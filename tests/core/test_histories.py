"""What holds after every event of every valid history, however the provider behaves."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from core_given import dump
from core_histories import WORST, History
from hypothesis import given
from hypothesis import strategies as st

from batchata.core import events as e
from batchata.core.codec import decoder, encode
from batchata.core.evolve import evolve, fold
from batchata.core.ranges import iterate
from batchata.core.state import OPEN, ItemStatus, JobStatus, Run

SEEDS = st.integers(0, 2**32)
TURNS = 200


def played(seed: int, turns: int = TURNS) -> History:
    history = History(seed)
    for _ in history.play(turns):
        pass
    return history


def every_state(history: History) -> list[tuple[Run, e.Event]]:
    """The history event by event, each with the state after it (one object, changed in place)."""
    run = Run()
    for version, at, event in history.recorded:
        evolve(run, version, at, event)
        yield run, event


@given(SEEDS)
def test_every_item_is_accounted_for_after_every_event(seed: int) -> None:
    """Total = completed + failed + pending, and the counters are those of the items themselves."""
    for run, event in every_state(played(seed)):
        counted = Counter(run.items.status)
        assert run.total == run.completed + run.failed + run.pending
        assert run.completed == counted[ItemStatus.COMPLETED], event
        assert run.failed == counted[ItemStatus.FAILED], event
        assert len(run.requeued) == counted[ItemStatus.WAITING], event
        undecided = sum(len(job.undecided) for job in run.open.values())
        assert undecided == counted[ItemStatus.UNDECIDED], event


@given(SEEDS, st.floats(0, 1))
def test_folding_in_one_go_is_folding_along_the_way(seed: int, cut: float) -> None:
    """At any point the state folded from the stored events equals the one that was evolved live."""
    history = History(seed)
    at = int(cut * TURNS)
    for turn, run in enumerate(history.play(TURNS)):
        if turn == at:
            assert dump(fold(history.recorded)) == dump(run)
    assert dump(fold(history.recorded)) == dump(history.run)


@given(SEEDS)
def test_the_stored_text_gives_the_same_state(seed: int) -> None:
    """Replaying what the log holds, decoded from its JSON, gives the state byte for byte."""
    history = played(seed)
    stored = [(v, at, event.TYPE, event.SCHEMA, encode(event)) for v, at, event in history.recorded]
    read = ((v, at, decoder(name, schema)(text)) for v, at, name, schema, text in stored)
    assert repr(dump(fold(read))) == repr(dump(history.run))


@given(SEEDS)
def test_the_limit_is_kept_at_every_moment(seed: int) -> None:
    """Spent and reserved together never exceed `max_cost`: through retries, crashes and lost batches."""
    for run, event in every_state(played(seed)):
        if run.settings is not None and run.settings.max_cost is not None:
            assert run.spent + run.reserved <= Decimal(run.settings.max_cost), event


@given(SEEDS)
def test_money_adds_up_in_every_direction(seed: int) -> None:
    """What was charged is the run's sum, the sum over jobs, and the sum over items."""
    history = played(seed)
    run = history.run
    assert run.spent == history.spent == sum((job.cost for job in run.jobs.values()), Decimal(0))
    costs = [run.items.cost(i) for i in range(run.total)]
    charges = [event for _, _, event in history.recorded if isinstance(event, e.CostCharged)]
    if history.priced:
        assert sum(costs, Decimal(0)) == run.total_cost == run.spent
    else:
        assert {i for i, cost in enumerate(costs) if cost is None} == {event.index for event in charges}
        assert (run.total_cost is None) == bool(charges)
    assert run.usage["input_tokens"] == sum(event.input_tokens for event in charges)


@given(SEEDS)
def test_no_item_is_in_two_jobs_that_may_both_be_paid(seed: int) -> None:
    """While a batch may exist and its answer for an item is not known, the item is in no other job."""
    for run, event in every_state(played(seed)):
        if isinstance(event, e.SubmissionStarted):
            here = set(iterate(event.items))
            for job in run.open.values():
                if job.number != event.job:
                    assert not here & set(job.indexes()), event
            assert event.request_count == len(here)


@given(SEEDS)
def test_jobs_stay_within_the_settings(seed: int) -> None:
    """Never more open jobs, or items in a job, than allowed; and `open` holds exactly the open jobs."""
    for run, event in every_state(played(seed)):
        if run.settings is None:
            continue
        assert len(run.open) <= run.settings.max_parallel_jobs
        assert list(run.jobs) == list(range(len(run.jobs)))
        assert {n for n, job in run.jobs.items() if job.status in OPEN} == set(run.open)
        if isinstance(event, e.SubmissionStarted):
            assert event.request_count <= run.settings.items_per_job


@given(SEEDS)
def test_attempts_are_bounded_and_sends_are_counted(seed: int) -> None:
    """No set of attempts exceeds `max_attempts`; `sends` is how many batches have held the item."""
    history = played(seed)
    run = history.run
    assert run.settings is not None
    really = [job for job in run.jobs.values() if job.status is not JobStatus.FAILED]
    held = Counter(index for job in really for index in job.indexes())
    assert [held[i] for i in range(run.total)] == list(run.items.sends)
    assert max(run.items.attempts, default=0) <= run.settings.max_attempts


@given(SEEDS)
def test_the_last_outcome_decides(seed: int) -> None:
    """An item is completed exactly when the last thing said about it was a good answer."""
    history = played(seed)
    done = {i for i, status in enumerate(history.run.items.status) if status == ItemStatus.COMPLETED}
    assert done == {i for i, said in history.answered.items() if said == "completed"}


@given(SEEDS)
def test_every_run_comes_to_an_end(seed: int) -> None:
    """Once the provider behaves, what is pending gets done or the limit is reached; nothing is stuck."""
    history = played(seed)
    assert history.calm_down()
    run = history.run
    assert run.status == "completed" or (run.limit_reached and run.reserved == 0)
    if run.status == "completed":
        assert run.pending == 0
    else:
        assert run.settings is not None
        assert Decimal(run.settings.max_cost or 0) - run.spent < WORST
