"""What `estimate()` says before anything is spent, and how its error is measured afterwards."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from resume_support import fresh
from run_support import MODEL, Echo, Runs, conversations

from batchata import BatchManager, Estimate
from batchata.core.evolve import fold
from batchata.errors import ConfigurationError, InvalidInputError, RunMismatchError
from batchata.terminal.account import printed
from batchata.terminal.progress_line import line
from batchata.text import error_in_words
from batchata.views.run_summary import estimate_error


def test_an_estimate_writes_sends_and_needs_nothing(tmp_path: Path) -> None:
    """No log is made, no call, and no key is looked for."""
    log = tmp_path / "run.db"
    estimate = BatchManager(messages=conversations(3), model=MODEL, state_path=log).estimate()
    assert estimate.items == 3
    assert estimate.cost is not None
    assert not log.exists()


def test_the_sums_are_those_of_the_plan(runs: Runs) -> None:
    """Items, jobs, bytes, tokens and costs are those of all items; the batch costs half."""
    estimate = runs.manager(7).estimate(output_tokens=100)
    assert (estimate.items, estimate.jobs, estimate.sent_items, estimate.done_items) == (7, 3, 0, 0)
    assert estimate.output_tokens == 700
    expected = (estimate.input_tokens * Decimal(1) + 700 * Decimal(5)) / 1_000_000
    assert estimate.cost == expected
    assert estimate.cost_without_batch == expected * 2
    assert estimate.worst_cost > estimate.cost
    assert estimate.worst_cost_with_retries == 3 * estimate.worst_cost
    assert runs.sandbox.exchanges == []
    assert not runs.log.exists()


def test_bytes_and_worst_cost_are_upper_bounds(runs: Runs) -> None:
    """No upload is larger, no run without retries dearer."""
    manager = runs.manager(7)
    estimate = manager.estimate()
    assert manager.run()["total_cost"] <= estimate.worst_cost
    sent = [r.event.bytes for r in runs.events() if r.event.TYPE == "submission_started"]
    assert sum(sent) == estimate.bytes


def test_an_exact_estimate_asks_the_provider(runs: Runs) -> None:
    """Few items are all counted: the input tokens are then exactly those that the run uses."""
    manager = runs.manager(7)
    estimate = manager.estimate(exact=True)
    counts = [e for e in runs.sandbox.exchanges if e[1] == "/v1/messages/count_tokens"]
    assert (len(counts), estimate.sampled_items, estimate.margin) == (7, 7, 0.0)
    assert not runs.log.exists()
    manager.run()
    assert runs.sandbox.usage()["input_tokens"] == estimate.input_tokens
    assert manager.stats()["estimate"]["input_error"] == pytest.approx(0, abs=0.001)


def test_an_exact_estimate_of_many_items_counts_a_sample(runs: Runs) -> None:
    """Twenty of them stand for all, within the margin that is told."""
    texts = [f"item {n}: " + "words of some length, and more " * (n % 7) for n in range(300)]
    manager = runs.manager(
        messages=[[{"role": "user", "content": text}] for text in texts], items_per_job=100
    )
    estimate = manager.estimate(exact=True)
    assert estimate.sampled_items == 20
    assert estimate.margin is not None
    assert 0 < estimate.margin < 0.2
    assert "counted by the provider for 20 of them" in str(estimate)
    manager.run()
    used = runs.sandbox.usage()["input_tokens"]
    assert abs(estimate.input_tokens / used - 1) < estimate.margin


def test_an_exact_estimate_needs_a_key() -> None:
    """It is asked for before anything is sent, by name."""
    with pytest.raises(ConfigurationError, match="ANTHROPIC_API_KEY"):
        BatchManager(messages=conversations(1), model=MODEL).estimate(exact=True)


@pytest.mark.filterwarnings("ignore::batchata.errors.UnknownModelWarning")
def test_an_unknown_price_stays_unknown() -> None:
    """Tokens are told, costs are None and said to be unknown, never 0."""
    estimate = BatchManager(messages=conversations(3), model="claude-unheard-of-1").estimate()
    costs = (
        estimate.cost,
        estimate.cost_without_batch,
        estimate.worst_cost,
        estimate.worst_cost_with_retries,
    )
    assert costs == (None, None, None, None)
    assert estimate.input_tokens > 0
    assert "unknown" in str(estimate)
    assert "$" not in str(estimate)


@pytest.mark.parametrize("wrong", [-1, 1.5, "9", True, 4_097])
def test_output_tokens_must_be_a_possible_number(wrong: object) -> None:
    """Neither negative nor more than max_tokens, and the message names the argument."""
    manager = BatchManager(messages=conversations(1), model=MODEL)
    with pytest.raises(InvalidInputError, match="output_tokens"):
        manager.estimate(output_tokens=wrong)


def test_expected_output_follows_the_response_model() -> None:
    """More fields make longer answers; without a model it is a text; never more than max_tokens."""

    class Long(BaseModel):
        names: list[str]
        notes: dict[str, str]
        one: Echo
        other: Echo | None

    def tokens(**given: object) -> int:
        chosen: Any = {"messages": conversations(1), "model": MODEL} | given
        return BatchManager(**chosen).estimate().output_tokens

    assert tokens(response_model=Echo) < tokens(response_model=Long) < 300
    assert tokens() == 340
    assert tokens(thinking={"type": "disabled"}) == 300
    older = {"model": "claude-sonnet-4-6", "thinking": {"type": "enabled", "budget_tokens": 2000}}
    assert tokens(**older) == 1300
    assert tokens(max_tokens=50) == 50


def test_what_remains_is_estimated_from_what_was_used(tmp_path: Path) -> None:
    """Of a run that was stopped by its limit only the rest is estimated, with the usage seen so far."""
    with fresh(tmp_path / "long", answers="x" * 400) as runs:
        estimate_the_rest(runs)


def estimate_the_rest(runs: Runs) -> None:
    long = [[{"role": "user", "content": f"{n}: " + "what is said here, and why? " * 20}] for n in range(30)]
    given: dict[str, Any] = {"messages": long, "response_model": None, "max_tokens": 2_000}
    manager = runs.manager(max_cost="0.02", **given)
    summary = manager.run()
    assert summary["cost_limit_reached"]
    assert summary["completed_items"] >= 10
    estimate = manager.estimate()
    assert estimate.items == summary["pending_items"]
    assert estimate.done_items == summary["completed_items"]
    assert estimate.spent == summary["total_cost"]
    assert estimate.output_tokens == estimate.items * 130  # 400 characters, a third more tokens since 4.7
    used = runs.sandbox.usage()["input_tokens"] / summary["completed_items"]
    assert estimate.input_tokens / estimate.items == pytest.approx(used, rel=0.02)
    assert "remain of 30" in str(estimate)
    manager = runs.manager(**given)
    spent = manager.run()["total_cost"] - summary["total_cost"]
    assert float(estimate.cost) == pytest.approx(float(spent), rel=0.02)
    assert manager.estimate().items == 0
    assert "nothing left" in str(manager.estimate())


def test_another_runs_log_is_no_basis(runs: Runs) -> None:
    """A log that was started with other inputs is refused, as run() would."""
    runs.manager(3).run()
    with pytest.raises(RunMismatchError):
        runs.manager(2).estimate()


def test_the_error_is_measured_from_the_log(runs: Runs) -> None:
    """What was expected is in submission_started; with the charges it gives the error, on any replay."""
    manager = runs.manager(7)
    estimate = manager.estimate(output_tokens=50)
    manager.run()
    expected = [r.event.expected for r in runs.events() if r.event.TYPE == "submission_started"]
    assert sum(Decimal(e.cost) for e in expected) == estimate.cost
    found, used = manager.stats()["estimate"], runs.sandbox.usage()
    replayed = fold((r.version, r.at, r.event) for r in runs.events())
    assert estimate_error(replayed.accuracy) == found
    assert (found["answers"], found["input_tokens"], found["output_tokens"]) == (
        7,
        used["input_tokens"],
        used["output_tokens"],
    )
    assert found["expected_cost"] == estimate.cost
    assert found["cost"] == manager.stats()["total_cost"]
    assert found["cost_error"] == pytest.approx(float(estimate.cost / found["cost"]) - 1)
    assert "estimate" not in printed(replayed, manager.stats())  # of a few cheap answers no ratio is told
    more = runs.manager(100, items_per_job=50)
    more.run()
    replayed = fold((r.version, r.at, r.event) for r in runs.events())
    error = error_in_words(more.stats()["estimate"]["cost_error"])
    assert f", {error} (input " in printed(replayed, more.stats())
    assert f"estimate {error}" in line(replayed)


def test_it_prints_as_it_says(runs: Runs) -> None:
    """The printed estimate names every figure that a person decides by."""
    estimate = runs.manager(7, max_cost="0.001").estimate()
    assert isinstance(estimate, Estimate)
    text = str(estimate)
    assert "7 items; 3 jobs to send" in text
    assert f"{estimate.input_tokens:,} tokens" in text
    assert "without a batch" in text
    assert "not enough for what is expected" in text
    assert max(map(len, text.splitlines())) < 120


@pytest.mark.parametrize(
    ("error", "words"),
    [(0.0, "exact to 1%"), (0.12, "12% too high"), (-0.3, "30% too low"), (5.1, "6 times what was used")],
)
def test_an_error_reads_as_a_person_would_say_it(error: float, words: str) -> None:
    """A share where it is one, and a multiple where it is not."""
    assert error_in_words(error) == words
