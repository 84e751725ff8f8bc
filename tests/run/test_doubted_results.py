"""Results and answers that do not fit what is known are doubted: asked for again, never paid for twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from places import SUBMIT
from resume_support import (
    COUNT,
    Script,
    check_complete,
    check_paid_once,
    fresh,
    left_running,
    manager,
    seen,
    wait_for,
)
from run_support import Runs

from batchata.core.state import Job, Run
from batchata.core.values import Counts
from batchata.errors import (
    AuthenticationFailedError,
    BatchNotFoundError,
    IncompleteResultsError,
    PendingRunWarning,
    UnknownSubmissionError,
)
from batchata.run.record import Collection
from batchata.run.trouble import short
from batchata.sandbox import Faults

HTML = "<html>\n<head><title>Sign in</title></head>\n<body>{}</body>\n</html>\n"
ERROR = '{"type":"error","error":{"type":"api_error","message":"Internal server error"}}\n'
FOREIGN = "".join(f'{{"custom_id":"other-{n}","result":{{"type":"canceled"}}}}\n' for n in range(COUNT))
ZERO = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)


@pytest.mark.parametrize(
    ("body", "counts"),
    [
        *((body, None) for body in ("", HTML, ERROR, FOREIGN, "\n\n", "null\n" * COUNT)),
        *(
            (body, counts)
            for body in ("", FOREIGN)
            for counts in (ZERO, {"succeeded": 1}, {**ZERO, "errored": COUNT - 1})
        ),
    ],
)
def test_results_that_are_not_the_batchs_own_are_asked_for_again(
    runs: Runs, body: str, counts: dict[str, int] | None
) -> None:
    """A gateway's page, nothing at all, another batch's lines: it passes, and is waited out."""
    runs.sandbox.faults = Faults(results_instead=[body] * 6, counts=counts)
    check_complete(runs, items_per_job=COUNT, poll_interval=0.001)
    assert runs.creates() == 1


@pytest.mark.parametrize("counts", [None, ZERO])
@pytest.mark.parametrize("body", ["", HTML, FOREIGN])
def test_results_that_never_come_stop_the_run_and_nothing_is_paid_again(
    runs: Runs, body: str, counts: dict[str, int] | None
) -> None:
    """It says what to look at; the next start asks again, and what others have finished is collected."""
    given: dict[str, Any] = {"poll_interval": 0.001}
    runs.sandbox.faults = Faults(results_instead=[body] * 999, counts=counts)
    made = manager(runs, **given)
    error = UnknownSubmissionError if body == FOREIGN else IncompleteResultsError
    with pytest.raises(error, match=r"Look (at the batch )?in the provider's console") as raised:
        made.run()
    assert any(batch.id in str(raised.value) for batch in runs.sandbox.batches)
    assert (runs.creates(), made.stats()["pending_items"]) == (2, COUNT)
    runs.sandbox.faults = Faults()
    check_complete(runs, **given)


def test_a_batch_that_we_cancelled_and_that_counts_nothing_is_said_to_be_so() -> None:
    """Such as Together's, which has no counts: what was answered before may be billed."""
    counts = Counts(**ZERO)
    job = Job(0, [(0, 1)], 2, "t-0", None, 0, None, 0, batch_id="b", counts=counts, cancel_requested=True)
    collection = Collection(0, {"t-0-0": 0, "t-0-1": 1}, frozenset())
    assert "cancelled before the provider told how many it had answered" in str(short(Run(), job, collection))
    job.cancel_requested = False
    assert "its counts do not add up" in str(short(Run(), job, collection))


def test_wrong_counts_alone_do_no_harm(runs: Runs) -> None:
    """Where every request has its line, nothing hangs on what the batch counts."""
    runs.sandbox.faults = Faults(counts=ZERO)
    check_complete(runs)


def test_a_line_that_lacks_for_an_unanswered_request_is_missing(runs: Runs) -> None:
    """The counts add up and say that all answers are there: it was not paid for, and is sent again."""
    runs.sandbox.faults = Faults(errored={1}, missing={1}, only_batches={0})
    check_complete(runs, items_per_job=COUNT)
    assert "missing" in {r.event.kind for r in runs.events() if r.event.TYPE == "outcome_recorded"}


def test_a_job_given_up_for_its_missing_lines_keeps_what_it_brought(runs: Runs) -> None:
    """Only what has no line is sent again, on the user's word, and its cost stays held."""
    runs.sandbox.faults = Faults(missing={2}, only_batches={0})
    given: dict[str, Any] = {"items_per_job": COUNT, "poll_interval": 0.001}
    made = manager(runs, **given)
    with pytest.raises(IncompleteResultsError, match=r"no line for 1 of its 4 requests"):
        made.run()
    made.abandon(0)
    assert made.run()["completed_items"] == COUNT
    assert sum(runs.sandbox.billed().values()) == COUNT + 1
    assert made.stats()["withheld_cost"] > 0


