"""`dedupe=True`: identical items share one request, and each of them gets its result."""

from __future__ import annotations

import json
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from places import APPEND
from resume_support import Script, faulty, fresh, manager, opened
from run_support import MODEL, Echo, Runs
from typer.testing import CliRunner

from batchata import BatchManager, load_results_from_disk
from batchata.core.evolve import fold
from batchata.core.state import Run
from batchata.errors import InvalidInputError, RunMismatchError
from batchata.log.verify import verify
from batchata.replay.cli import app
from batchata.sandbox import Faults
from batchata.terminal.account import printed

WORDS = ["a", "b", "a", "a", "c", "b", "d", "a"]  # four different ones
COPIES = {2: 0, 3: 0, 5: 1, 7: 0}


def saying(words: list[str] = WORDS) -> list[list[dict[str, str]]]:
    return [[{"role": "user", "content": f"message {word}"}] for word in words]


def shared(runs: Runs, words: list[str] = WORDS, **given: Any) -> BatchManager[Any]:
    return runs.manager(**({"messages": saying(words), "dedupe": True, "items_per_job": 2} | given))


def said(run: BatchManager[Any]) -> list[str | None]:
    return [entry["result"] and entry["result"].said for entry in run.results()]


def state_of(runs: Runs) -> Run:
    return fold((r.version, r.at, r.event) for r in runs.events())


def test_identical_items_are_sent_and_paid_once(runs: Runs) -> None:
    """Eight items of four kinds are four requests; each item has its result, the first of a kind the cost."""
    run = shared(runs)
    summary = run.run()
    assert said(run) == [f"message {word}" for word in WORDS]
    assert (summary["total_items"], summary["completed_items"], summary["pending_items"]) == (8, 8, 0)
    assert runs.sandbox.billed().total() == 4
    used = runs.sandbox.usage()
    bill = (used["input_tokens"] + used["output_tokens"] * Decimal(5)) / 1_000_000
    items = list(run.items())
    assert summary["total_cost"] == bill == sum(item.cost for item in items)
    assert {item.index: item.same_as for item in items if item.same_as is not None} == COPIES
    assert {item.index for item in items if item.cost == 0} == set(COPIES)
    assert all((item.usage is None) == (item.same_as is not None) for item in items)
    assert items[7].raw == items[0].raw


def test_without_it_each_item_is_asked_for_itself(runs: Runs) -> None:
    """Off by default: whoever asks the same thing twice may want two answers."""
    run = shared(runs, dedupe=False)
    run.run()
    assert runs.sandbox.billed().total() == 8
    assert run.stats()["shared_items"] == 0


def test_what_it_saved_is_told(runs: Runs) -> None:
    """Each shared item saved what its original cost."""
    run = shared(runs)
    run.run()
    stats, items = run.stats(), list(run.items())
    assert stats["shared_items"] == 4
    assert stats["saved"]["dedupe"] == sum(items[original].cost for original in COPIES.values()) > 0
    assert "4 items share the request of an earlier one" in printed(state_of(runs), stats)


def test_one_is_told_as_one(runs: Runs) -> None:
    """One item that shares a request, and none that was sent again, in the lines of the account."""
    run = shared(runs, ["a", "a"])
    run.run()
    lines = printed(state_of(runs), run.stats())
    assert "1 item shares the request of an earlier one" in lines
    assert "0 items sent again" in lines
    one = runs.manager(1, state_path=runs.log.with_name("one.db"))
    one.run()
    assert "nothing left to do: 1 item is done" in str(one.estimate())


def test_an_estimate_counts_each_request_once(runs: Runs) -> None:
    """Costs and jobs are those of the requests, items those of the user."""
    estimate = shared(runs).estimate()
    assert (estimate.items, estimate.shared_items, estimate.jobs) == (8, 4, 2)
    assert estimate.cost < shared(runs, dedupe=False).estimate().cost
    assert "4 of them identical to others" in str(estimate)
    run = shared(runs)
    run.run()
    assert shared(runs).estimate().items == 0


def test_failures_and_their_retries_are_shared(runs: Runs) -> None:
    """A failed request fails all its items; another set of attempts repairs them all with one request."""
    runs.sandbox.faults = Faults(errored={0}, error_type="invalid_request_error")
    run = shared(runs, items_per_job=4)
    summary = run.run()
    assert (summary["completed_items"], summary["failed_items"]) == (4, 4)
    errors = [item.error.kind if item.error else None for item in run.items()]
    assert errors == ["invalid_request_error" if word == "a" else None for word in WORDS]
    runs.sandbox.faults = Faults()
    summary = run.retry_failed()
    assert (summary["completed_items"], summary["retry_count"]) == (8, 4)
    assert runs.sandbox.billed().total() == 4


