"""The demo: complete, continued after a kill or Ctrl-C, shown again, and one at a time."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from batchata import load_results_from_disk
from batchata.sandbox import Sandbox


class Invoice(BaseModel):
    """The demo's response model."""

    invoice_number: str
    vendor: str
    invoice_date: date
    due_date: date | None
    currency: str
    total: Decimal


def _twice(runner: Any) -> dict[str, Any]:
    """A whole run; another start while it goes on; and one after it."""
    began = time.monotonic()
    process = runner.start("demo.py")
    runner.wait_for(lambda folder: (folder / ".demo/sandbox/port").exists(), process)
    intruder = runner.run("demo.py")
    first = runner.end(process, began)
    before = _contents(runner.folder)
    second = runner.run("demo.py")
    after = _contents(runner.folder)
    return {"first": first, "intruder": intruder, "second": second, "before": before, "after": after} | {
        "folder": runner.folder
    }


def _stopped(runner: Any) -> dict[str, Any]:
    """Killed when the first results are there; stopped by Ctrl-C when all jobs are sent; completed."""
    return {
        "killed": runner.stop_when(_has_results, signal.SIGKILL, "demo.py"),
        "batches": len(_batches(runner.folder)),
        "interrupted": runner.stop_when(_goes_on, signal.SIGINT, "demo.py"),
        "completed": runner.run("demo.py"),
        "folder": runner.folder,
    }


STORIES = {"demo stopped": _stopped, "demo twice": _twice}


def _has_results(folder: Path) -> bool:
    return (folder / ".demo/results/processed/job_0_results.json").exists()


def _has_sent_all(folder: Path) -> bool:
    return len(_batches(folder)) == 5


def _goes_on(folder: Path) -> bool:
    """All jobs are sent, and the second start is under way: only its event says what changed."""
    stored = b"".join(path.read_bytes() for path in folder.glob(".demo/invoices.db*"))
    return _has_sent_all(folder) and b'"changed":' in stored


def _batches(folder: Path) -> list[Path]:
    """What the sandbox holds: one such file per batch."""
    return list(folder.glob(".demo/sandbox/*.batch.json"))


def _contents(folder: Path) -> dict[str, bytes]:
    """Every file of the sandbox and of the results."""
    return {str(path): path.read_bytes() for path in folder.rglob("*.json*")}


def _billed_once(folder: Path) -> bool:
    """Whether the sandbox, by the state it left, answered nine requests and none of them twice."""
    sandbox = Sandbox(state=folder / ".demo" / "sandbox")
    return sandbox.billed().total() == 9 and set(sandbox.billed().values()) == {1}


def _has_true_values(folder: Path, expected: dict[str, Any]) -> bool:
    results = [entry["result"] for entry in load_results_from_disk(folder / ".demo" / "results", Invoice)]
    return results == [Invoice.model_validate(value) for value in expected.values()]


def test_the_demo_reads_every_document_correctly(
    told: Callable[[str], Any], expected: dict[str, Any]
) -> None:
    """All nine documents come back with their true values, as a table and as files."""
    demo = told("demo twice")
    assert demo["first"].code == 0, demo["first"].err
    assert _has_true_values(demo["folder"], expected)
    lines = demo["first"].out.splitlines()
    for true in expected.values():
        [line] = [line for line in lines if line.startswith(true["vendor"])]
        total = f"{float(true['total']):,.2f} {true['currency']}"
        assert line.removeprefix(true["vendor"]).split()[:4] == [
            true["invoice_number"],
            true["invoice_date"],
            *total.split(),
        ]


def test_the_demo_shows_where_a_total_was_read(told: Callable[[str], Any]) -> None:
    """The totals of the two-page invoices stand on their second page."""
    lines = told("demo twice")["first"].out.splitlines()
    on_page_2 = [line.split("  ")[0] for line in lines if line.rstrip().endswith("page 2")]
    assert on_page_2 == ["Brightwater Software Inc.", "Kestrel Freight Lines"]


def test_the_demo_fits_on_a_screen_and_says_how_to_go_on(told: Callable[[str], Any]) -> None:
    """A newcomer sees the cost, the log, the audit command, and how to resume and start afresh."""
    out = told("demo twice")["first"].out
    assert len(out.splitlines()) <= 24
    assert "-m batchata.replay .demo/invoices.db" in out
    for needed in ("simulated: nothing is billed", "$0.0", "resume", "rm -r .demo"):
        assert needed in out


def test_a_second_demo_is_quick_and_sends_nothing(told: Callable[[str], Any]) -> None:
    """After a complete run the stored results are shown: no batch appears, no file changes."""
    demo = told("demo twice")
    first, second = demo["first"], demo["second"]
    assert second.code == 0, second.err
    assert second.out.startswith("Finished earlier (run ")
    assert second.out.splitlines()[2:] == first.out.splitlines()[4:]
    assert len(demo["before"]) > 10
    assert demo["before"] == demo["after"]
    assert second.seconds < first.seconds / 2


def test_two_demos_do_not_run_in_one_folder(told: Callable[[str], Any]) -> None:
    """The second one says so in one line and leaves the first one alone."""
    intruder = told("demo twice")["intruder"]
    assert intruder.code == 1
    assert intruder.err.startswith("The demo is already running in this folder")
    assert intruder.err.count("\n") == 1


def test_a_killed_demo_continues(told: Callable[[str], Any]) -> None:
    """SIGKILL leaves a part done and batches open; the next start takes the run up where it was."""
    demo = told("demo stopped")
    assert demo["killed"].code == -signal.SIGKILL
    assert 3 <= demo["batches"] <= 5  # how many more it sends before the signal comes is chance
    assert "Continuing: " in demo["interrupted"].out


def test_ctrl_c_says_how_to_continue(told: Callable[[str], Any]) -> None:
    """The end is a line and status 130, not a traceback."""
    interrupted = told("demo stopped")["interrupted"]
    assert interrupted.code == 130
    assert "Stopped. Start it again: it continues" in interrupted.err
    assert "Traceback" not in interrupted.err


def test_a_stopped_demo_is_completed_and_paid_once(
    told: Callable[[str], Any], expected: dict[str, Any]
) -> None:
    """After a kill and a Ctrl-C all documents are there, and by the service's count each was billed once."""
    demo = told("demo stopped")
    assert demo["completed"].code == 0, demo["completed"].err
    assert "9 of 9 documents read" in demo["completed"].out
    assert _has_true_values(demo["folder"], expected)
    assert _billed_once(demo["folder"])
