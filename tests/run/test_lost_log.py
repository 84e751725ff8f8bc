"""A log that cannot be written while batches are at the provider: they are named, and found again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from resume_support import COUNT, Script, check_complete, manager, seen, wait_for
from run_support import Runs, conversations

from batchata.errors import LogError


def _with_more(runs: Runs, wanted: int = 300) -> dict[str, object]:
    """Enough items that results make the log grow."""
    return {"count": wanted, "items_per_job": 100, "max_cost": None}


@pytest.mark.parametrize("room", [60_000, 130_000, 180_000, 220_000])
def test_a_full_disk_loses_nothing(runs: Runs, room: int) -> None:
    """The script ends with a clear error wherever the disk ran full; with room again it goes on."""
    given = _with_more(runs)
    code = Script(runs, file_limit=room, **given).ends()
    assert code == 1
    told = (runs.log.parent / "stderr.txt").read_text().rpartition("batchata.errors.")[2]
    assert "cannot be written" in told or "cannot be created" in told
    batches = runs.sandbox.batches
    for batch in batches:
        assert batch.id in told or batch.id in _recorded(runs)
    check_complete(runs, **given)
    assert len(runs.sandbox.batches) == 3


def _recorded(runs: Runs) -> set[str]:
    """The batches that the log knows, where it can be read at all."""
    try:
        return {
            r.event.batch_id for r in runs.events() if r.event.TYPE in ("batch_submitted", "job_completed")
        }
    except (LogError, ValueError):
        return set()


def test_a_log_deleted_under_a_running_run_is_noticed_and_the_batches_are_named(
    patient: tuple[Runs, list[float]],
) -> None:
    """The error names every batch, since no later start can know them."""
    runs, _ = patient
    script = Script(runs, poll_interval=0.2)
    wait_for(seen(runs, "batch_submitted", 2))
    for path in runs.log.parent.glob("run.db*"):
        if "lock" not in path.name:
            path.unlink()
    assert script.ends() == 1
    told = (runs.log.parent / "stderr.txt").read_text()
    for batch in runs.sandbox.batches:
        assert batch.id in told
    assert "LogWriteError" in told


def test_a_batch_that_the_log_could_not_take_in_is_named_and_adopted(runs: Runs) -> None:
    """The answer to a create call cannot be written: the error names its batch, the next start finds it."""
    made = manager(runs, items_per_job=COUNT, max_parallel_jobs=1)
    made.run()
    with closing(sqlite3.connect(runs.log)) as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON events WHEN NEW.type = 'batch_submitted' "
            "BEGIN SELECT RAISE(FAIL, 'the disk is full'); END"
        )
        connection.commit()
    more: dict[str, Any] = {
        "messages": conversations(2 * COUNT),
        "items_per_job": COUNT,
        "max_parallel_jobs": 1,
    }
    with pytest.raises(LogError, match="not in the log") as raised:
        manager(runs, **more).run()
    assert runs.sandbox.batches[1].id in str(raised.value)
    with closing(sqlite3.connect(runs.log)) as connection:
        connection.execute("DROP TRIGGER full")
        connection.commit()
    check_complete(runs, 2 * COUNT, items_per_job=COUNT, max_parallel_jobs=1)
    assert len(runs.sandbox.batches) == 2


def test_a_start_that_was_killed_while_it_made_the_log_is_begun_again(runs: Runs) -> None:
    """What is left of the tables in their first commit is undone, and then there was no log yet."""
    with closing(sqlite3.connect(runs.log, isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size = 16384")
        connection.execute("PRAGMA cache_size = 2")
        connection.execute("BEGIN")
        for number in range(20):
            connection.execute(f"CREATE TABLE table_{number} (data)")
            connection.execute(f"INSERT INTO table_{number} VALUES (zeroblob(20000))")
        left = {suffix: Path(f"{runs.log}{suffix}").read_bytes() for suffix in ("", "-journal")}
        connection.execute("ROLLBACK")
    for suffix, content in left.items():
        Path(f"{runs.log}{suffix}").write_bytes(content)
    assert len(left[""]) > 100_000
    assert manager(runs).stats()["status"] == "not started"
    check_complete(runs)
