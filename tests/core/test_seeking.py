"""Where the batch of a lost submission may be, and which batches are certainly not it."""

from __future__ import annotations

from typing import Any

import pytest
from core_given import (
    SECOND,
    START,
    given,
    items_added,
    outcome,
    polled,
    run_started,
    settled,
    submission_started,
    submission_unknown,
    submitted,
    when,
)

from batchata.core import decide, values
from batchata.core import events as e
from batchata.core.error_kinds import ODD_REPLY
from batchata.core.evolve import evolve
from batchata.core.state import Job, Run
from batchata.providers.exchange import Batch
from batchata.run.lost_batches import lost as described
from batchata.run.search import Lost, _may_be

HOUR = 3600 * SECOND
DAY = 24 * HOUR


def lost(run: Run, job: Job, strangers: set[str], apart: int | None = None) -> Lost:
    """Asked when nobody cares."""
    return described(run, job, strangers, START, apart)


def created(job: int, at: int) -> e.BatchSubmitted:
    """A batch whose creation the provider's clock put there."""
    return e.BatchSubmitted(job=job, batch_id=f"msgbatch_{job}", created_at=at, expires_at=None)


def keyed(key: str | None, *happened: e.Event) -> Run:
    """A run that was started with the key of this fingerprint."""
    run = Run()
    started = run_started()
    evolve(run, 1, START, type(started)(**{**_fields(started), "key": key}))
    return when(run, *happened)


