"""Unknown submissions are settled by proof: adopted, sent again when absent, and otherwise never guessed."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forked import run
from places import SUBMIT
from resume_support import (
    COUNT,
    Script,
    check_complete,
    check_paid_once,
    fresh,
    left_running,
    left_when,
    manager,
    seen,
)
from run_support import Echo, Runs, echo

from batchata.errors import BatchataError, InvalidInputError, RunMismatchError, UnknownSubmissionError
from batchata.log import read_log
from batchata.manager import BatchManager
from batchata.providers.anthropic.client import AnthropicClient
from batchata.run.engine import Engine
from batchata.run.same_run import check_same_place
from batchata.sandbox import Faults, Sandbox


def verdicts(runs: Runs) -> list[str]:
    """How the lost submissions were settled, in order."""
    return [
        recorded.event.verdict for recorded in runs.events() if recorded.event.TYPE == "submission_settled"
    ]


def impatient(runs: Runs, **given: Any) -> BatchManager:
    """A manager whose create calls time out after a fifth of a second, not after the SDK's ten minutes."""
    made = manager(runs, **given)
    engine = made._engine
    made._engine = Engine(
        engine.definition, engine.settings, engine.store, lambda: AnthropicClient(timeout=0.2)
    )
    return made


@pytest.mark.parametrize("status", [408, 409, 500, 502, 504, 529])
def test_an_error_after_the_batch_was_made_does_not_make_it_twice(runs: Runs, status: int) -> None:
    """The server acted and then answered with an error that may stand for anything."""
    runs.sandbox.faults = Faults(create_status_after=[status])
    check_complete(runs)
    assert (runs.creates(), verdicts(runs)) == (2, ["adopted"])


@pytest.mark.parametrize("status", [408, 409, 500, 502, 504, 529])
def test_an_error_instead_of_a_batch_is_sent_again(runs: Runs, status: int) -> None:
    """The same answers with nothing behind them: the batch is proven absent, or the refusal was definite."""
    runs.sandbox.faults = Faults(create_status=[status])
    check_complete(runs)
    assert (runs.creates(), len(runs.sandbox.batches)) == (3, 2)
    assert set(verdicts(runs)) <= {"absent"}


def test_an_open_batch_of_another_job_does_not_keep_a_lost_one_waiting(
    patient: tuple[Runs, list[float]],
) -> None:
    """Our own batches are no candidates, though they are of the same size and still tell no custom ids."""
    runs, delay = patient
    left_running(runs, 1, max_parallel_jobs=1)
    delay[0] = 0.0
    runs.sandbox.faults = Faults(create_status=[500])
    left_running(runs, 2, max_parallel_jobs=2)
    assert (runs.creates(), len(runs.sandbox.batches), verdicts(runs)) == (3, 2, ["absent"])


def test_a_read_timeout_is_no_proof_of_anything(runs: Runs) -> None:
    """The batch was made, the client stopped waiting for the answer."""
    runs.sandbox.faults = Faults(create_hang=[1.0])
    impatient(runs, max_wait_time=20).run()
    assert "submission_unknown" in runs.types()
    check_complete(runs)
    assert (len(runs.sandbox.batches), verdicts(runs)) == (2, ["adopted"])


def test_what_is_unknown_keeps_its_money(patient: tuple[Runs, list[float]]) -> None:
    """While a submission is unknown nothing else may spend what it may have cost; found, it gives it back."""
    runs, delay = patient
    runs.sandbox.faults = Faults(lost_create_responses=1)
    given: dict[str, Any] = {"items_per_job": 1, "max_cost": "0.03"}  # one worst case is above half of it
    waiting = left_when(seen(runs, "call_failed", 2), runs, **given)  # twice it was looked for
    assert runs.creates() == 1
    assert waiting.stats()["reserved_cost"] * 2 > waiting.stats()["max_cost"]
    delay[0] = 0.0
    runs.sandbox.end_all()
    check_complete(runs, **given)
    assert (runs.creates(), verdicts(runs)) == (COUNT, ["adopted"])


