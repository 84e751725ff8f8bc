"""What goes wrong in a first hour, and what is said of it: the table of MESSAGES.md.

python tests/run/messages_table.py     writes it anew
"""

from __future__ import annotations

import os
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydantic
from typer.testing import CliRunner

import batchata.replay
from batchata import BatchManager, batch, load_results_from_disk
from batchata.cli.app import app
from batchata.errors import BatchataError
from batchata.sandbox import Sandbox

TABLE = Path(__file__).resolve().parents[2] / "MESSAGES.md"
MODEL = "claude-sonnet-5-5"
_HEAD = """# Messages

What Batchata says when it cannot do what was asked. Where it says so before a run began, nothing was written
or sent. The table is written by a test that triggers each message.

| what was done | what is said |
|---|---|
"""


class Invoice(pydantic.BaseModel):
    """A response model."""

    total: float


class Other(pydantic.BaseModel):
    """Another one."""

    vendor: str


def _run(**given: Any) -> None:
    BatchManager(**{"messages": ["hi"], "model": MODEL} | given).run()


def _misspelt(**given: Any) -> Callable[[Path], object]:
    return lambda _: _run(**given)


def _with_files(names: str, **given: Any) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        (folder / "empty.pdf").write_bytes(b"")
        (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nbroken")
        (folder / "table.csv").write_text("id,text\n1,hi\n")
        files = [folder / name for name in names.split()]
        _run(**{"messages": None, "files": files, "prompt": "Read."} | given)

    return make


def _without_key(key: str | None) -> Callable[[Path], object]:
    def call(_: Path) -> None:
        before = os.environ.pop("ANTHROPIC_API_KEY")
        try:
            if key is not None:
                os.environ["ANTHROPIC_API_KEY"] = key
            _run()
        finally:
            os.environ["ANTHROPIC_API_KEY"] = before

    return call


def _changed(**given: Any) -> Callable[[Path], object]:
    def call(folder: Path) -> None:
        begun = {"messages": ["hi", "ho"], "state_path": folder / "run.db", "poll_interval": 0.01}
        _run(**begun)
        _run(**begun | given)

    return call


def _other_folder(folder: Path) -> None:
    given = {"results_dir": folder / "out", "poll_interval": 0.01, "response_model": Invoice}
    _run(state_path=folder / "a.db", **given)
    _run(state_path=folder / "b.db", **given)


def _log_of(content: bytes) -> Callable[[Path], object]:
    def call(folder: Path) -> None:
        (folder / "run.db").write_bytes(content)
        _run(state_path=folder / "run.db")

    return call


def _with_rows(name: str, content: str, prompt: str = "Classify: {text}") -> Callable[[Path], object]:
    def call(folder: Path) -> None:
        (folder / name).write_text(content)
        _run(messages=None, rows=folder / name, prompt=prompt)

    return call


def _with_environment(name: str, value: str) -> Callable[[Path], object]:
    def call(_: Path) -> None:
        before = os.environ.get(name)
        os.environ[name] = value
        try:
            _run()
        finally:
            os.environ.pop(name) if before is None else os.environ.update({name: before})

    return call


def _of_a_log(read: Callable[[batchata.replay.Archive, Path], object]) -> Callable[[Path], object]:
    def call(folder: Path) -> None:
        manager = BatchManager(messages=["hi"], model=MODEL, state_path=folder / "run.db", poll_interval=0.01)
        manager.submit()
        with batchata.replay.open(folder / "run.db") as log:
            read(log, folder)

    return call


def _results_of(content: str) -> Callable[[Path], object]:
    def call(folder: Path) -> None:
        (folder / "job_0_results.json").write_text(content)
        load_results_from_disk(folder)

    return call


def _saying(content: list[dict[str, Any]], **given: Any) -> Callable[[Path], object]:
    return lambda _: _run(messages=[[{"role": "user", "content": content}]], **given)


def _command(*words: str) -> Callable[[Path], object]:
    def call(folder: Path) -> None:
        told = CliRunner().invoke(app, [word.replace("DIR", str(folder)) for word in words])
        raise BatchataError(told.stderr.strip().splitlines()[-1].removeprefix("batchata: "))

    return call


def _exported_twice(folder: Path) -> None:
    manager = BatchManager(messages=["hi"], model=MODEL, state_path=folder / "run.db", poll_interval=0.01)
    manager.run()
    for _ in ("first", "again"):
        manager.export(folder / "out", format="csv")


CASES: dict[str, Callable[[Path], object]] = {
    "a misspelt model": _misspelt(model="claude-sonet-5-5"),
    "a retired model": _misspelt(model="claude-opus-4-1"),
    "a nickname for a model": _misspelt(model="sonnet"),
    "an unknown provider": _misspelt(model="opnai/gpt-5"),
    "no key": _without_key(None),
    "a blank key": _without_key("  "),
    "an address with `/v1`": _misspelt(base_url="https://api.anthropic.com/v1"),
    "a misspelt argument": _misspelt(max_cots=1),
    "a sampling parameter": _misspelt(temperature=0),
    "an empty list": _misspelt(messages=[]),
    "messages and files": _misspelt(files=["a.pdf"], prompt="Read."),
    "files without a prompt": _with_files("table.csv", prompt=None),
    "a file that is not there": _with_files("inv-001.pdf"),
    "two files that cannot be used": _with_files("empty.pdf broken.pdf"),
    "a prompt with a column that the rows lack": _misspelt(
        messages=None, rows=[{"text": "hi"}], prompt="Classify: {txt}"
    ),
    "keys that repeat": _misspelt(messages=["hi", "ho"], keys=["a", "a"]),
    "a key that is blank": _misspelt(messages=["hi", "ho"], keys=["a", " "]),
    "fewer keys than items": _misspelt(messages=["hi", "ho"], keys=["a"]),
    "a number for `rows`": _misspelt(messages=None, rows=5, prompt="{text}"),
    "a workbook for `rows`": _with_rows("table.xlsx", "no workbook"),
    "a JSONL file with a broken line": _with_rows("rows.jsonl", '{"text": "hi"}\n{"text": \n'),
    "a prompt for rows that names no column": _with_rows("rows.csv", "text\nhi\n", "Classify."),
    "a document whose `citations` are no dict": _saying(
        [
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "a"},
                "citations": 1,
            }
        ]
    ),
    "a text document of another type": _saying(
        [{"type": "document", "source": {"type": "text", "media_type": "text/html", "data": "a"}}]
    ),
    "a format beside a response model": _misspelt(
        response_model=Invoice, output_config={"format": {"type": "json_schema", "schema": {}}}
    ),
    "a format of OpenAI's beside a response model": _misspelt(
        model="gpt-6.1-terra", response_model=Invoice, text={"format": {"type": "text"}}
    ),
    "an endpoint that there is not": _misspelt(model="gpt-6.1-terra", endpoint="/v1/embeddings"),
    "a provider without a model": _misspelt(model="groq/"),
    "a model of another maker for Gemini": _misspelt(model="gemini/argon"),
    "prices whose tiers do not ascend": _misspelt(
        prices={
            MODEL: {
                "input": 2,
                "output": 10,
                "tiers": [{"above": 200, "input": 4, "output": 5}, {"above": 100, "input": 3, "output": 4}],
            }
        }
    ),
    "a number for `prices`": _misspelt(prices=3),
    "a limit with too many digits": _misspelt(max_cost="1." + "1" * 40),
    "a wrong choice": _misspelt(on_bad_file="skip"),
    "a header without a colon": _with_environment("ANTHROPIC_CUSTOM_HEADERS", "X-Team blue"),
    "a proxy that is none": _with_environment("HTTPS_PROXY", "http://proxy:notaport"),
    "an instance for a response model": _misspelt(response_model=Invoice(total=1)),
    "a JSON Schema for a response model": _misspelt(response_model={"type": "object"}),
    "a list of a response model": _misspelt(response_model=list[Invoice]),
    "a wrong number": _misspelt(items_per_job=0),
    "a limit below one item": _misspelt(max_cost=0.000001),
    "a limit without a known price": _misspelt(max_cost=1, model="claude-nova-9"),
    "another system prompt in the same log": _changed(system="Be brief."),
    "fewer items in the same log": _changed(messages=["hi"]),
    "another text in the same log": _changed(messages=["hi", "ho ho"]),
    "a `results_dir` of another run": _other_folder,
    "a `state_path` that is a folder": lambda folder: _run(state_path=folder),
    "a `state_path` that is a JSON file": _log_of(b'{"jobs": []}'),
    "a `state_path` that is something else": _log_of(b"hello, this is a text"),
    "`open()` where there is no log": lambda folder: BatchManager.open(folder / "nihgt.db"),
    "`replay.open()` where there is no log": lambda folder: batchata.replay.open(folder / "nihgt.db"),
    "`preview(9)` of one item": lambda _: BatchManager(messages=["hi"], model=MODEL).preview(9),
    "`export` over an export": _exported_twice,
    "`retry_failed()` before a run": lambda _: BatchManager(messages=["hi"], model=MODEL).retry_failed(),
    "`report` before a run": lambda folder: BatchManager(messages=["hi"], model=MODEL).report(
        folder / "a.html"
    ),
    "`load_results_from_disk` of no results": lambda folder: load_results_from_disk(folder / "none"),
    "`load_results_from_disk` of a file that is no JSON": _results_of("{"),
    "`load_results_from_disk` of something else": _results_of('{"result": 1}'),
    "a time that is none": _of_a_log(lambda log, _: log.state_at("yesterday")),
    "`show --at` with no time": _command("show", "DIR/run.db", "--at", "soonish"),
    "three runs to compare": _of_a_log(
        lambda _, folder: batchata.replay.compare(folder / "run.db", runs=["a", "b", "c"])
    ),
    "a run that the log does not have": _of_a_log(lambda log, _: log.run("monday")),
    "more items than a job holds": lambda _: batch(messages=["hi"] * 50_001, model="gpt-6-sol"),
    "a misspelt command": _command("shw", "DIR/run.db"),
    "a command without its log": _command("show", "DIR/nihgt.db"),
    "a pattern that no file has": _command(
        "run", "DIR/*.pdf", "--prompt", "Read.", "--model", MODEL, "--log", "DIR/run.db"
    ),
}


def rows() -> Iterator[str]:
    """Yield the table's lines: each case is tried in a folder of its own, against a sandbox."""
    with Sandbox() as sandbox, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = {name: os.environ.get(name) for name in sandbox.environment}
        os.environ.update(sandbox.environment)
        try:
            for case, call in CASES.items():
                yield f"| {case} | {_said(call)} |"
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


def _said(call: Callable[[Path], object]) -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        try:
            call(folder)
        except BatchataError as exc:
            kind = "" if type(exc) is BatchataError else f"`{type(exc).__name__}`: "
            text = str(exc).replace(str(folder), "…").replace("|", "\\|")
            return kind + "<br>".join(_steady(line) for line in text.splitlines())
    raise AssertionError("nothing was raised")


def _steady(line: str) -> str:
    """Leave out what is another in every run, or on another day."""
    return re.sub(r"\b\d{8}-\d{6}-[0-9a-f]{6}\b", "20261127-090000-1f2e3d", line)


def table() -> str:
    """Return the whole file."""
    return _HEAD + "\n".join(rows()) + "\n"


if __name__ == "__main__":
    import messages_table  # by its name, which is in what is said of its classes

    TABLE.write_text(messages_table.table(), encoding="utf-8")
