"""A log in which something was changed is not gone on from, though every event of it can be read."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from run_support import Runs

from batchata import BatchataWarning, BatchManager
from batchata.errors import LogError

CHANGED = r"versions \d+ to \d+ are not as they were written .*`batchata verify`"


def _flip(path: Path, kind: str) -> None:
    """Change one digit in the events of a type, as a failing disk would."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT data FROM events WHERE type = ?", (kind,)).fetchall()
    data = rows[0][0].encode()
    place = next(place for place in reversed(range(len(data))) if data[place : place + 1].isdigit())
    changed = data[:place] + b"%d" % ((data[place] - 47) % 10) + data[place + 1 :]
    content = path.read_bytes()
    assert content.count(data) == 1
    path.write_bytes(content.replace(data, changed))


@pytest.fixture
def half_done(runs: Runs) -> Path:
    """The log of a run of which one item is done, one batch is open, and one item was not sent."""
    made = runs.manager(3, items_per_job=1, max_parallel_jobs=1)
    made.run(limit=1)
    made.submit()
    assert runs.creates() == 2
    return runs.log


@pytest.mark.parametrize("kind", ["cost_charged", "submission_started", "run_started"])
def test_a_flipped_digit_ends_a_start_before_anything_is_sent(runs: Runs, half_done: Path, kind: str) -> None:
    """Amounts and items are believed only where the chain holds; a whole copy goes on as ever."""
    whole = Path(shutil.copy(half_done, half_done.with_name("whole.db")))
    _flip(half_done, kind)
    before = half_done.read_bytes()
    with pytest.raises(LogError, match=CHANGED + ".* Nothing was sent. Go on with a copy of the log"):
        BatchManager.open(half_done).run()
    with pytest.raises(LogError, match=CHANGED):
        BatchManager.open(half_done).abandon(1)
    assert runs.creates() == 2
    assert len(before) == half_done.stat().st_size
    assert BatchManager.open(whole).run()["completed_items"] == 3
    assert runs.creates() == 3


def test_without_a_whole_copy_what_was_paid_can_still_be_collected(runs: Runs, half_done: Path) -> None:
    """Cancelling sends nothing that costs, so it only warns; and the log is not whole after it either."""
    _flip(half_done, "cost_charged")
    opened = BatchManager.open(half_done)
    with pytest.warns(BatchataWarning, match=CHANGED + ".*what has ended is collected, and nothing is sent"):
        opened.cancel()
    assert "job_completed" in runs.types()[-3:]
    with pytest.raises(LogError, match=CHANGED):
        opened.run()
    assert runs.creates() == 2


def test_a_finished_log_is_read_as_it_is(runs: Runs) -> None:
    """Nothing is driven, so nothing is looked at: `verify` is there for that."""
    runs.manager(1).run()
    _flip(runs.log, "batch_polled")
    assert runs.manager(1).run()["completed_items"] == 1