@pytest.mark.parametrize("what", ["poll", "results"])
@pytest.mark.parametrize("times", [1, 4])
def test_a_404_now_and_then_is_no_proof(patient: tuple[Runs, list[float]], what: str, times: int) -> None:
    """Whatever the batch's age: it is asked again, and what the list shows is there."""
    runs, delay = patient
    left_running(runs, 1, items_per_job=COUNT)
    delay[0] = 0.0
    runs.sandbox.end_all()
    if what == "poll":
        runs.sandbox.faults = Faults(not_found_after_create=times)
    else:
        runs.sandbox.faults = Faults(results_status=[404] * times)
    check_complete(runs, items_per_job=COUNT, settle_delay=0.5)
    assert runs.creates() == 1


def test_a_batch_that_nobody_knows_is_given_up_only_after_looks_over_minutes(
    patient: tuple[Runs, list[float]],
) -> None:
    """Five looks at least, and ten times settle_delay; the list has to confirm each."""
    runs, delay = patient
    left_running(runs, 1, items_per_job=COUNT)
    runs.sandbox.end_all()
    (batch,) = runs.sandbox.batches
    runs.sandbox._kinds[0].delete(batch.id)
    delay[0] = 0.0
    made = manager(runs, items_per_job=COUNT, settle_delay=0.1)
    before, began = len(runs.sandbox.exchanges), time.monotonic()
    with pytest.raises(BatchNotFoundError, match=r"has not for minutes.*manager\.abandon\(0\)"):
        made.run()
    assert time.monotonic() - began > 1.0
    calls = [path for _, path, _ in runs.sandbox.exchanges[before:]]
    assert calls.count("/v1/messages/batches") >= 5
    made.abandon(0)
    assert made.run()["completed_items"] == COUNT


def test_a_batch_that_nobody_knows_is_told_by_starts_that_may_not_wait(
    patient: tuple[Runs, list[float]],
) -> None:
    """Each asks once; how often, and since when, counts over all of them. One answer begins it anew."""
    runs, delay = patient
    given: dict[str, Any] = {"items_per_job": COUNT, "settle_delay": 0.01, "max_wait_time": 0}
    left_running(runs, 1, items_per_job=COUNT)

    def starts(times: int) -> None:
        for _ in range(times):
            with pytest.warns(PendingRunWarning):
                manager(runs, **given).run()
            time.sleep(0.05)

    hidden = runs.sandbox._kinds[0]
    known, hidden._records = hidden._records, {}
    starts(4)
    hidden._records = known
    starts(1)
    hidden._records = {}
    starts(4)
    with pytest.raises(BatchNotFoundError, match=r"has not for minutes.*manager\.abandon\(0\)"):
        manager(runs, **given).run()
    hidden._records = known
    delay[0] = 0.0
    runs.sandbox.end_all()
    check_complete(runs, items_per_job=COUNT)
    assert runs.creates() == 1


@pytest.mark.parametrize("what", ["poll_status", "results_status"])
@pytest.mark.parametrize("status", [401, 403, 400, 451])
def test_a_question_that_is_refused_now_and_then_is_asked_again(runs: Runs, what: str, status: int) -> None:
    """A gateway refuses now and then what it lets through before and after: nothing ends for it."""
    runs.sandbox.faults = Faults(**{what: [status, 0, status, status]})
    check_complete(runs, 6)


def test_a_key_that_is_refused_from_some_moment_on_is_believed(patient: tuple[Runs, list[float]]) -> None:
    """After a few more questions the run stops; nothing is lost or sent meanwhile."""
    runs, delay = patient
    left_running(runs, 2)
    delay[0] = 0.0
    runs.sandbox.faults = Faults(poll_status=[0, 0] + [403] * 999)
    with pytest.raises(AuthenticationFailedError):
        manager(runs).run()
    assert sum(status == 403 for *_, status in runs.sandbox.exchanges) <= 12
    runs.sandbox.faults = Faults()
    runs.sandbox.end_all()
    check_complete(runs)


def test_the_description_of_another_batch_is_not_believed(patient: tuple[Runs, list[float]]) -> None:
    """A cache that mixes answers up says that a batch has ended without an answer: it is asked again."""
    runs, delay = patient
    left_running(runs, 1, items_per_job=COUNT)
    delay[0] = 0.0
    counts = {**ZERO, "errored": COUNT}
    other = {"id": "msgbatch_other", "processing_status": "ended", "request_counts": counts}
    runs.sandbox.faults = Faults(descriptions=[None, other, other])
    driving = threading.Thread(target=manager(runs, items_per_job=COUNT).run)
    driving.start()
    wait_for(lambda: not runs.sandbox.faults.descriptions)
    runs.sandbox.end_all()
    driving.join(300)
    check_complete(runs, items_per_job=COUNT)
    assert runs.creates() == 1