def test_what_is_proven_absent_gives_its_money_back(runs: Runs) -> None:
    """A limit that holds one worst case at a time still lets everything through."""
    runs.sandbox.faults = Faults(create_status=[500, 500])
    check_complete(runs, items_per_job=1, max_cost="0.03")
    assert verdicts(runs) == ["absent", "absent"]


def test_runs_of_equal_sizes_at_equal_times_do_not_take_each_others_batches(tmp_path: Path) -> None:
    """Two scripts in one workspace lose the answers to all their create calls at the same time."""
    with fresh(tmp_path / "a", faults=Faults(lost_create_responses=4)) as first:
        second = Runs(first.sandbox, tmp_path / "b")
        second.log.parent.mkdir()
        scripts = [Script(first, settle_delay=0.5), Script(second, settle_delay=0.5)]
        assert [script.ends() for script in scripts] == [0, 0]
        assert (first.creates(), len(first.sandbox.batches)) == (4, 4)
        assert verdicts(first) == verdicts(second) == ["adopted", "adopted"]
        assert set(first.sandbox.billed().values()) == {1}
        owned = [
            {r.event.batch_id for r in runs.events() if hasattr(r.event, "batch_id")}
            for runs in (first, second)
        ]
        assert owned[0].isdisjoint(owned[1])


def test_two_copies_of_one_log_do_not_take_each_others_batches(tmp_path: Path) -> None:
    """A copied log has the same run, tag and job numbers; what each copy sends is still told apart."""
    with fresh(tmp_path / "a", delay=60) as first:
        left_running(first, 1, max_parallel_jobs=1)
        shutil.copytree(first.log.parent, tmp_path / "b")
        first.sandbox.end_all()
        second = Runs(first.sandbox, tmp_path / "b")
        first.sandbox.faults = Faults(lost_create_responses=2)
        for runs in (first, second):
            left_when(seen(runs, "call_failed", 2), runs, max_parallel_jobs=1)
        first.sandbox.end_all()
        for runs in (first, second):
            summary = manager(runs, max_parallel_jobs=1).run()
            assert (summary["completed_items"], verdicts(runs)) == (COUNT, ["adopted"])
        assert len(first.sandbox.batches) == 3
        assert set(first.sandbox.billed().values()) == {1}


def test_a_call_that_was_repeated_on_its_way_is_named(runs: Runs) -> None:
    """A proxy that sends a create call twice makes two batches: one is adopted, the other one is named."""
    runs.sandbox.faults = Faults(created_twice=1, lost_create_responses=1)
    assert manager(runs, items_per_job=COUNT).run()["completed_items"] == COUNT
    (settled,) = [r.event for r in runs.events() if r.event.TYPE == "submission_settled"]
    batches = [batch.id for batch in runs.sandbox.batches]
    assert [settled.batch_id, *settled.surplus] == batches
    assert runs.creates() == 1


def test_a_candidate_that_still_runs_is_waited_for(patient: tuple[Runs, list[float]]) -> None:
    """A batch shows whose it is only when it has ended: till then nothing is sent and nothing is given up."""
    runs, _ = patient
    runs.sandbox.faults = Faults(lost_create_responses=1)
    given: dict[str, Any] = {"items_per_job": COUNT}
    waiting = left_when(seen(runs, "call_failed", 2), runs, **given)
    assert waiting.stats()["pending_items"] == COUNT
    assert verdicts(runs) == []
    looks = [r.event.error.message for r in runs.events() if r.event.TYPE == "call_failed"]
    (batch,) = runs.sandbox.batches
    assert set(looks) == {f"candidates: {batch.id}"}
    runs.sandbox.end_all()
    check_complete(runs, **given)
    assert verdicts(runs) == ["adopted"]


