"""Rules of the command as a whole: what it refuses and how, and what it leaves alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from batchata.core import events as e
from batchata.core.events import RunStarted
from batchata.core.values import Process
from batchata.log import open_log
from batchata.replay.cli import app

type Replay = Callable[..., Result]
# Every reading command, with what it needs beside the log.
COMMANDS: dict[str, tuple[str, ...]] = {
    "show": (),
    "events": (),
    "item": ("0",),
    "costs": (),
    "diff": ("1",),
    "verify": (),
}
EVERY: dict[str, tuple[str, ...]] = {
    **COMMANDS,
    "compare": ("the-run", "the-run"),
    "export": ("nowhere",),
    "page": ("0", "total", "nowhere.png"),
    "report": ("nowhere.html",),
    "purge": ("--run", "x"),
}

type Command = Callable[..., subprocess.CompletedProcess[str]]


def _bad_paths(folder: Path, log: Path) -> Iterator[tuple[str, Path]]:
    yield "does not exist", folder / "missing.db"
    yield "is a folder", folder
    (folder / "empty").touch()
    yield "empty file", folder / "empty"
    (folder / "text").write_text("once upon a time")
    yield "not a SQLite database", folder / "text"
    (folder / "state.json").write_text('{"jobs": []}')
    yield "JSON state file", folder / "state.json"
    with sqlite3.connect(folder / "other.db") as other:
        other.execute("CREATE TABLE t (a)")
    yield "not a Batchata log", folder / "other.db"
    shutil.copy(log, folder / "newer.db")
    with sqlite3.connect(folder / "newer.db") as newer:
        newer.execute("PRAGMA user_version = 999")
        newer.execute("UPDATE alembic_version SET version_num = '0999'")
    yield "newer version", folder / "newer.db"
    open_log(folder / "fresh.db").close()
    yield "holds no run yet", folder / "fresh.db"


@pytest.mark.parametrize("name", EVERY)
def test_what_is_no_log_gets_one_line(done: Path, replay: Replay, tmp_path: Path, name: str) -> None:
    """Whatever lies at the path, the answer is one line on stderr that says what it is, and exit code 2."""
    for reason, path in _bad_paths(tmp_path, done):
        result = replay(name, path, *EVERY[name])
        assert (result.exit_code, result.stdout) == (2, ""), reason
        assert reason in result.stderr
        assert str(path) in result.stderr
        assert result.stderr.count("\n") == 1


def test_a_contradictory_log_gets_one_line(
    write_log: Callable[..., Path], started: Callable[..., RunStarted], replay: Replay
) -> None:
    """Events that do not fit those before them are named, without a traceback."""
    requested = e.BatchCancelRequested(job=7, batch_id="b", reason="r")
    result = replay(write_log([started(), requested]))
    assert result.exit_code == 2
    assert "event 2 of 'run' (batch_cancel_requested) does not fit" in result.stderr


def test_a_process_of_its_own_ends_the_same_way(done: Path, command: Command, tmp_path: Path) -> None:
    """`python -m batchata.replay` gives the exit codes and streams of the commands."""
    shown = command(done)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "nothing: the run is complete" in shown.stdout
    missing = command(tmp_path / "missing.db")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr.count("\n") == 1


def test_the_log_may_come_before_the_command(done: Path, replay: Replay) -> None:
    """`LOG events` is `events LOG`."""
    assert replay(done, "events").stdout == replay("events", done).stdout != ""


def test_files_named_like_commands_are_reachable(
    done: Path,
    replay: Replay,
    timeless: Callable[[Result], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`./show` is a file, `show` the command."""
    monkeypatch.chdir(tmp_path)
    for name in ("show", "events"):
        shutil.copy(done, tmp_path / name)
        assert timeless(replay(f"./{name}")) == timeless(replay("show", name)) == timeless(replay(done))
        assert replay(name).exit_code == 2