def test_an_answer_to_a_create_that_names_another_jobs_batch_is_not_believed(
    patient: tuple[Runs, list[float]],
) -> None:
    """A repeated answer says nothing of this job: its own batch is looked for, found and collected."""
    runs, delay = patient
    left_running(runs, 1, max_parallel_jobs=1)
    (batch,) = runs.sandbox.batches
    delay[0] = 0.0
    runs.sandbox.end_all()
    runs.sandbox.faults = Faults(created_as=[{"id": batch.id, "processing_status": "in_progress"}])
    check_complete(runs, max_parallel_jobs=1)
    assert runs.creates() == 2


def test_an_id_that_only_the_creation_named_is_no_reason_to_pay_again(
    patient: tuple[Runs, list[float]],
) -> None:
    """The batch may stand under another id: the advice is to look for it, and to give it up only then."""
    runs, delay = patient
    delay[0] = 0.0
    runs.sandbox.faults = Faults(
        created_as=[{"id": "msgbatch_of_nobody", "processing_status": "in_progress"}]
    )
    made = manager(runs, items_per_job=COUNT, settle_delay=0.01)
    with pytest.raises(
        BatchNotFoundError, match=rf"another id.* {COUNT} requests created .*Only if there is"
    ):
        made.run()
    assert (runs.creates(), made.stats()["pending_items"]) == (1, COUNT)


def test_a_job_that_cannot_be_collected_does_not_keep_others_from_it(
    patient: tuple[Runs, list[float]],
) -> None:
    """What else is ready is collected before the error is raised."""
    runs, delay = patient
    left_running(runs, 2, count=6)
    runs.sandbox.end_all()
    runs.sandbox._kinds[0].delete(runs.sandbox.batches[0].id)
    delay[0] = 0.0
    made = manager(runs, 6)
    with pytest.raises(BatchNotFoundError):
        made.run()
    assert made.stats()["completed_items"] == 4
    assert made.stats()["pending_items"] == 2


DAYS = [-40, -2, 3, 400]


def _off_by(days: float) -> Callable[[], float]:
    return lambda: time.time() + days * 86_400


@pytest.mark.parametrize("days", DAYS)
def test_a_lost_create_is_settled_whatever_the_clocks_show(tmp_path: Path, days: float) -> None:
    """The provider's time is taken from its answers: the batch is found where its own clock put it."""
    with fresh(tmp_path / "a", clock=_off_by(days), faults=Faults(lost_create_responses=2)) as runs:
        check_complete(runs)
        assert runs.creates() == 2


@pytest.mark.parametrize("days", DAYS)
@pytest.mark.parametrize("after", [False, True])
def test_a_killed_create_is_settled_whatever_the_clocks_show(
    tmp_path: Path, days: float, after: bool
) -> None:
    """The start that looks for it has another process, and perhaps another clock."""
    with fresh(tmp_path / "a", clock=_off_by(days)) as runs:
        assert Script(runs, (SUBMIT, after, 2), max_parallel_jobs=1).ends() == -9
        check_complete(runs, max_parallel_jobs=1)
        check_paid_once(runs, COUNT)


@pytest.mark.parametrize("days", DAYS)
def test_a_lost_create_is_settled_behind_a_gateway_with_a_clock_of_its_own(
    tmp_path: Path, days: float
) -> None:
    """The Date of answers is the gateway's then, and what the provider creates bears its own time."""
    with fresh(tmp_path / "a", delay=0.5, faults=Faults(lost_create_responses=2)) as runs:
        runs.sandbox._front._clock = _off_by(days)
        check_complete(runs)
        assert runs.creates() == 2


def test_a_computer_whose_clock_was_set_between_two_starts_finds_its_batch(tmp_path: Path) -> None:
    """The clocks move by days against each other: what was sent under the old one is still found."""
    off = [5 * 86_400.0]
    with fresh(tmp_path / "a", clock=lambda: time.time() + off[0]) as runs:
        runs.sandbox.faults = Faults(create_hang=[5.0])
        script = Script(runs, items_per_job=COUNT)
        wait_for(lambda: len(runs.sandbox.batches) == 1)
        wait_for(seen(runs, "submission_started"))
        script.send(9)
        assert script.ends() == -9
        off[0] = 0.0
        check_complete(runs, items_per_job=COUNT)
        assert len(runs.sandbox.batches) == 1
