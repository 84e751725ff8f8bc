"""What must not be mistaken: our batch for absent, a short download for a whole one, unknown for free."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path

import pytest
from run_support import MODEL, Echo, Runs, conversations, echo

from batchata.core.state import Run
from batchata.core.values import Limits
from batchata.errors import IncompleteResultsError, RunMismatchError
from batchata.log import open_log
from batchata.run.defining import define
from batchata.run.definition import this_process
from batchata.run.journal import Journal
from batchata.run.settings import check_settings
from batchata.sandbox import Answer, Faults, Sandbox


def test_a_provider_whose_clock_is_behind_keeps_its_batches(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost batch is found although it seems to have been created an hour before it was sent."""
    behind = Faults(lost_create_responses=1)
    with Sandbox(answers=echo, faults=behind, clock=lambda: time.time() - 3600) as slow:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", slow.url)
        assert runs.manager(3).run()["completed_items"] == 3
        assert (len(slow.batches), set(slow.billed().values())) == (1, {1})


def test_half_a_character_in_one_answer_costs_no_other_its_result(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lone surrogate is legal in JSON escapes, not in UTF-8 text; all is still read and written."""
    with Sandbox(answers=lambda request: Answer(text="half \ud83d")) as odd:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", odd.url)
        manager = runs.manager(3, response_model=None, results_dir=runs.out)
        assert manager.run()["completed_items"] == 3
        assert manager.results()[1]["result"] == "half \ufffd"


def test_two_lost_batches_are_not_strangers_to_each_other(runs: Runs) -> None:
    """The look for the first sees the second, whose own look comes later and must still find it."""
    runs.sandbox.faults = Faults(lost_create_responses=2, create_hang=[0.2, 0.6])
    assert runs.manager(2, items_per_job=1).run()["completed_items"] == 2
    assert (runs.creates(), runs.types().count("submission_settled")) == (2, 2)


def test_answers_that_a_download_lacks_are_fetched_again_before_they_are_paid_again(runs: Runs) -> None:
    """The batch says how many were answered; two downloads that end too early are not believed."""
    runs.sandbox.faults = Faults(truncate_results=[1, 1])
    assert runs.manager(3).run()["completed_items"] == 3
    assert set(runs.sandbox.billed().values()) == {1}


def test_what_may_have_cost_something_stays_reserved(runs: Runs) -> None:
    """Answers without a line were billed: given up, their worst case is held against max_cost for ever."""
    runs.sandbox.faults = Faults(missing={0, 1, 2})
    manager = runs.manager(3, max_tokens=1000, max_cost="0.03", max_attempts=5, poll_interval=0.001)
    summary = None
    while summary is None:
        try:
            summary = manager.run()
        except IncompleteResultsError:
            manager.abandon(runs.creates() - 1)
    assert summary["cost_limit_reached"]
    assert summary["pending_items"] == 3
    assert manager.stats()["withheld_cost"] > 0
    assert summary["total_cost"] + manager.stats()["withheld_cost"] <= Decimal("0.03")
    used = runs.sandbox.usage()  # what was really billed: every answer, though none of them arrived
    assert 0 < (used["input_tokens"] + 5 * used["output_tokens"]) / Decimal(1_000_000) <= Decimal("0.03")


def test_a_start_that_was_killed_before_its_items_were_written_keeps_them(runs: Runs) -> None:
    """As of a large input: the first event says which items it has, another script with others is refused."""
    _begin_only(runs.log, conversations(4))
    with pytest.raises(RunMismatchError, match="are not there in their order"):
        runs.manager(messages=conversations(4, first=9)).run()
    with pytest.raises(RunMismatchError, match="were 4, are 3"):
        runs.manager(3).run()
    assert runs.manager(4).run()["completed_items"] == 4


def _begin_only(log: Path, messages: list[list[dict[str, str]]]) -> None:
    """What a process leaves that dies right behind its first append."""
    definition = define(
        messages=messages,
        files=None,
        prompt=None,
        model=MODEL,
        response_model=Echo,
        enable_citations=False,
        max_tokens=4096,
        message_params={},
    )
    settings = check_settings(
        items_per_job=3,
        max_parallel_jobs=10,
        max_attempts=3,
        max_cost=None,
        max_wait_time=30,
        poll_interval=0.01,
        retry_delay=0.01,
        settle_delay=0.05,
        results_dir=None,
        raw_results_dir=None,
        on_interrupt="detach",
        limits=Limits(),
    )
    opened = open_log(log)
    claim = opened.claim("killed", this_process())
    Journal(Run(), claim).append(definition.started("killed", "tag", None, settings))
    claim.release()
    opened.close()
