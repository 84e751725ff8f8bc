"""Answers that a gateway or a cache has confused: another batch's id, another file, another's results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from crash_support import OPENAI, OTHERS, check_verified, make_manager
from resume_support import COUNT, fresh, left_running, left_when, manager, paid_by_item, seen
from run_support import Runs

from batchata.errors import UnknownSubmissionError
from batchata.sandbox import Faults

STRANGE = "".join(f'{{"custom_id":"other-{n}","result":{{"type":"canceled"}}}}\n' for n in range(COUNT))

type Patient = tuple[Runs, list[float]]


@pytest.fixture
def others(tmp_path: Path) -> Callable[..., tuple[Runs, str]]:
    """A run at a provider that has the batch of another run already, all of whose requests have expired."""

    def made(runs: Runs, size: int) -> str:
        other = Runs(runs.sandbox, tmp_path / "other")
        other.log.parent.mkdir()
        runs.sandbox.faults = Faults(expired=True)
        other.manager(size, items_per_job=size, max_attempts=1).run()
        runs.sandbox.faults = Faults()
        return runs.sandbox.batches[-1].id

    return made


def named(batch_id: str) -> Faults:
    """The next create is answered with this id."""
    return Faults(created_as=[{"id": batch_id, "processing_status": "in_progress"}])


def check_paid_once(runs: Runs, **given: Any) -> None:
    """The next start completes every item, and each was paid for once."""
    assert manager(runs, **given).run()["completed_items"] == COUNT
    assert paid_by_item(runs) == dict.fromkeys(range(COUNT), 1)
    check_verified(runs.log)


def test_the_id_of_a_strangers_batch_does_not_pay_for_a_job_twice(runs: Runs, others: Any) -> None:
    """By its counts nothing of that batch was answered, and nothing was: of the stranger's requests."""
    runs.sandbox.faults = named(others(runs, COUNT))
    given: dict[str, Any] = {"items_per_job": COUNT, "poll_interval": 0.001}
    check_paid_once(runs, **given)
    assert runs.types().count("submission_unknown") == 1


def test_nothing_is_sent_again_where_only_a_strangers_batch_is_found(runs: Runs, others: Any) -> None:
    """Its own may stand under an id that nobody knows: the advice is to look for it first."""
    runs.sandbox.faults = named(others(runs, COUNT))
    made = manager(runs, items_per_job=COUNT, poll_interval=0.001)
    runs.sandbox.faults.results_instead = [STRANGE] * 99  # of whichever batch
    for _ in range(2):  # the next start looks again
        with pytest.raises(UnknownSubmissionError, match=rf"Look .* for one of {COUNT} .*Only if there"):
            made.run()
    assert (runs.types().count("submission_started"), made.stats()["pending_items"]) == (1, COUNT)
    runs.sandbox.faults = Faults()
    check_paid_once(runs, items_per_job=COUNT, poll_interval=0.001)


def test_confused_ids_of_two_jobs_are_put_right(patient: Patient, others: Any) -> None:
    """One job has a stranger's id, the other one that of the first, while this is looked for."""
    runs, delay = patient
    delay[0] = 0.0
    stranger = others(runs, 2)
    delay[0] = 60.0
    given: dict[str, Any] = {"items_per_job": 2, "poll_interval": 0.001}
    runs.sandbox.faults = named(stranger)
    left_when(seen(runs, "submission_unknown"), runs, max_parallel_jobs=1, **given)
    first = runs.sandbox.batches[-1].id
    runs.sandbox.faults = named(first)
    left_running(runs, 3, max_parallel_jobs=2, **given)
    runs.sandbox.end_all()
    check_paid_once(runs, **given)
    settled = [r.event for r in runs.events() if r.event.TYPE == "submission_settled"]
    ours = {0: first, 1: runs.sandbox.batches[-1].id}
    assert {event.job: event.batch_id for event in settled} == ours


@pytest.fixture(params=[OPENAI, OTHERS["xai"]])
def uploading(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Runs, str]]:
    """A run at a provider that takes files."""
    with fresh(tmp_path / "uploading") as runs:
        yield runs, request.param


def test_the_file_of_another_job_is_never_made_a_batch_again(uploading: tuple[Runs, str]) -> None:
    """An upload that is answered with an earlier file is repeated: a batch of that would pay again."""
    runs, model = uploading
    made = make_manager(runs, model=model, max_parallel_jobs=1)
    made.run(limit=2)
    (handle,) = {r.event.handle for r in runs.events() if r.event.TYPE == "input_uploaded"}
    runs.sandbox.faults = Faults(uploaded_as=[{"id": handle}] * 2)
    assert made.run()["completed_items"] == 4
    assert set(paid_by_item(runs).values()) == {1}
    assert runs.types().count("submission_failed") == 2
