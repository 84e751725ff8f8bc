"""Rules of `export`: the results as the run wrote them, and as tables that are safe and typed."""

from __future__ import annotations

import csv
import json
import os
import stat
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import forked
import pytest
from big_logs import write_big_log
from pydantic import BaseModel, Field, field_validator
from typer.testing import CliRunner, Result

from batchata import BatchManager, load_results_from_disk
from batchata.replay.cli import app
from batchata.sandbox import Faults, Sandbox
from batchata.views.column_types import result_columns

type Replay = Callable[..., Result]

DOCUMENTS = Path(__file__).resolve().parents[2] / "examples" / "documents"


class Line(BaseModel):
    text: str
    price: Decimal


class Order(BaseModel):
    vendor: str
    total: float
    due: date | None = None
    sent: datetime | None = None
    paid: bool = False
    count: int = 1
    lines: list[Line] = []
    extra: dict[str, int] = {}
    address: Line | None = None


class Loose(BaseModel):
    vendor: str
    total: float | str


class Cleaned(BaseModel):
    """A class that does more than its schema says."""

    total: float

    @field_validator("total", mode="before")
    @classmethod
    def _without_currency(cls, value: Any) -> Any:
        return value.removeprefix("about ") if isinstance(value, str) else value


class Invoice(BaseModel):
    vendor: str
    total: float


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., BatchManager]]:
    """Makes finished runs with a log `run.db`; answers are given one for each item."""
    sandboxes: list[Sandbox] = []

    def make(answers: Any, count: int = 1, faults: Faults | None = None, **options: Any) -> BatchManager:
        if isinstance(answers, list):
            given = list(answers)
            count = len(given)
            served = Sandbox(lambda request: given[int(request.text)], faults=faults).start()
        else:
            served = Sandbox(answers, faults=faults).start()
        sandboxes.append(served)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", served.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
        inputs: dict[str, Any] = {"messages": [[{"role": "user", "content": str(n)}] for n in range(count)]}
        manager = BatchManager(
            **{
                **({} if "files" in options else inputs),
                "model": "claude-sonnet-5-5",
                "state_path": tmp_path / "run.db",
                "run_id": "run",
                "poll_interval": 0.01,
                "retry_delay": 0.01,
                "items_per_job": 3,
                **options,
            }
        )
        manager.run()
        return manager

    yield make
    for served in sandboxes:
        served.stop()


def export(replay: Replay, path: Path, folder: Path, *options: object) -> None:
    """Export without a word on stderr."""
    result = replay("export", path, folder, *options)
    assert (result.exit_code, result.stderr) == (0, ""), result.output


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path in there."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("model", [None, Order])
def test_results_dir_is_rebuilt_byte_for_byte(
    finished: Any, tmp_path: Path, replay: Replay, model: type[BaseModel] | None
) -> None:
    """With retries, strays, a failed item and nested results: every file of the run, and no other."""
    answer = {
        "vendor": "Müller «& Co»",
        "total": 1.10,
        "due": "2026-01-31",
        "lines": [{"text": "a", "price": "1.10"}],
    }
    faults = Faults(
        only_batches=[0],
        expired=lambda custom_id, number: number == 1,
        errored=lambda custom_id, number: number == 2,
        error_type="invalid_request_error",
        foreign=1,
    )
    out = tmp_path / "out"
    finished(lambda request: answer, 8, faults, response_model=model, results_dir=out)
    export(replay, tmp_path / "run.db", tmp_path / "again")
    assert files(tmp_path / "again") == files(out)
    assert len(files(out)) > 6