@pytest.mark.parametrize("size", [COUNT, 1, 1_200])
def test_a_stranger_of_the_same_time_does_not_hold_anything_up(tmp_path: Path, size: int) -> None:
    """Another run's batch is told apart as soon as it has ended, by its lines; a large one by a thousand."""
    with fresh(tmp_path / "a") as runs:
        other = Runs(runs.sandbox, tmp_path)
        other.log = tmp_path / "other.db"
        other.manager(size, items_per_job=size).run()
        runs.sandbox.faults = Faults(create_status=[500])
        given: dict[str, Any] = {"items_per_job": COUNT}
        assert manager(runs, **given).run()["completed_items"] == COUNT
        assert verdicts(runs) == ["absent"]
        assert set(runs.sandbox.billed().values()) == {1}


def test_old_batches_of_other_sizes_are_not_read(tmp_path: Path) -> None:
    """After a kill at the first call nothing tells the time for certain; a workspace may have thousands."""
    hours = [3]
    with fresh(tmp_path / "a", clock=lambda: time.time() - hours[0] * 3600) as runs:
        other = Runs(runs.sandbox, tmp_path)
        other.log = tmp_path / "other.db"
        other.manager(COUNT + 1, items_per_job=COUNT + 1).run()
        (old,) = runs.sandbox.batches
        hours[0] = 0
        Script(runs, (SUBMIT, False, 1)).ends()
        assert manager(runs).run()["completed_items"] == COUNT
        read = [path for _, path, *_ in runs.sandbox.exchanges if f"{old.id}/results" in path]
        assert len(read) == 1  # by the run that it is of


@pytest.mark.parametrize("days", [0, -40, 40])
def test_wrong_counts_do_not_hide_a_lost_batch(tmp_path: Path, days: int) -> None:
    """What a batch shows of itself may be wrong from the beginning; its results have our ids.

    The first answer that tells how far the clocks are apart is the list in which the batch is looked for.
    """
    counts = {"processing": 0, "succeeded": 1, "errored": 0, "canceled": 0, "expired": 0}
    with fresh(tmp_path / "a", clock=lambda: time.time() + days * 86_400) as runs:
        runs.sandbox.faults = Faults(lost_create_responses=2, counts=counts)
        check_complete(runs, settle_delay=0.0)  # the first look counts, as after a kill
        assert (runs.creates(), verdicts(runs)) == (2, ["adopted", "adopted"])


def archived(tmp_path: Path) -> Callable[[], float]:
    """A clock of the provider that a file moves on by thirty days."""
    return lambda: time.time() + (30 * 86_400 if (tmp_path / "later").exists() else 0)


def test_candidates_that_cannot_be_read_are_named_and_left_to_the_user(tmp_path: Path) -> None:
    """Results older than 29 days prove nothing: the run stops and says what to look at."""
    with fresh(tmp_path / "a", clock=archived(tmp_path)) as runs:
        given: dict[str, Any] = {"items_per_job": COUNT, "max_cost": "0.5"}
        runs.sandbox.faults = Faults(create_hang=[5.0])
        script = Script(runs, **given)
        assert script.interrupted_when(lambda: len(runs.sandbox.batches) == 1, signal.SIGKILL) == -9
        (tmp_path / "later").touch()
        (batch,) = runs.sandbox.batches
        again = manager(runs, **given)
        with pytest.raises(UnknownSubmissionError, match="console") as raised:
            again.run()
        assert batch.id in str(raised.value)
        assert "manager.abandon(0)" in str(raised.value)
        assert again.stats()["pending_items"] == COUNT
        assert len(runs.sandbox.batches) == 1
        held = again.stats()["reserved_cost"]
        assert again.abandon(0)["pending_items"] == COUNT
        assert again.stats()["withheld_cost"] == held > 0
        (tmp_path / "later").unlink()
        assert manager(runs, **given).run()["completed_items"] == COUNT
        assert len(runs.sandbox.batches) == 2


