"""Results become a table in one call: rows, a data frame, files and a report, with the names of the items."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel
from run_support import MODEL, Runs

from batchata import BatchataError, BatchManager, InvalidInputError, LogError, load_results_from_disk
from batchata.sandbox import Faults, Sandbox

DOCUMENTS = Path(__file__).resolve().parents[2] / "examples" / "documents"


class Part(BaseModel):
    text: str
    number: Decimal


class Kind(Enum):
    NEW = "new"


class Named(BaseModel):
    """A model with a field that is called like a column of ours, a nested one, and what JSON has not."""

    name: str
    part: Part
    tags: list[str]
    kind: Kind
    kinds: set[Kind]
    took: timedelta


class Invoice(BaseModel):
    vendor: str
    total: float


ANSWER: dict[str, Any] = {"name": "Ünal", "part": {"text": "=1+1", "number": "1.10"}, "tags": ["a", "b"]}
ANSWER |= {"kind": "new", "kinds": ["new"], "took": "PT5S"}
ROWS = [{"id": "A", "text": "one", "status": "new"}, {"id": "B", "text": "two", "status": None}]


@pytest.fixture
def named(tmp_path: Path) -> Any:
    """A run of two rows, whose second item fails."""
    with Sandbox(lambda _: ANSWER, faults=Faults(errored={1})) as sandbox:
        manager = BatchManager(
            rows=ROWS,
            prompt="Read {text}",
            keys="id",
            model=MODEL,
            response_model=Named,
            state_path=tmp_path / "run.db",
            max_attempts=1,
            poll_interval=0.01,
            api_key=sandbox.api_key,
            base_url=sandbox.url,
        )
        manager.run()
        yield manager


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file as Excel reads it."""
    content = path.read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_an_item_is_a_row(named: BatchManager[Named]) -> None:
    """All rows have the same columns, in one order; what is called like a column of ours is set apart."""
    first, second = named.rows()
    assert list(first) == list(second)
    cost = first.pop("cost")
    assert isinstance(cost, Decimal)
    assert first == {
        "item": 0,
        "name": "A",
        "status": "completed",
        "id": "A",
        "text": "one",
        "row.status": "new",
        "result.name": "Ünal",
        "part.text": "=1+1",
        "part.number": Decimal("1.10"),
        "tags": '["a", "b"]',
        "kind": "new",
        "kinds": '["new"]',
        "took": "0:00:05",
        "error": None,
    }
    assert (second["name"], second["status"], second["result.name"]) == ("B", "failed", None)
    assert second["error"].startswith("overloaded_error: ")


class ByDay(BaseModel):
    sums: dict[date, dict[Kind, Decimal]]


def test_keys_that_are_no_texts_are_written_as_in_json(tmp_path: Path) -> None:
    """A day in ISO form, an enum's value."""
    with Sandbox(lambda _: {"sums": {"2026-01-02": {"new": "1.10"}}}) as sandbox:
        place: dict[str, Any] = {"api_key": sandbox.api_key, "base_url": sandbox.url, "poll_interval": 0.01}
        log = tmp_path / "run.db"
        manager = BatchManager[ByDay](
            messages=["Read"], model=MODEL, response_model=ByDay, state_path=log, **place
        )
        manager.run()
    assert [row["sums"] for row in manager.rows()] == ['{"2026-01-02": {"new": "1.10"}}']


class Rare(BaseModel):
    latest: deque[Decimal]
    data: bytes
    counts: dict[UUID, set[Kind]]


def test_what_json_has_not_is_written_as_in_json() -> None:
    """Not as Python shows it."""
    key = "12345678-1234-5678-1234-567812345678"
    with Sandbox(lambda _: {"latest": ["1.10"], "data": "abc", "counts": {key: ["new"]}}) as sandbox:
        place: dict[str, Any] = {"api_key": sandbox.api_key, "base_url": sandbox.url, "poll_interval": 0.01}
        manager = BatchManager[Rare](messages=["Read"], model=MODEL, response_model=Rare, **place)
        manager.run()
        (row,) = manager.rows()
    assert (row["latest"], row["data"], row["counts"]) == ('["1.10"]', "abc", f'{{"{key}": ["new"]}}')