def test_cited_results_are_rebuilt_too(finished: Any, tmp_path: Path, replay: Replay) -> None:
    """Citations by field, from real documents, and what is loaded from the files is what the run gives."""
    manager = finished(
        None,
        files=[DOCUMENTS / "invoice-brightwater.pdf", DOCUMENTS / "invoice-harbor-lane.pdf"],
        prompt="Extract the invoice.",
        response_model=Invoice,
        enable_citations=True,
        results_dir=tmp_path / "out",
        raw_results_dir=tmp_path / "lines",
    )
    export(replay, tmp_path / "run.db", tmp_path / "again")
    assert files(tmp_path / "again" / "processed") == files(tmp_path / "out" / "processed")
    assert files(tmp_path / "again" / "raw") == files(tmp_path / "lines")
    assert load_results_from_disk(tmp_path / "again", Invoice) == manager.results()
    export(replay, tmp_path / "run.db", tmp_path / "tables", "--format", "jsonl")
    rows = [json.loads(line) for line in (tmp_path / "tables" / "results.jsonl").read_text().splitlines()]
    for row, entry in zip(rows, manager.results(), strict=True):
        by_field = {(c["field"], c["cited_text"], c["start_page_number"]) for c in row["citations"]}
        assert by_field == {
            (field, citation.cited_text, citation.start_page_number)
            for field, found in entry["citations"].items()
            for citation in found
        }


def test_every_row_says_where_it_came_from(troubled: Path, replay: Replay, tmp_path: Path) -> None:
    """Run, index, attempt, job, batch, model, cost and status of each item, failed ones included."""
    export(replay, troubled, tmp_path, "--format", "jsonl")
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    shown = json.loads(replay(troubled, "--json").stdout)
    batches = {job["job"]: job["batch_id"] for job in shown["jobs"]}
    assert [row["index"] for row in rows] == list(range(10))
    assert {row["run_id"] for row in rows} == {shown["run_id"]}
    assert all(row["batch_id"] == batches[row["job"]] and row["model"] == shown["model"] for row in rows)
    assert sum(Decimal(row["cost"]) for row in rows) == Decimal(shown["total_cost"])
    assert [row["index"] for row in rows if row["status"] == "failed"] == [2, 7]
    assert rows[1]["attempt"] == 2
    assert rows[2]["error_kind"] == "invalid_request_error"
    assert (rows[2]["result"], rows[0]["result"]) == (None, "ok")


HOSTILE = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", '=HYPERLINK("http://x","y")']  # noqa: RUF001 - a full-width sign, as meant


def test_no_cell_of_a_csv_is_a_formula(finished: Any, tmp_path: Path, replay: Replay) -> None:
    """Texts that spreadsheets would compute are quoted with an apostrophe; numbers stay numbers."""
    finished([{"vendor": text, "total": -1.5} for text in HOSTILE], response_model=Order)
    export(replay, tmp_path / "run.db", tmp_path, "--format", "csv")
    rows = table(tmp_path / "results.csv")
    assert [row["result.vendor"] for row in rows] == [f"'{text}" for text in HOSTILE]
    assert {row["result.total"] for row in rows} == {"-1.5"}
    assert all(not cell.startswith(("=", "+", "@", "\t", "\r")) for row in rows for cell in row.values())


def test_no_cell_of_a_csv_moves_a_cursor(finished: Any, tmp_path: Path, replay: Replay) -> None:
    """Control characters, which a terminal obeys, are visible escapes; line breaks and tabs stay."""
    finished([{"vendor": "a\x1b[2J\x07\x00\x9b\tb\nc", "total": 1}], response_model=Order)
    export(replay, tmp_path / "run.db", tmp_path, "--format", "csv")
    (row,) = table(tmp_path / "results.csv")
    assert row["result.vendor"] == "a\\x1b[2J\\x07\\x00\\x9b\tb\nc"


def test_a_csv_holds_every_value(finished: Any, tmp_path: Path, replay: Replay) -> None:
    """A column for each field, nested ones by dots, lists in words; line breaks and quotes survive."""
    answer = {
        "vendor": 'A "quoted", name\nin two lines',
        "total": 2,
        "paid": True,
        "lines": [{"text": "x", "price": "1.10"}],
        "extra": {"b": 1},
        "address": {"text": "here", "price": 3},
    }
    finished([answer, "no JSON"], response_model=Order, max_attempts=1)
    export(replay, tmp_path / "run.db", tmp_path, "--format", "csv")
    row, failed = table(tmp_path / "results.csv")
    assert row["result.vendor"] == 'A "quoted", name\nin two lines'
    assert (row["result.paid"], row["result.count"], row["result.due"]) == ("true", "1", "")
    assert row["result.lines"] == "text: x, price: 1.10"
    assert (row["result.extra"], row["result.address.price"]) == ("b: 1", "3")
    assert (failed["status"], failed["result.vendor"], failed["error_kind"]) == (
        "failed",
        "",
        "invalid_output",
    )