def _fields(event: e.Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


def resumed(key: str | None) -> e.RunResumed:
    return e.RunResumed(process=values.Process(pid=1, host="here"), library_version="1", changed={}, key=key)


def test_a_batch_is_sought_by_its_custom_ids_wherever_it_may_be() -> None:
    """As long as nothing tells how the clocks stand to each other, no time of ours bounds the search."""
    run = given(e.ItemsAdded(first=0, count=2, digest="d", first_body=0), submission_started(0, (0, 1)))
    sought = lost(run, run.jobs[0], set())
    assert sought.custom_ids == ["tag-0-0", "tag-0-1"]
    assert (sought.since, sought.until) == (0, None)
    assert (sought.not_ours, sought.anchors) == (frozenset(), [])


@pytest.mark.parametrize("apart", [-40 * DAY, -2 * HOUR, 0, 5 * SECOND, 3 * DAY])
def test_the_providers_clock_tells_where_it_was_created(apart: int) -> None:
    """It was measured in this start, or is a gateway's and ours is right; an hour is left for the call."""
    run = given(e.ItemsAdded(first=0, count=2, digest="d", first_body=0), submission_started(0, (0, 1)))
    sought = lost(run, run.jobs[0], set(), apart)
    assert (sought.since, sought.until) == (START + min(apart, 0) - HOUR, START + max(apart, 0) + HOUR)


def test_the_clock_of_this_start_says_nothing_of_an_earlier_one() -> None:
    """The computer's clock may have been set in between; what is known of the end is that of this start."""
    run = given(e.ItemsAdded(first=0, count=2, digest="d", first_body=0), submission_started(0, (0, 1)))
    when(run, resumed(None), at=START + 5 * DAY)
    sought = lost(run, run.jobs[0], set(), 0)
    assert (sought.since, sought.until) == (0, START + 5 * DAY + HOUR)


@pytest.mark.parametrize("apart", [-40 * DAY, -2 * HOUR, 0, 5 * SECOND, 3 * DAY])
def test_batches_sent_at_that_time_tell_how_far_the_clocks_are_apart(apart: int) -> None:
    """What was created much earlier or later is not it: others may create such batches."""
    run = given(e.ItemsAdded(first=0, count=3, digest="d", first_body=0))
    when(run, submission_started(0, (0, 0)), created(0, START + apart))
    when(run, submission_started(1, (1, 1)))
    sought = lost(run, run.jobs[1], set())
    assert (sought.since, sought.until) == (START + apart - HOUR, START + apart + HOUR)


def test_only_jobs_of_the_same_start_and_answered_at_once_tell_how_far_the_clocks_are_apart() -> None:
    """A batch that is looked for outside its time would be paid for again."""
    added = e.ItemsAdded(first=0, count=2, digest="d", first_body=0)

    def finds(run: Run, at: int) -> bool:
        sought = lost(run, run.jobs[1], set(), 0)
        return sought.since <= at and (sought.until is None or at <= sought.until)

    late = START + 3 * HOUR  # job 0 is found by a look, long after it was created
    run = given(added, submission_started(0, (0, 0)), submission_unknown(0))
    found = e.SubmissionSettled(
        job=0, verdict="adopted", batch_id="b", created_at=START, expires_at=None, looked_at=late,
        evidence="", surplus=[],
    )  # fmt: skip
    when(run, found, submission_started(1, (1, 1)), submission_unknown(1), at=late)
    when(run, resumed(None), at=late)
    assert finds(run, late)

    # The clock was two hours ahead in the first start, and is right since.
    run = given(added, submission_started(0, (0, 0)), created(0, START - 2 * HOUR))
    when(run, resumed(None), submission_started(1, (1, 1)), submission_unknown(1), at=START - 2 * HOUR)
    when(run, resumed(None), at=START - 2 * HOUR)
    assert finds(run, START - 2 * HOUR)

    # It was a day ahead when the lost one was sent, so that this start seems to have begun before.
    run = given(added, submission_started(0, (0, 0)))
    when(run, submission_started(1, (1, 1)), submission_unknown(1))
    when(run, resumed(None), at=START - DAY)
    assert finds(run, START - DAY)


@pytest.mark.parametrize("is_ended", [False, True])
def test_a_batch_of_a_later_time_is_not_it(is_ended: bool) -> None:
    """Others may create one of the same size at any time: it must not keep the job waiting."""
    run = given(items_added(0, 3), submission_started(0, (0, 0)), created(0, START))
    sought = lost(when(run, submission_started(1, (1, 2))), run.jobs[1], set())
    assert sought.until is not None
    counts = values.Counts(processing=0, succeeded=2, errored=0, canceled=0, expired=0)
    for later, may_be in ((0, True), (1, False)):
        batch = Batch("b", is_ended, "", counts, created_at=sought.until + later, expires_at=None)
        assert _may_be(batch, sought, None) is may_be


def test_batches_of_long_ago_say_nothing_of_the_clocks() -> None:
    """A computer's clock may have been set since; but they were created before it, by whatever clock."""
    run = given(e.ItemsAdded(first=0, count=2, digest="d", first_body=0))
    when(run, submission_started(0, (0, 0)), created(0, START))
    when(run, submission_started(1, (1, 1)), at=START + 7 * HOUR)
    sought = lost(run, run.jobs[1], set())
    assert (sought.since, sought.until) == (START - HOUR, None)


def test_a_start_does_not_wait_for_times_that_an_earlier_one_put_far_ahead() -> None:
    """Its clock may have been wrong: calls wait for a minute at most, retries for an hour."""
    run = given(e.ItemsAdded(first=0, count=3, digest="d", first_body=0), *submitted(0, (0, 0)))
    error = values.RequestError(kind="x", message="x")
    when(run, e.CallFailed(doing="poll", jobs=[0], error=error, not_before=START + 9 * DAY))
    when(run, submission_started(1, (1, 1)))
    when(run, e.SubmissionFailed(job=1, error=error, not_before=START + 9 * DAY))
    when(run, submission_started(2, (2, 2)), e.SubmissionUnknown(job=2, error=error), at=START + 9 * DAY)
    when(run, resumed(None), at=START)
    assert run.jobs[0].not_before <= START + 60 * SECOND
    assert run.requeued.earliest() == START + HOUR
    assert decide.settle_by(run, run.jobs[2]) <= START + HOUR


def test_batches_that_belong_to_other_jobs_are_not_candidates() -> None:
    """Nor are those that were seen to hold other requests."""
    run = given(e.ItemsAdded(first=0, count=3, digest="d", first_body=0), *submitted(0, (0, 0)))
    when(run, submission_started(1, (1, 1)), settled(1, "adopted"), submission_started(2, (2, 2)))
    sought = lost(run, run.jobs[2], {"msgbatch_x"})
    assert sought.not_ours == {"msgbatch_0", "msgbatch_1", "msgbatch_x"}
    assert sought.anchors == ["msgbatch_1", "msgbatch_0"]


@pytest.mark.parametrize(("kind", "excluded"), [(ODD_REPLY, False), ("no_answer", True)])
def test_a_batch_that_two_answers_named_may_be_either_jobs(kind: str, excluded: bool) -> None:
    """The first of them may have been the confused one; once there are answers of it, it is told whose it is.

    Where it was taken for the first job's without a look, the second one was sent, and paid, again.
    """
    run = given(e.ItemsAdded(first=0, count=2, digest="d", first_body=0), *submitted(0, (0, 0)))
    error = values.RequestError(kind=kind, message="x")
    when(run, submission_started(1, (1, 1)), e.SubmissionUnknown(job=1, error=error))
    assert lost(run, run.jobs[1], set()).not_ours == ({"msgbatch_0"} if excluded else set())
    assert not run.jobs[1].is_misnamed  # where no batch is found there is none
    when(run, polled(0, "ended"), outcome(0, 0))
    assert lost(run, run.jobs[1], set()).not_ours == {"msgbatch_0"}


def test_only_the_newest_batches_are_asked_whether_this_is_their_workspace() -> None:
    """Three are enough, and old ones may be gone."""
    jobs = [event for number in range(5) for event in submitted(number, (number, number))]
    run = given(
        e.ItemsAdded(first=0, count=6, digest="d", first_body=0), *jobs, submission_started(5, (5, 5))
    )
    assert lost(run, run.jobs[5], set()).anchors == ["msgbatch_4", "msgbatch_3", "msgbatch_2"]


@pytest.mark.parametrize(
    ("sent_with", "now_with", "same"), [("a", "a", True), ("a", "b", False), ("a", None, False)]
)
def test_another_key_may_be_another_workspaces(sent_with: str, now_with: str | None, same: bool) -> None:
    """The job keeps the fingerprint of the key it was sent with."""
    run = keyed(sent_with, e.ItemsAdded(first=0, count=1, digest="d", first_body=0))
    when(run, submission_started(0, (0, 0)))
    when(run, resumed(now_with), at=START + SECOND)
    assert lost(run, run.jobs[0], set()).same_key is same


def test_a_process_does_not_doubt_its_own_key() -> None:
    """What was sent since the last start was sent with the key of today, known or not."""
    run = keyed(None, e.ItemsAdded(first=0, count=1, digest="d", first_body=0))
    when(run, resumed("b"), at=START + SECOND)
    when(run, submission_started(0, (0, 0)), at=START + 2 * SECOND)
    assert lost(run, run.jobs[0], set()).same_key


def test_results_are_kept_for_29_days_from_the_creation_of_the_batch() -> None:
    """By the provider's clock; nothing is known before there is a batch."""
    run = given(e.ItemsAdded(first=0, count=1, digest="d", first_body=0), submission_started(0, (0, 0)))
    assert decide.collect_by(run, run.jobs[0]) is None
    when(run, created(0, START))
    assert decide.collect_by(run, run.jobs[0]) == START + 29 * DAY
