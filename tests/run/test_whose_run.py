"""Nobody reads another run's answers: what a log holds is shown only to the script that describes it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from resume_support import left_running
from run_support import MODEL, Echo, Runs, conversations

from batchata import BatchManager, batch
from batchata.errors import BatchataWarning, LogError, RunMismatchError
from batchata.sandbox import Faults


class Other(BaseModel):
    said: str


READINGS: dict[str, Callable[[BatchManager], Any]] = {
    "run": lambda manager: manager.run(),
    "items": lambda manager: list(manager.items()),
    "items, not asked for one": lambda manager: manager.items(),
    "items with another model": lambda manager: manager.items(Other),
    "results": lambda manager: manager.results(),
    "results with another model": lambda manager: manager.results(Other),
    "stats": lambda manager: manager.stats(),
    "estimate": lambda manager: manager.estimate(),
    "retry_failed": lambda manager: manager.retry_failed(),
    "cancel": lambda manager: manager.cancel(),
    "abandon": lambda manager: manager.abandon(0),
}
SCRIPTS: dict[str, dict[str, Any]] = {
    "other messages": {"messages": conversations(7, first=50)},
    "one message changed": {"messages": [*conversations(6), *conversations(1, first=99)]},
    "fewer messages": {"count": 6},
    "other model": {"model": "claude-haiku-4-5"},
    "other response model": {"response_model": Other},
    "no response model": {"response_model": None},
    "system prompt": {"system": "Be brief."},
    "citations": {"enable_citations": True},
    "dedupe": {"dedupe": True},
    "one message, one model, no schema": {"count": 1, "model": "claude-haiku-4-5", "response_model": None},
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_reading_shows_another_runs_answers(runs: Runs, script: str) -> None:
    """Every method refuses as run() does, without run(), after run() has refused, and changes nothing."""
    runs.manager().run()
    calls, events = len(runs.sandbox.exchanges), runs.types()
    for name, reading in READINGS.items():
        manager = runs.manager(**SCRIPTS[script])
        for _ in range(2):
            with pytest.raises(RunMismatchError, match="started differently"):
                reading(manager)
        assert manager.run_id is None
        assert (len(runs.sandbox.exchanges), runs.types()) == (calls, events), name


def test_a_files_run_is_told_from_one_with_other_files_prompt_or_kind(runs: Runs, tmp_path: Path) -> None:
    """Names and contents count, folders and order do not."""
    folders = [tmp_path / name for name in ("here", "moved", "changed")]
    for folder in folders:
        folder.mkdir()
        for number in range(2):
            (folder / f"{number}.txt").write_text(f"page {number} {'!' * (folder.name == 'changed')}")

    def manager(folder: Path, **given: Any) -> BatchManager:
        files = {"messages": None, "files": sorted(folder.iterdir()), "prompt": "Read."}
        return runs.manager(**(files | given))

    manager(folders[0]).run()
    assert all(item.status == "completed" for item in manager(folders[1]).items())
    for reading in READINGS.values():
        for other in (manager(folders[2]), manager(folders[0], prompt="Read all."), runs.manager(2)):
            with pytest.raises(RunMismatchError):
                reading(other)


def test_what_run_accepts_every_reading_accepts(runs: Runs) -> None:
    """The same items, more of them at the end, another reading model, changed settings."""
    runs.manager(4).run()
    assert [entry["result"].said for entry in runs.manager(4, max_cost=3).results()] == [
        f"message {i}" for i in range(4)
    ]
    more = runs.manager(6)
    assert [item.status for item in more.items()] == ["completed"] * 4 + ["pending"] * 2
    assert more.estimate().items == 2
    assert [item.result for item in more.items(Other)][:1] == [Other(said="message 0")]


def test_items_that_another_start_added_are_seen_before_the_next_reading(runs: Runs) -> None:
    """A script that has read its run is refused like a new one once the run holds more than it describes."""
    early = runs.manager(4)
    early.run()
    runs.manager(6).run()
    with pytest.raises(RunMismatchError, match="were 6, are 4"):
        early.results()


def test_another_log_at_the_same_path_is_read_anew(runs: Runs) -> None:
    """Whoever has read its run is refused by the one that lies there now, also under the same run_id."""
    for run_id in (None, "monday"):
        early = runs.manager(3, run_id=run_id)
        early.run()
        for end in ("", "-wal", "-shm"):
            Path(f"{runs.log}{end}").unlink(missing_ok=True)
        assert [item.status for item in early.items()] == ["pending"] * 3
        runs.manager(run_id=run_id, messages=conversations(9, first=70)).run()
        for reading in READINGS.values():
            with pytest.raises(RunMismatchError, match="started differently"):
                reading(early)
        runs.log.unlink()


def test_a_job_is_taken_up_only_by_its_own_script(runs: Runs) -> None:
    """batch() refuses another's log before it reads or sends anything."""
    given: dict[str, Any] = {
        "model": MODEL,
        "response_model": Echo,
        "state_path": runs.log,
        "poll_interval": 0.01,
    }
    batch(messages=conversations(3), **given).run()
    calls = len(runs.sandbox.exchanges)
    for other in ({"messages": conversations(2)}, {"response_model": Other}, {"model": "claude-haiku-4-5"}):
        with pytest.raises(RunMismatchError):
            batch(**({"messages": conversations(3)} | given | other))
    assert len(runs.sandbox.exchanges) == calls


