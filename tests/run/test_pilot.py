"""A pilot: a few items are sent and completed, the rest goes on later, in the same run and the same log."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from places import APPEND, SUBMIT
from resume_support import Script, check_complete, manager, opened, paid_by_item
from run_support import Runs, conversations

from batchata import InvalidInputError
from batchata.log.verify import verify
from batchata.run.pilot import Choice
from batchata.sandbox import Faults
from batchata.views.history import fold_events

COUNT = 9


def _done(made: Any) -> list[int]:
    return [item.index for item in made.items() if item.status == "completed"]


@pytest.mark.parametrize(
    ("choice", "chosen", "why"),
    [
        ({"limit": 4}, [0, 1, 2, 3], "pilot"),
        ({"sample": 3}, [1, 4, 7], "pilot"),
        ({"limit": 50}, [*range(COUNT)], None),
        ({"sample": 50}, [*range(COUNT)], None),
    ],
)
def test_a_pilot_sends_its_items_alone_and_a_later_run_the_others(
    runs: Runs, choice: dict[str, int], chosen: list[int], why: str | None
) -> None:
    """Each item is paid once, files and results are in the order of the input, and the log verifies."""
    made = manager(runs, COUNT)
    summary = made.run(**choice)
    assert (_done(made), summary["pending_items"]) == (chosen, COUNT - len(chosen))
    assert sorted(paid_by_item(runs)) == chosen
    assert made.stats()["interrupted_by"] == why
    before, creates = runs.types(), runs.creates()
    assert manager(runs, COUNT).run(**choice) == summary  # the same script again: no call, no word in the log
    assert (runs.types(), runs.creates()) == (before, creates)
    check_complete(runs, COUNT)


def test_a_seed_draws_one_item_of_each_part(runs: Runs) -> None:
    """Another seed draws others, the same seed the same ones, spread over the whole input."""
    manager(runs, 30).run(sample=3, seed=7)
    (drawn,) = [r.event.items for r in runs.events() if r.event.TYPE == "items_chosen"]
    places = [first for first, _ in drawn]
    assert [place // 10 for place in places] == [0, 1, 2]
    with opened(runs) as log:
        assert [verify(log, stream) for stream in log.streams()] == [[]]
        run = fold_events(log, log.streams()[0])
    again = [Choice(sample=3, seed=seed).of_run(run).items for seed in (7, 8)]
    assert again[0] == drawn != again[1]


@pytest.mark.parametrize("at", [(APPEND, True, 4), (SUBMIT, False, 1), (SUBMIT, True, 2)])
def test_a_killed_pilot_goes_on_with_the_same_items(runs: Runs, at: tuple[str, bool, int]) -> None:
    """Whether its choice was written, its job sent or not: no other item is ever sent, and none twice."""
    assert Script(runs, at, count=COUNT, story=_pilot).ends() == -9
    made = manager(runs, COUNT)
    made.run(sample=4, seed=3)
    chosen = _done(made)
    assert len(chosen) == 4
    assert paid_by_item(runs) == Counter(chosen)
    check_complete(runs, COUNT)


def _pilot(runs: Runs) -> None:
    manager(runs, COUNT).run(sample=4, seed=3)


def test_what_is_not_of_the_pilot_is_neither_sent_nor_sent_again(runs: Runs) -> None:
    """Retries belong to it; collect() and retry_failed() keep to it, whatever else has failed or waits."""
    runs.sandbox.faults = Faults(errored={0}, error_type="overloaded_error", only_batches={0})
    made = manager(runs, COUNT, max_attempts=1)
    assert made.run(limit=3)["failed_items"] == 1
    made.collect()
    assert runs.creates() == 2
    assert made.retry_failed()["retry_count"] == 1
    assert (_done(made), runs.creates()) == ([0, 1, 2], 3)
    made = manager(runs, COUNT)
    made.run(limit=5)
    assert sorted(paid_by_item(runs)) == [0, 1, 2, 3, 4]
    made.submit()
    check_complete(runs, COUNT)


def test_a_run_for_all_items_ends_a_pilot_even_if_nothing_is_left_to_send(runs: Runs) -> None:
    """What was sent before the pilot was collected by it, and failed: retry_failed() sends that again."""
    runs.sandbox.faults = Faults(errored={COUNT - 1}, error_type="overloaded_error", only_batches={0})
    made = manager(runs, COUNT, max_attempts=1, items_per_job=COUNT)
    made.submit()
    assert made.run(limit=1)["failed_items"] == 1
    assert made.run()["failed_items"] == 1
    assert made.retry_failed()["completed_items"] == COUNT
    assert runs.creates() == 2


def test_open_jobs_of_others_are_collected_and_nothing_more_of_them_is_sent(
    patient: tuple[Runs, list[float]],
) -> None:
    """A pilot asked for after a run has begun takes what is paid for, and sends its own items only."""
    runs, _ = patient
    manager(runs, COUNT, max_wait_time=0).run()
    runs.sandbox.end_all()
    made = manager(runs, COUNT, max_wait_time=0)
    assert made.run(limit=2)["pending_items"] == COUNT - 4
    assert (_done(made), runs.creates()) == ([0, 1, 2, 3], 2)


def test_items_added_later_are_no_part_of_a_sample(runs: Runs) -> None:
    """The same sample stays the same; a limit is counted anew."""
    manager(runs, 4).run(sample=2)
    made = manager(runs, 8)
    assert (made.run(sample=2)["pending_items"], _done(made)) == (6, [1, 3])
    made.run(limit=5)
    assert _done(made) == [0, 1, 2, 3, 4]
    check_complete(runs, 8)


def test_copies_and_bad_files_are_of_a_pilot_too(runs: Runs) -> None:
    """An item that shares the request of an earlier one has its result; what cannot be sent has failed."""
    given: dict[str, Any] = {
        "dedupe": True,
        "messages": [*conversations(2), *conversations(2), *conversations(2, 5)],
    }
    made = manager(runs, **given)
    made.run(sample=2)  # items 1 and 4
    assert _done(made) == [1, 3, 4]
    made.run()
    assert [item.result.said for item in made.items()] == [f"message {n}" for n in (0, 1, 0, 1, 5, 6)]
    files = [b"one", b"\x00\x01", b"three"]
    given = {"messages": None, "files": files, "prompt": "Read.", "on_bad_file": "fail"}
    made = manager(runs, state_path=runs.log.with_name("files.db"), results_dir=None, **given)
    summary = made.run(limit=2)
    assert (summary["completed_items"], summary["failed_items"], summary["pending_items"]) == (1, 1, 1)


def test_its_end_says_what_the_rest_will_cost(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    """By what its answers used, however few they are; estimate() says the same afterwards."""
    made = manager(runs, 40)
    made.run(print_progress=True, limit=4)
    rest = made.estimate()
    assert (rest.items, rest.output_basis) == (
        36,
        f"{rest.output_tokens // 36} an item, as the run's 4 answers have",
    )
    said = capsys.readouterr().err
    assert "a pilot of 4 items" in said
    assert f"pilot     4 items of 40 done; the others are expected to cost ${rest.cost:.6f}"[:66] in said
    assert "run() without a limit sends them" in said


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"limit": 0}, "limit must be a whole number of items, 1 or more, not 0"),
        ({"limit": True}, "limit must be a whole number of items, 1 or more, not True"),
        ({"sample": "5"}, "sample must be a whole number of items, 1 or more, not '5'"),
        ({"limit": 2, "sample": 2}, "leave one of them out"),
        ({"limit": 2, "seed": 2}, "seed chooses which items a sample takes; give sample=… with it"),
        ({"sample": 2, "seed": 0.5}, "seed must be a whole number, not 0.5"),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(runs: Runs, wrong: dict[str, Any], said: str) -> None:
    """Before anything is written or sent."""
    with pytest.raises(InvalidInputError, match="^(?s:.*)" + said.replace("(", r"\(")):
        manager(runs).run(**wrong)
    assert (runs.log.exists(), runs.creates()) == (False, 0)
