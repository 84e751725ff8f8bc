"""What the README says about looking at a run is so: its commands, its output, its code and its queries."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from forked import run
from test_replay_command import EVERY
from typer.testing import Result

from batchata.sandbox import Sandbox

type Replay = Callable[..., Result]

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
SECTION = README.split("## Looking at a run")[1].split("\n## ")[0]
QUERIES = re.search(r"```sql\n(.*?)```", SECTION, re.DOTALL)[1].strip().split("\n\n")  # type: ignore[index]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which somebody has run the README's first lines."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "examples").symlink_to(REPOSITORY / "examples")
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    with Sandbox() as served, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANTHROPIC_BASE_URL", served.url)
        patch.setenv("ANTHROPIC_API_KEY", "k")
        patch.setenv("COLUMNS", "118")
        run(["-c", code], cwd=folder, check=True)
        yield folder


def test_every_command_runs_as_written(
    folder: Path, replay: Replay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line of the list, as it stands there; `purge` last, with the run's id."""
    shutil.copy(folder / "invoices.db", tmp_path)
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^python -m batchata\.replay (.*?)(?:\s+#.*)?$", SECTION, re.MULTILINE)
    shown = {name if (name := command.split()[0]) in EVERY else "show" for command in commands}
    assert shown == EVERY.keys() - {"compare"}  # which has a section of its own
    run_id = replay("invoices.db", "--json").stdout.split('"run_id": "')[1].split('"')[0]
    for command in commands:
        result = replay(*command.replace("--run ID", f"--run {run_id}").split())
        assert result.exit_code == 0, (command, result.output)


def test_the_printed_item_is_what_is_printed(folder: Path, replay: Replay) -> None:
    """Line by line, but for ids, times and the folder."""
    block = re.search(r"```console\n\$ (.*?)\n(.*?)```", SECTION, re.DOTALL)
    assert block is not None
    command = (
        block[1]
        .removeprefix("python -m batchata.replay ")
        .replace("invoices.db", str(folder / "invoices.db"))
    )
    printed = replay(*command.split(), COLUMNS="118")
    assert _normal(printed.stdout) == _normal(block[2])


def _normal(text: str) -> list[str]:
    """Without what differs from run to run."""
    for pattern, name in (
        (r"\d{8}-\d{6}-[0-9a-f]{6}", "RUN"),
        (r"msgbatch_\w+", "BATCH"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "TIME"),
        (r"as [0-9a-f]{12}-\d+-[0-9a-f]{6}-\d+", "as ID"),
        (r"(\d+ ms|[\d.]+ s|\d+ min( \d+ s)?) after", "LATER after"),
        (r"after \d+ polls?", "after POLLS"),
        (r"genai-prices [\d.]+", "genai-prices"),
        (r"from \S*/examples/", "from examples/"),
    ):
        text = re.sub(pattern, name, text)
    return [re.sub(r" +", " ", line) for line in text.strip().splitlines() if line.strip()]


def test_the_python_lines_run_as_pasted(folder: Path) -> None:
    """State, events and results, in a process of its own."""
    code = next(block for block in re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL))
    ran = run(["-c", code], cwd=folder, check=True)
    assert (
        "0 completed vendor='Brightwater Software Inc.' invoice_number='BW-10982' total=857.0 0.0"
        in ran.stdout
    )
    assert re.search(r"^\d+ msgbatch_\w+$", ran.stdout, re.MULTILINE)


@pytest.mark.parametrize("query", QUERIES, ids=[query.splitlines()[0][3:] for query in QUERIES])
def test_every_query_answers_its_question(troubled: Path, query: str) -> None:
    """On a run with retries and failed items each gives rows, in Python and in the sqlite3 program."""
    with closing(sqlite3.connect(f"file:{troubled}?mode=ro", uri=True)) as connection:
        found = connection.execute(query).fetchall()
    assert found
    assert all(row[0] == found[0][0] for row in found)
    program = shutil.which("sqlite3")
    if program is None:
        pytest.skip("the sqlite3 program is not here")
    ran = subprocess.run(
        [program, "-readonly", troubled], input=query.encode(), capture_output=True, check=True, timeout=300
    )
    assert (ran.stdout.count(b"\n") >= len(found), ran.stderr) == (True, b"")


def test_there_are_five_queries_and_they_know_the_run(troubled: Path) -> None:
    """How far, why failed, what cost most, how long, what was sent again."""
    assert len(QUERIES) == 5
    with closing(sqlite3.connect(troubled)) as connection:
        runs, failures, dearest, batches, retries = (
            connection.execute(query).fetchall() for query in QUERIES
        )
    assert runs[0][1:5] == ("completed", 8, 2, 0)
    assert failures[0][1:4] == ("invalid_request_error", 2, 2)
    assert dearest[0][2] >= 1
    assert len(batches) == len({row[1] for row in batches}) >= 3
    assert [row[2] for row in retries] == ["expired", "expired"]
