"""What a BatchManager promises its user, over real HTTP, a real log and real files."""

from __future__ import annotations

import json
import threading
import time
import warnings
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import BaseModel
from run_support import MODEL, Echo, Runs, conversations, echo

from batchata import BatchManager, load_results_from_disk
from batchata.errors import BatchataWarning, CostLimitError, RunMismatchError
from batchata.sandbox import Answer, Faults, Sandbox


def test_every_result_belongs_to_its_own_item(runs: Runs) -> None:
    """Results come back in any order; each entry answers the message at its own index."""
    manager = runs.manager(40, items_per_job=11)
    manager.run()
    entries = manager.results()
    assert [entry["result"].said for entry in entries] == [f"message {i}" for i in range(40)]
    assert {type(entry["result"]) for entry in entries} == {Echo}


def test_summary_counts_and_costs(runs: Runs) -> None:
    """The summary has the promised keys; the cost is the sandbox's usage times half the list price."""
    summary = runs.manager().run()
    used = runs.sandbox.usage()
    assert summary == {
        "total_items": 7,
        "completed_items": 7,
        "failed_items": 0,
        "pending_items": 0,
        "jobs_completed": 3,
        "cost_limit_reached": False,
        "total_cost": (used["input_tokens"] * Decimal(1) + used["output_tokens"] * Decimal(5)) / 1_000_000,
    }


def test_costs_add_up_to_the_last_digit(runs: Runs) -> None:
    """Items, ledger events, summary and statistics say the same."""
    manager = runs.manager()
    total = manager.run()["total_cost"]
    charges = [r.event.amount for r in runs.events() if r.event.TYPE == "cost_charged"]
    assert sum(map(Decimal, charges)) == sum(item.cost for item in manager.items()) == total
    assert manager.stats()["total_cost"] == total


def test_three_ways_of_reading_give_the_same(runs: Runs) -> None:
    """results(), items() and the files agree, also with more than ten jobs and a retry among them."""
    runs.sandbox.faults = Faults(errored={4}, error_type="overloaded_error", only_batches={0})
    manager = runs.manager(25, items_per_job=2, results_dir=runs.out)
    manager.run()
    entries = manager.results()
    assert [entry["result"].said for entry in entries] == [f"message {i}" for i in range(25)]
    assert entries == [{"result": item.result, "citations": item.citations} for item in manager.items()]
    assert load_results_from_disk(runs.out, Echo) == entries
    plain = load_results_from_disk(runs.out / "processed")
    assert [entry["result"] for entry in plain] == [entry["result"].model_dump() for entry in entries]


def test_processed_files_are_lists_of_entries_and_raw_files_the_providers_lines(runs: Runs) -> None:
    """processed/job_<n>_results.json is a JSON list; raw/ holds every result line as it was received."""
    manager = runs.manager(results_dir=runs.out)
    manager.run()
    names = sorted(path.name for path in (runs.out / "processed").iterdir())
    assert names == ["job_0_results.json", "job_1_results.json", "job_2_results.json"]
    first = json.loads((runs.out / "processed" / names[0]).read_text())
    assert first[1] == {"result": {"said": "message 1", "length": 9}, "citations": None}
    lines = [line for path in (runs.out / "raw").iterdir() for line in path.read_bytes().splitlines()]
    assert sorted(lines) == sorted(item.raw for item in manager.items() if item.raw is not None)
    assert len(lines) == 7


def test_a_finished_run_calls_no_api(runs: Runs) -> None:
    """Running a finished run again returns its summary, sends nothing and appends nothing."""
    first = runs.manager().run()
    before, events = len(runs.sandbox.exchanges), len(runs.events())
    again = runs.manager()
    assert again.run() == first
    assert again.results()[6]["result"].said == "message 6"
    assert (len(runs.sandbox.exchanges), len(runs.events())) == (before, events)


