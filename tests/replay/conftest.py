"""What the tests of replay share: logs of real runs, logs of given events, and the command."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import forked
import pytest
from report_support import hostile_answer, hostile_run
from typer.testing import CliRunner, Result

import batchata.replay
from batchata import BatchManager
from batchata.core.events import BatchPolled, Event, RunStarted
from batchata.core.values import Process, Settings
from batchata.log import open_log
from batchata.replay.cli import app
from batchata.sandbox import Faults, Sandbox

HOSTILE = "bad [red]news[/red] \x1b[31mred\x1b[0m\nsecond line \u202eback"


@pytest.fixture(scope="session")
def run_log() -> Callable[..., Path]:
    """Makes the log of a real run against a sandbox of its own, of which no other test knows."""

    def make(path: Path, items: int = 12, sandbox: Sandbox | None = None, **options: Any) -> Path:
        options = {"model": "claude-sonnet-5-5", "items_per_job": 5, **options}
        with sandbox or Sandbox("ok") as served:
            messages = [[{"role": "user", "content": f"say {number}"}] for number in range(items)]
            BatchManager(
                messages=messages,
                state_path=path,
                poll_interval=0.01,
                retry_delay=0.01,
                base_url=served.url,
                api_key="k",
                **options,
            ).run()
        return path

    return make


@pytest.fixture(scope="session")
def done(run_log: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of twelve items in three jobs, all completed."""
    return run_log(tmp_path_factory.mktemp("done") / "run.db", run_id="the-run")


@pytest.fixture(scope="session")
def troubled(run_log: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A completed run of ten items with an expired request, a failed item and stray lines in each batch."""
    faults = Faults(
        only_batches=[0, 1],
        errored=lambda custom_id, number: number == 2,
        error_type="invalid_request_error",
        error_message=HOSTILE,
        expired=lambda custom_id, number: number == 1,
        foreign=1,
    )
    path = tmp_path_factory.mktemp("troubled") / "run.db"
    return run_log(path, 10, Sandbox("ok", faults=faults), max_cost=5)


@pytest.fixture(scope="session")
def waiting(done: Path, run_log: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of thirty items that was interrupted with three batches open and fifteen items unsent."""
    # After `done`, which has the SDK imported: that alone may take longer than this run waits.
    for seconds in (0.5, 2, 8, 30):  # until each of its batches was polled, however busy the machine is
        path = tmp_path_factory.mktemp("waiting") / "run.db"
        run_log(path, 30, Sandbox("ok", delay=600), max_wait_time=seconds, max_parallel_jobs=3)
        with batchata.replay.open(path) as log:
            polled = [each.event.job for each in log.events() if isinstance(each.event, BatchPolled)]
        if len(set(polled)) == 3:
            return path
    raise AssertionError("the batches were never polled")


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of five documents, one of them failed, in which every text tries to become markup."""
    path = tmp_path_factory.mktemp("hostile") / "run.db"
    with pytest.MonkeyPatch.context() as patch, Sandbox(hostile_answer) as served:
        patch.setenv("ANTHROPIC_BASE_URL", served.url)
        patch.setenv("ANTHROPIC_API_KEY", "k")
        hostile_run(path)
    return path


@pytest.fixture
def write_log(tmp_path: Path) -> Callable[..., Path]:
    """Writes events into a log, as a run of the given name."""

    def write(
        events: Sequence[Event],
        run_id: str = "run",
        name: str = "run.db",
        at: int = 10**15,
        bodies: Sequence[bytes] = (),
    ) -> Path:
        log = open_log(tmp_path / name)
        claim = log.claim(run_id, Process(pid=1, host="elsewhere"))
        claim.append(at, events, bodies)
        claim.release()
        log.close()
        return tmp_path / name

    return write


@pytest.fixture
def started() -> Callable[..., RunStarted]:
    """The first event of a run, with anything changed."""

    def event(**changes: Any) -> RunStarted:
        fields: dict[str, Any] = {
            "run_id": "run",
            "tag": "tag",
            "provider": "anthropic",
            "base_url": "http://127.0.0.1:1",
            "library_version": "0",
            "model": "claude-sonnet-5-5",
            "params": {"max_tokens": 10},
            "prompt": None,
            "response_model": None,
            "response_schema": None,
            "result_schema": None,
            "enable_citations": False,
            "output_route": "text",
            "input_kind": "messages",
            "input_count": 1,
            "input_fingerprint": "f",
            "settings": settings(),
            "process": Process(pid=1, host="elsewhere"),
        }
        return RunStarted(**{**fields, **changes})

    return event


def settings(**changes: Any) -> Settings:
    """Settings with anything changed."""
    fields = dict.fromkeys(Settings.__struct_fields__)
    fields |= {"items_per_job": 5, "max_parallel_jobs": 3, "max_attempts": 3, "on_interrupt": "detach"}
    fields |= {"on_bad_file": "raise", "check_support": "report"}
    return Settings(**{**fields, **changes})


@pytest.fixture
def replay() -> Callable[..., Result]:
    """Runs the command in this process; the result has exit_code, stdout and stderr."""
    runner = CliRunner()
    return lambda *arguments, **env: runner.invoke(app, [str(a) for a in arguments], env=env)


@pytest.fixture
def timeless() -> Callable[[Result], str]:
    """What was printed, without how long ago something was: two looks at a log differ in that."""

    def text(result: Result) -> str:
        assert result.stdout
        return re.sub(r", (just now|[^,:]* ago):", ":", result.stdout)

    return text


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command in a process of its own, in an empty directory unless `cwd` names another."""

    def run(*arguments: object, cwd: Path = tmp_path, **env: str) -> subprocess.CompletedProcess[str]:
        return forked.run(["-m", "batchata.replay", *arguments], cwd=cwd, env={**os.environ, **env})

    return run
