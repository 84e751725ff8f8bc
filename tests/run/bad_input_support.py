"""Both ways to begin a run, and what a refusal must leave untouched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from run_support import MODEL, Runs, conversations

from batchata import BatchManager, batch
from batchata.errors import (
    BatchataError,
)


def by_manager(**given: Any) -> None:
    """Make a manager that looks often, and run it."""
    BatchManager(**{"poll_interval": 0.01} | given).run()


def by_batch(**given: Any) -> None:
    """Send one job; the arguments that only a manager has are left out."""
    batch(
        **{name: value for name, value in given.items() if name not in ("items_per_job", "max_parallel_jobs")}
    )


@contextmanager
def refused(
    runs: Runs, kind: type[Exception], *words: str, stored: bytes | None = None
) -> Iterator[pytest.ExceptionInfo[Exception]]:
    """One error of our tree with these words; no byte was sent, and the log's path is as it was before."""
    with pytest.raises(kind) as caught:
        yield caught
    message = str(caught.value)
    assert isinstance(caught.value, BatchataError)
    assert [word for word in words if word not in message] == [], message
    assert runs.sandbox.exchanges == []
    assert (runs.log.read_bytes() if runs.log.is_file() else None) == stored
    assert not list(runs.log.parent.glob("run.db-*"))


def given(runs: Runs, **changed: Any) -> dict[str, Any]:
    """What would work, but for what a test changes; a value of ... leaves the argument out."""
    good = {"messages": conversations(2), "model": MODEL, "state_path": runs.log, "max_wait_time": 10}
    return {name: value for name, value in (good | changed).items() if value is not ...}
