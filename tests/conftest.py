"""What all tests share: an environment of their own, and where the real documents lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchata.sandbox import Sandbox

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may reach a real account: only what a test sets up is there to be used."""
    for name in [name for name in os.environ if name.startswith("ANTHROPIC_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox that the SDK finds through its environment variables."""
    with Sandbox() as running:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", running.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", running.api_key)
        yield running


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real documents and recordings, which is not part of the repository."""
    folder = Path(os.environ.get("BATCHATA_SHARED", REPOSITORY.parent / "shared" / "data" / "dev"))
    if not folder.is_dir():
        pytest.skip("the real documents (../shared/data/dev) are not here")
    return folder
