"""Files that cannot be used: with `on_bad_file="fail"` their items fail, and the others are sent."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from run_support import MODEL, Echo, Runs
from typer.testing import CliRunner

from batchata import BatchManager, batch, load_results_from_disk
from batchata.core.events import ItemMended, ItemRefused
from batchata.core.evolve import fold
from batchata.core.state import Run
from batchata.errors import FileInputError, RunMismatchError
from batchata.replay.cli import app
from batchata.sandbox import Request, Sandbox

GONE = "does not exist; check the path"


def paper(request: Request) -> dict[str, Any]:
    """The sandbox's answer: what stands in the document, and what was said about it."""
    document: Any = request.documents[0]
    text = str(document.source["data"])
    return {"said": f"{text}: {request.text}", "length": len(text)}


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Runs]:
    """Runs against a sandbox that says what it was given."""
    with Sandbox(answers=paper) as sandbox:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", sandbox.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", sandbox.api_key)
        yield Runs(sandbox, tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six files, of which the first, the fourth and the last are bad."""
    docs = tmp_path / "docs"
    docs.mkdir()
    for name in ("b.txt", "c.txt", "e.txt"):
        (docs / name).write_text(f"text {name}")
    (docs / "a.pdf").write_bytes(b"")
    (docs / "d.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0\0\0\1\0")
    return docs


NAMES = ("a.pdf", "b.txt", "c.txt", "d.png", "e.txt", "f.txt")


def reading(runs: Runs, folder: Path, names: tuple[str, ...] = NAMES, **given: Any) -> BatchManager[Any]:
    files = [folder / name for name in names]
    chosen = {"messages": None, "files": files, "prompt": "Read.", "on_bad_file": "fail", "items_per_job": 2}
    return runs.manager(**(chosen | given))


def said(run: BatchManager[Any]) -> list[str | None]:
    return [entry["result"] and entry["result"].said for entry in run.results()]


def for_one(runs: Runs, folder: Path, names: tuple[str, ...], good: int) -> Decimal:
    """A limit that leaves room for one item, and after its answer for none."""
    worst = reading(runs, folder, names, state_path=None).estimate().worst_cost
    assert worst is not None
    return worst / good + Decimal("0.00001")


def statuses(run: BatchManager[Any]) -> str:
    """One letter for each item: completed, failed or pending."""
    return "".join(item.status[0] for item in run.items())


def state_of(runs: Runs) -> Run:
    return fold((r.version, r.at, r.event) for r in runs.events())


def replay(*words: str) -> Any:
    done = CliRunner().invoke(app, [*words])
    assert done.exit_code == 0, done.output
    return done.stdout


def verified(runs: Runs) -> bool:
    return CliRunner().invoke(app, ["verify", str(runs.log)]).exit_code == 0


def test_bad_files_fail_and_the_others_are_sent(runs: Runs, folder: Path) -> None:
    """Failed with a readable error, at no cost, never sent; all views know them."""
    run = reading(runs, folder, results_dir=runs.out)
    summary = run.run()
    assert (summary["completed_items"], summary["failed_items"], summary["pending_items"]) == (3, 3, 0)
    assert statuses(run) == "fccfcf"
    items = list(run.items())
    assert [item.error is not None and item.error.kind for item in items] == [
        "file_error", False, False, "file_error", False, "file_error",
    ]  # fmt: skip
    assert items[5].error is not None
    assert items[5].error.message.startswith(f"files[5] ('{folder}/f.txt') {GONE}")
    assert (items[0].cost, items[0].attempts, items[0].usage, items[0].result) == (0, 0, None, None)
    assert runs.sandbox.billed().total() == 3
    assert [entry["result"] is None for entry in run.results()] == [True, False, False, True, False, True]
    assert [entry["result"] is None for entry in load_results_from_disk(runs.out, Echo)] == [
        True, False, False, True, False, True,
    ]  # fmt: skip
    assert run.stats()["failed_items"] == 3
    assert verified(runs)
    said = replay("item", str(runs.log), "3")
    assert "file_error" in said
    assert "d.png (cannot be used)" in said
    assert "3 items: file_error" in replay("show", str(runs.log))
    assert "item_refused" in replay("events", str(runs.log), "--item", "0")
    replay("report", str(runs.log), str(folder / "report.html"))
    replay("export", str(runs.log), str(folder / "csv"), "--format", "csv")
    assert json.loads(replay("item", str(runs.log), "0", "--json"))["status"] == "failed"
    with sqlite3.connect(runs.log) as connection:
        rows = connection.execute("SELECT item, status, error_kind FROM v_items").fetchall()
        assert [row[1][0] for row in rows] == list("fccfcf")
        assert connection.execute("SELECT failed_items, pending_items, status FROM v_runs").fetchall() == [
            (3, 0, "completed")
        ]


def test_the_default_lists_them_all_and_writes_nothing(
    runs: Runs, folder: Path, start: Callable[..., None]
) -> None:
    """One FileInputError, before the log is there."""
    with pytest.raises(FileInputError) as caught:
        start(files=[folder / name for name in NAMES], prompt="Read.", model=MODEL, state_path=runs.log)
    assert [bad.index for bad in caught.value.bad_files] == [0, 3, 5]
    assert not runs.log.exists()


@pytest.mark.parametrize("change", ["nothing", "mended", "gone"])
def test_the_next_start_leaves_them_as_they_were(runs: Runs, folder: Path, change: str) -> None:
    """Whatever has become of the files, the run is the same, completed, and asks for nothing."""
    reading(runs, folder).run()
    if change == "mended":
        (folder / "a.pdf").write_text("no longer empty")
        (folder / "a.pdf").rename(folder / "a.pdf")
        (folder / "f.txt").write_text("text f")
    elif change == "gone":
        for path in folder.iterdir():
            path.unlink()
    calls = len(runs.sandbox.exchanges)
    run = reading(runs, folder)
    assert run.run()["failed_items"] == 3
    assert statuses(run) == "fccfcf"
    assert len(runs.sandbox.exchanges) == calls
    assert runs.types().count("item_refused") == 3


def test_a_run_of_bad_files_alone_is_completed(runs: Runs, folder: Path) -> None:
    """Nothing is sent, every item is failed, and results_dir has an entry for each."""
    run = reading(runs, folder, ("a.pdf", "d.png", "f.txt"), results_dir=runs.out)
    summary = run.run()
    assert (summary["failed_items"], summary["pending_items"], summary["total_cost"]) == (3, 0, 0)
    assert runs.sandbox.exchanges == []
    assert runs.types()[-1] == "run_completed"
    assert load_results_from_disk(runs.out, Echo) == [{"result": None, "citations": None}] * 3
    assert verified(runs)
    (folder / "f.txt").write_text("text f")
    assert reading(runs, folder, ("a.pdf", "d.png", "f.txt"), results_dir=runs.out).retry_failed()[
        "completed_items"
    ] == 1  # fmt: skip
    assert [e["result"] is None for e in load_results_from_disk(runs.out, Echo)] == [True, True, False]


def test_other_names_are_another_run(runs: Runs, folder: Path) -> None:
    """A file that cannot be used is known by its name."""
    reading(runs, folder).run()
    with pytest.raises(RunMismatchError, match=r"missing now: f\.txt\n.*: g\.txt"):
        reading(runs, folder, (*NAMES[:5], "g.txt")).run()


@pytest.mark.parametrize("in_one_process", [True, False])
def test_failed_items_are_asked_for_again_with_their_files_mended(
    runs: Runs, folder: Path, in_one_process: bool
) -> None:
    """What is good now is sent as it is now; what is still bad stays failed, with the reason of today."""
    run = reading(runs, folder, results_dir=runs.out)
    run.run()
    (folder / "f.txt").write_text("text f")
    (folder / "a.pdf").write_bytes(b"%PDF-1.7\n1 0 obj\n")
    run = run if in_one_process else reading(runs, folder, results_dir=runs.out)
    summary = run.retry_failed()
    assert (summary["retry_count"], summary["completed_items"], summary["failed_items"]) == (1, 4, 2)
    assert statuses(run) == "fccfcc"
    errors = [item.error.message for item in run.items() if item.error is not None]
    assert "is a damaged PDF: its end is missing" in errors[0]
    assert "is a cut-off or damaged image/png" in errors[1]
    assert runs.types().count("item_refused") == 4  # the reason of one is another one
    assert [r.event.index for r in runs.events() if isinstance(r.event, ItemMended)] == [5]
    assert sum(e["result"] is not None for e in load_results_from_disk(runs.out, Echo)) == 4
    assert verified(runs)
    assert said(run)[5] == "text f: Read."
    again = reading(runs, folder)
    assert again.run()["completed_items"] == 4
    (folder / "f.txt").write_text("something else")
    with pytest.raises(RunMismatchError):
        reading(runs, folder).run()  # its answer is of the file as it was


def refusing(runs: Runs, *indexes: int) -> None:
    """From now on the provider refuses the requests of these items."""
    runs.sandbox.faults.errored = lambda custom_id, _: int(custom_id.rpartition("-")[2]) in indexes
    runs.sandbox.faults.error_type = "invalid_request_error"
    runs.sandbox.faults.error_message = "Could not process PDF"


def test_a_file_that_the_provider_could_not_read_is_read_again(runs: Runs, folder: Path) -> None:
    """Good for us and bad for the provider: the same script goes on, and a retry sends it as it is now."""
    names = ("b.txt", "c.txt")
    refusing(runs, 1)
    reading(runs, folder, names).run()
    (folder / "c.txt").write_text("mended")
    refusing(runs)
    run = reading(runs, folder, names)
    assert run.run()["failed_items"] == 1
    assert run.retry_failed()["completed_items"] == 2
    assert statuses(run) == "cc"
    assert said(run) == ["text b.txt: Read.", "mended: Read."]
    assert verified(runs)
    assert reading(runs, folder, names).run()["completed_items"] == 2


def test_a_file_that_is_gone_before_it_is_sent_fails_alone(runs: Runs, folder: Path) -> None:
    """It was good when it was checked: its item fails when the job is made, and the others are sent."""
    run = reading(runs, folder, ("b.txt", "c.txt", "e.txt"), items_per_job=3)
    (folder / "c.txt").unlink()
    assert run.run()["failed_items"] == 1
    assert statuses(run) == "cfc"
    assert runs.sandbox.billed().total() == 2
    assert verified(runs)
    run = reading(runs, folder, ("b.txt", "c.txt", "e.txt"), items_per_job=3)
    assert run.run()["completed_items"] == 2
    (folder / "c.txt").write_text("text c.txt")
    run = reading(runs, folder, ("b.txt", "c.txt", "e.txt"), items_per_job=3)
    assert run.retry_failed()["completed_items"] == 3


def test_by_default_it_stops_the_run(runs: Runs, folder: Path) -> None:
    """As it always did, and the file restored, the next start goes on."""
    run = reading(runs, folder, ("b.txt", "c.txt"), on_bad_file="raise")
    (folder / "c.txt").write_text("changed")
    with pytest.raises(FileInputError, match="was changed after it was checked"):
        run.run()
    (folder / "c.txt").write_text("text c.txt")
    assert reading(runs, folder, ("b.txt", "c.txt"), on_bad_file="raise").run()["completed_items"] == 2


def test_a_file_that_is_gone_at_the_next_start_fails_where_it_still_waits(runs: Runs, folder: Path) -> None:
    """What was answered stays answered; what was never sent fails."""
    names = ("b.txt", "c.txt", "e.txt")
    limit = for_one(runs, folder, names, 3)
    run = reading(runs, folder, names, items_per_job=1, max_cost=limit)
    run.run()
    before = statuses(run)
    assert set(before) == {"c", "p"}
    for name in names:
        (folder / name).unlink()
    run = reading(runs, folder, names, items_per_job=1)
    assert run.run()["pending_items"] == 0
    assert statuses(run) == before.replace("p", "f")
    assert verified(runs)


def test_more_files_may_follow_bad_ones(runs: Runs, folder: Path) -> None:
    """Good and bad, before and behind: each entry of results_dir stands at its place."""
    reading(runs, folder, ("a.pdf", "b.txt", "d.png"), results_dir=runs.out).run()
    run = reading(runs, folder, ("a.pdf", "b.txt", "d.png", "c.txt", "f.txt"), results_dir=runs.out)
    assert run.run()["completed_items"] == 2
    assert statuses(run) == "fcfcf"
    assert [e["result"] is not None for e in load_results_from_disk(runs.out, Echo)] == [
        False, True, False, True, False,
    ]  # fmt: skip


def test_a_retry_before_the_others_were_sent_skips_none_of_them(runs: Runs, folder: Path) -> None:
    """A mended file far behind what was sent so far does not count as the place up to which all was sent."""
    names = ("b.txt", "c.txt", "e.txt", "f.txt")
    limit = for_one(runs, folder, names, 3)
    assert reading(runs, folder, names, items_per_job=1, max_cost=limit).run()["pending_items"] > 0
    (folder / "f.txt").write_text("text f.txt")
    run = reading(runs, folder, names, items_per_job=1)
    assert run.retry_failed()["completed_items"] == 4
    assert said(run) == [f"text {name}: Read." for name in names]


def test_shared_requests_part_when_one_of_their_files_is_mended(runs: Runs, folder: Path) -> None:
    """With `dedupe` two equal files failed together: each is sent for itself once one of them is another."""
    other = folder / "other"
    other.mkdir()
    (other / "b.txt").write_text("text b.txt")
    files = [folder / "b.txt", other / "b.txt", folder / "c.txt"]
    refusing(runs, 0)
    reading(runs, folder, files=files, dedupe=True).run()
    assert state_of(runs).items.same_as == {1: 0}
    refusing(runs)
    (folder / "b.txt").write_text("mended")
    run = reading(runs, folder, files=files, dedupe=True)
    assert run.retry_failed()["completed_items"] == 3
    assert state_of(runs).items.same_as == {}
    with sqlite3.connect(runs.log) as connection:
        rows = connection.execute("SELECT DISTINCT status FROM v_items").fetchall()
    assert rows == [("completed",)]
    assert said(run) == ["mended: Read.", "text b.txt: Read.", "text c.txt: Read."]
    assert verified(runs)


def test_two_bad_files_of_one_name_share_nothing(runs: Runs, folder: Path) -> None:
    """With `dedupe` what cannot be read is nobody's copy; mended to be equal, both go in one request."""
    other = folder / "other"
    other.mkdir()
    files = [folder / "f.txt", other / "f.txt"]
    reading(runs, folder, files=files, dedupe=True).run()
    assert state_of(runs).items.same_as == {}
    assert [type(r.event) for r in runs.events()].count(ItemRefused) == 2
    for file in files:
        file.write_text("the same")
    assert reading(runs, folder, files=files, dedupe=True).retry_failed()["completed_items"] == 2
    assert verified(runs)


def test_a_single_job_lets_bad_files_fail_too(runs: Runs, folder: Path) -> None:
    """`batch(on_bad_file="fail")`."""
    job = batch(
        files=[folder / name for name in NAMES],
        prompt="Read.",
        model=MODEL,
        response_model=Echo,
        on_bad_file="fail",
        state_path=runs.log,
        poll_interval=0.01,
    )
    assert job.run()["failed_items"] == 3
    assert [entry["result"] is None for entry in job.results()] == [True, False, False, True, False, True]


def test_an_estimate_counts_what_is_sent(runs: Runs, folder: Path) -> None:
    """Bad files cost nothing, before the run too."""
    assert reading(runs, folder).estimate().items == 3