def test_another_model_is_told_how_to_read_for_free(runs: Runs) -> None:
    """Where only the response model differs, the way that costs nothing is named."""
    runs.manager().run()
    with pytest.raises(RunMismatchError, match=r"results\(OtherModel\)"):
        runs.manager(response_model=Other).results()


def test_a_model_that_fits_no_answer_is_warned_of(runs: Runs) -> None:
    """Nothing but None would say nothing; one that fits some answers is no matter."""

    class Elsewhere(BaseModel):
        iban: str

    manager = runs.manager(3)
    manager.run()
    with pytest.warns(BatchataWarning, match=r"none of 3 stored answers fits Elsewhere: .*iban"):
        assert [entry["result"] for entry in manager.results(Elsewhere)] == [None] * 3
    assert manager.results(Other)[0]["result"] == Other(said="message 0")


def test_a_manager_and_a_job_say_what_they_are(runs: Runs) -> None:
    """How many items, the model, the log and the run, without a look into the log."""
    manager = runs.manager(2, state_path=None)
    assert repr(manager) == f"<BatchManager of 2 items with {MODEL}, log memory>"
    sent = runs.manager(1, run_id="monday")
    assert repr(sent) == f"<BatchManager of 1 item with {MODEL}, log {runs.log}, run monday>"


def test_several_runs_live_in_one_log_and_their_items_tell_which_is_meant(runs: Runs) -> None:
    """A second run added under a run_id breaks no script without one; each goes on with its own."""
    runs.manager(3).run()
    runs.manager(run_id="tuesday", messages=conversations(3, first=10)).run()
    runs.manager(run_id="brief", count=3, system="Be brief.").run()
    calls = len(runs.sandbox.exchanges)
    for given, first in (({"count": 3}, 0), ({"messages": conversations(3, first=10)}, 10)):
        manager = runs.manager(**given)
        assert manager.run()["completed_items"] == 3
        assert manager.results()[0]["result"].said == f"message {first}"
    assert runs.manager(3, system="Be brief.").stats()["run_id"] == "brief"
    assert len(runs.sandbox.exchanges) == calls


def test_the_run_with_just_these_items_comes_before_one_they_would_be_added_to(runs: Runs) -> None:
    """Where none has just these, a single run that they continue gets the new ones."""
    runs.manager(2, run_id="two").run()
    runs.manager(3, run_id="three").run()
    assert runs.manager(2).stats()["run_id"] == "two"
    assert runs.manager(3).stats()["run_id"] == "three"
    with pytest.raises(LogError, match=r"holds 2 runs of these items; .*run_id=.*: two, three"):
        runs.manager(4).run()
    runs.manager(messages=conversations(2, first=70), run_id="others").run()
    more = runs.manager(messages=conversations(3, first=70))
    assert (more.run()["completed_items"], more.run_id) == (3, "others")


def test_runs_of_the_same_items_have_to_be_named(runs: Runs) -> None:
    """Nothing else tells two equal runs apart."""
    for name in ("monday", "tuesday"):
        runs.manager(2, run_id=name).run()
    for reading in READINGS.values():
        with pytest.raises(LogError, match=r"2 runs of these items.*: monday, tuesday"):
            reading(runs.manager(2))
    assert len(runs.manager(2, run_id="monday").results()) == 2


