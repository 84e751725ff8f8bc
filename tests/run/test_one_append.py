"""A round of the loop waits for the disk once, and collections leave alone what was there before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from run_support import Runs

from batchata.core.events import (
    Event,
    ItemsAdded,
    JobCompleted,
    RunInterrupted,
    RunStarted,
    SubmissionStarted,
)
from batchata.core.state import Run
from batchata.core.values import Process
from batchata.errors import LogError
from batchata.log import open_log, read_log
from batchata.log.port import Log
from batchata.run.journal import Journal

STOPPED = RunInterrupted(reason="detached", error=None, pending_items=0)


def test_a_run_and_its_items_begin_in_one_append(runs: Runs) -> None:
    """Where they are few; the items of a large input come a thousand an append, never all at once."""
    runs.manager(count=3).run()
    begun = appends(runs)[0]
    assert [type(event) for event in begun] == [RunStarted, ItemsAdded]


def test_the_intents_of_all_jobs_of_a_round_are_one_append(runs: Runs) -> None:
    """Five jobs that may be sent at once are secured together, before the first of them is sent."""
    runs.manager(count=10, items_per_job=2, max_parallel_jobs=5).run()
    intents = [append for append in appends(runs) if any(isinstance(e, SubmissionStarted) for e in append)]
    assert len(intents) == 1
    assert sum(isinstance(event, SubmissionStarted) for event in intents[0]) == 5


def test_the_end_of_a_job_and_the_intent_of_the_next_are_one_append(runs: Runs) -> None:
    """A job that makes room for another does not make the disk wait twice."""
    runs.manager(count=3, items_per_job=1, max_parallel_jobs=1).run()
    ends = [append for append in appends(runs) if any(isinstance(e, JobCompleted) for e in append)]
    assert [[e.job for e in append if isinstance(e, SubmissionStarted)] for append in ends] == [[1], [2], []]


def appends(runs: Runs) -> list[list[Event]]:
    """The events of each append of the only run."""
    log = read_log(runs.log)
    stream = log.streams()[0]
    events = {recorded.version: recorded.event for recorded in log.events(stream)}
    commits = [each.commit for each in log.commits(stream)]
    log.close()
    return [[events[v] for v in range(c.first_version, c.last_version + 1)] for c in commits]


@contextmanager
def journal_of_a_new_run() -> Iterator[tuple[Log, Journal]]:
    """A journal of a run that nothing drives, in memory."""
    log = open_log(None)
    claim = log.claim("r", Process(pid=1, host="here"))
    yield log, Journal(Run(), claim)
    claim.release()


def test_what_is_written_together_bears_the_time_at_which_it_came() -> None:
    """A block may wait for minutes before anything is appended; the time is not that of its beginning."""
    with journal_of_a_new_run() as (log, journal):
        with journal.together():
            began = journal.now()
            journal.append(STOPPED)
        (written,) = log.entries("r")
    assert written.at >= began


def test_what_waits_to_be_written_is_found_by_its_version() -> None:
    """Planning what comes next in the same append asks for outcomes that the log does not have yet."""
    with journal_of_a_new_run() as (log, journal):
        with journal.together():
            journal.append(STOPPED)
            assert journal.unwritten_at(1) is STOPPED
            assert (journal.unwritten_at(0), journal.unwritten_at(2)) == (None, None)
        assert journal.unwritten_at(1) is None
        assert [each.event for each in log.events_at("r", [1])] == [STOPPED]


def stop_and_then(journal: Journal, fail: Callable[[], None]) -> None:
    """Record that the run stopped, in a block in which something fails afterwards."""
    with journal.together():
        journal.append(STOPPED)
        fail()


def test_what_was_recorded_before_an_error_is_written() -> None:
    """A report that came before the one that raised is in the log."""

    def fail() -> None:
        raise RecursionError

    with journal_of_a_new_run() as (log, journal):
        with pytest.raises(RecursionError):
            stop_and_then(journal, fail)
        assert [each.event for each in log.events("r")] == [STOPPED]
        assert journal.unwritten == []


def test_events_whose_append_failed_are_known_as_unwritten() -> None:
    """The state has them and the log has not: what a message says of the log leaves them out."""
    with journal_of_a_new_run() as (log, journal):
        with pytest.raises(LogError):
            stop_and_then(journal, journal.claim.release)
        assert journal.unwritten == [STOPPED]
        assert not list(log.events("r"))


def test_the_state_never_knows_more_than_the_log() -> None:
    """Outside such a block an append that fails changes nothing."""
    with journal_of_a_new_run() as (log, journal):
        journal.claim.release()
        with pytest.raises(LogError):
            journal.append(STOPPED)
        assert (journal.run.version, journal.run.status) == (Run().version, Run().status)
        assert not list(log.events("r"))
