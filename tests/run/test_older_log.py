"""A log that went on from an older copy of itself: what the newer one has sent is not paid for again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from crash_support import GEMINI, OPENAI, OTHERS, check_verified, make_manager
from resume_support import fresh, left_running, manager
from run_support import MODEL, Runs

from batchata.errors import InvalidInputError, LogError
from batchata.sandbox import Faults

MODELS = [MODEL, OPENAI, GEMINI, OTHERS["mistral"], OTHERS["xai"]]
EVERYWHERE = pytest.mark.parametrize("model", MODELS)


def backed_up(runs: Runs) -> Path:
    """A copy of the log and of what lies beside it."""
    return Path(shutil.copytree(runs.log.parent, runs.log.parent.with_name("backup")))


def restored(runs: Runs, backup: Path) -> None:
    """The volume is as it was when the copy was made."""
    shutil.rmtree(runs.log.parent)
    shutil.copytree(backup, runs.log.parent)


def made(runs: Runs, model: str, **given: Any) -> Any:
    """The manager of a new start: one batch at a time, of two of four items."""
    return make_manager(runs, model=model, max_parallel_jobs=1, **given)


def lists(runs: Runs) -> int:
    """How many pages of the list of batches were asked for."""
    rooms = ("/batches", "/batch/jobs")
    return sum(e[0] == "GET" and e[1].partition("?")[0].endswith(rooms) for e in runs.sandbox.exchanges)


@EVERYWHERE
def test_an_older_copy_sends_nothing_that_was_sent_after_it_was_made(tmp_path: Path, model: str) -> None:
    """The error names the batch that the copy lacks; the log is whole, and says why the start ended."""
    with fresh(tmp_path / "a") as runs:
        made(runs, model).run(limit=2)
        assert lists(runs) == 0  # a first start has no older copy
        backup = backed_up(runs)
        assert made(runs, model).run()["completed_items"] == 4
        assert lists(runs) == 1
        billed, lacking = runs.sandbox.billed(), runs.sandbox.batches[1].id
        restored(runs, backup)
        for _ in range(2):
            with pytest.raises(LogError, match=rf"older than its run: .*{lacking}.*newest copy of the log"):
                made(runs, model).run()
        assert (len(runs.sandbox.batches), runs.sandbox.billed()) == (2, billed)
        assert runs.types()[-2:] == ["submitting_stopped", "run_interrupted"]
        check_verified(runs.log)


@EVERYWHERE
def test_the_newest_log_goes_on_among_the_batches_of_others(tmp_path: Path, model: str) -> None:
    """Neither another run's batches nor a list that is refused keeps a start from going on."""
    with fresh(tmp_path / "a") as runs:
        made(runs, model).run(limit=1)
        other = Runs(runs.sandbox, tmp_path / "other")
        other.log.parent.mkdir()
        made(other, model).run()
        made(runs, model).run(limit=2)
        for status in (403, 500):
            runs.sandbox.faults = Faults(list_status=[status])
            made(runs, model).run(limit=3 if status == 403 else 4)
            assert runs.sandbox.faults.list_status == []
        assert made(runs, model).run()["completed_items"] == 4
        assert list(runs.sandbox.billed().values()) == [1] * 8


def test_few_results_of_others_are_opened(tmp_path: Path) -> None:
    """Where batches bear no marks, a workspace of many must not make each start long."""
    with fresh(tmp_path / "a") as runs:
        made(runs, MODEL).run(limit=1)
        other = Runs(runs.sandbox, tmp_path / "other")
        other.log.parent.mkdir()
        made(other, MODEL, count=6, items_per_job=1).run()
        before = len(runs.sandbox.exchanges)
        made(runs, MODEL).run(limit=2)
        theirs = [batch.id for batch in runs.sandbox.batches[1:7]]
        opened = [e[1].split("/")[-2] for e in runs.sandbox.exchanges[before:] if e[1].endswith("/results")]
        assert [batch_id for batch_id in opened if batch_id in theirs] == theirs[:3]


def test_what_the_copy_knows_of_is_collected_first(tmp_path: Path) -> None:
    """Paid results come first: the batch that was open when the copy was made is not given up."""
    with fresh(tmp_path / "a", delay=60) as runs:
        left_running(runs, 1, max_parallel_jobs=1)
        backup = backed_up(runs)
        runs.sandbox.end_all()
        left_running(runs, 2, max_parallel_jobs=1)
        runs.sandbox.end_all()
        restored(runs, backup)
        again = manager(runs, max_parallel_jobs=1)
        with pytest.raises(LogError, match=runs.sandbox.batches[1].id):
            again.run()
        assert again.stats()["completed_items"] == 2
        assert len(runs.sandbox.batches) == 2


def test_one_pass_looks_and_sends(tmp_path: Path) -> None:
    """A start without time to wait still sends what may be sent, once the look is over."""
    with fresh(tmp_path / "a") as runs:
        made(runs, OPENAI).run(limit=1)
        made(runs, OPENAI, max_wait_time=0).run(limit=4)
        assert (lists(runs), len(runs.sandbox.batches)) == (1, 2)
        made(runs, OPENAI).collect()
        assert (lists(runs), len(runs.sandbox.batches)) == (2, 3)


def test_a_batch_that_still_runs_shows_nothing_without_a_mark(tmp_path: Path) -> None:
    """Nothing is claimed of it: with Anthropic the copy goes on, as others' batches look the same."""
    with fresh(tmp_path / "a", delay=60) as runs:
        left_running(runs, 1, max_parallel_jobs=1)
        backup = backed_up(runs)
        runs.sandbox.end_all()
        left_running(runs, 2, max_parallel_jobs=1)
        restored(runs, backup)
        left_running(runs, 3, max_parallel_jobs=1)


def test_whoever_has_no_newer_log_goes_on_all_the_same(tmp_path: Path) -> None:
    """Once the user has said so of each batch it is sent again, and later starts need not be told."""
    with fresh(tmp_path / "a") as runs:
        made(runs, OPENAI).run(limit=1)
        backup = backed_up(runs)
        made(runs, OPENAI).run(limit=3)
        lacking = runs.sandbox.batches[1].id
        restored(runs, backup)
        again = made(runs, OPENAI)
        assert again.abandon(lacking)["pending_items"] == 3
        assert again.run()["completed_items"] == 4
        assert len(runs.sandbox.batches) > 3


@pytest.mark.parametrize("given", ["3", " ", "known"])
def test_only_the_id_of_a_batch_that_the_log_lacks_is_let_go(tmp_path: Path, given: str) -> None:
    """A job that the log knows has a number, by which it is given up."""
    with fresh(tmp_path / "a") as runs:
        again = made(runs, MODEL)
        again.run(limit=1)
        known = runs.sandbox.batches[0].id if given == "known" else given
        with pytest.raises(InvalidInputError, match="is not open"):
            again.abandon(known)