def test_rows_make_a_data_frame(named: BatchManager[Named]) -> None:
    """Pandas gets a float for the cost, Polars takes the rows as they are."""
    pandas: Any = pytest.importorskip("pandas")
    frame = named.to_pandas()
    assert list(frame.columns) == list(named.rows()[0])
    assert frame["cost"].dtype == "float64"
    assert frame.loc[frame["status"] == "failed", "name"].tolist() == ["B"]
    assert pandas.isna(frame["result.name"][1])
    polars: Any = pytest.importorskip("polars")
    assert polars.DataFrame(named.rows()).shape == frame.shape


def test_a_csv_opens_in_excel(named: BatchManager[Named], tmp_path: Path) -> None:
    """It has a mark of UTF-8, no formula and no JSON: lists are in words; and the columns of the rows."""
    assert named.export(tmp_path / "out", format="csv") == [tmp_path / "out" / "results.csv"]
    first, second = table(tmp_path / "out" / "results.csv")
    assert (first["result.name"], first["result.part.text"], first["result.tags"]) == (
        "Ünal",
        "'=1+1",
        "a; b",
    )
    assert (first["name"], first["row.text"], first["row.status"]) == ("A", "one", "new")
    assert (second["name"], second["status"], second["row.status"]) == ("B", "failed", "")
    with pytest.raises(InvalidInputError, match="is there already"):
        named.export(tmp_path / "out", format="csv")
    named.export(tmp_path / "out", format="csv", force=True)


def test_citations_are_rows_of_their_own(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each says its item, field, value, page and quote; a CSV has them in a second file."""
    manager = BatchManager(
        files=[DOCUMENTS / "invoice-brightwater.pdf"],
        prompt="Extract.",
        model=MODEL,
        response_model=Invoice,
        enable_citations=True,
        state_path=tmp_path / "run.db",
        poll_interval=0.01,
    )
    manager.run()
    total = {row["field"]: row for row in manager.citations_rows()}["total"]
    assert total == {
        "item": 0,
        "name": "invoice-brightwater.pdf",
        "field": "total",
        "value": "857.0",
        "document": "invoice-brightwater.pdf",
        "page": 2,
        "quote": "Amount due: $857.00",
        "grounded": True,
        "supports": True,
    }
    (row,) = manager.rows()
    assert (row["pages.total"], row["unsupported"], row["uncited"]) == ("2", None, None)
    results, citations = manager.export(tmp_path, format="csv")
    assert "citations" not in table(results)[0]
    assert table(results)[0]["source"] == str(DOCUMENTS / "invoice-brightwater.pdf")
    found = {row["field"]: row for row in table(citations)}["total"]
    assert (found["page"], found["quote"], found["grounded"]) == ("2", "Amount due: $857.00", "true")


@pytest.mark.parametrize("wrong", [None, 5, "", b"out", "a\0b", "a\ud800"])
def test_where_results_go_is_a_path(named: BatchManager[Named], wrong: Any) -> None:
    """What no system takes as a path is refused by the argument's name, wherever one is given."""
    calls: list[tuple[str, Callable[[Any], object]]] = [
        ("folder", named.export),
        ("path", named.report),
        ("results_dir", load_results_from_disk),
    ]
    for name, call in calls:
        with pytest.raises(InvalidInputError, match=f"^{name} "):
            call(wrong)


def test_a_tilde_is_the_home_directory(
    named: BatchManager[Named], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a shell has it, unless something of that name is there."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert named.export("~/out", format="csv")[0] == tmp_path / "home" / "out" / "results.csv"
    (tmp_path / "~").mkdir()
    (tmp_path / "~" / "mine").mkdir()
    assert named.export("~/mine", format="csv")[0] == Path("~/mine/results.csv")


def test_a_report_is_written_by_the_manager(named: BatchManager[Named], tmp_path: Path) -> None:
    """It is the page that `replay report` writes."""
    page = named.report(tmp_path / "run.html")
    assert page == tmp_path / "run.html"
    assert str(named.run_id) in page.read_text(encoding="utf-8")


def test_a_log_in_memory_is_exported_too(runs: Runs, tmp_path: Path) -> None:
    """Files need no log on disk; without a run there is nothing to write."""
    manager = runs.manager(2, state_path=None)
    for write in (manager.report, manager.export):
        with pytest.raises(LogError, match=r"run\(\) it first"):
            write(tmp_path / "out")
    assert [row["status"] for row in manager.rows()] == ["pending", "pending"]
    manager.run()
    manager.export(tmp_path / "out")
    assert (tmp_path / "out" / "processed" / "job_0_results.json").is_file()
    with pytest.raises(BatchataError, match="json, jsonl, csv, parquet, xlsx, not 'xls'"):
        manager.export(tmp_path / "other", format="xls")
