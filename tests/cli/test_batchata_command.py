"""The `batchata` command: runs from the command line, continued from their log, explained by it too."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from forked import Program
from typer.testing import CliRunner, Result

from batchata.cli.app import app
from batchata.errors import UnknownModelWarning
from batchata.replay.cli import app as replay_app
from batchata.sandbox import Sandbox

SCHEMA = {
    "title": "Invoice",
    "type": "object",
    "properties": {"vendor": {"type": "string"}, "total": {"type": "number"}, "note": {"type": "string"}},
    "required": ["vendor", "total"],
}
GIVEN = ["--prompt", "Extract.", "--model", "claude-sonnet-5-5", "--schema", "schema.json", "--log", "n.db"]

type Command = Callable[..., Result]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with three small documents and a schema."""
    for n in range(3):
        (tmp_path / f"a{n}.txt").write_text(f"Vendor: Shop {n}\nTotal: {n}5.00\n")
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox that the environment names."""
    with Sandbox() as sandbox:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        yield sandbox


@pytest.fixture
def batchata(here: Path, service: Sandbox) -> Command:
    """The command, in this process."""

    def run(*arguments: str) -> Result:
        result = CliRunner().invoke(app, list(arguments), prog_name="batchata")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))


def test_documents_become_a_table(batchata: Command, here: Path) -> None:
    """One command, with a pattern that no shell expanded; the same command again pays for nothing."""
    command = ["run", "a*.txt", *GIVEN, "-o", "out.csv", "--poll-interval", "0.01"]
    done = batchata(*command)
    assert (done.exit_code, done.stdout) == (0, "")
    assert "results   out.csv" in done.stderr
    assert "there is no folder" not in done.stderr
    assert [(row["result.vendor"], row["result.total"]) for row in rows(here / "out.csv")] == [
        (f"Shop {n}", f"{n}5.0" if n else "5.0") for n in range(3)
    ]
    command[command.index("out.csv")] = "Again.CSV"  # a name stays as it was given
    assert "results   Again.CSV\n" in batchata(*command).stderr
    assert (here / "Again.CSV").read_bytes() == (here / "out.csv").read_bytes()
    assert batchata("events", "n.db", "--type", "batch_submitted").stdout.count("\n") == 1


def test_a_pilot_sends_some_and_resume_the_rest(batchata: Command, here: Path) -> None:
    """The first input alone; those that are pending end it with code 3 and the command to go on."""
    pilot = batchata("run", "a*.txt", *GIVEN, "--poll-interval", "0.01", "--limit", "1")
    assert (pilot.exit_code, json.loads(batchata("show", "n.db", "--json").stdout)["pending_items"]) == (3, 2)
    assert "pilot     1 item of 3 done" in pilot.stderr
    assert "go on with: batchata resume n.db" in pilot.stderr
    assert batchata("resume", "n.db", "--poll-interval", "0.01").exit_code == 0
    assert batchata("run", "a*.txt", *GIVEN, "--limit", "1", "--sample", "1").exit_code == 2


def test_tonight_is_sent_and_tomorrow_collected(batchata: Command, here: Path) -> None:
    """Submit is content with pending items, collect says by its exit code whether to come again."""
    sent = batchata(
        "submit", "a0.txt", "a1.txt", "a2.txt", *GIVEN, "--max-parallel-jobs", "1", "--items-per-job", "2"
    )
    assert sent.exit_code == 0
    assert "pending   3 items; go on with: batchata resume n.db\n" in sent.stderr
    other = batchata("submit", "a0.txt", *GIVEN[:-1], "my log.db", "--run", "a")
    assert "go on with: batchata resume 'my log.db' --run a\n" in other.stderr
    new = batchata("submit", "a0.txt", *GIVEN[:-1], "lgos/n.db")
    assert "log       there is no folder lgos yet; it is made with the log\n" in new.stderr
    first = batchata("collect", "n.db", "-q", "-o", "part.jsonl")
    assert (first.exit_code, first.stdout, first.stderr) == (3, "", "")
    killed, alive = (here / f".batchata-{socket.gethostname()}-{pid}-abc" for pid in (2**22 + 1, os.getpid()))
    for left in (killed, alive):  # by a command that was killed while it wrote, and by one that writes
        left.mkdir()
    second = batchata("collect", "n.db", "--json", "-o", "out.jsonl")
    while second.exit_code == 3:
        second = batchata("collect", "n.db", "--json", "-o", "out.jsonl")
    assert json.loads(second.stdout)["completed_items"] == 3
    assert len((here / "out.jsonl").read_text().splitlines()) == 3
    assert (killed.exists(), alive.exists()) == (False, True)


def test_failed_items_end_with_1_and_are_tried_again_when_asked(batchata: Command, here: Path) -> None:
    """What failed, why, and the command to type next are in the account."""
    batchata(
        "submit", "a0.txt", "a1.txt", "a2.txt", *GIVEN, "--max-parallel-jobs", "1", "--items-per-job", "2"
    )
    (here / "a2.txt").rename(here / "moved.txt")
    failed = batchata("resume", "n.db", "--poll-interval", "0.01")
    assert failed.exit_code == 1
    assert "file_error: item 2 ('a2.txt')" in failed.stderr
    assert "batchata resume n.db --retry-failed" in failed.stderr
    mended = batchata(
        "resume", "n.db", "--retry-failed", "--files", ".", "--poll-interval", "0.01", "--json", "-q"
    )
    assert (mended.exit_code, json.loads(mended.stdout)["retry_count"]) == (0, 1)


def test_rows_are_put_into_the_prompt(batchata: Command, here: Path) -> None:
    """A CSV is a table of rows; their column names the items, and a pilot is only a part of them."""
    (here / "rows.csv").write_text("id,text\nA-1,Vendor: Shop 1\nA-2,Vendor: Shop 2\n")
    given = ["--prompt", "Read: {text}", "--model", "claude-haiku-5-5", "--log", "n.db", "--key", "id"]
    command = ["run", "rows.csv", *given, "--poll-interval", "0.01", "-o", "out.jsonl"]
    assert batchata(*command, "--limit", "1").exit_code == 3
    assert batchata(*command).exit_code == 0
    assert json.loads(batchata("item", "n.db", "A-2", "--json").stdout)["index"] == 1
    assert len((here / "out.jsonl").read_text().splitlines()) == 2


def test_an_estimate_sends_nothing(batchata: Command, here: Path, service: Sandbox) -> None:
    """Nor is a log made."""
    told = batchata("estimate", "a0.txt", *GIVEN)
    assert "1 item; 1 job to send" in told.stdout
    assert json.loads(batchata("estimate", "a0.txt", *GIVEN, "--json").stdout)["items"] == 1
    assert service.exchanges == []
    assert "counted by the provider" in batchata("estimate", "a0.txt", *GIVEN, "--exact").stdout
    assert service.batches == []
    assert not (here / "n.db").exists()


def test_texts_come_from_files_and_parameters_as_json(batchata: Command, here: Path) -> None:
    """Prompt and system prompt with @, parameters of the API by name."""
    (here / "p.txt").write_text("Read it all.")
    given = ["--prompt", "@p.txt", "--system", "@p.txt", "--model", "claude-haiku-5-5", "--log", "n.db"]
    batchata("submit", "a0.txt", *given, "--param", 'stop_sequences=["END"]', "--param", "service_tier=auto")
    asked = json.loads(batchata("item", "n.db", "0", "--json").stdout)["request"]
    assert asked["prompt"] == "Read it all."
    assert {name: asked["params"][name] for name in ("system", "stop_sequences", "service_tier")} == {
        "system": "Read it all.",
        "stop_sequences": ["END"],
        "service_tier": "auto",
    }


def test_a_class_of_a_module_is_a_schema(
    batchata: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """module:Class, found as any import finds it."""
    (here / "shop_of_tests.py").write_text(
        "import pydantic\nclass Invoice(pydantic.BaseModel):\n    vendor: str\n    total: float\n"
    )
    monkeypatch.syspath_prepend(here)
    given = [
        "--prompt",
        "Extract.",
        "--model",
        "claude-haiku-5-5",
        "--schema",
        "shop_of_tests:Invoice",
        "--log",
        "n.db",
    ]
    assert batchata("submit", "a0.txt", *given).exit_code == 0
    assert batchata("collect", "n.db", "--schema", "shop_of_tests:Invoice").exit_code == 0


WRONG: dict[str, tuple[list[str], str]] = {
    "a misspelt command": (["shw", "n.db"], "there is no command 'shw'; did you mean show?"),
    "no such pattern": (["run", "*.pdf", *GIVEN], "no file matches *.pdf"),
    "a folder": (["run", ".", *GIVEN], ". is a folder; name its files"),
    "no such file": (["run", "none.txt", *GIVEN], "does not exist"),
    "no log": (["collect", "nothing.db"], "there is no log at nothing.db"),
    "no such place for results": (["run", "a0.txt", *GIVEN, "-o", "no/out.csv"], "there is no folder no"),
    "a text for a file": (["run", "Extract " * 40, *GIVEN], "File name too long"),
    "no such format": (["run", "a0.txt", *GIVEN, "-o", "out.cvs"], "results are written as csv, jsonl"),
    "no such class": (["run", "a0.txt", *GIVEN[:4], "--schema", "Invoice", "--log", "n.db"], "module:Class"),
    "no such schema": (
        ["run", "a0.txt", *GIVEN[:4], "--schema", "x.json", "--log", "n.db"],
        "cannot be read",
    ),
    "the text of a schema": (
        ["run", "a0.txt", *GIVEN[:4], "--schema", '{"type": "object"}', "--log", "n.db"],
        "write it to a file",
    ),
    "no such parameter": (["run", "a0.txt", *GIVEN, "--param", "top"], "NAME=JSON"),
    "two tables": (["run", "a.csv", "b.csv", *GIVEN], "2 tables are given, and a run has the rows of one"),
    "no such prompt": (["run", "a0.txt", "--prompt", "@none", *GIVEN[2:]], "none cannot be read"),
    "a column of no table": (["run", "a0.txt", *GIVEN, "--key", "id"], "--key is the column of a table"),
    "an option that is missing": (["run", "a0.txt", *GIVEN[:-2]], "--log"),
    "no such option": (["run", "a0.txt", *GIVEN, "--promt", "x"], "; see --help"),
    "results of an estimate": (["estimate", "a0.txt", *GIVEN, "-o", "out.csv"], "o such option: -o"),
    "a limit for nothing": (["resume", "n.db", "--max-tokens", "9"], "give --retry-failed too"),
}


@pytest.mark.parametrize(("arguments", "told"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_done_is_one_message_and_exit_code_2(
    batchata: Command, here: Path, service: Sandbox, arguments: list[str], told: str
) -> None:
    """Nothing was sent, and no log is made."""
    result = batchata(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("batchata: ")
    assert told in result.stderr
    assert service.exchanges == []
    assert not (here / "n.db").exists()


def test_a_missing_key_is_answered_with_what_a_shell_has(
    batchata: Command, service: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable and the file that is read for it; there is no option for a key, and no script."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    said = batchata("run", "a0.txt", *GIVEN).stderr
    assert "set the environment variable ANTHROPIC_API_KEY, here or in a .env file" in said
    assert "python -m batchata.sandbox" in said
    assert "api_key" not in said
    assert service.exchanges == []


def test_every_command_of_replay_is_here(batchata: Command) -> None:
    """By the same name, with the same options; the log alone is shown."""
    names = {command.callback.__name__ for command in replay_app.registered_commands if command.callback}
    listed = batchata("--help").stdout
    assert [name for name in names if f"\n  {name} " not in listed] == []
    batchata("submit", "a0.txt", *GIVEN)
    assert batchata("n.db").stdout.startswith("run ")
    assert batchata("verify", "n.db").exit_code == 0
    assert batchata("--version").stdout.startswith("batchata 0.")


def test_a_misspelt_model_is_said_once(batchata: Command, here: Path, service: Sandbox) -> None:
    """The error that refuses it has it all; where the model is sent all the same, the warning says it."""
    command = ["submit", "a*.txt", *GIVEN, "--model", "claude-sonet-5-5"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refused = batchata(*command)
    assert refused.exit_code == 2
    assert refused.stderr.count("claude-sonet-5-5") == 1
    assert not service.batches
    with pytest.warns(UnknownModelWarning, match="Did you mean claude-sonnet-5-5"):
        assert batchata(*command, "--allow-unknown-model").exit_code == 0


def test_a_misspelt_command_of_replay_is_asked_about_too(here: Path) -> None:
    """A file of that name is the log; a name with an ending is never a command."""
    told = CliRunner().invoke(replay_app, ["shw", "x.db"])
    assert "did you mean show?" in told.stderr
    assert "did you mean" not in CliRunner().invoke(replay_app, ["runs.db"]).stderr
    (here / "shw").touch()
    assert "did you mean" not in CliRunner().invoke(replay_app, ["shw"]).stderr


def test_the_shell_completes_commands(here: Path) -> None:
    """By typer's own protocol."""
    environment = {"_BATCHATA_COMPLETE": "complete_bash", "COMP_WORDS": "batchata re", "COMP_CWORD": "1"}
    found = CliRunner().invoke(app, [], prog_name="batchata", env=environment)
    assert found.stdout.split() == ["resume", "report"]