def test_candidates_that_cannot_be_read_are_told_by_starts_that_may_not_wait(tmp_path: Path) -> None:
    """Each start looks once, and the looks of all of them count."""
    with fresh(tmp_path / "a", clock=archived(tmp_path)) as runs:
        runs.sandbox.faults = Faults(create_hang=[5.0])
        script = Script(runs, items_per_job=COUNT)
        assert script.interrupted_when(lambda: len(runs.sandbox.batches) == 1, signal.SIGKILL) == -9
        (tmp_path / "later").touch()
        time.sleep(0.1)
        given: dict[str, Any] = {"items_per_job": COUNT, "max_wait_time": 0}
        told = ""
        while not told and len(runs.events()) < 1_000:
            time.sleep(0.03)
            try:
                manager(runs, **given).submit()
            except UnknownSubmissionError as exc:
                told = str(exc)
        assert "manager.abandon(0)" in told
        kinds = [r.event.error.kind for r in runs.events() if r.event.TYPE == "call_failed"]
        assert kinds.count("not_readable") >= 4
        assert len(runs.sandbox.batches) == 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ANTHROPIC_API_KEY", "a-key-of-another-workspace"),
        ("ANTHROPIC_CUSTOM_HEADERS", "anthropic-workspace-id: wrkspc_2"),
    ],
)
def test_another_workspace_is_no_proof_of_absence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """In another workspace the run's batches cannot be seen, so nothing is sent again there."""
    home, away = tmp_path / "home", tmp_path / "away"
    with fresh(tmp_path / "a", state=home) as runs:
        given: dict[str, Any] = {"items_per_job": 2, "max_parallel_jobs": 1}
        assert Script(runs, (SUBMIT, True, 2), **given).ends() == -9
        url = runs.sandbox.url
        port = int(url.rpartition(":")[2])
        runs.sandbox.stop()
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
        with monkeypatch.context() as there, Sandbox(answers=echo, state=away, port=port) as elsewhere:
            there.setenv(variable, value)
            with pytest.raises(UnknownSubmissionError, match="another API key"):
                manager(runs, **given).run()
        assert elsewhere.batches == []
        with Sandbox(answers=echo, state=home, port=port) as back:
            check_complete(Runs(back, runs.log.parent), **given)
            assert len(back.batches) == 2


def test_another_key_of_the_same_workspace_is_good_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys are replaced; that the run's own batches can be seen proves that the workspace is the same."""
    with fresh(tmp_path / "a") as runs:
        given: dict[str, Any] = {"items_per_job": 2, "max_parallel_jobs": 1}
        assert Script(runs, (SUBMIT, False, 2), **given).ends() == -9
        monkeypatch.setenv("ANTHROPIC_API_KEY", "the-next-key")
        check_complete(runs, **given)
        assert verdicts(runs) == ["absent"]


def test_only_an_open_job_can_be_abandoned(patient: tuple[Runs, list[float]]) -> None:
    """Whoever mistypes a number is told which jobs there are, and nothing changes."""
    runs, _ = patient
    made = left_running(runs)
    with pytest.raises(
        InvalidInputError, match="job 7 is not open, so there is nothing to abandon; open jobs: 0, 1"
    ):
        made.abandon(7)
    with pytest.raises(InvalidInputError, match="job True is not open"):  # though it equals 1
        made.abandon(True)
    assert "job_abandoned" not in runs.types()
    assert manager(runs).stats()["jobs"] == 2


def test_an_abandoned_batch_takes_no_part_any_more(patient: tuple[Runs, list[float]]) -> None:
    """Its items are sent again and answered once more, with all of it in the log."""
    runs, delay = patient
    given: dict[str, Any] = {"items_per_job": COUNT}
    made = left_running(runs, 1, **given)
    delay[0] = 0.0
    made.abandon(0)
    assert made.run()["completed_items"] == COUNT
    assert (runs.creates(), runs.types().count("job_abandoned")) == (2, 1)
    log = read_log(runs.log)
    log.close()
    assert [entry["result"] for entry in made.results()] == [
        Echo(said=f"message {number}", length=9) for number in range(COUNT)
    ]


