"""Rules of time travel: the state shown is the state that the runner had then."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from forked import Program
from typer.testing import Result

from batchata.core import events as e
from batchata.core.events import RunStarted
from batchata.core.evolve import fold
from batchata.core.values import Process
from batchata.errors import InvalidInputError
from batchata.log import open_log, read_log
from batchata.views.history import parse_at

type Replay = Callable[..., Result]
type Write = Callable[..., Path]

NOW = 1_764_000_000_000_000
HOUR = 3_600_000_000


@pytest.mark.parametrize(
    ("text", "version", "at"),
    [
        ("120", 120, None),
        ("-1h", None, NOW - HOUR),
        ("-90s", None, NOW - 90_000_000),
        ("-1h30m", None, NOW - HOUR * 3 // 2),
        ("-2d", None, NOW - 48 * HOUR),
        ("1970-01-01T00:00:01", None, 1_000_000),
        ("1970-01-01T02:00:01.000001+02:00", None, 1_000_001),
        ("1970-01-02", None, 24 * HOUR),
        ("1970-01-01T01:00Z", None, HOUR),
    ],
)
def test_a_moment_is_a_version_a_time_or_so_long_ago(text: str, version: int | None, at: int | None) -> None:
    """Times without a zone are UTC, as all that is printed."""
    found = parse_at(text, NOW)
    assert (found.version, found.time) == (version, at)


@pytest.mark.parametrize(
    "text", ["", "0", "yesterday", "-", "-1", "-1w", "2026-13-01", "1.5", "1e3", "9" * 5_000]
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    """Each with what can be given instead."""
    with pytest.raises(InvalidInputError, match=r"version|event number"):
        parse_at(text, NOW)


def test_every_version_shows_what_the_runner_knew(troubled: Path, replay: Replay) -> None:
    """At each version, counts, cost and jobs are those of the fold up to it, and nothing later."""
    log = read_log(troubled)
    events = list(log.events(log.streams()[0]))
    log.close()
    for version in range(1, len(events) + 1, 3):
        run = fold(events[:version])
        shown = json.loads(replay(troubled, "--at", version, "--json").stdout)
        assert shown["version"] == version
        assert (shown["completed_items"], shown["failed_items"]) == (run.completed, run.failed)
        assert (shown["pending_items"], shown["total_items"]) == (run.pending, run.total)
        assert len(shown["jobs"]) == len(run.jobs)
        assert shown["status"] == run.status


def test_a_time_shows_the_last_event_up_to_it(
    write_log: Write, started: Callable[..., RunStarted], replay: Replay
) -> None:
    """Of two events at that very time both count; one microsecond earlier none does."""
    path = write_log([started()], at=NOW)
    log = open_log(path)
    claim = log.claim("run", Process(pid=1, host="elsewhere"))
    for index, second in enumerate((1, 1, 2)):
        added = e.ItemsAdded(first=index, count=1, digest="d", first_body=index)
        claim.append(NOW + second * 1_000_000, [added])
    log.close()

    def total(at: str) -> int:
        return int(json.loads(replay(path, "--at", at, "--json").stdout)["total_items"])

    when = datetime.fromtimestamp(NOW / 1e6, UTC)
    assert total(f"{when + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}") == 2
    assert total(f"{when + timedelta(seconds=1, microseconds=-1):%Y-%m-%dT%H:%M:%S.%f}Z") == 0
    assert total("-1s") == 3


def test_the_text_says_that_it_is_the_past(troubled: Path, replay: Replay) -> None:
    """The moment and the version stand at the top, and the head of the log, which is of today, nowhere."""
    text = replay(troubled, "--at", "9").stdout
    assert "as of" in text
    assert "after event 9" in text
    assert "log head" not in text
    assert "log head" in replay(troubled).stdout


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        ("99999", "events; give a version from 1 to"),
        ("1999-01-01", "began only at"),
        ("soon", "is not a time"),
    ],
)
def test_a_moment_that_the_run_does_not_have(troubled: Path, replay: Replay, at: str, reason: str) -> None:
    """One line that says which moments there are, and exit code 2."""
    result = replay("show", troubled, "--at", at)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert reason in result.stderr


def test_watching_shows_every_change_and_ends_with_the_run(
    started: Callable[..., RunStarted], tmp_path: Path
) -> None:
    """In a pipe the run is printed when something has happened, for the last time when it completes."""
    path = tmp_path / "run.db"
    log = open_log(path)
    claim = log.claim("run", Process(pid=os.getpid(), host="elsewhere"))
    claim.append(NOW, [started()])
    watching = Program(["-m", "batchata.replay", "show", path, "--watch"])
    assert watching.stdout.readline().startswith("run ")
    claim.append(NOW, [e.ItemsAdded(first=0, count=1, digest="d", first_body=0)])
    assert any(line.startswith("run ") for line in watching.stdout)
    claim.append(NOW, [e.RunCompleted(completed_items=0, failed_items=0, total_cost="0")])
    rest, _ = watching.communicate(timeout=300)
    assert watching.returncode == 0
    assert f"\n{rest}".count("\nrun ") == 1
    assert rest.rstrip().splitlines()[-2].startswith("next        nothing: the run is complete")
    log.close()


def test_watching_the_past_makes_no_sense(done: Path, replay: Replay) -> None:
    """Neither does one JSON object that changes."""
    for more in (["--at", "3"], ["--json"]):
        result = replay("show", done, "--watch", *more)
        assert result.exit_code == 2
        assert "--watch goes with neither" in result.stderr
