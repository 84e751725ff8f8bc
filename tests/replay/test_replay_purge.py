"""Rules of `purge`: inputs and answers are gone for good, the history is whole, and nothing else changes."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from typer.testing import Result

from batchata import BatchManager
from batchata.core import events as e
from batchata.core import values
from batchata.core.events import RunStarted
from batchata.errors import LogError
from batchata.log import open_log, read_log
from batchata.sandbox import Sandbox

type Replay = Callable[..., Result]
type Write = Callable[..., Path]


@pytest.fixture
def log(done: Path, tmp_path: Path) -> Path:
    """A completed run of twelve items."""
    return Path(shutil.copy(done, tmp_path / "run.db"))


def purge(replay: Replay, path: Path, run: str = "the-run") -> dict[str, Any]:
    """What `purge --json` says."""
    result = replay("purge", path, "--run", run, "--json")
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    said: dict[str, Any] = json.loads(result.stdout)
    return said


def said(replay: Replay, *arguments: object) -> Any:
    """What a command says with `--json`."""
    return json.loads(replay(*arguments, "--json").stdout)


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """All rows of a query, by a connection of SQLite's own."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_the_history_stays_and_the_bodies_go(log: Path, replay: Replay) -> None:
    """show, costs and verify say what they said before; an event tells of the purge; no body is left."""
    before = said(replay, "show", log), said(replay, "costs", log)
    assert purge(replay, log)["bodies"] == 24
    shown, ledger = said(replay, "show", log), said(replay, "costs", log)
    assert ledger == before[1]
    same = set(shown) - {"version", "head", "updated_at", "purged_bodies"}
    assert {key: shown[key] for key in same} == {key: before[0][key] for key in same}
    assert (shown["version"], shown["purged_bodies"]) == (before[0]["version"] + 1, 24)
    assert "24 bodies with inputs and answers were removed" in replay(log).stdout
    verdict = said(replay, "verify", log)
    assert (verdict["ok"], verdict["runs"][0]["purged_bodies"]) == (True, 24)
    text = replay("verify", log).stdout
    assert "24 bodies, of which 24 were purged" in text
    assert "every body that was not purged as it was written" in text
    assert "24 bodies removed by process" in replay("events", log, "--type", "bodies_purged").stdout
    assert rows(log, "SELECT count(*) FROM segments WHERE data IS NOT NULL") == [(0,)]


def test_nothing_of_the_bodies_is_left_in_the_files(log: Path, replay: Replay) -> None:
    """Not in freed pages, not in the -wal file: the stored bytes are found nowhere any more."""
    stored = [data for (data,) in rows(log, "SELECT data FROM segments")]
    assert all(data[4:60] in log.read_bytes() for data in stored)
    purge(replay, log)
    for file in log.parent.glob("run.db*"):
        content = file.read_bytes()
        assert not any(data[4:60] in content for data in stored), file


def test_the_file_shrinks(write_log: Write, started: Callable[..., RunStarted], replay: Replay) -> None:
    """By about as much as the bodies took, at once."""
    random = Random(1)
    noise = [
        json.dumps({"messages": [], "noise": random.randbytes(5_000).hex()}).encode() for _ in range(200)
    ]
    path = write_log(
        [
            started(),
            e.ItemsAdded(first=0, count=0, digest="d", first_body=0),
            e.RunCompleted(completed_items=0, failed_items=0, total_cost="0"),
        ],
        bodies=noise,
    )
    took = sum(size for (size,) in rows(path, "SELECT length(data) FROM segments"))
    before = path.stat().st_size
    freed = purge(replay, path, "run")["freed_bytes"]
    assert before - path.stat().st_size == freed > took * 0.8


def test_triggers_and_tables_are_as_before(log: Path, replay: Replay) -> None:
    """The file is still a log of today's form, append-only, and nothing of it was dropped."""
    schema = "SELECT type, name, sql FROM sqlite_schema ORDER BY name"
    header = "SELECT application_id, user_version FROM pragma_application_id, pragma_user_version"
    before = rows(log, schema), rows(log, header), rows(log, "PRAGMA page_size")
    purge(replay, log)
    assert (rows(log, schema), rows(log, header), rows(log, "PRAGMA page_size")) == before
    with closing(sqlite3.connect(log)) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute("DELETE FROM events")


def test_other_runs_of_the_log_keep_their_bodies(
    run_log: Callable[..., Path], replay: Replay, tmp_path: Path
) -> None:
    """Only the run that is named loses them."""
    for name in ("one", "two"):
        run_log(tmp_path / "log.db", 3, run_id=name)
    purge(replay, tmp_path / "log.db", "one")
    assert said(replay, "verify", tmp_path / "log.db")["ok"]
    log = read_log(tmp_path / "log.db")
    assert log.streams() == ["one", "two"]
    assert None not in log.bodies("two", range(6))
    assert set(log.bodies("one", range(6))) == {None}
    log.close()


