"""`retry_failed()` reads the stored answers of failed items again before it pays for others."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from pydantic import field_validator
from resume_support import fresh
from run_support import Echo, Runs, conversations
from typer.testing import CliRunner

from batchata import ConfigurationError, load_results_from_disk
from batchata.core.events import AnswerAccepted, RetryScheduled
from batchata.replay.cli import app
from batchata.sandbox import Answer, Faults, Request

_refused: set[str] = set()  # what the validator takes exception to; a test mends it


class Picky(Echo):
    """A response model whose validator is mended later: the schema stays the same."""

    @field_validator("said")
    @classmethod
    def _known(cls, said: str) -> str:
        message = said.split("\n", maxsplit=1)[0]  # behind it is the note of a second attempt
        if message in _refused:
            raise ValueError("unknown")
        if f"{message} raises" in _refused:
            raise LookupError(message)
        return message


@pytest.fixture(autouse=True)
def _nothing_refused() -> Any:
    _refused.clear()
    yield
    _refused.clear()


def replayed(runs: Runs, *command: str) -> Any:
    return json.loads(CliRunner().invoke(app, [command[0], str(runs.log), *command[1:], "--json"]).stdout)


def statuses(runs: Runs) -> list[str]:
    """The items' statuses as other tools see them."""
    with sqlite3.connect(runs.log) as connection:
        return [status for (status,) in connection.execute("SELECT status FROM v_items ORDER BY item")]


def test_what_is_accepted_without_a_request_needs_no_key(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is asked for where an item would be sent, and not where all have answers that fit today."""
    _refused.update({"message 1", "message 2"})
    given: dict[str, Any] = {"response_model": Picky, "max_attempts": 1}
    assert runs.manager(3, **given).run()["failed_items"] == 2
    _refused.discard("message 1")
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with pytest.raises(ConfigurationError, match="ANTHROPIC_API_KEY"):
        runs.manager(3, **given).retry_failed()
    _refused.clear()
    summary = runs.manager(3, **given).retry_failed()
    assert (summary["completed_items"], summary["retry_count"]) == (3, 0)


def test_an_answer_that_fits_today_costs_nothing(runs: Runs) -> None:
    """It is completed by an event, in files, views and audit, the same after a restart; others are sent."""
    _refused.update({"message 1", "message 2 raises", "message 4"})
    given: dict[str, Any] = {"response_model": Picky, "max_attempts": 2, "results_dir": runs.out}
    first = runs.manager(6, **given).run()
    assert (first["completed_items"], first["failed_items"]) == (3, 3)
    paid, creates = runs.sandbox.billed().total(), runs.creates()
    _refused.difference_update({"message 1", "message 2 raises"})
    summary = runs.manager(6, **given).retry_failed()
    assert (summary["completed_items"], summary["failed_items"], summary["retry_count"]) == (5, 1, 1)
    assert (runs.sandbox.billed().total() - paid, runs.creates() - creates) == (2, 2)  # for message 4 alone
    _refused.clear()
    again = runs.manager(6, **given)
    summary = again.retry_failed()
    assert (summary["completed_items"], summary["retry_count"]) == (6, 0)
    assert runs.creates() == creates + 2
    events = [r.event for r in runs.events()]
    assert [e.index for e in events if isinstance(e, AnswerAccepted)] == [1, 2, 4]
    assert [e.items for e in events if isinstance(e, RetryScheduled) and e.reason == "requested"] == [
        [(4, 4)]
    ]
    assert [item.status for item in runs.manager(6, **given).items()] == ["completed"] * 6
    said = [entry["result"].said for entry in load_results_from_disk(runs.out, Picky)]
    assert said == [f"message {n}" for n in range(6)]
    assert replayed(runs, "verify")["ok"]
    assert replayed(runs, "show")["status"] == "completed"
    assert statuses(runs) == ["completed"] * 6
    last = replayed(runs, "item", "1")["attempts"][-1]
    assert (last["error"], last["accepted_at"] is None) == (None, False)
    assert "read again and accepted" in CliRunner().invoke(app, ["item", str(runs.log), "1"]).stdout
    assert again.run()["completed_items"] == 6
    assert runs.creates() == creates + 2


def test_the_newest_of_all_its_answers_counts(runs: Runs) -> None:
    """An item whose last attempt brought no answer has those before it; copies of it share what is found."""
    _refused.add("message 0")
    runs.sandbox.faults = Faults(errored=True, error_type="overloaded_error", only_batches={1})
    twice = [conversations(1)[0]] * 2
    manager = runs.manager(messages=twice, dedupe=True, response_model=Picky, max_attempts=2)
    assert manager.run()["failed_items"] == 2
    assert [item.error.kind for item in manager.items() if item.error] == ["overloaded_error"] * 2
    _refused.clear()
    assert manager.retry_failed()["completed_items"] == 2
    assert [item.result.said for item in manager.items()] == ["message 0"] * 2
    assert (runs.creates(), replayed(runs, "verify")["ok"]) == (2, True)


def test_what_was_cut_off_stays_no_answer(tmp_path: Path) -> None:
    """An answer without its end is sent again, though what is there would fit."""

    def cut(request: Request) -> Answer:
        return Answer(json.dumps({"said": request.text, "length": 1}), stop_reason="max_tokens")

    with fresh(tmp_path / "run", answers=cut) as runs:
        manager = runs.manager(1, max_attempts=1)
        assert manager.run()["failed_items"] == 1
        assert (manager.retry_failed()["retry_count"], runs.creates()) == (1, 2)