def test_files_hold_every_item_in_order(runs: Runs) -> None:
    """Copies stand in the file of the job around them, with their original's answer, also after a retry."""
    runs.sandbox.faults = Faults(errored={0}, error_type="overloaded_error", only_batches={0})
    run = shared(runs, words=["a", "a", "b", "c", "a", "d", "c", "c"], results_dir=runs.out)
    run.run()
    assert load_results_from_disk(runs.out, Echo) == run.results()
    assert said(run) == [f"message {word}" for word in "aabcadcc"]


def test_more_copies_at_the_end_cost_nothing(runs: Runs) -> None:
    """Items added later that equal answered ones are completed without a new batch."""
    shared(runs, words=["a", "b"], results_dir=runs.out).run()
    creates = runs.creates()
    run = shared(runs, words=["a", "b", "b", "a"], results_dir=runs.out)
    summary = run.run()
    assert (summary["completed_items"], runs.creates()) == (4, creates)
    assert said(run) == ["message a", "message b", "message b", "message a"]
    assert load_results_from_disk(runs.out, Echo) == run.results()


@pytest.mark.parametrize("commit", range(1, 12, 2))
def test_it_survives_a_kill(tmp_path: Path, commit: int) -> None:
    """Killed after any commit, the next start completes it; nothing is paid twice, and the log verifies."""
    given: dict[str, Any] = {"messages": saying(), "dedupe": True}
    with fresh(tmp_path / "run", faults=faulty()) as runs:
        code = Script(runs, (APPEND, True, commit), **given).ends()
        assert code in (0, -signal.SIGKILL)
        run = manager(runs, **given)
        assert run.run()["completed_items"] == 8
        assert said(run) == [f"message {word}" for word in WORDS]
        assert max(runs.sandbox.billed().values()) == 1
        assert runs.sandbox.billed().total() == 4
        assert load_results_from_disk(runs.out, Echo) == run.results()
        with opened(runs) as log:
            assert [verify(log, stream) for stream in log.streams()] == [[]]


@pytest.mark.parametrize("first", [True, False])
def test_it_cannot_change_between_starts(runs: Runs, first: bool) -> None:
    """What was shared was decided when the items were added; another wish is another run."""
    shared(runs, dedupe=first).run()
    with pytest.raises(RunMismatchError, match="dedupe: was"):
        shared(runs, dedupe=not first).run()


def test_files_with_the_same_content_and_name_are_identical(runs: Runs) -> None:
    """The name is sent as the title, so the same bytes under another name are another request."""
    files = []
    for folder, name in (("1", "a.txt"), ("2", "a.txt"), ("3", "b.txt")):
        path = runs.out / folder / name
        path.parent.mkdir(parents=True)
        path.write_text("the same")
        files.append(path)
    run = shared(runs, messages=None, files=files, prompt="?", response_model=None)
    run.run()
    assert [item.same_as for item in run.items()] == [None, 0, None]


def test_replay_tells_what_is_shared(runs: Runs) -> None:
    """`verify` is content, `show` counts, `item` names the original and tells its attempts."""
    shared(runs).run()
    command = CliRunner()
    assert command.invoke(app, ["verify", str(runs.log)]).exit_code == 0
    assert (
        "4 items share the request of an earlier one" in command.invoke(app, ["show", str(runs.log)]).stdout
    )
    exported = command.invoke(app, ["export", str(runs.log), str(runs.out), "--format", "jsonl"])
    assert exported.exit_code == 0
    rows = [json.loads(row) for row in (runs.out / "results.jsonl").read_text().splitlines()]
    assert {row["index"]: row["same_as"] for row in rows if row["same_as"] is not None} == COPIES
    assert all(row["custom_id"] in runs.sandbox.billed() for row in rows)
    page = runs.out / "run.html"
    assert command.invoke(app, ["report", str(runs.log), str(page)]).exit_code == 0
    item = command.invoke(app, ["item", str(runs.log), "5"]).stdout
    assert "shares the request of item 1, which is identical" in item
    assert "attempt 1" in item
    assert "message b" in item


@pytest.mark.parametrize("wrong", [None, 1, "yes"])
def test_it_is_a_yes_or_a_no(wrong: Any) -> None:
    """Anything else is refused before it means something."""
    with pytest.raises(InvalidInputError, match="dedupe must be True or False"):
        BatchManager(messages=saying(), model=MODEL, dedupe=wrong)