def test_ctrl_c_says_how_to_go_on(here: Path, tmp_path: Path) -> None:
    """The batches are left running; the exit code is a shell's 130, without a traceback."""
    with Sandbox(delay=600) as sandbox:
        environment = {**os.environ, **sandbox.environment}
        process = Program(["-m", "batchata", "run", "a0.txt", *GIVEN], cwd=here, env=environment)
        until = time.monotonic() + 60
        while not any(e[0] == "POST" for e in sandbox.exchanges) and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "batchata: stopped; 1 batch goes on at the provider" in told
    assert "Traceback" not in told


def test_where_there_is_nothing_to_do_it_is_said(batchata: Command) -> None:
    """Nothing to cancel, to retry or to draw, and no such command for a log that is there."""
    batchata("run", "a0.txt", *GIVEN, "--poll-interval", "0.01")
    assert batchata("cancel", "n.db").stderr == "nothing was cancelled: no batch is open\n"
    assert "retried   0 items\n" in batchata("resume", "n.db", "--retry-failed").stderr
    assert "item 0 has no citations" in batchata("page", "n.db", "0", "vendor", "x.png").stderr
    assert "no command 'again'; there are cancel, collect," in batchata("again", "n.db").stderr


def test_json_of_the_summary_has_amounts_as_text(batchata: Command) -> None:
    """As everywhere in JSON of ours."""
    batchata("submit", "a0.txt", *GIVEN)
    found: dict[str, Any] = json.loads(batchata("collect", "n.db", "--json", "-q").stdout)
    assert isinstance(found["total_cost"], str)
