"""What a run shows: nothing by default, log records when the program listens, progress when asked for."""

from __future__ import annotations

import io
import json
import logging
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
import structlog
from resume_support import fresh
from run_support import Runs

from batchata.core.evolve import fold
from batchata.sandbox import Faults
from batchata.terminal.progress import LiveProgress, PlainProgress
from batchata.terminal.progress_line import line


def test_events_go_to_the_standard_logging_tree(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    """Each event is one record with its name and keys; those that come once an item are left out."""
    with caplog.at_level(logging.INFO, logger="batchata"):
        runs.manager(4).run()
    messages = [record.getMessage() for record in caplog.records if record.name == "batchata"]
    assert messages[0].startswith("run_started run=")
    assert sum(message.startswith("batch_submitted ") for message in messages) == 2
    assert not any("outcome_recorded" in message for message in messages)
    submitted: dict[str, object] = next(
        vars(record)
        for record in caplog.records
        if record.getMessage().startswith("batch_submitted ") and vars(record)["job"] == 0
    )
    assert str(submitted["batch_id"]).startswith("msgbatch_")


def test_records_become_json_by_the_event_and_its_keys(tmp_path: Path) -> None:
    """To structlog's formatter the event is the name alone, and its keys are keys to group by."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=structlog.processors.JSONRenderer()))
    logger = logging.getLogger("batchata")
    logger.addHandler(handler)
    before = logger.level
    logger.setLevel(logging.INFO)
    try:
        faults = Faults(errored=lambda custom_id, _: custom_id.endswith("-1"))
        with fresh(tmp_path / "run", faults=faults) as runs:
            runs.manager(4, max_attempts=1).run()
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)
    records = [json.loads(line) for line in written.getvalue().splitlines()]
    done = [record for record in records if record["event"] == "job_completed"]
    first = next(record for record in done if record["job"] == 0)
    assert (first["items"], first["succeeded"], first["errored"]) == (3, 2, 1)
    assert Decimal(first["cost"]) > 0
    (completed,) = [record for record in records if record["event"] == "run_completed"]
    assert (completed["completed_items"], completed["failed_items"]) == (3, 1)
    assert Decimal(completed["total_cost"]) == sum(Decimal(record["cost"]) for record in done)
    (failed,) = [record for record in records if record["event"] == "items_failed"]
    assert failed["items"] == 1


def test_a_run_ends_by_naming_the_head_of_its_log(
    runs: Runs, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last record, the last line of progress and stats() name the hash; a finished run names it again."""
    manager = runs.manager(4)
    with caplog.at_level(logging.INFO, logger="batchata"):
        manager.run(print_progress=True)
    head = manager.stats()["log_head"]
    assert re.fullmatch(r"[0-9a-f]{64}", head)
    assert caplog.records[-1].getMessage() == f"log_head run={manager.run_id} head={head}"
    assert capsys.readouterr().err.splitlines()[-1] == f"log head {head}"
    runs.manager(4).run(print_progress=True)
    assert capsys.readouterr().err.splitlines()[-1] == f"log head {head}"


def test_events_in_memory_have_no_head(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    """What ends with the process can prove nothing later."""
    manager = runs.manager(2, state_path=None)
    manager.run(print_progress=True)
    assert manager.stats()["log_head"] is None
    assert "log head" not in capsys.readouterr().err


def test_importing_batchata_configures_no_logging() -> None:
    """The root logger stays as the program left it, and structlog too, imported when something is heard."""
    code = (
        "import logging, sys, batchata.manager; from batchata.logs import get_logger;"
        "get_logger().info('unheard'); assert 'structlog' not in sys.modules;"
        "logging.getLogger('batchata').setLevel('INFO'); get_logger().info('heard');"
        "structlog = sys.modules['structlog'];"
        "assert not logging.getLogger().handlers and not structlog.is_configured();"
        "assert [type(h).__name__ for h in logging.getLogger('batchata').handlers] == ['NullHandler']"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_a_line_of_progress_says_items_jobs_cost_limit_and_what_is_waited_for(runs: Runs) -> None:
    """Everything that a waiting person asks, in one line; at the end, how good the estimate was.

    Of a few answers, or of less than a cent, no ratio is told.
    """
    runs.manager(4, max_cost=2).run()
    said = line(fold(runs.events()))
    assert re.fullmatch(r"4/4 items · jobs 2/2 · \$0\.\d+ of \$2\.00 · done", said)
    runs.manager(90, max_cost=2, items_per_job=90).run()
    said = line(fold(runs.events()))
    assert re.search(r"of \$2\.00 · estimate (\d+% too high|\d+ times what was used) · done$", said)


def test_plain_progress_does_not_repeat_itself(runs: Runs) -> None:
    """A log file is not filled with the same line while nothing changes."""
    runs.manager(2).run()
    run, stream = fold(runs.events()), io.StringIO()
    progress = PlainProgress(stream)
    for _ in range(50):
        progress.update(run)
    assert len(stream.getvalue().splitlines()) == 1


def _everything_from(terminal: int) -> str:
    """What was written to a pseudo-terminal whose other end is closed; Linux ends it with an error."""
    parts: list[bytes] = []
    with suppress(OSError):
        while part := os.read(terminal, 65536):
            parts.append(part)
    os.close(terminal)
    return b"".join(parts).decode()


def test_on_a_terminal_one_line_is_redrawn(runs: Runs) -> None:
    """A real pseudo-terminal sees the bar with counts, cost and elapsed time."""
    runs.manager(2).run()
    run = fold(runs.events())
    ours, theirs = pty.openpty()
    with open(theirs, "w") as stream, LiveProgress(stream) as progress:
        progress.update(run)
    drawn = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", _everything_from(ours))
    assert "2/2 items" in drawn
    assert "done" in drawn


def test_what_is_sent_again_is_shown_with_its_reason_and_its_time(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that waits half a minute must not look as if it hung."""
    runs.sandbox.faults = Faults(errored={0}, error_type="overloaded_error")
    runs.manager(2, retry_delay=60, max_wait_time=1.5).run(print_progress=True)
    shown = capsys.readouterr().err
    assert re.search(r"1 item waits to be sent again \(overloaded_error\), the first in [2-6]\d s", shown)
