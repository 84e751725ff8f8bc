"""Resume: whatever a kill or a lost answer left behind, the next start completes the run."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest
from places import APPEND, JOB_COMPLETED, RUN_COMPLETED, SUBMIT
from resume_support import COUNT, Script, check_complete, faulty, fresh, left_running, manager
from run_support import Runs

from batchata.errors import AuthenticationFailedError, InvalidInputError, UnknownSubmissionError
from batchata.sandbox import Faults


def test_killed_again_and_again_the_run_still_gets_on(tmp_path: Path) -> None:
    """Every start is killed after its fifth commit; together they complete the run."""
    with fresh(tmp_path / "run", faults=faulty()) as runs:
        codes = []
        while not codes or codes[-1]:
            codes.append(Script(runs, (APPEND, True, 5), max_parallel_jobs=1).ends())
            assert len(codes) < 30
        check_complete(runs, max_parallel_jobs=1)
        # The last start resumes nothing where the one before was killed after its very last commit.
        assert len(codes) - 2 <= runs.types().count("run_resumed") <= len(codes) - 1
        assert len(codes) > 3


def test_a_batch_whose_creation_was_never_answered_is_adopted(tmp_path: Path) -> None:
    """The provider took the batch and the answer got lost: it is found by its custom ids, not sent again."""
    with fresh(tmp_path / "run", faults=Faults(lost_create_responses=2)) as runs:
        check_complete(runs)
        assert runs.types().count("submission_unknown") == 2
        verdicts = [r.event.verdict for r in runs.events() if r.event.TYPE == "submission_settled"]
        assert verdicts == ["adopted", "adopted"]
        assert runs.creates() == 2


def test_a_lost_batch_is_known_by_more_than_its_first_line(tmp_path: Path) -> None:
    """A line that belongs nowhere may come first."""
    for seed in range(6):
        faults = Faults(lost_create_responses=1, foreign=["stranger"])
        with fresh(tmp_path / str(seed), faults=faults, seed=seed) as runs:
            check_complete(runs, items_per_job=COUNT)
            assert runs.creates() == 1


def test_a_download_that_ends_early_makes_no_batch_a_strangers(tmp_path: Path) -> None:
    """Its only line belongs nowhere, the others are ours: it is looked at again and not paid again."""
    faults = Faults(lost_create_responses=1, foreign=["stranger"], truncate_results=[1, 1, 1])
    with fresh(tmp_path / "run", faults=faults, seed=7) as runs:  # the seed that puts the stranger first
        check_complete(runs, items_per_job=COUNT)
        assert runs.creates() == 1


def test_without_counts_a_single_foreign_line_makes_no_batch_a_strangers(tmp_path: Path) -> None:
    """How many lines there are is unknown then: it is looked at again, and never taken for absent."""
    counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
    faults = Faults(lost_create_responses=1, foreign=["stranger"], truncate_results=[1] * 9, counts=counts)
    with fresh(tmp_path / "run", faults=faults, seed=7) as runs:
        with pytest.raises(UnknownSubmissionError, match="cannot be read any more"):
            runs.manager(count=1, max_wait_time=None).run()
        runs.sandbox.faults = Faults()
        assert runs.manager(count=1).run()["completed_items"] == 1
        assert runs.creates() == 1


def test_a_script_killed_while_a_creation_hangs_finds_its_batch_again(tmp_path: Path) -> None:
    """Killed between the provider's acceptance and its answer, in two jobs at once."""
    with fresh(tmp_path / "run", faults=Faults(create_hang=[5.0, 5.0])) as runs:
        code = Script(runs).interrupted_when(lambda: len(runs.sandbox.batches) == 2, signal.SIGKILL)
        assert code == -signal.SIGKILL
        runs.sandbox.faults = Faults()
        check_complete(runs)
        settled = [r.event for r in runs.events() if r.event.TYPE == "submission_settled"]
        assert [event.verdict for event in settled] == ["adopted", "adopted"]


def test_a_batch_that_never_arrived_is_proven_absent_and_sent_once(tmp_path: Path) -> None:
    """Killed with the intent in the log and nothing on the wire."""
    with fresh(tmp_path / "run") as runs:
        Script(runs, (SUBMIT, False, 1)).ends()
        assert runs.sandbox.batches == []
        check_complete(runs)
        settled = [r.event for r in runs.events() if r.event.TYPE == "submission_settled"]
        assert {event.verdict for event in settled} == {"absent"}
        assert len(runs.sandbox.batches) == 2


def test_a_lost_submission_is_given_its_time_from_when_the_sending_ended(tmp_path: Path) -> None:
    """An upload may take longer than the delay; what its last byte creates appears only after that."""
    with fresh(tmp_path / "run") as runs:
        Script(runs, (SUBMIT, False, 1)).ends()
        time.sleep(0.5)
        check_complete(runs, settle_delay=0.4)
        at = {r.event.TYPE: r.at for r in reversed(runs.events())}
        assert at["submission_settled"] - at["run_resumed"] > 400_000


def test_a_start_that_only_completes_what_was_recorded_needs_no_new_calls(tmp_path: Path) -> None:
    """Killed after the last outcome and before the job's completion: nothing is pending, a job is open."""
    with fresh(tmp_path / "run") as runs:
        count = 1_000  # so many outcomes are committed before anything else is looked at
        given: dict[str, Any] = {"count": count, "items_per_job": count, "max_cost": None}
        assert Script(runs, (JOB_COMPLETED, False, 1), **given).ends() == -signal.SIGKILL
        assert runs.types()[-1] == "cost_charged"
        assert runs.types().count("cost_charged") == count
        assert manager(runs, **given).run()["completed_items"] == count
        assert runs.creates() == 1


def test_one_refusal_of_many_leaves_no_creation_unrecorded(tmp_path: Path) -> None:
    """With several creations under way when the first is refused, the others are waited for and recorded."""
    with fresh(tmp_path / "run", faults=Faults(create_status=[401, 401, 0], create_hang=0.3)) as runs:
        given: dict[str, Any] = {"items_per_job": 1, "max_parallel_jobs": 4}
        with pytest.raises(AuthenticationFailedError, match="401"):
            manager(runs, **given).run()
        assert runs.types()[-1] == "run_interrupted"
        assert runs.types().count("batch_submitted") == len(runs.sandbox.batches)
        check_complete(runs, **given)


def test_a_results_dir_that_fails_later_loses_nothing(runs: Runs) -> None:
    """A file that cannot be written ends the run with a clear error; when it can be, the run goes on."""
    obstacle = runs.out / "processed" / "job_0_results.json"
    obstacle.mkdir(parents=True)
    with pytest.raises(InvalidInputError, match=r"job_0_results\.json .*nothing is lost"):
        manager(runs).run()
    obstacle.rmdir()
    check_complete(runs)


def test_what_waited_leaves_no_trace_in_the_files_of_a_finished_run(
    patient: tuple[Runs, list[float]],
) -> None:
    """The file of items that waited is emptied before the log says that the run is complete.

    That file's number later becomes the one of a job of retries, which has no items of its own.
    """
    runs, delay = patient
    runs.sandbox.faults = faulty()
    given: dict[str, Any] = {"max_parallel_jobs": 1, "retry_delay": 0}
    left_running(runs, 1, **given)
    waiting = runs.out / "processed" / "job_1_results.json"
    assert waiting.read_text().count("null") == 4
    delay[0] = 0.0
    runs.sandbox.end_all()
    script = Script(runs, (RUN_COMPLETED, False, 1), **given)
    assert script.ends() == -signal.SIGKILL
    check_complete(runs, **given)
    assert waiting.read_text() == "[]\n"