def test_check_paid_once_sees_a_batch_that_is_paid_twice(runs: Runs) -> None:
    """The judge of these tests is not blind."""
    manager(runs).run()
    second = Runs(runs.sandbox, runs.log.parent)
    second.log = runs.log.parent / "second.db"
    manager(second, results_dir=None).run()
    with pytest.raises(AssertionError):
        check_paid_once(runs, COUNT)


def test_a_run_of_another_url_is_refused(
    patient: tuple[Runs, list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches exist only where they were created; nothing is sent, and both addresses are named."""
    runs, _ = patient
    left_running(runs)
    home = runs.sandbox.url
    with Sandbox(answers=echo) as elsewhere:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", elsewhere.url)
        with pytest.raises(RunMismatchError, match="set ANTHROPIC_BASE_URL as it was") as raised:
            manager(runs).run()
        assert home in str(raised.value)
        assert elsewhere.url in str(raised.value)
        assert elsewhere.exchanges == []


@pytest.mark.parametrize("refused", [0, 2])
def test_a_wrong_address_may_be_mended_while_nothing_can_have_arrived_there(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    """A first start at an address that took nothing pins the run to it no more; the log tells both."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", f"{runs.sandbox.url}/wrong")
    for _ in range(1 + refused):
        with pytest.raises(BatchataError, match="404"):
            manager(runs, max_cost=None).run()
    monkeypatch.setenv("ANTHROPIC_BASE_URL", runs.sandbox.url)
    check_complete(runs, max_cost=None)
    resumed = [r.event.changed for r in runs.events() if r.event.TYPE == "run_resumed"]
    assert resumed[-1] == {"base_url": (f"{runs.sandbox.url}/wrong", runs.sandbox.url)}
    assert resumed[:-1] == [{}] * refused
    shown = run(["-m", "batchata.replay", "show", runs.log, "--json"], check=True)
    assert json.loads(shown.stdout)["base_url"] == runs.sandbox.url


def test_one_object_may_be_started_again_at_the_right_address(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a notebook the variable is mended, and the same manager goes on."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", f"{runs.sandbox.url}/wrong")
    made = manager(runs)
    with pytest.raises(BatchataError, match="404"):
        made.run()
    monkeypatch.setenv("ANTHROPIC_BASE_URL", runs.sandbox.url)
    assert made.run()["completed_items"] == COUNT


def test_an_address_where_a_batch_may_be_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A create without an answer may have made a batch: it is looked for there, and nowhere else."""
    with fresh(tmp_path / "a", faults=Faults(lost_create_responses=9, list_status=[500] * 999)) as runs:
        manager(runs, max_wait_time=0).submit()
        with Sandbox(answers=echo) as elsewhere:
            monkeypatch.setenv("ANTHROPIC_BASE_URL", elsewhere.url)
            with pytest.raises(RunMismatchError, match="set ANTHROPIC_BASE_URL as it was"):
                manager(runs).run()
            assert elsewhere.exchanges == []
        monkeypatch.setenv("ANTHROPIC_BASE_URL", runs.sandbox.url)
        runs.sandbox.faults = Faults()
        check_complete(runs)


def test_a_run_of_another_provider_is_refused(patient: tuple[Runs, list[float]]) -> None:
    """The same address under another provider's name is another place, too."""
    runs, _ = patient
    made = left_running(runs)
    with pytest.raises(RunMismatchError, match="was sent to 'anthropic', and calls now go to 'another'"):
        check_same_place(made._engine.state(), "another", runs.sandbox.url, None)


def test_a_foreign_line_does_not_make_our_batch_a_strangers(runs: Runs) -> None:
    """All our own lines are missing, and the one that is there belongs nowhere: that proves nothing."""
    runs.sandbox.faults = Faults(lost_create_responses=1, missing={0, 1, 2, 3}, foreign=1, only_batches={0})
    made = manager(runs, items_per_job=COUNT)
    with pytest.raises(UnknownSubmissionError, match="console"):
        made.run()
    assert (runs.creates(), verdicts(runs)) == (1, [])
    made.abandon(0)
    assert made.run()["completed_items"] == COUNT
