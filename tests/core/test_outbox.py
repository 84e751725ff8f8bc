"""Rules of jobs whose intents are written and whose batches are not created yet."""

from __future__ import annotations

from core_given import PROCESS, error, items_added, run_started, submission_started

from batchata.core import events as e
from batchata.core.state import JobStatus, Run
from batchata.log.memory import MemoryLog
from batchata.providers.exchange import Upload
from batchata.run.journal import Journal
from batchata.run.outbox import Outbox
from batchata.run.workers import Workers


def test_what_waits_when_sending_ends_is_taken_back() -> None:
    """No create call is made for it, and its items wait: it is certainly not a batch."""
    journal = Journal(Run(), MemoryLog().claim("run-1", PROCESS))
    workers = Workers(None, 0)
    outbox = Outbox(journal, workers, elsewhere=None, patience=1.0)
    journal.append(run_started(), items_added(0, 2), submission_started(0, (0, 1)))
    outbox.stage(0, Upload("file-1", "mark"))
    journal.append(e.SubmittingStopped(error=error("billing_error")))
    outbox.send()
    assert (workers.busy, outbox.jobs) == ({}, [])
    (job,) = journal.run.jobs.values()
    assert (job.status, journal.run.pending, list(journal.run.open)) == (JobStatus.FAILED, 2, [])