def test_a_finished_run_needs_no_key(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading what is there works without an account."""
    first = runs.manager().run()
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    assert runs.manager().run() == first


def test_what_the_sandbox_answered_is_not_taken_for_the_service_s(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever tries a script offline and then takes the sandbox out of it is told that nothing was asked."""
    runs.manager().run()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runs.manager().run()
    monkeypatch.delenv("ANTHROPIC_BASE_URL")
    told = r"came from http://127\S*, on this machine, .* go to https://api.anthropic.com: give another"
    with pytest.warns(BatchataWarning, match=told):
        runs.manager().run()


def test_items_added_at_the_end_are_an_addition(runs: Runs) -> None:
    """More items at the end of the same inputs continue the run; only the new ones are sent."""
    runs.manager(4).run()
    manager = runs.manager(6)
    assert manager.run()["completed_items"] == 6
    assert [e["result"].said for e in manager.results()] == [f"message {i}" for i in range(6)]
    assert sum(runs.sandbox.billed().values()) == 6


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"model": "claude-opus-5-5"}, "model: was claude-sonnet-5-5, is claude-opus-5-5"),
        ({"stop_sequences": ["END"]}, r"stop_sequences: was not given, is .*END"),
        ({"system": "Be brief."}, "system: was not given, is Be brief."),
        ({"response_model": None}, r"response_model \(its JSON Schema\)"),
        ({"count": 3}, "items: were 7, are 3; items can be added, not removed"),
        (
            {"messages": conversations(7, first=1)},
            r"missing now: item 0 \('message 0'\)\n.*: item 6 \('message 7'\)",
        ),
        ({"messages": ["hi", *conversations(6, first=1)]}, "item 0: was .*message 0.*, is .*hi"),
    ],
)
def test_another_run_in_the_same_log_is_refused(runs: Runs, changed: dict[str, object], words: str) -> None:
    """A log continues only the run that it holds; the error says what differs, and nothing is sent."""
    runs.manager().run()
    before, events = len(runs.sandbox.exchanges), len(runs.events())
    with pytest.raises(RunMismatchError, match=words):
        runs.manager(**changed).run()
    assert (len(runs.sandbox.exchanges), len(runs.events())) == (before, events)


def test_settings_may_change_between_starts_and_the_change_is_an_event(runs: Runs) -> None:
    """A results_dir given later is filled from the log, without a call."""
    runs.manager().run()
    before = len(runs.sandbox.exchanges)
    manager = runs.manager(results_dir=runs.out, max_cost=5)
    manager.run()
    changed = runs.events()[-1].event.changed
    assert changed == {"results_dir": (None, str(runs.out)), "max_cost": (None, "5")}
    assert load_results_from_disk(runs.out, Echo) == manager.results()
    assert len(runs.sandbox.exchanges) == before


def test_text_answers_are_strings(runs: Runs) -> None:
    """Without a response model the result is the answer's text, behind a leading thinking block too."""
    runs.sandbox.faults = Faults(line_separators=True)
    manager = runs.manager(3, response_model=None)
    manager.run()
    assert json.loads(manager.results()[2]["result"]) == {"said": "message 2", "length": 9}
    assert manager.results()[2]["citations"] is None


def test_one_bad_item_costs_no_other_its_result(runs: Runs) -> None:
    """An invalid request fails alone and is not repeated; its error is readable, its cost nothing."""
    runs.sandbox.faults = Faults(
        errored={1}, error_type="invalid_request_error", error_message="no such thing"
    )
    manager = runs.manager(3)
    summary = manager.run()
    assert (summary["completed_items"], summary["failed_items"]) == (2, 1)
    item = list(manager.items())[1]
    assert (item.status, item.error.kind, item.error.message) == (
        "failed",
        "invalid_request_error",
        "no such thing",
    )
    assert (item.result, item.citations, item.cost, item.attempts) == (None, None, Decimal(0), 1)
    assert manager.results()[1] == {"result": None, "citations": None}
    assert runs.creates() == 1


def test_what_may_pass_next_time_is_sent_again_alone(runs: Runs) -> None:
    """Errored, expired and missing requests get another attempt in a job of their own."""
    runs.sandbox.faults = Faults(
        errored={0, 5}, error_type="overloaded_error", expired={2}, missing={5}, only_batches={0}
    )
    manager = runs.manager(7, items_per_job=7)
    assert manager.run()["completed_items"] == 7
    assert [item.attempts for item in manager.items()] == [2, 1, 2, 1, 1, 2, 1]
    reasons = {r.event.reason for r in runs.events() if r.event.TYPE == "retry_scheduled"}
    assert reasons == {"overloaded_error", "expired", "missing"}