def test_a_new_definition_in_a_log_of_several_runs_begins_only_by_its_own_run_id(runs: Runs) -> None:
    """Which run was meant is not guessed: all are listed, with what differs, and nothing is sent."""
    runs.manager(2, run_id="monday").run()
    runs.manager(3, run_id="tuesday", system="Be brief.").run()
    calls = len(runs.sandbox.exchanges)
    with pytest.raises(RunMismatchError) as caught:
        runs.manager(3, messages=conversations(3, first=9)).run()
    message = str(caught.value)
    assert "2 runs, and none of them was started like this: monday, tuesday" in message
    assert "  - monday: item 0: was" in message
    assert "  - tuesday: system: was Be brief., is not given" in message
    assert len(runs.sandbox.exchanges) == calls
    assert runs.manager(3, messages=conversations(3, first=9), run_id="new").run()["completed_items"] == 3


def test_items_that_are_all_others_are_counted_instead_of_named(runs: Runs) -> None:
    """As after a change of the prompt for rows; the first one shows what changed."""
    runs.manager(11).run()
    with pytest.raises(RunMismatchError) as caught:
        runs.manager(messages=conversations(12, first=100)).run()
    message = str(caught.value)
    assert "item 0: was" in message
    assert "none of the 11 items is among the 12 given now" in message
    assert "missing now" not in message


def test_a_mismatch_says_what_is_paid_for_and_waits(patient: tuple[Runs, list[float]]) -> None:
    """Before advising a new run: the batches, until when they are kept, and which items lack."""
    runs, _ = patient
    left_running(runs, 2)
    first, second = (sent.id for sent in runs.sandbox.batches)
    given: dict[str, Any] = {"messages": [*conversations(3), *conversations(7, first=4)]}
    with pytest.raises(RunMismatchError) as caught:
        runs.manager(**given, items_per_job=4).run()
    message = str(caught.value)
    assert "missing now: item 3 ('message 3')" in message
    assert "2 batches of it are paid for and kept at the provider until 20" in message
    assert all(f"{name} (job " in message for name in (first, second))
    assert "once more" in message
    assert len(runs.sandbox.batches) == 2


def test_missing_and_new_files_are_named_and_moved_ones_are_no_difference(runs: Runs, tmp_path: Path) -> None:
    """A nightly inbox: files moved away before they were collected, and a new one that sorts first."""
    inbox, done = tmp_path / "inbox", tmp_path / "done"
    for folder in (inbox, done):
        folder.mkdir()
    for number in range(4):
        (inbox / f"inv-{number}.txt").write_text(f"invoice {number}")

    def manager(*folders: Path) -> BatchManager:
        files = sorted((path for folder in folders for path in folder.iterdir()), key=lambda path: path.name)
        return runs.manager(messages=None, files=files, prompt="Read.")

    manager(inbox).run()
    shutil.move(inbox / "inv-0.txt", done)
    assert len(manager(inbox, done).results()) == 4
    with pytest.raises(RunMismatchError, match=r"items: were 4, are 3(?s:.*)missing now: inv-0\.txt"):
        manager(inbox).results()
    (inbox / "aaa.txt").write_text("new")
    with pytest.raises(RunMismatchError, match=r"differently:\n.*now: inv-0\.txt\n.*: aaa\.txt\n"):
        manager(inbox).results()
    shuffled = [*sorted(done.iterdir()), *sorted(inbox.iterdir(), reverse=True)]
    reading = runs.manager(messages=None, files=shuffled, prompt="Read.")
    assert [(item.name, item.status) for item in reading.items()] == [
        (path.name, "pending" if path.name == "aaa.txt" else "completed") for path in shuffled
    ]


def test_another_log_of_the_same_name_is_read_anew(runs: Runs) -> None:
    """A manager that has read a log sees the one that lies there now, though its run is called the same."""
    first = runs.manager(3, run_id="mine", max_attempts=1)
    first.run()
    for _ in range(2):  # what it remembers of the log is compared from the second look on
        assert first.stats()["completed_items"] == 3
    runs.log.unlink()
    runs.sandbox.faults = Faults(errored=True)
    runs.manager(3, run_id="mine", max_attempts=1).run()
    for _ in range(2):
        assert (first.stats()["completed_items"], first.stats()["failed_items"]) == (0, 3)
    assert [item.status for item in first.items()] == ["failed"] * 3
