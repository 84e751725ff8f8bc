"""Starting, resuming and driving a run, from what its caller described and what its log holds."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pydantic

from batchata.core.events import ItemsAdded, RetryScheduled, RunResumed, Settings
from batchata.core.ranges import to_ranges
from batchata.core.state import ItemStatus, Run
from batchata.definition import Definition, this_process
from batchata.errors import RunClaimedError
from batchata.intake import Intake
from batchata.journal import Journal, now
from batchata.log.port import Log
from batchata.matching import changed_settings, check_same_place, check_same_run
from batchata.output.reading import Reader
from batchata.output.schema import check_response_model
from batchata.progress import progress_for
from batchata.providers.port import Provider
from batchata.recording import Recorder
from batchata.results import ItemResult, entry, never_started, read_entries, read_items
from batchata.results_dir import ResultsWriter
from batchata.runner import Runner, Stop
from batchata.signals import stop_on_signals
from batchata.store import RunStore

_ITEMS_PER_EVENT = 1_000
_BYTES_PER_EVENT = 8_000_000


class Engine:
    """One run, driven by calls of `drive` in any number of processes one after another."""

    def __init__(
        self, definition: Definition, settings: Settings, store: RunStore, provider: Callable[[], Provider]
    ) -> None:
        self.definition = definition
        self.settings = settings
        self.store = store
        self.stop = Stop()
        self._make_provider = provider
        self._provider: Provider | None = None
        self._driving = False
        self._left_at = 0  # the run's version when our last call of drive ended

    def state(self) -> Run:
        """The run as its log has it now; an empty one when it was never started."""
        with self.store.reading():
            return self.store.run

    def items(self, response_model: type[pydantic.BaseModel] | None = None) -> Iterator[ItemResult]:
        """Every item in input order, parsed with another response model if one is given."""
        other = check_response_model(response_model)
        reader = None if other is None else Reader(other, self.definition.enable_citations)
        known = 0
        with self.store.reading() as log:
            run = self.store.run
            if log is not None and run.started is not None:
                known = run.total
                used = reader or self.definition.reader
                yield from read_items(log, run, range(known), used, again=reader is not None)
        yield from never_started(self.definition.inputs.count - known, known)

    def results(self, response_model: type[pydantic.BaseModel] | None = None) -> list[dict[str, Any]]:
        """What `items` gives, cut down to the shape of `results()`."""
        if response_model is not None:
            return [entry(item) for item in self.items(response_model)]
        with self.store.reading() as log:
            run = self.store.run
            known = [] if log is None else read_entries(log, run, range(run.total), self.definition.reader)
            entries = [entry(reading) for reading in known]
        missing = never_started(self.definition.inputs.count - len(entries))
        return entries + [entry(item) for item in missing]

    def drive(
        self,
        *,
        once: bool = False,
        show_progress: bool = False,
        retry_failed: bool = False,
        cancel: bool = False,
    ) -> Run:
        """Start or resume the run and carry out what is due; see `Runner.drive`.

        With `retry_failed`, failed items get a fresh set of attempts first. With `cancel`, nothing is sent,
        open batches are cancelled, and what they finished is collected.
        """
        if self._driving:
            raise RunClaimedError(f"another thread drives the run {self.store.run_id!r}; wait for it")
        began = time.monotonic()
        self._driving = True
        try:
            return self._carry_on(
                began, once=once, show_progress=show_progress, retry_failed=retry_failed, cancel=cancel
            )
        finally:
            self._driving = False
            self.stop = Stop()

    def _carry_on(
        self, began: float, *, once: bool, show_progress: bool, retry_failed: bool, cancel: bool
    ) -> Run:
        with self.store.reading() as log:
            if log is not None and self.store.run.started is not None:
                check_same_run(log, self.store.run, self.definition)
                if self._nothing_to_do(retry_failed):
                    progress_for(show_progress).update(self.store.run)
                    return self.store.run
            self._check_before_anything_is_written(retry_failed)
        with self.store.claimed(new_run_id()) as (log, journal):
            writer = self._begin(log, journal, retry_failed)
            if journal.run.status != "completed":
                self._drive(journal, writer, began, once=once, show_progress=show_progress, cancel=cancel)
            writer.rest()
            self._left_at = journal.run.version
        return self.store.run

    def cancel(self) -> Run:
        """Cancel what is open: by the call of `drive` that is under way, or by one of our own."""
        if self._driving:
            self.stop.ask("cancelled", cancel=True)
            return self.state()
        run = self.state()
        return self.drive(cancel=True) if run.open else run

    def _nothing_to_do(self, retry_failed: bool) -> bool:
        run = self.store.run
        assert run.settings is not None
        same = not changed_settings(run.settings, self.settings)
        return same and run.status == "completed" and not self._is_work_left(retry_failed)

    def _is_work_left(self, retry_failed: bool) -> bool:
        run = self.store.run
        if run.pending or run.open:  # a job may have been killed between its last outcome and its completion
            return True
        return self.definition.inputs.count > run.total or bool(retry_failed and run.failed)

    def _check_before_anything_is_written(self, retry_failed: bool) -> None:
        if not self._is_work_left(retry_failed):
            return
        self.definition.check_price(self.settings)
        if self._provider is None:
            self._provider = self._make_provider()
        self._provider.check()
        if self.store.run.started is not None:
            check_same_place(self.store.run, self._provider.name, self._provider.base_url)

    def _begin(self, log: Log, journal: Journal, retry_failed: bool) -> ResultsWriter:
        if journal.run.started is None:
            name, base_url = (self._provider.name, self._provider.base_url) if self._provider else ("", "")
            tag = secrets.token_hex(6)
            started = self.definition.started(journal.claim.stream, tag, name, base_url, self.settings)
            journal.append(started)
            writer = self._writer(log, journal.run)
        else:
            writer = self._resume(log, journal)
        self._add_items(journal)
        if retry_failed:
            self._give_failed_items_another_chance(journal)
        return writer

    def _resume(self, log: Log, journal: Journal) -> ResultsWriter:
        assert journal.run.settings is not None
        if journal.run.version == self._left_at and journal.run.status == "running":
            return self._writer(log, journal.run)  # nobody was here since this object's last call
        check_same_run(log, journal.run, self.definition)
        changed = changed_settings(journal.run.settings, self.settings)
        journal.append(
            RunResumed(process=this_process(), library_version=version("batchata"), changed=changed)
        )
        writer = self._writer(log, journal.run)
        # A process that died may have recorded results whose files it had not written.
        writer.all()
        return writer

    def _writer(self, log: Log, run: Run) -> ResultsWriter:
        writer = ResultsWriter(log, run, self.definition.reader)
        writer.prepare()
        return writer

    def _add_items(self, journal: Journal) -> None:
        inputs = self.definition.inputs
        cuts = [journal.run.total, *self._cuts(journal.run.total)]
        digests = inputs.fingerprints(cuts)[1:]
        for first, end, digest in zip(cuts, cuts[1:], digests, strict=False):
            bodies = [inputs.body(index) for index in range(first, end)]
            added = ItemsAdded(
                first=first, count=end - first, digest=digest, first_body=journal.claim.next_body
            )
            journal.append(added, bodies=bodies)

    def _cuts(self, first: int) -> Iterator[int]:
        """Where one event about new items ends and the next begins: by count and by bytes."""
        inputs, count, size = self.definition.inputs, 0, 0
        for index in range(first, inputs.count):
            count += 1
            size += inputs.request_size(index)
            if count == _ITEMS_PER_EVENT or size >= _BYTES_PER_EVENT or index == inputs.count - 1:
                yield index + 1
                count, size = 0, 0

    def _give_failed_items_another_chance(self, journal: Journal) -> None:
        failed = [i for i, status in enumerate(journal.run.items.status) if status == ItemStatus.FAILED]
        if failed:
            journal.append(
                RetryScheduled(items=to_ranges(failed), attempt=1, not_before=now(), reason="requested")
            )

    def _drive(
        self,
        journal: Journal,
        writer: ResultsWriter,
        began: float,
        *,
        once: bool,
        show_progress: bool,
        cancel: bool,
    ) -> None:
        assert self._provider is not None or not (journal.run.pending or journal.run.open)
        if cancel:
            self.stop.ask("cancelled", cancel=True)
        limit = self.settings.max_wait_time
        with progress_for(show_progress) as progress:
            runner = Runner(
                journal=journal,
                intake=Intake(
                    journal, Recorder(self.definition.reader, self.definition.price), random.random
                ),
                provider=self._provider,
                inputs=self.definition.inputs,
                template=self.definition.template,
                measures=self.definition.measures(),
                stop=self.stop,
                deadline=None if limit is None else began + limit,
                tell=progress.update,
                job_done=writer.job_done,
                all_done=writer.rest,
            )
            with stop_on_signals(self.stop, cancel=self.settings.on_interrupt == "cancel"):
                runner.drive(once=once)


def new_run_id() -> str:
    """A name for a run: when it began, and enough chance that no other has it."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