def test_attempts_end_and_retry_failed_gives_a_fresh_set(runs: Runs) -> None:
    """After max_attempts an item has failed; retry_failed() sends it again and says how many it sent."""
    runs.sandbox.faults = Faults(errored={0}, error_type="api_error")
    manager = runs.manager(1, max_attempts=2)
    assert manager.run()["failed_items"] == 1
    assert next(manager.items()).attempts == 2
    runs.sandbox.faults = Faults()
    summary = manager.retry_failed()
    assert (summary["retry_count"], summary["completed_items"], summary["failed_items"]) == (1, 1, 0)
    assert manager.retry_failed()["retry_count"] == 0


def test_an_answer_that_does_not_fit_the_model_is_a_failure_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A wrong or cut-off answer is never a result; it was billed, and its text is kept."""
    answers = {
        "wrong": {"said": [5, 6]},
        "cut": Answer(text='{"said": "x', stop_reason="max_tokens"),
        "no": Answer(text="I can't help with that.", stop_reason="refusal"),
    }
    with Sandbox(answers=lambda request: answers[request.text]) as sandbox:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", sandbox.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", sandbox.api_key)
        manager = BatchManager(
            messages=[[{"role": "user", "content": text}] for text in answers],
            model=MODEL,
            response_model=Echo,
            max_attempts=1,
            poll_interval=0.01,
        )
        assert manager.run()["failed_items"] == 3
    items = list(manager.items())
    assert [item.error.kind for item in items] == ["invalid_output", "max_tokens", "refusal"]
    assert "said: Input should be a valid string; length: Field required" in items[0].error.message
    assert all(item.cost > 0 and item.raw for item in items)


def test_stored_answers_can_be_read_with_another_model_for_nothing(runs: Runs) -> None:
    """results(response_model=Other) parses again, without a call; what did not fit before may fit now."""

    class Shorter(BaseModel):
        said: str

    manager = runs.manager(2)
    manager.run()
    before = len(runs.sandbox.exchanges)
    assert [entry["result"] for entry in manager.results(Shorter)] == [
        Shorter(said="message 0"),
        Shorter(said="message 1"),
    ]
    assert len(runs.sandbox.exchanges) == before


def test_foreign_and_repeated_lines_are_recorded_and_given_to_nobody(runs: Runs) -> None:
    """An outcome for an id that was never sent changes no item; it is counted and kept."""
    runs.sandbox.faults = Faults(duplicated={0}, foreign=["stranger-1"])
    manager = runs.manager(3)
    assert manager.run()["completed_items"] == 3
    assert manager.stats()["stray_outcomes"] == {"repeated": 1, "foreign": 1}
    assert [entry["result"].said for entry in manager.results()] == [f"message {i}" for i in range(3)]


def test_unknown_kinds_of_outcome_are_failures(runs: Runs) -> None:
    """A result type that this library does not know is never taken for a success."""
    runs.sandbox.faults = Faults(unknown_kind={1})
    manager = runs.manager(3, max_attempts=1)
    assert manager.run()["failed_items"] == 1
    assert list(manager.items())[1].error.kind == "unknown_outcome"


def test_max_cost_is_never_passed_and_a_higher_one_continues(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit stays pending; raising the limit and running again completes the run.

    One answer of 900 tokens costs 0.0045 USD; an item may cost about 0.007 at worst, so two fit into 0.012.
    """
    answer = Answer(text='{"said": "long", "length": 1}', usage={"output_tokens": 900})
    with Sandbox(answers=answer) as dear:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", dear.url)
        given = {"items_per_job": 1, "max_parallel_jobs": 3, "max_tokens": 1000}
        summary = runs.manager(4, max_cost="0.012", **given).run()
        assert summary["cost_limit_reached"]
        assert (summary["completed_items"], summary["pending_items"]) == (2, 2)
        assert Decimal("0.009") < summary["total_cost"] <= Decimal("0.012")
        assert runs.manager(4, max_cost=1, **given).run()["completed_items"] == 4
        assert set(dear.billed().values()) == {1}