def test_parquet_has_the_types_of_the_model(finished: Any, tmp_path: Path, replay: Replay) -> None:
    """Whole numbers, floats, dates, times in UTC, lists of structs, and money that adds up exactly."""
    parquet = pytest.importorskip("pyarrow.parquet")
    answer = {
        "vendor": "=A",
        "total": 2,
        "due": "2026-01-31",
        "sent": "2026-01-31T12:00:00+02:00",
        "lines": [{"text": "x", "price": "1.10"}],
    }
    manager = finished([answer, {"vendor": "B", "total": 1}, "no JSON"], response_model=Order, max_attempts=1)
    export(replay, tmp_path / "run.db", tmp_path, "--format", "parquet")
    found = parquet.read_table(tmp_path / "results.parquet")
    types = {field.name: str(field.type) for field in found.schema}
    assert types["index"] == types["result.count"] == types["input_tokens"] == "int64"
    assert (types["result.total"], types["result.due"]) == ("double", "date32[day]")
    assert (types["result.sent"], types["result.paid"]) == ("timestamp[us, tz=UTC]", "bool")
    assert types["result.lines"].endswith("struct<text: string, price: string>>")
    first, second, failed = found.to_pylist()
    assert (first["result.vendor"], first["result.due"]) == ("=A", date(2026, 1, 31))
    assert first["result.sent"] == datetime(2026, 1, 31, 10, tzinfo=UTC)
    assert first["result.lines"] == [{"text": "x", "price": "1.10"}]
    assert (second["result.lines"], failed["result.lines"], failed["status"]) == ([], None, "failed")
    assert sum(row["cost"] for row in found.to_pylist()) == manager.stats()["total_cost"]


def test_a_value_too_big_for_its_column_is_named(finished: Any, tmp_path: Path, replay: Replay) -> None:
    """A number of thirty digits fits JSON and no column of 64 bits; nothing half-written is left."""
    pytest.importorskip("pyarrow")
    finished([{"vendor": "A", "total": 1, "count": 10**30}], response_model=Order)
    result = replay("export", tmp_path / "run.db", tmp_path / "out", "--format", "parquet")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "column result.count" in result.stderr
    assert "--format jsonl" in result.stderr
    assert files(tmp_path / "out") == {}
    export(replay, tmp_path / "run.db", tmp_path / "out", "--format", "jsonl")


@pytest.mark.parametrize(("format", "package"), [("parquet", "pyarrow"), ("xlsx", "openpyxl")])
def test_without_its_package_the_extra_is_named(
    done: Path, tmp_path: Path, replay: Replay, monkeypatch: pytest.MonkeyPatch, format: str, package: str
) -> None:
    """One line that says what to install, and no file is left."""
    monkeypatch.setitem(sys.modules, package, None)
    result = replay("export", done, tmp_path / "out", "--format", format)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert f"pip install 'batchata[{format}]'" in result.stderr
    assert files(tmp_path / "out") == {}


