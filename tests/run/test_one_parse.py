"""An answer is read once, when it arrives; files and `results()` are what reading the log would give."""

from __future__ import annotations

import io
import json
from pathlib import Path

from run_support import Runs, conversations

from batchata.core.events import CostCharged, OutcomeRecorded
from batchata.core.pages import Page, length_of
from batchata.log import read_log
from batchata.providers.exchange import Outcome
from batchata.replay.export import Format, write_results
from batchata.run.reports import Arrived, Exhausted
from batchata.run.workers import _Reports
from batchata.sandbox import Faults
from batchata.views.arrivals import Arrivals
from batchata.views.history import fold_events
from batchata.views.response_models import RunReader
from batchata.views.results_dir import known_results


def files(folder: Path) -> dict[str, bytes]:
    return {
        f"{path.parent.name}/{path.name}": path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name in ("processed", "raw")
    }


def exported(runs: Runs, folder: Path) -> dict[str, bytes]:
    """The files that the log alone gives."""
    log = read_log(runs.log)
    run = fold_events(log, log.streams()[0])
    write_results(log, run, folder, Format.JSON, RunReader.of(run, None), force=False)
    log.close()
    return files(folder)


def test_results_and_files_are_those_that_the_log_gives(runs: Runs, tmp_path: Path) -> None:
    """With errors, retries and repeated lines between the answers, which break pages up."""
    runs.sandbox.faults = Faults(
        errored=lambda custom_id, number: number % 5 == 3, error_type="overloaded_error", duplicated=[1]
    )
    manager = runs.manager(count=23, items_per_job=10, results_dir=runs.out, max_attempts=2)
    manager.run()
    first, second = manager.results(), manager.results()
    again = runs.manager(count=23, items_per_job=10, results_dir=runs.out, max_attempts=2).results()
    assert first == second == again
    assert sum(one["result"] is not None for one in first) > 15
    assert files(runs.out) == exported(runs, tmp_path / "exported")


def test_what_results_hands_out_is_the_users(runs: Runs) -> None:
    """Changed, it does not change what a later call gives; and items that share a request share no object."""
    manager = runs.manager(messages=[*conversations(3), *conversations(3)], dedupe=True)
    manager.run()
    found = manager.results()
    assert found[0]["result"] == found[3]["result"]
    found[0]["result"].said = "changed"
    assert found[3]["result"].said == "message 0"
    assert manager.results()[0]["result"].said == "message 0"


def test_another_start_makes_what_was_kept_old(runs: Runs) -> None:
    """Results kept by one manager are not shown after another has gone on with the run."""
    runs.sandbox.faults = Faults(errored=[1], error_type="invalid_request_error")
    manager = runs.manager(count=3, max_attempts=1)
    manager.run()
    runs.sandbox.faults = Faults()
    runs.manager(count=3, max_attempts=1).retry_failed()
    assert [one["result"].said for one in manager.results()] == [f"message {n}" for n in range(3)]


def test_accepted_answers_lie_in_pages_and_read_as_events(runs: Runs) -> None:
    """One row holds those of a job; every completion and charge is an event with a version all the same."""
    runs.manager(count=6, items_per_job=6).run()
    log = read_log(runs.log)
    stream = log.streams()[0]
    pages = [row for row in log.rows(stream, 1) if row[2] == Page.TYPE]
    events = list(log.events(stream))
    log.close()
    assert len(pages) == 1
    assert [recorded.version for recorded in events] == list(range(1, len(events) + 1))
    answers = [r.event for r in events if isinstance(r.event, OutcomeRecorded | CostCharged)]
    assert sorted(event.index for event in answers) == sorted([*range(6), *range(6)])
    assert all(length_of(event) == 1 for event in answers)


def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    """Beyond the bounds the log is read: for files the oldest results, for `results()` all of them."""
    kept = Arrivals(raw=tmp_path, files=True, cited=False)
    for body in range(3):
        kept.take(body, "x" * 7_000_000, 5_000_000)
    assert kept.json_of([0]) is None
    assert kept.json_of([1, -1]) == [b'"' + b"x" * 7_000_000 + b'"', b"null"]
    assert kept.values().keys() == {0, 1, 2}
    kept.take(3, "x", 30_000_000)
    assert kept.values() == {}
    many = Arrivals(raw=None, files=False, cited=False, items=100_000)
    many.take(0, "x", 1)
    assert many.values() == {}  # not begun with: they would be let go of before the end


def test_lines_are_copied_only_where_all_of_a_job_are_there(tmp_path: Path) -> None:
    """A job that was begun by another start, or has lines that belong nowhere, is written from the log."""
    kept = Arrivals(raw=tmp_path, files=False, cited=True)
    kept.take_lines(0, 5, [b"a", b"b"])
    kept.take_lines(0, 7, [b"c"])
    kept.take_lines(1, 8, [b"d"])
    whole, part = io.BytesIO(), io.BytesIO()
    assert kept.copy_lines(0, [(5, 7)], whole)
    assert not kept.copy_lines(1, [(4, 4), (8, 8)], part)
    assert (whole.getvalue(), part.getvalue()) == (b"a\nb\nc\n", b"")
    assert not list(tmp_path.iterdir())


def test_few_lines_are_handed_out_and_many_copied(tmp_path: Path) -> None:
    """Where they are is no matter to the file that gets them."""
    kept, line = Arrivals(raw=tmp_path, files=False, cited=True), b"x" * 1_000
    for first in range(0, 100, 10):
        kept.take_lines(0, first, [line] * 10)
        kept.take_lines(1, first, [b"few"] * 10)
    assert kept.few_lines(1, [(0, 98)]) is None
    assert kept.few_lines(1, [(0, 99)]) == b"few\n" * 100
    assert kept.few_lines(0, [(0, 99)]) is None
    whole = io.BytesIO()
    assert kept.copy_lines(0, [(0, 99)], whole)
    assert whole.getvalue() == (line + b"\n") * 100


def test_results_that_are_joined_in_parts_are_one_list() -> None:
    """Of none, of few, and of more than are joined at a time."""
    for count in (0, 1, 2_500):
        results = [b"%d" % number for number in range(count)]
        entries = json.loads(b"".join(known_results(results)))
        assert entries == [{"result": number, "citations": None} for number in range(count)]


def test_a_worker_that_handed_over_much_waits_until_it_is_taken() -> None:
    """It reads no more while that lies there: only so is what a fast download holds bounded."""
    reports = _Reports()
    outcome = Outcome("r-0", "succeeded", None, None, None, [], b"")
    reports.put(Arrived(0, [outcome] * 999))
    assert reports.wait_for_room(0.0)
    reports.put(Arrived(1, [outcome]))
    assert not reports.wait_for_room(0.01)
    reports.put(Exhausted(1))  # is taken in any case
    assert reports.get(0.0) == Arrived(0, [outcome] * 999)
    assert reports.wait_for_room(0.0)


def test_the_lines_of_few_jobs_are_kept_at_once(tmp_path: Path) -> None:
    """Jobs whose downloads wait to be repeated keep theirs open; the lines of further ones lie in the log."""
    kept = Arrivals(raw=tmp_path, files=False, cited=True)
    for job in range(100):
        kept.take_lines(job, job, [b"a"])
    written = [kept.copy_lines(job, [(job, job)], io.BytesIO()) for job in range(100)]
    assert 0 < sum(written) <= 64
    kept.close()
