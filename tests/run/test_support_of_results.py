"""What a person should look at first: fields that no passage says, and fields without a passage."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydantic
import pytest
from typer.testing import CliRunner

from batchata import BatchManager, load_results_from_disk
from batchata.replay import compare
from batchata.replay import open as open_log
from batchata.replay.cli import app
from batchata.sandbox import Answer, Request, Sandbox

TEXT = "Sold by: ACME\nTotal: $1,200.00\n"


class Bill(pydantic.BaseModel):
    vendor: str
    total: float
    word: str


def _cited(passage: str) -> dict[str, Any]:
    start = TEXT.index(passage)
    return {
        "type": "char_location",
        "cited_text": passage,
        "document_index": 0,
        "document_title": "bill.txt",
        "start_char_index": start,
        "end_char_index": start + len(passage),
    }


def answer(request: Request) -> Answer:
    """The first document right, the second with another total, the third with one of the total alone."""
    title = str(request.documents[0].title)
    total = "9999.99" if title.startswith("1") else "1200.00"
    vendor = [] if title.startswith("2") else [_cited("Sold by: ACME")]
    parts: list[tuple[str, list[dict[str, Any]]]] = [
        ('{"vendor": ', []),
        ('"Acme"', vendor),
        (', "total": ', []),
        (total, [_cited("Total: $1,200.00")]),
        (', "word": ', []),
        ('"Sold"', vendor),
        ("}", []),
    ]
    return Answer(
        content=[{"type": "text", "text": text, "citations": cited or None} for text, cited in parts]
    )


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BatchManager[Bill], Path]]:
    """A run over three documents."""
    folder = tmp_path_factory.mktemp("support")
    for number in range(3):
        (folder / f"{number}.txt").write_text(TEXT)
    with Sandbox(answers=answer) as sandbox:
        manager = BatchManager[Bill](
            files=[folder / f"{number}.txt" for number in range(3)],
            prompt="Read it.",
            model="claude-sonnet-5-5",
            response_model=Bill,
            enable_citations=True,
            items_per_job=2,
            state_path=folder / "run.db",
            results_dir=folder / "out",
            poll_interval=0.01,
            api_key="k",
            base_url=sandbox.url,
        )
        manager.run()
        yield manager, folder


@pytest.fixture(scope="module")
def replay(ran: tuple[BatchManager[Bill], Path]) -> Callable[..., str]:
    """Calls a command on the run's log."""

    def call(command: str, *args: str) -> str:
        found = CliRunner().invoke(app, [command, str(ran[1] / "run.db"), *args], env={"COLUMNS": "200"})
        assert found.exit_code == 0, found.output
        return found.output

    return call


def test_items_name_the_fields_that_no_passage_says(ran: tuple[BatchManager[Bill], Path]) -> None:
    """A passage that stands in its document is no proof of a value that it does not say."""
    items = list(ran[0].items())
    assert [item.unsupported for item in items] == [[], ["total"], []]
    assert [item.uncited for item in items] == [[], [], ["vendor", "word"]]
    (total,) = items[1].cited("total")
    assert (total.grounded, total.supports) == (True, False)
    assert items[0].cited("total")[0].supports is True


def test_stats_count_them(ran: tuple[BatchManager[Bill], Path]) -> None:
    """Each answer once, however often they are asked for."""
    for _ in range(2):
        stats = ran[0].stats()
        assert (stats["unsupported_fields"], stats["uncited_fields"]) == (1, 2)


def test_a_comparison_counts_them(ran: tuple[BatchManager[Bill], Path]) -> None:
    """For each of its runs, here one with itself."""
    for side in compare(ran[1] / "run.db", ran[1] / "run.db").sides:
        assert (side.unsupported_fields, side.uncited_fields) == (1, 2)


def test_results_dir_has_them_beside_the_entries(ran: tuple[BatchManager[Bill], Path]) -> None:
    """The entries keep their shape: what is new has a file of its own."""
    processed = ran[1] / "out" / "processed"
    assert json.loads((processed / "job_0_support.json").read_bytes()) == [
        {"index": 1, "unsupported": ["total"], "uncited": []}
    ]
    assert json.loads((processed / "job_1_support.json").read_bytes()) == [
        {"index": 2, "unsupported": [], "uncited": ["vendor", "word"]}
    ]
    entries = load_results_from_disk(ran[1] / "out", Bill)
    assert [set(entry) for entry in entries] == [{"result", "citations"}] * 3
    assert entries[1]["citations"]["total"][0].supports is False


def test_the_history_of_an_item_says_so(replay: Callable[..., str]) -> None:
    """At the value, not at the passage, which another value may rest on."""
    assert "[2] NOT said there" in replay("item", "1")
    assert "no citation" in replay("item", "2")
    said = json.loads(replay("item", "1", "--json"))
    assert (said["unsupported"], said["uncited"]) == (["total"], [])


def test_exports_have_a_column_for_each(
    ran: tuple[BatchManager[Bill], Path], replay: Callable[..., str]
) -> None:
    """Also the folder of results, which an export writes anew as the run did."""
    out = ran[1] / "exported"
    for format_ in ("csv", "jsonl", "json"):
        replay("export", str(out), "--format", format_)
    rows = list(csv.DictReader((out / "results.csv").open()))
    assert [row["unsupported"] for row in rows] == ["", "total", ""]
    objects = [json.loads(line) for line in (out / "results.jsonl").open()]
    assert [found["uncited"] for found in objects] == [[], [], ["vendor", "word"]]
    assert objects[1]["citations"][1]["supports"] is False
    written, own = (folder / "processed" / "job_0_support.json" for folder in (out, ran[1] / "out"))
    assert written.read_bytes() == own.read_bytes()


def test_show_counts_them(ran: tuple[BatchManager[Bill], Path], replay: Callable[..., str]) -> None:
    """At a glance, in words and as JSON, and the same for programs; of the past they are not counted."""
    said = "1 field whose passages say something else, 2 without a passage, in 2 items"
    assert said in replay("show")
    shown = json.loads(replay("show", "--json"))
    assert (shown["unsupported_fields"], shown["uncited_fields"]) == (1, 2)
    with open_log(ran[1] / "run.db") as log:
        assert log.show()["uncited_fields"] == 2
    assert json.loads(replay("show", "--json", "--at", "1"))["uncited_fields"] is None
