"""`cache="auto"`: the shared beginning of requests is cached where that pays, and what it saved is told."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from places import APPEND
from resume_support import Script, fresh, manager
from run_support import MODEL, Runs, conversations
from typer.testing import CliRunner

from batchata import BatchManager, batch
from batchata.core.events import CostCharged, RunStarted, SubmissionStarted
from batchata.core.evolve import fold
from batchata.errors import InvalidInputError, RunMismatchError
from batchata.replay.cli import app
from batchata.sandbox import Faults
from batchata.terminal.account import printed

RULES = "Entries about this subject go to the shelf with its number, unless it is Sunday. " * 60
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": RULES}}


def cached(runs: Runs, count: int = 9, **given: Any) -> BatchManager:
    return runs.manager(count, **({"system": RULES, "cache": "auto", "response_model": None} | given))


def requests(runs: Runs) -> Iterator[Any]:
    """Every request of every job, by the log: how many items each job has."""
    return (r.event.request_count for r in runs.events() if isinstance(r.event, SubmissionStarted))


def started(runs: Runs) -> RunStarted:
    event = runs.events()[0].event
    assert isinstance(event, RunStarted)
    return event


def bill(runs: Runs) -> Decimal:
    """What the sandbox's usage costs at the batch prices of claude-sonnet-5-5."""
    used = runs.sandbox.usage()
    prices = {
        "input_tokens": "1",
        "output_tokens": "5",
        "cache_creation_input_tokens": "2",
        "cache_read_input_tokens": "0.05",
    }
    return sum(used[kind] * Decimal(price) for kind, price in prices.items()) / 1_000_000


def test_one_request_writes_and_all_others_read(runs: Runs) -> None:
    """The first goes ahead alone; no other writes, and the bill is a fraction."""
    run = cached(runs)
    summary = run.run()
    assert list(requests(runs)) == [1, 3, 3, 2]
    charges = [r.event for r in runs.events() if isinstance(r.event, CostCharged)]
    assert [bool(charge.cache_write_1h_tokens) for charge in charges] == [True, *[False] * 8]
    assert all(charge.cache_read_tokens > 1_000 for charge in charges[1:])
    assert summary["total_cost"] == bill(runs)
    assert [entry["result"] is not None for entry in run.results()] == [True] * 9


def test_what_it_saved_is_the_difference_to_the_run_without(runs: Runs, tmp_path: Path) -> None:
    """To the last digit: the same run without caching costs exactly that much more."""
    run = cached(runs)
    cost = run.run()["total_cost"]
    saved = run.stats()["saved"]["cache"]
    plain = cached(runs, cache=None, state_path=tmp_path / "plain.db").run()["total_cost"]
    assert saved == plain - cost > 0
    assert "caching saved $" in printed(fold((r.version, r.at, r.event) for r in runs.events()), run.stats())


def test_it_is_off_by_default(runs: Runs) -> None:
    """Nothing is marked, nothing goes ahead, nothing is said."""
    run = cached(runs, cache=None)
    run.run()
    assert list(requests(runs)) == [3, 3, 3]
    assert started(runs).cache is None
    assert run.stats()["cache"] is None
    assert runs.sandbox.usage()["cache_creation_input_tokens"] == 0


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"system": "Be brief."}, "caches from 512 on"),
        ({"count": 2}, "for 2 requests caching costs"),
        ({"system": None}, "begin with nothing that could be cached"),
        ({"model": "claude-haiku-4-5"}, "caches from 4,096 on"),
    ],
)
def test_where_it_does_not_pay_nothing_is_done(runs: Runs, given: dict[str, Any], why: str) -> None:
    """No request goes ahead, nothing is marked, and the reason is in the log and in stats()."""
    run = cached(runs, **given)
    run.run()
    plan = started(runs).cache
    assert plan is not None
    assert plan.level is None
    assert why in plan.reason == run.stats()["cache"]
    assert 1 not in list(requests(runs))[:1]
    assert runs.sandbox.usage()["cache_creation_input_tokens"] == 0


@pytest.mark.filterwarnings("ignore::batchata.errors.UnknownModelWarning")
def test_without_a_price_nothing_is_decided(runs: Runs) -> None:
    """Whether it pays cannot be told, so it is left."""
    run = cached(runs, model="claude-sonnet-9", system=RULES * 4)
    run.run()
    assert "without a price" in run.stats()["cache"]


def test_a_document_that_every_conversation_repeats_is_cached(runs: Runs) -> None:
    """The mark is behind it, before the question that differs."""
    asked = [
        [{"role": "user", "content": [DOCUMENT, {"type": "text", "text": f"question {n}"}]}] for n in range(6)
    ]
    run = cached(runs, system=None, messages=asked)
    run.run()
    plan = started(runs).cache
    assert plan is not None
    assert (plan.level, plan.blocks) == ("messages", 1)
    assert runs.sandbox.usage()["cache_read_input_tokens"] > 5 * 1_000


def test_files_share_their_system_prompt(runs: Runs) -> None:
    """Each file is its own, and the prompt comes after it."""
    files = [f"file {n}".encode() for n in range(6)]
    cached(runs, messages=None, files=files, prompt="Where does it go?").run()
    plan = started(runs).cache
    assert plan is not None
    assert plan.level == "system"
    assert runs.sandbox.usage()["cache_read_input_tokens"] > 5 * 1_000


