"""Runs at a provider that takes a file first: what is sent again, and what fails, after a batch failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from crash_support import GEMINI, OPENAI
from like_openai import OWN_WORDS, model_of
from resume_support import fresh
from run_support import Runs

from batchata.errors import RequestRefusedError
from batchata.sandbox import Faults


def manager(runs: Runs, **given: Any) -> Any:
    """A manager whose run goes to the provider with uploads."""
    return runs.manager(model=OPENAI, **given)


def test_a_file_is_in_the_log_before_its_batch_is_created(runs: Runs) -> None:
    """Intent, file, batch: for each job in this order, and one create call a job."""
    assert manager(runs).run()["completed_items"] == 7
    steps: dict[int, list[str]] = {}
    for recorded in runs.events():
        if recorded.event.TYPE in ("submission_started", "input_uploaded", "batch_submitted"):
            steps.setdefault(recorded.event.job, []).append(recorded.event.TYPE)
    assert list(steps.values()) == [["submission_started", "input_uploaded", "batch_submitted"]] * 3
    posts = [path for method, path, _ in runs.sandbox.exchanges if method == "POST"]
    assert (posts.count("/v1/files"), posts.count("/v1/batches")) == (3, 3)


@pytest.mark.filterwarnings("ignore::batchata.BatchataWarning")
@pytest.mark.parametrize("model", [OPENAI, GEMINI, *map(model_of, OWN_WORDS)])
@pytest.mark.parametrize("lost", ["upload", "file", "create", "answer"])
def test_what_is_lost_on_the_way_is_sent_once(runs: Runs, model: str, lost: str) -> None:
    """A lost upload is repeated; a create whose answer is lost is found by the mark or the file it shows."""
    faults = {
        "upload": Faults(lost_uploads=1),
        "file": Faults(unfound_files=1),
        "create": Faults(lost_create_responses=1),
        "answer": Faults(create_status_after=[0, 500]),
    }
    runs.sandbox.faults = faults[lost]
    made = runs.manager(4, model=model, items_per_job=2)
    assert made.run()["completed_items"] == 4
    assert [entry["result"].said for entry in made.results()] == [f"message {n}" for n in range(4)]
    assert (len(runs.sandbox.batches), set(runs.sandbox.billed().values())) == (2, {1})
    settled = [r.event.batch_id for r in runs.events() if r.event.TYPE == "submission_settled"]
    assert len(settled) == (lost in ("create", "answer"))
    assert None not in settled


def test_a_full_queue_costs_no_attempt_and_fails_no_item(runs: Runs) -> None:
    """What was put off is sent again later, even where items may be tried only once."""
    runs.sandbox.faults = Faults(queue_full=3)
    made = manager(runs, max_attempts=1)
    assert made.run()["completed_items"] == 7
    failed = [r.event for r in runs.events() if r.event.TYPE == "batch_failed"]
    assert [(event.error.kind, event.passing) for event in failed] == [("queue_full", True)] * 3
    assert {item.attempts for item in made.items()} == {1}
    assert set(runs.sandbox.billed().values()) == {1}


def test_a_line_that_the_provider_refuses_fails_its_own_item_alone(runs: Runs) -> None:
    """By its place in the file; the others of its job are sent without it, and nothing is paid for it."""
    runs.sandbox.faults = Faults(refused=lambda custom_id, _: custom_id.endswith("-4"))
    made = manager(runs)
    summary = made.run()
    assert (summary["completed_items"], summary["failed_items"]) == (6, 1)
    (item,) = (item for item in made.items() if item.status == "failed")
    assert item.error is not None
    assert (item.index, item.cost, item.error.kind) == (4, 0, "invalid_request")
    assert sum(runs.sandbox.billed().values()) == 6


def test_a_batch_that_fails_for_good_ends_sending(tmp_path: Path) -> None:
    """No line is named, so the same would happen to every job: it is said, and all items stay pending."""
    with fresh(tmp_path / "small", max_requests=2) as runs:
        made = manager(runs)
        with pytest.raises(RequestRefusedError, match="the maximum is 2"):
            made.run()
        assert {item.status for item in list(made.items())[:6]} == {"pending"}
        assert sum(runs.sandbox.billed().values()) <= 1  # the last job holds a single item
        assert "submitting_stopped" in runs.types()
