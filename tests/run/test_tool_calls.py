"""An answer that calls tools is a result: completed once, never sent again for being a call."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pydantic
import pytest
from run_support import MODEL, conversations
from typer.testing import CliRunner

from batchata import BatchManager, batch, load_results_from_disk
from batchata.replay.cli import app
from batchata.sandbox import Answer, Sandbox


class Order(pydantic.BaseModel):
    vendor: str
    total: Decimal | None = None


TOOL = {"name": "record", "description": "x", "input_schema": {"type": "object", "properties": {}}}
WEATHER = {
    "type": "tool_use",
    "id": "toolu_2",
    "name": "weather",
    "input": {"city": "Łódź", "days": 1.5, "n": [1]},
}
WEATHER_CALL = {key: WEATHER[key] for key in ("id", "name", "input")}


def call(given: Any, id: str = "toolu_1") -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": "record", "input": given}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said, "citations": None}


type Run = Callable[..., BatchManager]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A finished run of one item that was answered with these blocks."""
    said: dict[str, Any] = {}

    def answer(_: Any) -> Answer:
        return Answer(content=said["blocks"], stop_reason=said["stop"])

    with Sandbox(answers=answer) as sandbox:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", sandbox.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", sandbox.api_key)

        def finished(*blocks: dict[str, Any], stop: str = "tool_use", **given: Any) -> BatchManager:
            said.update(blocks=list(blocks), stop=stop)
            manager = BatchManager(
                messages=conversations(1), model=MODEL, tools=[TOOL], state_path=tmp_path / "log.db",
                results_dir=tmp_path / "out", poll_interval=0.01, retry_delay=0.01, **given,
            )  # fmt: skip
            manager.run()
            return manager

        yield finished


def the_item(manager: BatchManager) -> Any:
    (item,) = manager.items()
    return item


@pytest.mark.parametrize("said", ["", "I will look that up."])
@pytest.mark.parametrize("citations", [False, True])
def test_calls_are_the_result_in_every_way_of_reading(
    run: Run, tmp_path: Path, said: str, citations: bool
) -> None:
    """With their text, the same from results(), items(), the files, a load of them, and export."""
    blocks = ([text(said)] if said else []) + [WEATHER, call({}, "toolu_3")]
    manager = run(*blocks, enable_citations=citations)
    item = the_item(manager)
    assert (item.status, item.attempts, item.error) == ("completed", 1, None)
    assert item.result == {"text": said, "tool_calls": [
        WEATHER_CALL, {"id": "toolu_3", "name": "record", "input": {}}
    ]}  # fmt: skip
    entry = {"result": item.result, "citations": [] if citations else None}
    assert manager.results() == [entry]
    assert load_results_from_disk(tmp_path / "out") == [entry]
    exported = CliRunner().invoke(app, ["export", str(tmp_path / "log.db"), str(tmp_path / "again")])
    assert exported.exit_code == 0, exported.output
    assert load_results_from_disk(tmp_path / "again") == [entry]
    assert manager.stats()["total_items"] == 1