@pytest.mark.parametrize(("reader", "read"), [("head -1", 1), (":", 0)])
def test_a_closed_pipe_ends_quietly(
    write_log: Callable[..., Path],
    started: Callable[..., RunStarted],
    tmp_path: Path,
    reader: str,
    read: int,
) -> None:
    """`events LOG | head -1` prints one line and nothing on stderr, however long or short the log."""
    again = e.RunResumed(process=Process(pid=1, host="h"), library_version="0", changed={})
    log = write_log([started(), *[again] * 5_000 * read])
    ended = subprocess.run(
        f'"{sys.executable}" -m batchata.replay events "{log}" | {reader}',
        shell=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONUNBUFFERED": ""},  # unbuffered, a short output would fail at once
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert ended.stdout.count("\n") == read
    assert ended.stderr == ""


def test_output_that_cannot_be_written_is_one_line(
    done: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`show LOG > a-full-disk` says so; with `>&-` there is no stdout, and nothing to say."""
    with Path("/dev/full").open("w") as full, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as ended:
            app(["show", str(done)])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said == "batchata.replay: the output cannot be written (No space left on device)\n"
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit) as ended:
        app(["show", str(done)])
    assert ended.value.code == 0


def test_help_and_show_stay_light(done: Path, tmp_path: Path) -> None:
    """Help imports nothing that takes time; showing a log needs neither the SDK nor SQLAlchemy."""
    script = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from batchata.replay.cli import app\n"
        "heavy = {'anthropic', 'sqlalchemy', 'sqlmodel', 'alembic', 'tokencost', 'structlog'}\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "assert not {*heavy, 'msgspec', 'rich.console'} & sys.modules.keys()\n"
        f"for name, more in {COMMANDS}.items():\n"
        "    assert CliRunner().invoke(app, [name, sys.argv[1], *more]).exit_code == 0\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", script, str(done)], cwd=tmp_path, timeout=300, check=True)


def test_a_run_can_be_read_while_it_is_written(
    started: Callable[..., RunStarted], replay: Replay, tmp_path: Path
) -> None:
    """While another holds the claim and appends, each look shows what was committed by then."""
    log = open_log(tmp_path / "run.db")
    claim = log.claim("run", Process(pid=1, host="elsewhere"))
    for count in (0, 3, 6):
        added = e.ItemsAdded(first=count - 3, count=3, digest="d", first_body=0)
        claim.append(10**15, [added] if count else [started()])
        assert json.loads(replay(tmp_path / "run.db", "--json").stdout)["total_items"] == count
    claim.release()
    log.close()


def test_reading_changes_nothing(done: Path, replay: Replay, tmp_path: Path) -> None:
    """The log is byte for byte the same afterwards, also where it may not be written at all."""
    copy = Path(shutil.copy(done, tmp_path / "copy.db"))
    before = copy.read_bytes()
    copy.chmod(stat.S_IRUSR)
    assert replay(copy).exit_code == replay("events", copy).exit_code == 0
    assert copy.read_bytes() == before


def test_an_env_file_is_read_by_the_command_only(waiting: Path, command: Command, tmp_path: Path) -> None:
    """COLUMNS in a .env narrows the output of the command; importing the library does not look there."""
    (tmp_path / ".env").write_text("COLUMNS=40\nBATCHATA_TEST_ENV=1\n")
    environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
    assert len(max(command(waiting).stdout.splitlines(), key=len)) < 80
    script = (
        "import os, batchata.run.store, batchata.replay.cli; assert 'BATCHATA_TEST_ENV' not in os.environ"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, timeout=300, check=True)


def test_a_broken_env_file_does_not_stop_it(done: Path, command: Command, tmp_path: Path) -> None:
    """A .env that is no text is mentioned and left out."""
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00")
    shown = command(done)
    assert shown.returncode == 0
    assert ".env" in shown.stderr


def test_a_terminal_without_utf8_gets_everything(
    write_log: Callable[..., Path], started: Callable[..., RunStarted], command: Command
) -> None:
    """Characters that the output's encoding lacks are escaped."""
    shown = command(write_log([started(model="modèle")]), PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert shown.returncode == 0
    assert r"mod\xe8le" in shown.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_json_and_a_run(done: Path, replay: Replay, name: str) -> None:
    """`--json` prints JSON alone, `--run` chooses or names those there are."""
    found = replay(name, done, *COMMANDS[name], "--json", "--run", "the-run")
    assert (found.exit_code, found.stderr) == (0, "")
    for line in found.stdout.splitlines() if name == "events" else [found.stdout]:
        json.loads(line)
    unknown = replay(name, done, *COMMANDS[name], "--run", "nothing")
    assert (unknown.exit_code, unknown.stdout, unknown.stderr.count("\n")) == (2, "", 1)
    assert "the-run" in unknown.stderr


def test_help_lists_every_command(replay: Replay) -> None:
    """A command that help does not name is not there; each shows examples of its own."""
    listed = re.findall(r"^  (\w+)  ", replay("--help").stdout.split("Commands:")[1], re.MULTILINE)
    assert sorted(listed) == sorted(EVERY)
    for name in EVERY:
        assert f"\n  batchata {name} runs.db" in replay(name, "--help").stdout
