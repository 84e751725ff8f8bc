"""Runs whose log is in PostgreSQL: killed, taken over by another host, explained, left by their server."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import postgres_server
import pytest
from crash_boundaries import THOROUGH, Boundary
from crash_support import Case, all_held, check_verified, in_memory, make_manager, run_case
from postgres_server import Server
from resume_support import Script, check_complete, fresh, known_batches, seen, wait_for
from run_support import Echo, Runs
from typer.testing import CliRunner

from batchata import BatchManager
from batchata.errors import RunClaimedError
from batchata.replay.cli import app

pytest.importorskip("psycopg", reason="psycopg is not installed")


@pytest.fixture
def hosted(runs: Runs, postgres: str) -> Runs:
    """Runs whose log is in a database."""
    runs.log.with_name("address.txt").write_text(postgres)
    return runs


@pytest.mark.parametrize(("name", "seam"), [("parallel", "uncommitted"), ("lost", "committed")])
def test_killed_anywhere_a_script_that_is_started_again_loses_nothing_and_pays_once(
    name: str, seam: str, postgres_of_all: Server, kills: Callable[[str, str, int, int], None]
) -> None:
    """SIGKILL before or after each commit; the next start takes the run over, and everything adds up.

    What must hold is what must hold for a log in a file. All stories begin with the same commits.
    """
    begun = 7 if seam == "committed" else 0
    # What is not committed is as it was before; with a file each is tried (`test_crash_matrix.py`).
    every = 1 if THOROUGH or seam == "committed" else 2
    cases: list[Case] = []
    with in_memory() as folder:
        while not cases or (cases[-1].killed and cases[-1].problem is None):
            with postgres_of_all.schema() as url:
                boundary = Boundary(seam, begun + every * len(cases) + 1)
                cases.append(run_case(name, boundary, folder, address=url))
    all_held(cases)
    assert len(cases) > 5
    kills(f"crash matrix in PostgreSQL, {name}", seam, len(cases) - 1, max(case.looks for case in cases))


def test_hosts_take_a_run_over_from_each_other(hosted: Runs) -> None:
    """While one drives it the other is refused; killed, its batches are collected by the other, once paid."""
    script = Script(hosted, story=_leave_open)
    wait_for(seen(hosted, "batch_submitted", 2))
    with pytest.raises(RunClaimedError, match="is driven by process"):
        make_manager(hosted).run()
    script.send(signal.SIGKILL)
    script.ends()
    summary = make_manager(hosted).run()
    assert summary["completed_items"] == summary["total_items"] == 4
    assert known_batches(hosted) == sorted(batch.id for batch in hosted.sandbox.batches)
    assert hosted.creates() == 2
    check_verified(hosted.place)


def _leave_open(runs: Runs) -> None:
    make_manager(runs, poll_interval=60).run()


def test_a_run_in_a_database_is_explained_by_every_command(hosted: Runs, tmp_path: Path) -> None:
    """By its address, and without its password; results and export are those of any run."""
    found = hosted.manager(count=4)
    found.run()
    url = str(hosted.place).replace("tester@", "tester:s3cret@")
    say: Callable[..., Any] = lambda *words: CliRunner().invoke(app, [*words])  # noqa: E731 - as short as its use
    for words in (
        ("show", url), ("events", url), ("item", url, "0"), ("costs", url), ("verify", url),
        ("diff", url, "1", "5"), ("export", url, str(tmp_path / "exported"), "--format", "csv"),
        ("report", url, str(tmp_path / "report.html")), ("show", url, "--run", "nobody"),
    ):  # fmt: skip
        told = say(*words)
        assert told.exit_code == (2 if "nobody" in words else 0), (words, told.output)
        assert "s3cret" not in told.output
    shown = json.loads(say("show", url, "--json").output)
    assert (shown["completed_items"], shown["status"]) == (4, "completed")
    assert "s3cret" not in (tmp_path / "report.html").read_text()
    items = BatchManager.open(url, response_model=Echo).items()
    assert [item.result and item.result.said for item in items] == [f"message {n}" for n in range(4)]


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that a test may end and start again."""
    server = postgres_server.create()
    yield server
    server.remove()


def test_a_server_that_stays_away_ends_the_run_and_its_batches_are_collected_later(
    tmp_path: Path, own_server: Server
) -> None:
    """The run stops as for a file that cannot be written; the next start pays for nothing again."""
    ahead = [0.0]  # seconds by which the provider's clock is ahead, whose batches take a minute
    with fresh(tmp_path / "run", delay=lambda _: 60.0, clock=lambda: time.time() + ahead[0]) as runs:
        runs.log.with_name("address.txt").write_text(f"{own_server.url}?connect_timeout=1")
        script = Script(runs, poll_interval=0.05)
        wait_for(seen(runs, "batch_submitted", 2))
        own_server.stop()
        assert script.ends() == 1
        told = (runs.log.parent / "stderr.txt").read_text()
        assert "the server went away and did not come back within 1 s" in told
        assert all(batch.id in told for batch in runs.sandbox.batches)
        own_server.start()
        ahead[0] = 120.0
        check_complete(runs)
        assert runs.creates() == len(runs.sandbox.batches) == len(known_batches(runs))
        check_verified(runs.place)
