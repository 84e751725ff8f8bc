"""Hold back the jobs that are to be sent until their intents would survive anything."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from batchata.core import events
from batchata.core.values import RequestError
from batchata.errors import LogWriteError
from batchata.logs import get_logger
from batchata.providers.exchange import Upload
from batchata.run import bodies, calls
from batchata.run.executors import Elsewhere
from batchata.run.journal import Journal
from batchata.run.workers import Workers

_logger = get_logger()
_SHORT_READ = 2.0  # seconds that a program may read the log without a word from us
_HELD = (
    "another program reads the log and keeps what was written since in its -wal file (a database browser "
    "with an open transaction, a backup); close it, and the run goes on"
)


@dataclass(slots=True)
class Outbox:
    """Jobs whose intent is written and whose batch is not created yet, in the order in which they are sent.

    `patience` is how many seconds readers may keep what is written out of the log's main file.
    """

    journal: Journal
    workers: Workers
    elsewhere: Elsewhere | None
    patience: float
    _written: list[bodies.JobDescription] = field(default_factory=list)
    _staged: dict[int, Upload] = field(default_factory=dict)  # jobs that are uploaded
    _held_since: float | None = None  # monotonic; readers have kept them from being sent since then
    _held_told: bool = False

    @property
    def jobs(self) -> list[int]:
        """The jobs that wait."""
        return [*(description.job for description in self._written), *self._staged]

    def add(self, description: bodies.JobDescription) -> None:
        """Add a job whose intent is in the log."""
        self._written.append(description)

    def stage(self, job: int, upload: Upload) -> None:
        """Add a job whose requests are uploaded."""
        self._staged[job] = upload

    def send(self) -> None:
        """Make the create calls whose intents are written, once a copy of the main file would hold them.

        A run started from such a copy looks for their batches; without the intents it would pay for them
        again. Raises LogWriteError when readers have prevented it for longer than `patience`.
        """
        if not self.jobs:
            return
        if self.journal.run.sending_ended is not None:
            self.take_back()
            return
        if not self.journal.claim.secure():
            self._wait_for_readers()
            return
        self._held_since, self._held_told = None, False
        written, self._written = self._written, []
        submit = calls.submit if self.elsewhere is None else self.elsewhere.submit
        for description in written:
            self.workers.call("submit", [description.job], submit, description)
        staged, self._staged = self._staged, {}
        for job, upload in staged.items():
            self.workers.call("submit", [job], calls.create, job, upload)

    def take_back(self, why: str = "sending ended before it was this job's turn") -> None:
        """Return what was never sent to waiting: it is certainly not a batch."""
        error, now = RequestError(kind="not_sent", message=why), self.journal.now()
        unsent = self.jobs
        self._written, self._staged = [], {}
        self.journal.append(
            *(events.SubmissionFailed(job=job, error=error, not_before=now) for job in unsent)
        )

    def _wait_for_readers(self) -> None:
        """Say once why nothing is sent: how long another program reads the log is unknown."""
        moment = time.monotonic()
        if self._held_since is None:
            self._held_since = moment
        held = moment - self._held_since
        if held > _SHORT_READ and not self._held_told:
            self._held_told = True
            _logger.warning("log_held_by_reader", run=self.journal.claim.stream, advice=_HELD)
        if held > self.patience:
            self.take_back()
            raise LogWriteError(f"nothing was sent for {self.patience:,.0f} s: {_HELD}")