def test_calls_stand_in_tables_and_reports(run: Run, tmp_path: Path) -> None:
    """As JSON in the one column of a text run; replay shows them."""
    run(WEATHER)
    runner, log = CliRunner(), str(tmp_path / "log.db")
    for format in ("csv", "jsonl", "parquet"):
        assert runner.invoke(app, ["export", log, str(tmp_path), "--format", format]).exit_code == 0
    with (tmp_path / "results.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    result = {"text": "", "tool_calls": [WEATHER_CALL]}
    assert json.loads(row["result"]) == result
    assert json.loads((tmp_path / "results.jsonl").read_text())["result"] == result
    shown = runner.invoke(app, ["item", log, "0"])
    assert shown.exit_code == 0
    assert "weather" in shown.output
    assert runner.invoke(app, ["report", log, str(tmp_path / "r.html")]).exit_code == 0
    assert runner.invoke(app, ["verify", log]).exit_code == 0


@pytest.mark.parametrize(
    "blocks",
    [
        [call({"vendor": "Acme", "total": 1200})],
        [call({"Vendor": "Acme", "total": "1,200"})],
        [text("I record it."), call({"vendor": "Acme", "total": 1200})],
        [text('{"vendor": "Acme", "total": 1200}'), call({"vendor": "Acme", "total": 1200})],
        [text('{"vendor": "Acme", "total": 1200}'), WEATHER],
        [WEATHER, call({"vendor": "Acme", "total": 1200})],
        [call({"vendor": "Acme", "total": 1200}), call({"vendor": "Acme", "total": 1200}, "b")],
    ],
)
def test_the_input_of_a_call_is_the_value(run: Run, tmp_path: Path, blocks: list[dict[str, Any]]) -> None:
    """By the rules of any answer: the one value that fits, wherever it stands."""
    if blocks[0].get("input", {}).get("total") == "1,200":
        blocks = [call({"Vendor": "Acme", "total": "1,200.00"})]
    manager = run(*blocks, response_model=Order)
    item = the_item(manager)
    assert (item.status, item.attempts, item.result) == (
        "completed",
        1,
        Order(vendor="Acme", total=Decimal(1200)),
    )
    (entry,) = load_results_from_disk(tmp_path / "out", Order)
    assert entry["result"] == item.result


def test_the_input_of_a_call_keeps_its_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Like any answer."""
    from batchata.answers.reader import Reader
    from batchata.providers.anthropic.results import answer_blocks

    line = (
        b'{"custom_id":"a","result":{"type":"succeeded","message":{"content":[{"type":"tool_use","id":"t",'
        b'"name":"record","input":{"vendor":"A","total":12345678901234567.890}}]}}}'
    )
    value = Reader(Order, False).read(answer_blocks(line), "tool_use").result
    assert isinstance(value, Order)
    assert str(value.total) == "12345678901234567.890"


def test_calls_that_say_nothing_of_the_model_are_the_result(run: Run, tmp_path: Path) -> None:
    """Asked again, it would call again; the files give it back as it is."""
    manager = run(text("Let me look."), WEATHER, response_model=Order, enable_citations=True)
    item = the_item(manager)
    assert (item.status, item.attempts) == ("completed", 1)
    assert item.result == {"text": "Let me look.", "tool_calls": [WEATHER_CALL]}
    entry = {"result": item.result, "citations": {}}
    assert load_results_from_disk(tmp_path / "out", Order) == [entry]
    for format in ("csv", "parquet"):
        args = ["export", str(tmp_path / "log.db"), str(tmp_path), "--format", format]
        assert CliRunner().invoke(app, args).exit_code == 0


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ([call({"vendor": "Acme", "total": "1.234"})], "total: a point"),
        ([call({"vendor": "A"}), call({"vendor": "B"}, "b")], "several different values"),
        ([text('{"vendor": "A"}'), call({"vendor": "B"})], "several different values"),
    ],
)
def test_calls_that_have_two_readings_are_asked_again(
    run: Run, tmp_path: Path, blocks: list[dict[str, Any]], said: str
) -> None:
    """They speak of the model, and do not say one thing of it; replay shows what they say."""
    item = the_item(run(*blocks, response_model=Order, max_attempts=2))
    shown = CliRunner().invoke(app, ["item", str(tmp_path / "log.db"), "0"])
    assert '"vendor"' in shown.output
    assert (item.status, item.attempts, item.error.kind) == ("failed", 2, "invalid_output")
    assert said in item.error.message


def test_a_call_that_was_cut_off_is_none(run: Run) -> None:
    """Its input may lack its end."""
    item = the_item(run(call({"vendor": "Acme"}), stop="max_tokens", max_attempts=1))
    assert (item.status, item.result, item.error.kind) == ("failed", None, "max_tokens")


def test_what_the_service_runs_itself_is_no_call(run: Run) -> None:
    """The answer is the text around it."""
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}}
    item = the_item(run(text("It is "), search, text("so."), stop="end_turn"))
    assert item.result == "It is so."


def test_a_batch_job_gives_calls_too(run: Run, tmp_path: Path) -> None:
    """One job, sent at once."""
    run(WEATHER)
    job = batch(messages=conversations(1), model=MODEL, tools=[TOOL], state_path=tmp_path / "one.db")
    job.run()
    assert job.results() == [{"result": {"text": "", "tool_calls": [WEATHER_CALL]}, "citations": None}]