def sheets(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Each sheet of a workbook, as a list of rows by their heads."""
    book = pytest.importorskip("openpyxl").load_workbook(path)
    found: dict[str, list[dict[str, Any]]] = {}
    for sheet in book:
        heads, *rows = sheet.iter_rows(values_only=True)
        found[sheet.title] = [dict(zip(heads, row, strict=True)) for row in rows]
    return found


def test_a_workbook_has_a_sheet_of_items_and_one_of_citations(
    finished: Any, tmp_path: Path, replay: Replay
) -> None:
    """Days, times in UTC, numbers and money are what they are; lists are JSON, long numbers are texts."""
    pytest.importorskip("openpyxl")
    answer = {
        "vendor": "a_x0041_\x1b",
        "total": 2.5,
        "due": "2026-01-31",
        "sent": "2026-01-31T12:00:00+02:00",
        "lines": [{"text": "x", "price": "1.10"}],
        "count": 12345678901234567890,
    }
    manager = finished([answer, "no JSON"], response_model=Order, max_attempts=1)
    export(replay, tmp_path / "run.db", tmp_path, "--format", "xlsx")
    found = sheets(tmp_path / "results.xlsx")
    first, failed = found["Items"]
    assert found["Citations"] == []
    assert (first["result.total"], first["result.count"]) == (2.5, "12345678901234567890")
    assert (first["result.due"], first["result.sent"]) == (datetime(2026, 1, 31), datetime(2026, 1, 31, 10))  # noqa: DTZ001 - without a zone, as the field has it
    assert (first["result.lines"], first["result.paid"]) == ('[{"text":"x","price":"1.10"}]', False)
    assert first["result.vendor"] == "a_x005F_x0041_\\x1b"  # as Excel writes what would be a character to it
    assert (failed["status"], failed["result.vendor"], failed["index"]) == ("failed", None, 1)
    assert Decimal(str(first["cost"] + failed["cost"])) == manager.stats()["total_cost"]


class Extremes(BaseModel):
    """Kinds that tables have no columns for, and moments that are in no year of UTC."""

    pairs: list[tuple[int, str]]
    mixed: list[int | str]
    either: int | str
    first: datetime
    last: datetime


EXTREMES = {
    "pairs": [[1, "a"], [2, "b"]],
    "mixed": [1, "x"],
    "either": "5",
    "first": "0001-01-01T00:00:00+05:00",
    "last": "9999-12-31T23:59:59-05:00",
}


def test_what_has_no_type_of_its_own_is_one_text_in_a_cell(
    finished: Any, tmp_path: Path, replay: Replay
) -> None:
    """No JSON within JSON; and a moment that UTC has no year for is as the answer has it."""
    pytest.importorskip("openpyxl")
    finished([EXTREMES], response_model=Extremes)
    export(replay, tmp_path / "run.db", tmp_path, "--format", "xlsx")
    (row,) = sheets(tmp_path / "results.xlsx")["Items"]
    assert (row["result.pairs"], row["result.mixed"]) == ('[[1,"a"],[2,"b"]]', '[1,"x"]')
    assert (row["result.either"], row["result.last"]) == ("5", datetime(9999, 12, 31, 23, 59, 59))  # noqa: DTZ001 - Excel has no zones
    export(replay, tmp_path / "run.db", tmp_path, "--format", "csv")
    (cells,) = table(tmp_path / "results.csv")
    assert (cells["result.first"], cells["result.last"]) == (EXTREMES["first"], EXTREMES["last"])


def test_each_citation_of_a_workbook_names_its_item_and_field(
    finished: Any, tmp_path: Path, replay: Replay
) -> None:
    """One row a citation, in the order of the items."""
    pytest.importorskip("openpyxl")
    finished(
        None,
        files=[DOCUMENTS / "invoice-brightwater.pdf", DOCUMENTS / "invoice-harbor-lane.pdf"],
        prompt="Extract the invoice.",
        response_model=Invoice,
        enable_citations=True,
    )
    for format in ("xlsx", "jsonl"):
        export(replay, tmp_path / "run.db", tmp_path, "--format", format)
    rows = sheets(tmp_path / "results.xlsx")["Citations"]
    told = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert rows
    assert [(row["index"], row["field"], row["cited_text"]) for row in rows] == [
        (item["index"], citation.get("field"), citation["cited_text"])
        for item in told
        for citation in item["citations"] or []
    ]


def test_no_cell_of_a_workbook_is_a_formula(finished: Any, tmp_path: Path, replay: Replay) -> None:
    """Texts that Excel would compute, or take for an error, are texts, also when somebody edits the cell."""
    openpyxl = pytest.importorskip("openpyxl")
    texts = [*HOSTILE, "#N/A"]
    finished([{"vendor": text, "total": -1.5} for text in texts], response_model=Order)
    export(replay, tmp_path / "run.db", tmp_path, "--format", "xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "results.xlsx")["Items"]
    column = next(cell.column for cell in sheet[1] if cell.value == "result.vendor")
    cells = [sheet.cell(row, column) for row in range(2, len(texts) + 2)]
    assert [cell.value.replace("\r", "\n") for cell in cells] == [text.replace("\r", "\n") for text in texts]
    assert {cell.data_type for cell in cells} == {"s"}
    assert all(cell.quotePrefix for cell in cells)


def test_a_text_too_long_for_a_cell_is_named(finished: Any, tmp_path: Path, replay: Replay) -> None:
    """Excel would cut it without a word; nothing is written, and another format is named."""
    pytest.importorskip("openpyxl")
    finished([{"vendor": "x" * 40_000, "total": 1}], response_model=Order, max_tokens=60_000)
    result = replay("export", tmp_path / "run.db", tmp_path / "out", "--format", "xlsx")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "column result.vendor: the text of item 0 has 40,000 characters" in result.stderr
    assert files(tmp_path / "out") == {}


@pytest.mark.parametrize("format", ["json", "jsonl", "csv"])
def test_another_model_reads_the_answers_again(
    finished: Any, tmp_path: Path, replay: Replay, format: str
) -> None:
    """What did not fit the run's model may fit this one; columns are those of the other model."""
    finished(
        [{"vendor": "A", "total": 1}, {"vendor": "B", "total": "much"}],
        response_model=Invoice,
        max_attempts=1,
    )
    export(replay, tmp_path / "run.db", tmp_path, "--format", format, "--model", f"{__name__}:Loose")
    if format == "csv":
        assert [row["result.total"] for row in table(tmp_path / "results.csv")] == ["1.0", "much"]
    elif format == "jsonl":
        rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
        assert [(row["status"], row["result"]["total"]) for row in rows] == [
            ("completed", 1),
            ("completed", "much"),
        ]
    else:
        entries = load_results_from_disk(tmp_path, Loose)
        assert [entry["result"].total for entry in entries] == [1, "much"]


def test_what_only_the_class_itself_can_read_is_told(finished: Any, tmp_path: Path, replay: Replay) -> None:
    """A validator is in no schema: exit code 1 names the model to give, and with it all is there."""
    manager = finished(
        [{"total": "about 5"}, {"total": 6}], response_model=Cleaned, results_dir=tmp_path / "out"
    )
    assert manager.results()[0]["result"].total == 5
    result = replay("export", tmp_path / "run.db", tmp_path / "again")
    assert result.exit_code == 1
    assert "1 answer could not be read" in result.stderr
    assert f"--model {__name__}:Cleaned" in result.stderr
    export(replay, tmp_path / "run.db", tmp_path / "again", "--force", "--model", f"{__name__}:Cleaned")
    assert files(tmp_path / "again") == files(tmp_path / "out")


def test_nothing_foreign_is_overwritten(done: Path, tmp_path: Path, replay: Replay) -> None:
    """What is there stays unless --force is given, and files that are none of ours even then."""
    for format, name in (("csv", "results.csv"), ("json", "processed/job_7_results.json")):
        there = tmp_path / name
        there.parent.mkdir(exist_ok=True)
        there.write_text("mine")
        result = replay("export", done, tmp_path, "--format", format)
        assert (result.exit_code, result.stderr.count("\n"), there.read_text()) == (2, 1, "mine")
        assert "--force" in result.stderr
        export(replay, done, tmp_path, "--format", format, "--force")
    assert not (tmp_path / "processed" / "job_7_results.json").exists()
    assert len(load_results_from_disk(tmp_path)) == 12
    (tmp_path / "raw" / "notes.txt").write_text("mine")
    result = replay("export", done, tmp_path, "--force")
    assert "was not written by Batchata" in result.stderr
    assert (tmp_path / "raw" / "notes.txt").read_text() == "mine"


def test_a_killed_export_is_made_again(done: Path, tmp_path: Path, replay: Replay) -> None:
    """A file that had no name yet is no file of the user's, with and without --force."""
    for more in ((), ("--force",)):
        left = [
            tmp_path / "processed/.job_1_results.json.ab12_xyz",
            tmp_path / "raw/.job_2_raw.jsonl.00000000",
        ]
        for path in left:
            path.parent.mkdir(exist_ok=True)
            path.write_text("half")
        export(replay, done, tmp_path, *more)
        assert len(load_results_from_disk(tmp_path)) == 12
        assert not any(path.exists() for path in left)


def test_a_folder_that_cannot_be_used(done: Path, tmp_path: Path, replay: Replay) -> None:
    """A file in its place, a folder that may not be written to: one line and exit code 2."""
    (tmp_path / "file").touch()
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(stat.S_IRUSR | stat.S_IXUSR)
    places = [tmp_path / "file", tmp_path / "file" / "below"]
    if os.geteuid() != 0:  # root may write anywhere
        places += [closed, closed / "below"]
    for place in places:
        for format in ("json", "csv"):
            result = replay("export", done, place, "--format", format)
            assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1), result.output


