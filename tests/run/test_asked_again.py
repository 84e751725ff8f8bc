"""check_support="retry": an answer that its own passages contradict is asked for again, and never lost."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pydantic
import pytest
from places import APPEND
from resume_support import Script, fresh, opened
from run_support import Runs
from typer.testing import CliRunner

from batchata import BatchManager, InvalidInputError, load_results_from_disk
from batchata.log.verify import verify
from batchata.replay.cli import app
from batchata.sandbox import Answer, Request

TEXT = "Sold by: ACME\nTotal: $1,200.00\n"
PASSAGE = "Total: $1,200.00"
RIGHT, WRONG = "1200.00", "9999.99"


class Bill(pydantic.BaseModel):
    total: float


def says(total: str) -> Answer:
    """An answer whose total is cited by the passage that has the true one."""
    start = TEXT.index(PASSAGE)
    cited = {
        "type": "char_location",
        "cited_text": PASSAGE,
        "document_index": 0,
        "document_title": "bill.txt",
        "start_char_index": start,
        "end_char_index": start + len(PASSAGE),
    }
    parts: list[tuple[str, Any]] = [('{"total": ', None), (total, [cited]), ("}", None)]
    return Answer(content=[{"type": "text", "text": text, "citations": found} for text, found in parts])


class Asked:
    """Gives each document its answers, one an attempt, and keeps what was asked."""

    def __init__(self, *answers: list[Answer]) -> None:
        self._left = [list(each) for each in answers]
        self.asked: Counter[int] = Counter()
        self.notes: dict[int, str] = {}

    def __call__(self, request: Request) -> Answer:
        number = int(str(request.documents[0].title)[0])
        self.asked[number] += 1
        if "previous answer" in request.text:
            self.notes[number] = request.text
        return self._left[number].pop(0)


def manager(runs: Runs, count: int, **given: Any) -> BatchManager[Bill]:
    """A run over so many equal documents."""
    folder = runs.log.parent
    for number in range(count):
        (folder / f"{number}.txt").write_text(TEXT)
    chosen: dict[str, Any] = {
        "messages": None,
        "files": [folder / f"{number}.txt" for number in range(count)],
        "prompt": "Read it.",
        "response_model": Bill,
        "enable_citations": True,
        "check_support": "retry",
        "results_dir": runs.out,
    }
    return runs.manager(**(chosen | given))


def totals(made: BatchManager[Bill]) -> list[float | None]:
    return [None if item.result is None else item.result.total for item in made.items()]


def sound(runs: Runs) -> bool:
    """Whether the log verifies, and its SQL view counts as the run does."""
    with opened(runs) as log:
        return all(not verify(log, stream) for stream in log.streams()) and not log.faults()


def test_a_contradicted_value_is_asked_for_again_with_what_was_wrong(tmp_path: Path) -> None:
    """The note names field, value and passage; the better answer is the result, and both are paid."""
    answers = Asked([says(RIGHT)], [says(WRONG), says(RIGHT)])
    with fresh(tmp_path / "a", answers=answers) as runs:
        made = manager(runs, 2)
        summary = made.run()
        assert (summary["completed_items"], totals(made)) == (2, [1200.0, 1200.0])
        assert answers.asked == {0: 1, 1: 2}
        assert f'total is 9999.99, and what is cited for it says "{PASSAGE}"' in answers.notes[1]
        assert "Answer again with the values that the document gives" in answers.notes[1]
        assert [r.event.reason for r in runs.events() if r.event.TYPE == "retry_scheduled"] == [
            "unsupported_field"
        ]
        assert (made.stats()["unsupported_fields"], made.stats()["retries"]) == (0, 1)
        assert sound(runs)
        shown = CliRunner().invoke(app, ["item", str(runs.log), "1"], env={"COLUMNS": "200"}).output
        assert "unsupported_field: total is 9999.99" in shown


def test_reporting_is_the_default(tmp_path: Path) -> None:
    """Nothing is paid for a second time unless that was asked for."""
    answers = Asked([says(WRONG)])
    with fresh(tmp_path / "a", answers=answers) as runs:
        made = manager(runs, 1, check_support="report")
        made.run()
        assert (totals(made), [item.unsupported for item in made.items()]) == ([9999.99], [["total"]])


ERRORED = Answer(kind="errored", error_type="invalid_request_error", error_message="no")


@pytest.mark.parametrize(
    ("later", "attempts"),
    [
        ([says(WRONG)], 2),  # the last attempt is taken as it is
        ([ERRORED], 2),
        ([Answer("no JSON at all"), Answer("none again")], 3),
        ([Answer(kind="errored", error_type="api_error", error_message="down")], 2),
        ([Answer('{"total": 5', stop_reason="max_tokens")], 2),
    ],
    ids=["wrong again", "refused", "misfits", "errors", "cut off"],
)
def test_what_was_answered_stays_when_nothing_better_comes(
    tmp_path: Path, later: list[Answer], attempts: int
) -> None:
    """An answer that fits was paid for: it is the result, marked, also in files and after a restart."""
    answers = Asked([says(WRONG), *later])
    with fresh(tmp_path / "a", answers=answers) as runs:
        made = manager(runs, 1, max_attempts=attempts)
        summary = made.run()
        assert (summary["completed_items"], summary["failed_items"]) == (1, 0), runs.types()
        assert answers.asked[0] == attempts
        for found in (made, manager(runs, 1, max_attempts=attempts)):
            (item,) = found.items()
            assert (item.result, item.unsupported, item.error) == (Bill(total=9999.99), ["total"], None)
        assert [entry["result"] for entry in load_results_from_disk(runs.out, Bill)] == [Bill(total=9999.99)]
        assert sound(runs)
        assert manager(runs, 1, max_attempts=attempts).run() == summary
        used = runs.sandbox.usage()
        bill = (used["input_tokens"] + used["output_tokens"] * 5) / Decimal(1_000_000)
        assert summary["total_cost"] == bill


@pytest.mark.parametrize("append", range(5, 12))
def test_a_kill_pays_no_answer_twice_and_loses_none(tmp_path: Path, append: int) -> None:
    """Around the verdict, the decision to ask again, the second answer, and the return to the first."""
    answers = Asked([says(RIGHT)], [says(WRONG), ERRORED], [says(WRONG), says(RIGHT)])
    with fresh(tmp_path / "a", answers=answers) as runs:
        Script(runs, (APPEND, True, append), story=_story).ends()
        made = manager(runs, 3)
        made.run()
        assert totals(made) == [1200.0, 9999.99, 1200.0]
        assert answers.asked == {0: 1, 1: 2, 2: 2}
        assert sound(runs)


def _story(runs: Runs) -> None:
    manager(runs, 3).run()


def test_copies_share_what_was_kept(tmp_path: Path) -> None:
    """With dedupe the kept answer is that of every item that shares the request."""
    answers = Asked([says(WRONG), ERRORED])
    with fresh(tmp_path / "a", answers=answers) as runs:
        (runs.log.parent / "0.txt").write_text(TEXT)
        files = [runs.log.parent / "0.txt"] * 2
        made = manager(runs, 0, files=files, dedupe=True)
        assert made.run()["completed_items"] == 2
        assert totals(made) == [9999.99, 9999.99]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"check_support": "ask"}, "check_support must be 'report' or 'retry', not 'ask'"),
        ({"enable_citations": False}, "give a response_model and enable_citations=True"),
        ({"response_model": None}, "give a response_model and enable_citations=True"),
    ],
)
def test_it_needs_cited_fields(runs: Runs, given: dict[str, Any], said: str) -> None:
    """Otherwise nothing could ever be contradicted."""
    with pytest.raises(InvalidInputError, match=said):
        manager(runs, 1, **given)