def test_the_worst_case_covers_writing_the_cache(runs: Runs) -> None:
    """Under a limit that is just enough for plain input, cached requests are held back for at their price."""
    plain = cached(runs, cache=None, max_tokens=10).estimate().worst_cost
    estimate = cached(runs, max_tokens=10).estimate()
    assert estimate.worst_cost > plain * Decimal("1.8")  # writing for an hour costs twice
    run = cached(runs, max_cost=estimate.worst_cost, max_tokens=10)
    assert run.run()["pending_items"] == 0
    for r in runs.events():
        if isinstance(r.event, SubmissionStarted):
            assert r.event.reserved is not None
    assert all(job.reserved >= job.cost for job in fold_of(runs).jobs.values())


def fold_of(runs: Runs) -> Any:
    return fold((r.version, r.at, r.event) for r in runs.events())


def test_an_estimate_counts_with_the_cache(runs: Runs) -> None:
    """It says what is decided, counts the request that goes ahead, and costs less than without."""
    with_cache, without = cached(runs).estimate(), cached(runs, cache=None).estimate()
    assert with_cache.cost < without.cost
    assert (with_cache.jobs, without.jobs) == (4, 3)
    assert with_cache.cache is not None
    assert f"cache     {with_cache.cache}" in str(with_cache)
    assert without.cache is None


def test_a_failed_request_ahead_does_not_stop_the_run(runs: Runs) -> None:
    """The next one goes ahead; when two have cached nothing, nobody waits any more."""
    runs.sandbox.faults = Faults(errored={0}, error_type="invalid_request_error", only_batches={0})
    summary = cached(runs).run()
    assert (summary["completed_items"], summary["failed_items"]) == (8, 1)
    assert list(requests(runs))[:2] == [1, 1]
    assert runs.sandbox.usage()["cache_read_input_tokens"] > 7 * 1_000


@pytest.mark.parametrize("commit", [2, 4, 6, 8])
def test_it_survives_a_kill(tmp_path: Path, commit: int) -> None:
    """The decision is in the log: the next start caches as the first did, and writes no second time."""
    given: dict[str, Any] = {"system": RULES, "cache": "auto", "response_model": None}
    with fresh(tmp_path / "run") as runs:
        assert Script(runs, (APPEND, True, commit), count=8, **given).ends() == -signal.SIGKILL
        run = manager(runs, 8, **given)
        assert run.run()["completed_items"] == 8
        charges = [r.event for r in runs.events() if isinstance(r.event, CostCharged)]
        assert sum(bool(charge.cache_write_1h_tokens) for charge in charges) == 1
        assert max(runs.sandbox.billed().values()) == 1


def test_items_added_later_that_begin_otherwise_are_not_marked(runs: Runs) -> None:
    """They are sent as they are; the others go on reading."""
    asked = [
        [{"role": "user", "content": [DOCUMENT, {"type": "text", "text": f"question {n}"}]}] for n in range(5)
    ]
    cached(runs, system=None, messages=asked).run()
    written = runs.sandbox.usage()["cache_creation_input_tokens"]
    later = [*asked, *conversations(2)]
    assert cached(runs, system=None, messages=later).run()["completed_items"] == 7
    assert runs.sandbox.usage()["cache_creation_input_tokens"] == written


@pytest.mark.parametrize("first", ["auto", None])
def test_it_cannot_change_between_starts(runs: Runs, first: str | None) -> None:
    """What requests begin with, and cost, was decided at the first start."""
    cached(runs, cache=first).run()
    with pytest.raises(RunMismatchError, match="cache: was"):
        cached(runs, cache=None if first else "auto").run()


def test_replay_tells_what_was_decided_and_saved(runs: Runs) -> None:
    """In `show`, and in the event of the run's start."""
    cached(runs).run()
    command = CliRunner()
    shown = command.invoke(app, ["show", str(runs.log)]).stdout
    assert "the requests share their first" in " ".join(shown.split())
    assert "caching saved $" in shown
    assert command.invoke(app, ["verify", str(runs.log)]).exit_code == 0
    events = command.invoke(app, ["events", str(runs.log), "--json", "--type", "run_started"]).stdout
    assert json.loads(events.splitlines()[0])["data"]["cache"]["level"] == "system"


@pytest.mark.parametrize("wrong", ["always", True, "5m", 1])
def test_other_values_are_refused(wrong: Any) -> None:
    """By name, with what there is."""
    with pytest.raises(InvalidInputError, match="cache must be 'auto' or None"):
        BatchManager(messages=conversations(1), model=MODEL, cache=wrong)


def test_marks_of_ones_own_and_auto_contradict_each_other() -> None:
    """One of the two decides."""
    system = [{"type": "text", "text": RULES, "cache_control": {"type": "ephemeral"}}]
    with pytest.raises(InvalidInputError, match="cache_control"):
        BatchManager(messages=conversations(1), model=MODEL, cache="auto", system=system)


def test_one_job_sends_nothing_ahead() -> None:
    """batch() sends all at once."""
    with pytest.raises(InvalidInputError, match="cache is an argument of BatchManager"):
        batch(messages=conversations(1), model=MODEL, cache="auto")
