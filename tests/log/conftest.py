"""What the tests of logs share: other processes that write to one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import log_process
import pytest
from log_process import Other, Start


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts other processes, and kills them at the end."""
    started: list[Other] = []

    def start(place: Path | str, work: log_process.Work, stream: str = "run") -> Other:
        started.append(Other(place, work, stream))
        return started[-1]

    yield start
    for other in started:
        other.kill()