def test_a_finished_run_leaves_one_file(runs: Runs) -> None:
    """No -wal, no lock, no mark of WAL mode; a run that goes on later does so, and ends in the same way."""
    runs.manager(4).run()
    assert [*runs.log.parent.iterdir()] == [runs.log]
    assert runs.log.read_bytes()[18:20] == b"\1\1"
    assert runs.manager(5).run()["completed_items"] == 5
    assert [*runs.log.parent.iterdir()] == [runs.log]
    assert runs.log.read_bytes()[18:20] == b"\1\1"


def test_a_limit_without_a_price_is_refused_before_anything_is_sent(runs: Runs) -> None:
    """Costs that are not known cannot be limited."""
    with (
        pytest.warns(UserWarning, match="claude-next"),
        pytest.raises(CostLimitError, match="no price is known"),
    ):
        runs.manager(model="claude-next", max_cost=1).run()
    assert (runs.sandbox.exchanges, runs.log.exists()) == ([], False)


def test_an_unknown_price_is_unknown_not_zero(runs: Runs) -> None:
    """Without a limit the run goes on and its cost is None."""
    with pytest.warns(UserWarning, match="claude-opus-9"):
        manager = runs.manager(1, model="claude-opus-9")
    assert manager.run()["total_cost"] is None
    assert next(manager.items()).cost is None


def test_time_running_out_leaves_everything_pending(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """max_wait_time never fails an item; the next start collects what was sent."""
    with Sandbox(answers=echo, delay=1.0) as slow:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", slow.url)
        summary = runs.manager(max_wait_time=0.3).run()
        assert (summary["pending_items"], summary["failed_items"]) == (7, 0)
        assert runs.types()[-1] == "run_interrupted"
        slow.end_all()
        assert runs.manager(max_wait_time=30).run()["completed_items"] == 7
        assert set(slow.billed().values()) == {1}


def test_cancel_collects_what_was_finished_and_leaves_the_rest_pending(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """manager.cancel() cancels open batches; finished answers are kept, the others can be sent again."""
    with Sandbox(answers=echo, delay=60.0, faults=Faults(processed=0.5)) as slow:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", slow.url)
        manager = runs.manager(6, items_per_job=6, max_wait_time=1)
        manager.run()
        assert len(slow.batches) == 1
        summary = runs.manager(6, items_per_job=6, max_wait_time=20).cancel()
        assert (summary["completed_items"], summary["pending_items"], summary["failed_items"]) == (3, 3, 0)


def test_the_api_key_never_enters_the_log(runs: Runs) -> None:
    """Nothing in the file holds the key."""
    runs.manager().run()
    wal = runs.log.with_name(runs.log.name + "-wal")
    stored = runs.log.read_bytes() + (wal.read_bytes() if wal.exists() else b"")
    assert runs.sandbox.api_key.encode() not in stored


def test_nothing_is_printed_unless_asked_for(runs: Runs, capfd: pytest.CaptureFixture[str]) -> None:
    """A library is quiet; with print_progress lines go to standard error."""
    runs.manager().run()
    assert capfd.readouterr() == ("", "")
    runs.manager(8).run(print_progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "8/8 items" in err


def test_a_run_that_ends_early_leaves_no_call_behind(runs: Runs) -> None:
    """A slow download is broken off when time runs out, so that no thread keeps the process from ending."""
    runs.sandbox.faults = Faults(slow_results=20.0)
    assert runs.manager(max_wait_time=0.5).run()["pending_items"] > 0
    end = time.monotonic() + 15
    while any(t.name.startswith("batchata_") for t in threading.enumerate()) and time.monotonic() < end:
        time.sleep(0.01)
    assert [t.name for t in threading.enumerate() if t.name.startswith("batchata_")] == []


def test_a_run_that_never_began_is_cancelled_with_its_items_counted(runs: Runs) -> None:
    """All of them are pending; nothing is sent or written."""
    assert {"total_items": 3, "pending_items": 3}.items() <= runs.manager(3).cancel().items()
    assert not runs.log.exists()