def test_an_unknown_format_names_those_there_are(done: Path, tmp_path: Path, replay: Replay) -> None:
    """json, jsonl, csv, parquet, xlsx."""
    result = replay("export", done, tmp_path, "--format", "ods")
    assert result.exit_code == 2
    assert "json, jsonl, csv, parquet, xlsx" in result.stderr


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (int, "whole"),
        (float | None, "number"),
        (bool, "yes_no"),
        (Decimal, "text"),
        (date, "date"),
        (datetime | None, "time"),
        (int | str, "json"),
        (dict[str, int], "json"),
        (tuple[int, str], "json"),
        (Any, "json"),
        (list[int], "list"),
        (list[Line], "list"),
    ],
)
def test_every_type_has_a_column(annotation: Any, kind: str) -> None:
    """What has no single type is JSON as a text: nothing is lost, nothing is guessed."""
    model: Any = type("Model", (BaseModel,), {"__annotations__": {"x": annotation}, "__module__": __name__})
    (column,) = result_columns(model.model_json_schema(mode="serialization"))
    assert (column.name, column.type.kind) == ("result.x", kind)


class Node(BaseModel):
    name: str
    child: Node | None = Field(default=None)


def test_a_model_that_holds_itself_ends() -> None:
    """Its own kind inside is JSON."""
    columns = result_columns(Node.model_json_schema(mode="serialization"))
    assert {column.name: column.type.kind for column in columns} == {
        "result.name": "text",
        "result.child": "json",
    }


