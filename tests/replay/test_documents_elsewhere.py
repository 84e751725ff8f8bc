"""Whoever is handed a log and its documents has the citations checked, wherever the documents are now."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel
from typer.testing import Result

from batchata import BatchManager
from batchata.sandbox import Sandbox

DOCUMENT = Path(__file__).resolve().parents[2] / "examples" / "documents" / "invoice-brightwater.pdf"
type Replay = Callable[..., Result]


class Invoice(BaseModel):
    vendor: str
    total: float


@pytest.fixture(scope="module")
def handed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a log, whose document lies deeper in it now, under another name."""
    folder = tmp_path_factory.mktemp("handed")
    there = shutil.copy(DOCUMENT, folder)
    with Sandbox() as sandbox:
        BatchManager(
            files=[there],
            prompt="Extract the invoice.",
            model="claude-sonnet-5-5",
            response_model=Invoice,
            enable_citations=True,
            state_path=folder / "run.db",
            poll_interval=0.01,
            api_key=sandbox.api_key,
            base_url=sandbox.url,
        ).run()
    (folder / "papers" / "2026").mkdir(parents=True)
    shutil.move(there, folder / "papers" / "2026" / "17.pdf")
    return folder


def grounded(told: Result) -> set[object]:
    """What the commands say of the citations."""
    assert told.exit_code == 0, told.output
    return {one.get("grounded") for cited in json.loads(told.stdout)["citations"].values() for one in cited}


def test_citations_are_checked_in_documents_that_have_the_content(handed: Path, replay: Replay) -> None:
    """Known by their bytes, at any depth and under any name; without them it cannot be told."""
    asked = ("item", handed / "run.db", "0", "--json")
    assert grounded(replay(*asked)) == {None}
    assert grounded(replay(*asked, "--files", handed / "papers")) == {True}
    shown = replay(*asked[:-1]).stdout
    assert "page 2, not checked: Amount due" in shown
    assert "the document is not where it was: --files DIR finds it" in shown
    assert grounded(replay(*asked, "--files", Path(__file__).parent)) == {None}
    missing = replay(*asked, "--files", handed / "nowhere")
    assert (missing.exit_code, "does not exist" in missing.stderr) == (2, True)


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
