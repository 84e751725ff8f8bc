"""The fixture for whole runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from run_support import Runs, echo

from batchata.sandbox import Sandbox


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Runs]:
    """Runs against a sandbox that echoes."""
    with Sandbox(answers=echo) as sandbox:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", sandbox.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", sandbox.api_key)
        yield Runs(sandbox, tmp_path)