def test_memory_of_files_of_jobs_does_not_grow_with_the_items(tmp_path: Path) -> None:
    """Three times as many items take no more than their counters: a job is written when it has been read."""
    peaks = []
    for number, count in enumerate((100, 300, 900)):  # the first also loads what an export needs
        path = write_big_log(tmp_path / f"{number}.db", count)
        tracemalloc.start()
        try:
            arguments = ["export", str(path), str(tmp_path / f"{number}"), "--format", "json"]
            assert CliRunner().invoke(app, arguments).exit_code == 0
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[2] - peaks[1] < 600 * 1_000, peaks  # bytes; an answer alone has as many


@pytest.mark.parametrize(("format", "few"), [("csv", 500), ("parquet", 1_000), ("xlsx", 500)])
def test_memory_of_tables_does_not_grow_with_the_items(tmp_path: Path, format: str, few: int) -> None:
    """1,600 more items add less to the peak than their results would take, if all were held at once.

    A thousand are written to Parquet together.
    """
    if format in ("parquet", "xlsx"):
        pytest.importorskip("pyarrow" if format == "parquet" else "openpyxl")
    script = (
        "import resource, sys\n"
        "from typer.testing import CliRunner\n"
        "from batchata.replay.cli import app\n"
        "for number, path in enumerate(sys.argv[2:]):\n"
        "    arguments = ['export', path, f'{number}', '--format', sys.argv[1]]\n"
        "    assert CliRunner().invoke(app, arguments).exit_code == 0\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    logs = [write_big_log(tmp_path / f"{count}.db", count) for count in (few, few + 1_600)]
    ran = forked.run(["-c", script, format, *logs], cwd=tmp_path, check=True)
    small, large = map(int, ran.stdout.split())
    assert large - small < 6_000, ran.stdout  # KiB
