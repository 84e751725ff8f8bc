"""Whoever is handed a log and its documents has the citations checked, wherever the documents are now."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from report_support import DOCUMENTS, Invoice, citing, records
from typer.testing import Result

from batchata import load_results_from_disk
from batchata.sandbox import Sandbox

DOCUMENT = DOCUMENTS / "invoice-brightwater.pdf"
type Replay = Callable[..., Result]


@pytest.fixture(scope="module")
def handed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two logs, whose document lies deeper in it now, under another name.

    When the answer was collected, it was still where it had been for run.db, and gone for late.db.
    """
    folder = tmp_path_factory.mktemp("handed")
    there = Path(shutil.copy(DOCUMENT, folder))
    (folder / "papers" / "2026").mkdir(parents=True)
    with Sandbox() as sandbox:
        on_time, late = (citing(sandbox, folder / name, [there]) for name in ("run.db", "late.db"))
        on_time.run()
        late.submit()
        shutil.move(there, folder / "papers" / "2026" / "17.pdf")
        late.run()
    return folder


def grounded(told: Result) -> set[tuple[object, bool]]:
    """What the command says of the citations, and whether of an earlier day."""
    assert told.exit_code == 0, told.output
    cited = [one for each in json.loads(told.stdout)["citations"].values() for one in each]
    return {(one.get("grounded"), "checked_at" in one) for one in cited}


def test_citations_are_checked_in_documents_that_have_the_content(handed: Path, replay: Replay) -> None:
    """Known by their bytes, at any depth and under any name; without them it cannot be told."""
    asked = ("item", handed / "late.db", "0", "--json")
    assert grounded(replay(*asked)) == {(None, False)}
    assert grounded(replay(*asked, "--files", handed / "papers")) == {(True, False)}
    shown = replay(*asked[:-1]).stdout
    assert "page 2, not checked: Amount due" in shown
    assert "the document is not where it was: --files DIR finds it" in shown
    assert grounded(replay(*asked, "--files", Path(__file__).parent)) == {(None, False)}
    missing = replay(*asked, "--files", handed / "nowhere")
    assert (missing.exit_code, "does not exist" in missing.stderr) == (2, True)


def test_without_them_the_log_says_what_was_found_when_answers_were_collected(
    handed: Path, replay: Replay, tmp_path: Path
) -> None:
    """With the day: in an item, in tables and results, in the report, and counted where it is verified."""
    log = handed / "run.db"
    (event,) = map(
        json.loads, replay("events", log, "--type", "citations_checked", "--json").stdout.splitlines()
    )
    assert event["data"]["answers"] == [[0, 1, "++", []]]
    assert "2 found" in replay("events", log, "--item", "0", "--type", "citations_checked").stdout
    asked = ("item", log, "0", "--json")
    assert grounded(replay(*asked)) == {(True, True)}
    assert grounded(replay(*asked, "--files", handed / "papers")) == {(True, False)}
    told = f"found there (checked when collected on {event['at'][:10]}): Amount due"
    assert told in replay("item", log, "0").stdout
    for form in ("csv", "json"):
        assert replay("export", log, tmp_path / form, "--format", form).exit_code == 0
    with (tmp_path / "csv" / "results_citations.csv").open(encoding="utf-8-sig") as file:
        assert {(row["grounded"], row["checked_at"]) for row in csv.DictReader(file)} == {
            ("true", event["at"])
        }
    (entry,) = load_results_from_disk(tmp_path / "json", Invoice)
    assert entry["citations"]["total"][0].checked_at == event["at"]
    assert replay("report", log, tmp_path / "run.html").exit_code == 0
    assert "(checked when collected on" in str(records((tmp_path / "run.html").read_text(encoding="utf-8")))
    (run,) = json.loads(replay("verify", log, "--json").stdout)["runs"]
    assert run["citations_checked"] == {"found": 2, "not_found": 0, "unclear": 0}
    assert "citations   2 found in the documents, as checked when" in replay("verify", log).stdout
    assert "citations" not in replay("verify", handed / "late.db").stdout


def test_exports_pages_and_reports_take_them_too(handed: Path, replay: Replay, tmp_path: Path) -> None:
    """A table says what was found, a picture is drawn, and the report shows the page."""
    log, files = handed / "run.db", ("--files", handed / "papers")
    assert replay("export", log, tmp_path / "out", "--format", "csv", *files).exit_code == 0
    with (tmp_path / "out" / "results_citations.csv").open(encoding="utf-8-sig") as file:
        assert {row["grounded"].lower() for row in csv.DictReader(file)} == {"true"}
    assert replay("page", log, "0", "total", tmp_path / "total.png").exit_code == 2
    assert replay("page", log, "0", "total", tmp_path / "total.png", *files).exit_code == 0
    sizes = []
    for more in ((), files):
        assert replay("report", log, tmp_path / "run.html", *more).exit_code == 0
        sizes.append((tmp_path / "run.html").stat().st_size)
    assert sizes[1] > sizes[0] + 5_000
