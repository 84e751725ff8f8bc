"""Answers that are cut off at `max_tokens`: they fail at once, and only the user decides on longer ones."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from places import APPEND, SUBMIT
from resume_support import Script, fresh
from run_support import Echo, Runs, conversations, echo
from typer.testing import CliRunner

from batchata.core.events import RetryScheduled, RunResumed, SubmissionStarted
from batchata.core.evolve import fold
from batchata.core.values import Process
from batchata.errors import CostLimitError, InvalidInputError
from batchata.log import open_log
from batchata.replay.cli import app
from batchata.sandbox import Answer, Request

type Asked = dict[str, list[tuple[str, int]]]  # by the item's text: what was asked, with which max_tokens

DOCUMENTS = Path(__file__).resolve().parents[2] / "examples" / "documents"
NEEDED = 2_000  # tokens that the whole answer to "message 1" has


def cutting(asked: Asked) -> Callable[[Request], Any]:
    """Cuts the answer to message 1 where it is longer than it may be."""

    def answer(request: Request) -> Any:
        most = request.params["max_tokens"]
        asked[request.text.split("\n")[0]].append((request.text, most))
        if not request.text.startswith("message 1"):
            return echo(request)
        if most < NEEDED:
            return Answer('{"said": "mess', stop_reason="max_tokens", usage={"output_tokens": most})
        return Answer(json.dumps(echo(request)), usage={"output_tokens": NEEDED})

    return answer


@contextmanager
def cut(folder: Path) -> Iterator[tuple[Runs, Asked]]:
    """Runs whose provider cuts the answer to message 1 at `max_tokens`."""
    asked: Asked = defaultdict(list)
    with fresh(folder, answers=cutting(asked)) as runs:
        yield runs, asked


def said(path: Path, *command: str) -> Any:
    """What a replay command says as JSON."""
    return json.loads(CliRunner().invoke(app, [command[0], str(path), *command[1:], "--json"]).stdout)


@pytest.mark.parametrize("model", [Echo, None], ids=["typed", "text"])
@pytest.mark.parametrize(
    ("stop_reason", "cure"),
    [("max_tokens", "retry_failed(max_tokens="), ("model_context_window_exceeded", "make its input shorter")],
)
def test_what_is_cut_off_fails_once_with_its_cure(
    tmp_path: Path, model: type[Echo] | None, stop_reason: str, cure: str
) -> None:
    """The same request would be cut off again, and another prompt is another question: nothing is sent."""
    asked: list[str] = []

    def answer(request: Request) -> Answer:
        asked.append(request.text)
        return Answer("Once upon a", stop_reason=stop_reason)

    with fresh(tmp_path / "run", answers=answer) as runs:
        manager = runs.manager(2, response_model=model, max_attempts=5)
        summary = manager.run()
        assert (summary["failed_items"], summary["pending_items"]) == (2, 0)
        assert sorted(asked) == ["message 0", "message 1"]
        for item in manager.items():
            assert (item.attempts, item.result, item.stop_reason) == (1, None, stop_reason)
            assert item.error is not None
            assert item.error.kind == stop_reason
            assert cure in item.error.message
            assert b"Once upon a" in (item.raw or b"")
        assert manager.run()["failed_items"] == 2
        assert len(asked) == 2


def test_a_higher_limit_is_the_users_decision(tmp_path: Path) -> None:
    """The failed item alone is sent again, as it was, with the new limit, which the log keeps."""
    with cut(tmp_path / "run") as (runs, asked):
        manager = runs.manager(4, max_tokens=100)
        assert manager.run()["failed_items"] == 1
        summary = manager.retry_failed(max_tokens=4_000)
        assert (summary["completed_items"], summary["failed_items"], summary["retry_count"]) == (4, 0, 1)
        assert asked["message 1"] == [("message 1", 100), ("message 1", 4_000)]
        assert [asked[f"message {n}"] for n in (0, 2, 3)] == [[(f"message {n}", 100)] for n in (0, 2, 3)]
        (retry,) = [r.event for r in runs.events() if isinstance(r.event, RetryScheduled)]
        assert (retry.max_tokens, retry.items, retry.reason) == (4_000, [(1, 1)], "requested")
        limits = [r.event.max_tokens for r in runs.events() if isinstance(r.event, SubmissionStarted)]
        assert limits == [100, 100, 4_000]
        assert said(runs.log, "verify")["ok"]
        first, second = said(runs.log, "item", "1")["attempts"]
        assert (first["max_tokens"], second["max_tokens"], second["note"]) == (100, 4_000, None)
        assert first["retry"]["max_tokens"] == 4_000
        text = CliRunner().invoke(app, ["item", str(runs.log), "1"]).stdout
        assert "then a fresh set of attempts was decided: requested, with at most 4,000 tokens" in text
        assert "at most 4,000 tokens an answer" in CliRunner().invoke(app, ["events", str(runs.log)]).stdout


def test_what_a_raised_limit_may_cost_is_held_back(tmp_path: Path) -> None:
    """The worst case of the retry is that of its own limit."""
    with cut(tmp_path / "run") as (runs, _):
        manager = runs.manager(4, max_tokens=100, max_cost=1)
        manager.run()
        manager.retry_failed(max_tokens=4_000)
        first, _, last = [r.event for r in runs.events() if isinstance(r.event, SubmissionStarted)]
        # 3,900 tokens more at $5.00 a million and a tenth for residency, and one digit more to be read.
        one = float(first.reserved or 0) / 3
        assert float(last.reserved or 0) == pytest.approx(one + 3_900 * 5.5e-6, rel=0.01)


@pytest.mark.parametrize("place", ["append", "submit"])
def test_a_raised_limit_outlives_a_kill(tmp_path: Path, place: str) -> None:
    """Decided and not yet sent, or sent and not yet known: whoever starts next keeps to the decision."""
    where = {
        "append": (APPEND, True, 3),
        "submit": (SUBMIT, False, 1),
    }
    with cut(tmp_path / "run") as (runs, asked):
        assert runs.manager(3, max_tokens=100).run()["failed_items"] == 1
        assert Script(runs, where[place], story=_retry_longer).ends() == -9
        assert runs.manager(3, max_tokens=100).run()["completed_items"] == 3
        assert asked["message 1"] == [("message 1", 100), ("message 1", 4_000)]
        assert said(runs.log, "verify")["ok"]


def _retry_longer(runs: Runs) -> None:
    runs.manager(3, max_tokens=100).retry_failed(max_tokens=4_000)


def test_attempts_that_follow_keep_the_raised_limit(tmp_path: Path) -> None:
    """An overloaded provider in between changes nothing; a run with a higher limit of its own has that."""
    with cut(tmp_path / "run") as (runs, asked):
        runs.manager(3, max_tokens=100).run()
        runs.manager(3, max_tokens=100).retry_failed(max_tokens=500)
        assert runs.manager(3, max_tokens=700).retry_failed()["failed_items"] == 1
        assert runs.manager(3, max_tokens=100).retry_failed()["failed_items"] == 1
        assert runs.manager(3, max_tokens=100).retry_failed(max_tokens=3_000)["failed_items"] == 0
        assert [most for _, most in asked["message 1"]] == [100, 500, 700, 500, 3_000]
        assert {text for text, _ in asked["message 1"]} == {"message 1"}


@pytest.mark.parametrize(
    ("max_tokens", "words"),
    [
        (100, "max_tokens=100.*give 101 or more"),
        (99, "makes no longer answers"),
        (0, "an integer from 1 to"),
        (-5, "an integer from 1 to"),
        (10**7, "an integer from 1 to 128,000"),
        ("4000", "an integer from 1 to"),
        (4000.0, "an integer from 1 to"),
        (True, "an integer from 1 to"),
    ],
)
def test_limits_that_make_no_sense_are_refused(tmp_path: Path, max_tokens: Any, words: str) -> None:
    """Before anything is written or sent."""
    with cut(tmp_path / "run") as (runs, _):
        manager = runs.manager(2, max_tokens=100)
        manager.run()
        before, calls = runs.types(), len(runs.sandbox.exchanges)
        with pytest.raises(InvalidInputError, match=words):
            manager.retry_failed(max_tokens=max_tokens)
        assert (runs.types(), len(runs.sandbox.exchanges)) == (before, calls)


def test_a_limit_below_that_of_the_run_is_refused(tmp_path: Path) -> None:
    """A script that raised `max_tokens` itself would otherwise be overruled by less."""
    with cut(tmp_path / "run") as (runs, _):
        runs.manager(2, max_tokens=100).run()
        with pytest.raises(InvalidInputError, match="give 800 or more"):
            runs.manager(2, max_tokens=800).retry_failed(max_tokens=500)


def test_a_limit_that_max_cost_cannot_hold_is_refused(tmp_path: Path) -> None:
    """The item would never be sent; the error says what would do, and that does."""
    with cut(tmp_path / "run") as (runs, _):
        manager = runs.manager(2, max_tokens=100, max_cost="0.01")
        manager.run()
        before = runs.types()
        with pytest.raises(CostLimitError, match=r"item 1 alone may cost .* give max_cost=0\.\d+") as refused:
            manager.retry_failed(max_tokens=4_000)
        assert runs.types() == before
        enough = str(refused.value).split("give max_cost=")[1].split()[0]
        again = runs.manager(2, max_tokens=100, max_cost=enough)
        assert again.retry_failed(max_tokens=4_000)["failed_items"] == 0


def test_a_file_that_was_never_sent_has_no_limit_to_be_above(tmp_path: Path) -> None:
    """Only what was sent can have been cut off: a mended file goes with any limit that the run allows."""
    bad = tmp_path / "bad.pdf"
    bad.write_bytes(b"%PDF-1.4 cut")
    with fresh(tmp_path / "run", answers=lambda _: Answer("fine")) as runs:
        given: dict[str, Any] = {"messages": None, "files": [bad], "prompt": "Read.", "response_model": None}
        given["on_bad_file"] = "fail"
        assert runs.manager(max_tokens=1_000, **given).run()["failed_items"] == 1
        bad.write_bytes(next(DOCUMENTS.glob("*.pdf")).read_bytes())
        summary = runs.manager(max_tokens=500, **given).retry_failed(max_tokens=800)
        assert (summary["completed_items"], summary["retry_count"]) == (1, 1)


def test_without_failed_items_a_higher_limit_does_nothing(tmp_path: Path) -> None:
    """There is nothing that it could be for."""
    with cut(tmp_path / "run") as (runs, _):
        manager = runs.manager(1, max_tokens=100)
        manager.run()
        before = runs.types()
        assert manager.retry_failed(max_tokens=4_000)["retry_count"] == 0
        assert runs.types() == before


def test_max_tokens_may_be_lowered_between_starts(tmp_path: Path) -> None:
    """A limit that leaves no room goes on with shorter answers: a change in the log, and in what is sent."""
    asked: list[int] = []

    def answer(request: Request) -> Answer:
        most = request.params["max_tokens"]
        asked.append(most)
        return Answer("fine", usage={"output_tokens": most // 2})

    with fresh(tmp_path / "run", answers=answer) as runs:
        given: dict[str, Any] = {"count": 9, "response_model": None, "max_cost": "0.05"}
        first = runs.manager(max_tokens=4_000, **given).run()
        assert first["cost_limit_reached"]
        assert first["pending_items"] > 4
        assert runs.manager(max_tokens=50, **given).run()["completed_items"] == 9
        (resumed,) = [r.event for r in runs.events() if isinstance(r.event, RunResumed)]
        assert resumed.changed == {"max_tokens": (4_000, 50)}
        assert asked == [4_000] * first["completed_items"] + [50] * first["pending_items"]
        assert said(runs.log, "verify")["ok"]
        assert said(runs.log, "show")["max_tokens"] == 50
        assert "max_tokens 4000 -> 50" in CliRunner().invoke(app, ["events", str(runs.log)]).stdout


def test_what_is_sent_after_a_change_has_the_new_limit(tmp_path: Path) -> None:
    """Lower and higher: bodies, worst cases and the state of each job follow the limit then in force."""
    with cut(tmp_path / "run") as (runs, asked):
        for count, most in [(2, 1_000), (4, 300), (6, 3_000)]:
            messages = [[{"role": "user", "content": f"text {n}"}] for n in range(count)]
            manager = runs.manager(messages=messages, max_tokens=most, max_cost=1)
            assert manager.run()["completed_items"] == count
        assert [asked[f"text {n}"][0][1] for n in range(6)] == [1_000, 1_000, 300, 300, 3_000, 3_000]
        run = fold((r.version, r.at, r.event) for r in runs.events())
        assert [run.max_tokens_in(number) for number in run.jobs] == [1_000, 300, 3_000]
        held = [float(run.jobs[number].reserved or 0) for number in run.jobs]
        assert held[0] - held[1] == pytest.approx(2 * 700 * 5.5e-6, rel=0.01)
        assert held[2] - held[0] == pytest.approx(2 * 2_000 * 5.5e-6, rel=0.01)
        assert said(runs.log, "verify")["ok"]
        changed = said(runs.log, "diff", "1")["settings"]
        assert changed == {"max_tokens": [1_000, 3_000]}


def test_an_older_versions_decision_to_ask_again_is_kept(tmp_path: Path) -> None:
    """A retry that an older log scheduled for a cut-off answer is sent, with the prompt as it was."""
    with cut(tmp_path / "run") as (runs, asked):
        manager = runs.manager(2, max_tokens=100)
        manager.run()
        log = open_log(runs.log)
        assert manager.run_id is not None
        claim = log.claim(manager.run_id, Process(pid=1, host="elsewhere"))
        retry = RetryScheduled(job=0, items=[(1, 1)], attempt=2, not_before=0, delay=1.0, reason="max_tokens")
        claim.append(runs.events()[-1].at, [retry], [])
        claim.release()
        log.close()
        summary = runs.manager(2, max_tokens=5_000).run()
        assert (summary["completed_items"], summary["failed_items"]) == (2, 0)
        assert asked["message 1"] == [("message 1", 100), ("message 1", 5_000)]
        assert said(runs.log, "verify")["ok"]


def test_items_of_different_limits_travel_apart(tmp_path: Path) -> None:
    """A job has one `max_tokens`: an item that was raised and one that was not are two jobs."""
    stubborn: list[int] = []

    def answer(request: Request) -> Any:
        most = request.params["max_tokens"]
        if request.text == "message 0" and most < 900:
            return Answer("{", stop_reason="max_tokens")
        if request.text == "message 1" and len(stubborn) < 2:
            stubborn.append(most)
            return Answer("no", stop_reason="refusal")
        return echo(request)

    with fresh(tmp_path / "run", answers=answer) as runs:
        manager = runs.manager(messages=conversations(1), max_tokens=100)
        manager.run()
        manager.retry_failed(max_tokens=200)
        manager = runs.manager(messages=conversations(2), max_tokens=100)
        assert manager.run()["failed_items"] == 2
        manager.retry_failed()
        limits = [r.event.max_tokens for r in runs.events() if isinstance(r.event, SubmissionStarted)]
        assert limits == [100, 200, 100, 200, 100]
        assert manager.retry_failed(max_tokens=1_000)["failed_items"] == 0
        assert said(runs.log, "verify")["ok"]
