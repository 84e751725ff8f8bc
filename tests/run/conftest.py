"""The fixtures for whole runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import freezegun
import pytest
from bad_input_support import by_batch, by_manager
from resume_support import fresh
from run_support import Runs, echo

from batchata.sandbox import Sandbox

# Thousands of modules that look at no clock of ours: to look through each takes a second.
_NO_CLOCK = ["anthropic.resources", "anthropic.types", "openai", "hypothesis", "aiohttp", "pydantic"]
_NO_CLOCK += ["pandas", "numpy", "pyarrow", "sqlalchemy", "sqlmodel", "alembic", "fpdf", "fontTools"]
freezegun.configure(extend_ignore_list=_NO_CLOCK)


@pytest.fixture
def kills(record_property: Callable[[str, object], None]) -> Callable[[str, str, int, int], None]:
    """Says at the end of pytest's output how often a story was killed at a seam, and its most looks."""

    def record(story: str, seam: str, killed: int, looks: int) -> None:
        record_property("kills", (story, seam, killed, looks))

    return record


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Add up the kills of each story, of whichever worker."""
    told: dict[str, list[tuple[str, int, int]]] = {}
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "kills" and isinstance(value, tuple | list):
                told.setdefault(value[0], []).append((value[1], value[2], value[3]))
    for story, parts in told.items():
        terminalreporter.write_line(
            f"{story}: {sum(killed for _, killed, _ in parts)} kills ("
            + ", ".join(f"{killed} {seam}" for seam, killed, _ in parts)
            + "); all completed and paid once; longest settlement: "
            f"{max(looks for *_, looks in parts)} looks"
        )


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
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        yield Runs(sandbox, tmp_path)


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[tuple[Runs, list[float]]]:
    """Runs whose batches take a minute, and that minute: batches created after it is set to 0 end at once."""
    delay = [60.0]
    # The clock is looked up at each call, so that freezegun moves the provider's time too.
    with fresh(tmp_path / "patient", delay=lambda _: delay[0], clock=lambda: time.time()) as runs:  # noqa: PLW0108 - looked up anew, as tests stop the clock
        yield runs, delay


@pytest.fixture(params=[by_manager, by_batch], ids=["manager", "batch"])
def start(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Both ways to begin."""
    return request.param