def test_what_needs_the_bodies_says_that_they_are_gone(log: Path, replay: Replay, tmp_path: Path) -> None:
    """Export is one line and exit code 2; item shows the attempts without question and answer."""
    purge(replay, log)
    result = replay("export", log, tmp_path / "out")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "were purged from the log" in result.stderr
    assert not (tmp_path / "out").exists()
    life = said(replay, "item", log, 3)
    assert (life["status"], life["result"], life["answer"]) == ("completed", None, None)
    assert life["attempts"][0]["fate"] == "succeeded"
    assert replay("item", log, 3).stdout.count("purged from the log") == 2


@contextmanager
def _script(path: Path, out: Path, answer: str = "ok") -> Iterator[BatchManager]:
    with Sandbox(answer) as served, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANTHROPIC_BASE_URL", served.url)
        patch.setenv("ANTHROPIC_API_KEY", "k")
        yield BatchManager(
            messages=[[{"role": "user", "content": str(n)}] for n in range(5)],
            model="claude-sonnet-5-5",
            state_path=path,
            run_id="run",
            items_per_job=2,
            poll_interval=0.01,
            results_dir=out,
        )


def test_the_script_gets_an_error_and_its_files_stay(replay: Replay, tmp_path: Path) -> None:
    """results() and items() of a purged run raise, and run() leaves its results_dir alone."""
    path, out = tmp_path / "run.db", tmp_path / "out"
    with _script(path, out) as manager:
        summary = manager.run()
        written = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
        purge(replay, path, "run")
        for read in (manager.results, lambda: list(manager.items())):
            with pytest.raises(LogError, match="were purged from the log"):
                read()
        assert manager.run() == summary
        assert manager.stats()["total_cost"] == summary["total_cost"]
        manager.retry_failed()
    assert {file: file.read_bytes() for file in out.rglob("*") if file.is_file()} == written


def test_a_run_that_is_not_complete_keeps_its_bodies(waiting: Path, replay: Replay, tmp_path: Path) -> None:
    """It needs them to go on; what is left is said."""
    path = Path(shutil.copy(waiting, tmp_path / "run.db"))
    run = said(replay, "show", path)["run_id"]
    result = replay("purge", path, "--run", run)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert "interrupted with 30 pending items and 3 open jobs" in result.stderr
    assert rows(path, "SELECT count(*) FROM segments WHERE data IS NULL") == [(0,)]
    assert said(replay, "show", path)["version"] == said(replay, "show", waiting)["version"]


def test_a_run_that_is_driven_is_left_alone(log: Path, replay: Replay) -> None:
    """The process that has it is named."""
    other = open_log(log)
    claim = other.claim("the-run", values.Process(pid=4711, host="elsewhere"))
    result = replay("purge", log, "--run", "the-run")
    assert result.exit_code == 2
    assert "driven by process 4711 on elsewhere" in result.stderr
    claim.release()
    other.close()
    assert purge(replay, log)["purged_now"]


def test_a_purge_that_was_killed_halfway_is_finished_by_the_next(log: Path, replay: Replay) -> None:
    """The decision is in the log first: verify passes in between, and no second event is written."""
    half = open_log(log)
    claim = half.claim("the-run", values.Process(pid=1, host="h"))
    claim.append(10**15, [e.BodiesPurged(bodies=24, process=values.Process(pid=1, host="h"))])
    claim.release()
    half.close()
    assert said(replay, "verify", log)["ok"]
    version = said(replay, "show", log)["version"]
    assert purge(replay, log)["purged_now"] is True
    assert purge(replay, log)["purged_now"] is False
    assert said(replay, "show", log)["version"] == version
    assert "nothing to remove" in replay("purge", log, "--run", "the-run").stdout


def test_a_reader_that_stays_is_told(log: Path, replay: Replay) -> None:
    """While another program reads, the file cannot be rebuilt to its end; afterwards it can."""
    open_log(log).close()  # in WAL mode, as while runs go on; one who reads a finished log shuts writers out
    reader = read_log(log)
    with reader.snapshot():
        result = replay("purge", log, "--run", "the-run")
        assert result.exit_code == 2
        assert "another program has the log open" in result.stderr
    reader.close()
    purge(replay, log)
    assert said(replay, "verify", log)["ok"]


def test_what_cannot_be_purged(log: Path, replay: Replay, tmp_path: Path) -> None:
    """No run named, no such run, no such file, a read-only file: one line, and no file is made."""
    log.chmod(stat.S_IRUSR)
    cases = [
        ((log,), "--run"),
        ((log, "--run", "other"), "the-run"),
        ((tmp_path / "missing.db", "--run", "x"), "does not exist"),
        ((tmp_path, "--run", "x"), "is a folder"),
    ]
    for arguments, words in cases:
        result = replay("purge", *arguments)
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1), result.output
        assert words in result.stderr or "read-only" in result.stderr
    assert not (tmp_path / "missing.db").exists()
