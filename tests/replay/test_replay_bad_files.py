"""Rules for files that are damaged, cut off or out of reach: one line, never a traceback."""

from __future__ import annotations

import random
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from rights import as_nobody
from tampering import tamper
from test_replay_command import COMMANDS, EVERY
from typer import Typer
from typer.testing import CliRunner, Result

from batchata.replay.command_group import ReplayGroup, damaged

type Replay = Callable[..., Result]


def ended_well(result: Result, *codes: int) -> bool:
    """Whether the command ended by itself, with one of these exit codes and at most one line of complaint."""
    quiet = result.exit_code != 2 or (result.stderr.count("\n") == 1 and "Traceback" not in result.stderr)
    return (
        result.exit_code in codes
        and quiet
        and (result.exception is None or isinstance(result.exception, SystemExit))
    )


def arguments(name: str, folder: Path) -> list[str]:
    """What a command needs beside the log; what it writes goes into the folder."""
    return [str(folder / part) if part.startswith("nowhere") else part for part in EVERY[name]]


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("part", [0.001, 0.05, 0.4, 0.75, 0.97])
def test_a_truncated_log(done: Path, replay: Replay, tmp_path: Path, name: str, part: float) -> None:
    """Cut off anywhere, as a broken copy is: it reads to the end or says what is wrong."""
    whole = done.read_bytes()
    path = tmp_path / "cut.db"
    path.write_bytes(whole[: int(len(whole) * part)])
    result = replay(name, path, *arguments(name, tmp_path))
    assert ended_well(result, 0, 1, 2), (result.exception, result.output)
    if name == "verify":
        assert result.exit_code != 0


@pytest.mark.parametrize("name", [*COMMANDS, "export", "report"])
def test_a_log_with_changed_bytes(done: Path, replay: Replay, tmp_path: Path, name: str) -> None:
    """At twenty random places of the file: never a traceback, whatever the command makes of it."""
    original, chance = done.read_bytes(), random.Random(name)
    for number in range(20):
        changed = bytearray(original)
        for _ in range(8):
            changed[chance.randrange(len(original))] = chance.randrange(256)
        path = tmp_path / f"{number}.db"
        path.write_bytes(changed)
        folder = tmp_path / str(number)
        folder.mkdir()
        result = replay(name, path, *arguments(name, folder))
        assert ended_well(result, 0, 1, 2), (number, result.exception, result.output)


@pytest.mark.parametrize("name", EVERY)
def test_a_log_that_was_being_written_when_the_machine_died(
    done: Path, replay: Replay, tmp_path: Path, name: str
) -> None:
    """A half-written -wal file beside it is left out by SQLite; what was committed before reads."""
    path = Path(shutil.copy(done, tmp_path / "run.db"))
    (tmp_path / "run.db-wal").write_bytes(random.Random(1).randbytes(10_000))
    more = ["--run", "the-run"] if name == "purge" else arguments(name, tmp_path)
    result = replay(name, path, *more)
    assert ended_well(result, 2 if name == "page" else 0), result.output  # nothing in it is cited


@pytest.mark.parametrize("name", EVERY)
def test_a_read_only_folder(done: Path, replay: Replay, tmp_path: Path, name: str) -> None:
    """What only reads works there as anywhere; purge says that it cannot write. No file appears."""
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to others
    try:
        path = Path(shutil.copy(done, folder / "run.db"))
        path.chmod(0o644)
        out = folder / "out"
        out.mkdir()
        out.chmod(0o777)
        more = ["--run", "the-run"] if name == "purge" else arguments(name, out)
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
        replay(name, done, *([] if name == "purge" else arguments(name, tmp_path)))  # imports what it needs
        with as_nobody():
            result = replay(name, path, *more)
        assert ended_well(result, 2 if name in ("purge", "page") else 0), result.output
        assert sorted(file.name for file in folder.iterdir()) == ["out", "run.db"]
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


@pytest.mark.parametrize("name", EVERY)
def test_a_file_that_may_not_be_read(done: Path, replay: Replay, name: str, tmp_path: Path) -> None:
    """One line that says so."""
    folder = Path(tempfile.mkdtemp())
    try:
        path = Path(shutil.copy(done, folder / "run.db"))
        path.chmod(0)
        folder.chmod(0o755)
        with as_nobody():
            result = replay(name, path, *arguments(name, folder))
        assert ended_well(result, 2)
        assert "cannot be read" in result.stderr
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("show", ("--at", "1999-01-01")),
        ("report", ("x.html", "--at", "1999-01-01")),
    ],
)
def test_a_moment_before_the_run(
    done: Path,
    replay: Replay,
    command: str,
    options: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The time at which it began is named."""
    monkeypatch.chdir(tmp_path)
    result = replay(command, done, *options)
    assert ended_well(result, 2)
    assert "began only at" in result.stderr


def test_what_a_command_stumbles_over_is_looked_for_in_the_log(done: Path, tmp_path: Path) -> None:
    """In a log that was changed it is said in one line; in a whole one it is a mistake of ours, and stays."""
    stumbling = Typer(cls=ReplayGroup)

    @stumbling.command()
    def show(log: str) -> None:
        raise KeyError(log)

    @stumbling.command()
    def other() -> None: ...

    runner = CliRunner()
    assert isinstance(runner.invoke(stumbling, ["show", str(done)]).exception, KeyError)
    assert isinstance(runner.invoke(stumbling, ["show", str(tmp_path)]).exception, KeyError)
    changed = tamper(Path(shutil.copy(done, tmp_path / "log.db")), "UPDATE events SET at = at + 1")
    result = runner.invoke(stumbling, ["show", str(changed)])
    assert ended_well(result, 2), result.output
    assert "log.db is damaged (versions 1 to 2: " in result.stderr
    assert "`verify` says more" in result.stderr
    (tmp_path / "no.db").write_text("no log")
    assert damaged([str(tmp_path / "no.db")]) is None
