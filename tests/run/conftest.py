"""The fixtures for whole runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bad_input_support import by_batch, by_manager
from resume_support import fresh
from run_support import Runs, echo

from batchata.sandbox import Sandbox

_figures = pytest.StashKey[list[str]]()


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Says at the end of pytest's output what was measured."""
    return request.config.stash.setdefault(_figures, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(_figures, []):
        terminalreporter.write_line(line)


@pytest.fixture(autouse=True, scope="session")
def _imported() -> None:
    """What a run imports when it first needs it, which takes seconds, is no part of any test's time."""
    import batchata.providers.anthropic.client
    import batchata.run.engine

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ANTHROPIC_API_KEY", "none")
        assert batchata.providers.anthropic.client.AnthropicClient().base_url  # makes a client


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Runs]:
    """Runs against a sandbox that echoes."""
    with Sandbox(answers=echo) as sandbox:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", sandbox.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", sandbox.api_key)
        yield Runs(sandbox, tmp_path)


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[tuple[Runs, list[float]]]:
    """Runs whose batches take a minute, and that minute: batches created after it is set to 0 end at once."""
    delay = [60.0]
    # The clock is looked up at each call, so that freezegun moves the provider's time too.
    with fresh(tmp_path / "patient", delay=lambda _: delay[0], clock=lambda: time.time()) as runs:
        yield runs, delay


@pytest.fixture(params=[by_manager, by_batch], ids=["manager", "batch"])
def start(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Both ways to begin."""
    return request.param
