"""A log of every released version reads today as it did then, and can be written on."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from batchata.core.values import Process
from batchata.log import open_log

HERE = Path(__file__).resolve().parent / "fixtures"
REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HERE))
from make_log import what_is_said  # noqa: E402 - it lies beside the logs that it made

LOGS = sorted(HERE.glob("log_*.db"))

type Replay = Callable[..., Result]


@pytest.fixture(params=LOGS, ids=[path.stem for path in LOGS])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of each stored log."""
    return Path(shutil.copy(request.param, tmp_path))


def expected(log: Path) -> Any:
    """What was said of the log by the version that wrote it."""
    return json.loads((HERE / log.with_suffix(".json").name).read_text())


def holds(now: Any, then: Any) -> bool:
    """Whether today's answer has all that the older one had; keys may have been added since."""
    if isinstance(then, dict):
        return isinstance(now, dict) and all(key in now and holds(now[key], then[key]) for key in then)
    if isinstance(then, list) and isinstance(now, list):
        return len(now) == len(then) and all(map(holds, now, then))
    return bool(now == then)


def test_it_says_what_it_said(log: Path) -> None:
    """Counts, costs, jobs, events and results of each of its runs; reading changes nothing in the file."""
    before = log.read_bytes()
    said, then = what_is_said(log), expected(log)
    for run in then:
        for what in then[run]:
            assert holds(said[run][what], then[run][what]), (run, what)
    assert said.keys() == then.keys()
    assert log.read_bytes() == before


def test_it_can_be_trusted(log: Path, replay: Replay) -> None:
    """Every check holds, and its head is the one that its run named."""
    said = json.loads(replay("verify", log, "--json").stdout)
    assert (said["ok"], said["problems"]) == (True, [])
    assert {run["run_id"]: run["head"] for run in said["runs"]} == {
        name: run["show"]["head"] for name, run in expected(log).items()
    }


def test_it_can_be_written_on(log: Path, replay: Replay) -> None:
    """Opened for writing it gets today's tables and views, and says the same as before."""
    opened = open_log(log)
    claim = opened.claim("new", Process(pid=1, host="elsewhere"))
    claim.release()
    opened.close()
    said, then = what_is_said(log), expected(log)
    assert all(holds(said[run]["show"], then[run]["show"]) for run in then)
    assert json.loads(replay("verify", log, "--json").stdout)["ok"]


@pytest.mark.parametrize("command", ["events", "item", "costs", "diff", "report"])
def test_every_command_reads_it(log: Path, replay: Replay, tmp_path: Path, command: str) -> None:
    """None of them stumbles over what an older version wrote."""
    more = {"item": ["0"], "diff": ["1"], "report": [str(tmp_path / "run.html")]}.get(command, [])
    for run in expected(log):
        result = replay(command, log, *more, "--run", run)
        assert (result.exit_code, result.stderr) == (0, ""), result.output


def test_every_release_has_its_log() -> None:
    """A version that the changelog calls released has a stored log; so has the one to come."""
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[(\d[\w.]*)\]", changelog, re.MULTILINE)
    names = {path.stem.removeprefix("log_") for path in LOGS}
    assert names >= {*released, "0.1.0"}
