"""Start, resume and drive a run, from what its caller described and what its log holds."""

from __future__ import annotations

import random
import secrets
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import replace
from threading import RLock

from batchata.clock import now, utc
from batchata.core.events import JobAbandoned
from batchata.core.state import ItemStatus, Run
from batchata.core.values import Settings
from batchata.errors import (
    BatchataError,
    ConfigurationError,
    InvalidInputError,
    LogError,
    PendingRunWarning,
    RunClaimedError,
    UnsavedRunWarning,
)
from batchata.garbage import out_of_collections
from batchata.inputs import read_again
from batchata.log.port import Log
from batchata.logs import is_heard, warn
from batchata.providers.port import Client
from batchata.run import starting
from batchata.run.definition import Definition, this_process
from batchata.run.estimating import (
    expectation_of,
    offline_basis,
)
from batchata.run.executors import Elsewhere, elsewhere
from batchata.run.hooks import Hooks, ItemTeller
from batchata.run.intents import Intents, Requests
from batchata.run.interrupts import Asked, Stop, interrupted, stop_on_signals
from batchata.run.journal import Journal, Notes
from batchata.run.loop import Runner
from batchata.run.outcomes import Intake
from batchata.run.own_run import OwnRun
from batchata.run.pilot import of_the_rest
from batchata.run.record import Recorder
from batchata.run.same_run import check_same_place
from batchata.run.start_checks import (
    check_fits,
    check_model,
    check_price,
    refuse_changed,
    warn_of_lost_executor,
    warn_of_other_prices,
    warn_of_simulated,
    warn_of_untried,
)
from batchata.run.starting import check_raised, is_accepted_today, retry_failed
from batchata.run.store import RunStore
from batchata.run.to_do import Call, is_nothing_to_do, is_work_left
from batchata.terminal.account import left, out_of_time, unsaved
from batchata.terminal.failures import Watch, failure_lines, failures, warn_of
from batchata.terminal.progress import EVERY, name_head, progress_for, report_costs, say_if_possible
from batchata.views.citation_checks import checked_now
from batchata.views.results_dir import ResultsWriter, owner_of, prepare

_LEFT = frozenset({"keyboard", "terminated", "detached"})  # reasons for which a run is left with its batches


class Engine(OwnRun):
    """One run, driven by calls of `drive` in any number of processes one after another.

    `patience` is how many seconds programs that read the log may keep its jobs from being sent.
    """

    patience = 600.0

    def __init__(
        self,
        definition: Definition,
        settings: Settings,
        store: RunStore,
        provider: Callable[[], Client],
        hooks: Hooks = Hooks(),  # noqa: B008 - it never changes
        executor: Executor | None = None,
    ) -> None:
        super().__init__(definition, settings, store, provider)
        self.hooks = hooks
        self.stop = Stop()
        self._provider: Client | None = None
        self._executor = executor
        self._elsewhere: Elsewhere | None = None  # the executor's part in the call of drive under way
        self.retried = 0  # items that the last call with `retry_failed` sent again
        self._driving = False
        self._turn = RLock()  # held while `_driving` and `stop` are looked at and changed together
        self._expiring = starting.ExpiringResults()
        self._warned = False  # that nothing of the run is kept on disk
        self._was_away = False  # whether other starts may have driven the run before this call of drive
        self._let_go: set[str] = set()  # batches that the log lacks and the user knows of
        self._left_at = 0  # the run's version when our last call of drive ended

    def drive(self, call: Call) -> Run:
        """Start or resume the run, carry out what is due (see `Runner.drive`), and name the log's head."""
        if not self._begin_to_drive():
            which = "this run" if self.store.run_id is None else f"the run {self.store.run_id!r}"
            raise RunClaimedError(f"another thread drives {which}; wait for it")
        return self._drive(call)

    def _begin_to_drive(self) -> bool:
        """Whether no other thread drives the run; this one does from now on."""
        with self._turn:
            begun, self._driving = not self._driving, True
        return begun

    def _drive(self, call: Call) -> Run:
        self.retried, asked, stop = 0, Asked(), self.stop
        self._elsewhere = None
        head: str | None = None
        try:
            if carried_on := self._is_anything_to_do(call):
                with stop_on_signals(stop, cancel=self.settings.on_interrupt == "cancel") as asked:
                    head = self._carry_on(call)
            run = self.store.run
        except BatchataError as exc:
            self._forget_provider()  # key and address may be mended before the next call
            self._note_what_is_open(exc)
            raise
        finally:
            with self._turn:
                self._driving, self.stop = False, Stop()
        if stop.reason == "cancelled" and run.open and run.interrupted_by != "cancelled":
            return self.cancel()  # it was asked when the loop had just ended for another reason
        warn_of_lost_executor(self._elsewhere)
        self._tell_what_is_open(run, call, asked)
        if not call.once:
            report_costs(run, call.show_progress, self._failures(run), max_cost=self.settings.max_cost)
            self._tell_of_the_rest(run, call.show_progress)
            if call.show_progress or is_heard():
                head = head if carried_on else self.head()
                name_head(head, self.store.run_id, call.show_progress)
        return run

    def _tell_what_is_open(self, run: Run, call: Call, asked: Asked) -> None:
        """Say how to go on with a run that was left.

        Raises KeyboardInterrupt or SystemExit(143) after a signal: the script ends as its user expects.
        """
        if asked.signal == signal.SIGINT:
            raise interrupted(self.left())
        if run.status == "interrupted" and run.interrupted_by == "max_wait_time" and call.wait is None:
            seconds = self.settings.max_wait_time or 0.0
            warn(out_of_time(run, seconds, self.store.place), PendingRunWarning)
        elif run.status == "interrupted" and run.interrupted_by in _LEFT and run.pending:
            warn(self.left(), PendingRunWarning)
        if asked.signal == signal.SIGTERM:
            raise SystemExit(128 + signal.SIGTERM)

    def _tell_of_the_rest(self, run: Run, shown: bool) -> None:
        """Say after a pilot what the remaining items are expected to cost."""
        if run.status == "interrupted" and run.interrupted_by == "pilot":
            rest = self._rest(run, offline_basis(self.definition, run, None))
            if shown:
                say_if_possible(of_the_rest(run, rest))

    def _note_what_is_open(self, exc: BatchataError) -> None:
        """Add the open batches to an error: with a log in memory nothing else names them."""
        if self.store.place is None and self.state().open:
            exc.add_note(self.left())

    def _failures(self, run: Run) -> Iterator[str]:
        """Report failures, as warnings in the log tree, and return them as lines for a person."""
        if not run.failed:
            return iter(())
        with self.store.reading() as log:
            found = [] if log is None else failures(log, run)
        place = self.definition.inputs.place
        warn_of(found, run, place)
        return failure_lines(found, run, place, self.store.place)

    def left(self) -> str:
        """Say where a stopped run stands, and how to go on with it."""
        return left(self.state(), self.store.place)

    def cancel(self) -> Run:
        """Cancel what is open: by the call of `drive` under way, or by a new one."""
        while not self._ask_to_cancel():
            if not self.state().open:
                break
            if self._begin_to_drive():  # else another thread has begun meanwhile: ask that one
                return self._drive(Call(cancel=True))
        return self.state()

    def _ask_to_cancel(self) -> bool:
        """Whether a call of `drive` is under way; if so, it was asked to cancel."""
        with self._turn:
            if self._driving:
                self.stop.ask("cancelled", cancel=True)
            return self._driving

    def detach(self) -> None:
        """End the call of `drive` under way, with the batches left running."""
        with self._turn:
            if self._driving:
                self.stop.ask("detached")

    def abandon(self, number: int | str) -> Run:
        """Give up an open job because the user says that its batch cannot be found or read.

        Given the id of a batch that the log lacks, let that be no reason not to send what it may hold.
        """
        run = self.state()
        if isinstance(number, str) and _may_be_unknown(run, number):
            self._let_go.add(number)
            return run
        if type(number) is not int or number not in run.open:  # True is 1 to a dict
            raise InvalidInputError(not_open(run, number))
        if self._driving:
            raise RunClaimedError("the run is being driven; abandon a job after run() has ended")
        with self.store.claimed(new_run_id()) as (log, journal):
            refuse_changed(self.store, log, journal)
            job = journal.run.open.get(number)
            if job is None:
                raise InvalidInputError(not_open(journal.run, number))
            journal.append(JobAbandoned(job=number, batch_id=job.batch_id))
        return self.store.run

    def _is_anything_to_do(self, call: Call) -> bool:
        """Check all that can be checked before anything is written or sent; imports the SDK.

        Until then a Ctrl-C ends the script at once, as Python does it: there is nothing to wait for.
        """
        try:
            with self.reading() as (log, run):
                if call.retry_failed and run.started is None:
                    raise LogError("the run was never started, so nothing of it has failed; run() it first")
                if call.max_tokens is not None:
                    check_raised(run, self.definition, self.settings, call.max_tokens)
                if run.started is not None and is_nothing_to_do(call, run, self.definition, self.settings):
                    progress_for(call.show_progress).update(run)
                    warn_of_simulated(run, self._address)
                    return False
                self._check_before_anything_is_written(call, log)
        except KeyboardInterrupt:
            said = self.left() if self.store.run.open else "stopped before anything was written or sent"
            raise interrupted(said) from None
        self._warn_if_unsaved(call)
        warn_of_untried(self.store.run, self.definition)
        warn_of_simulated(self.store.run, self._address)
        warn_of_other_prices(self.store.run, self.definition, call)
        return True

    def _carry_on(self, call: Call) -> str | None:
        """Drive the run while it is claimed; return the log's head at the end."""
        with out_of_collections(), self.store.claimed(new_run_id()) as (log, journal):
            refuse_changed(self.store, log, journal, only_ends=call.cancel)
            journal.listener = self.hooks.listener()
            called = [hook for hook in (self.hooks.on_item, call.on_item) if hook is not None]
            teller = ItemTeller(log, journal.run, self.definition.reader, called)
            self._was_away = journal.run.started is not None and journal.run.version != self._left_at
            writer = self._begin(log, journal, call)
            try:
                teller.begun()
                if journal.run.status != "completed":
                    self._run_loop(log, journal, writer, call, teller)
                writer.rest()
                teller.rest()
                mark = self._mark(log, journal.run)
                self._fresh = mark, writer.arrivals.values()
            finally:
                writer.close()
                if self.store.in_memory and not journal.run.open:
                    writer.release()  # the run may be gone for good, and its folders hold nothing
            self._left_at = journal.run.version
        if self.store.run.status != "running":
            self._forget_provider()
        return mark[2]

    def _address(self) -> str:
        """Return where calls go, or would go."""
        if self._provider is not None:
            return self._provider.base_url
        with closing(self._make_provider()) as provider:
            return provider.base_url

    def _forget_provider(self) -> None:
        if self._provider is not None:
            self._provider.close()
            self._provider = None

    def _warn_if_unsaved(self, call: Call) -> None:
        if self.store.place is None and not self._warned and self._is_work_left(call):
            self._warned = True
            warn(unsaved(), UnsavedRunWarning)

    def _wait(self, call: Call) -> float | None:
        return self.settings.max_wait_time if call.wait is None else call.wait

    def _is_work_left(self, call: Call) -> bool:
        return is_work_left(call, self.store.run, self.definition)

    def _check_before_anything_is_written(self, call: Call, log: Log | None) -> None:
        if call.retry_failed:
            self._read_failed_again()
        run = self.store.run
        if self._is_work_left(call):
            if run.started is None:
                check_model(self.definition)
            check_price(self.definition, self.settings)
            if run.started is None:
                self.store.warn_of_half()
                check_fits(self.definition, self.settings)
            self._check_provider(call, log)
        self._prepare_folders()

    def _prepare_folders(self) -> None:
        """Make the folders of results, or find that another run has them."""
        run = self.store.run
        try:
            prepare(self.settings, None if run.started is None else owner_of(run))
        except InvalidInputError:
            if run.started is not None:
                raise
            with self.reading() as (_, begun):
                if begun.started is None:
                    raise
                prepare(self.settings, owner_of(begun))  # another start of this script was faster

    def _check_provider(self, call: Call, log: Log | None) -> None:
        """Check that requests can be made; a failure does not matter where none will be."""
        run = self.store.run
        try:
            if self._provider is None:
                self._provider = self._make_provider()
            self._provider.check()
        except ConfigurationError:
            is_retry_alone = call.retry_failed and not is_work_left(
                replace(call, retry_failed=False), run, self.definition
            )
            if log is None or not (is_retry_alone and is_accepted_today(log, run, self.definition)):
                raise
            self._forget_provider()
            return
        if run.started is not None:
            provider = self._provider
            check_same_place(run, provider.name, provider.base_url, provider.address_variable)
        self._elsewhere = None if call.cancel else self._try_executor(self._provider)

    def _try_executor(self, provider: Client) -> Elsewhere | None:
        if self._executor is None:
            return None
        definition = self.definition
        return elsewhere(
            self._executor,
            self._make_provider,
            provider,
            definition.reader,
            definition.dialect.blocks,
            wants_blocks=self.settings.check_support == "retry",
        )

    def _read_failed_again(self) -> None:
        """Read files of failed items again: corrected files are sent as they are now."""
        definition, status = self.definition, self.store.run.items.status
        failed = [index for index, known in enumerate(status) if known == ItemStatus.FAILED]
        on_bad_file = self.settings.on_bad_file
        read_again(definition.inputs, failed, definition.checks, on_bad_file)

    def _begin(self, log: Log, journal: Journal, call: Call) -> ResultsWriter:
        run = journal.run
        # No other process was here since this object's last call, so there is nothing to say or to check.
        same_script = run.version == self._left_at and run.status == "running"
        is_new = run.started is None
        if is_new:
            starting.start(journal, self.definition, self.settings, self._provider)
        elif not same_script:
            self._check_ours(log)
            starting.resume(journal, self.settings, self.definition.max_tokens, self._provider)
            self._expiring.told = False
        starting.take_route(journal, self.definition)
        memory = this_process() if self.store.in_memory else None
        writer = ResultsWriter(log, run, self.definition.reader, memory)
        writer.claim()
        if not (is_new or same_script):
            writer.all()  # a process that died may have recorded results whose files it had not written
        begun, known = bool(run.chunks), run.total
        starting.add_items(journal, self.definition.inputs, self.definition.same_as)
        starting.refuse_items(journal, self.definition.inputs)
        if begun and run.total > known and self.definition.same_as:
            writer.all()  # new items may share requests that were answered long ago
        if call.choice is not None:
            starting.choose(journal, call.choice)
        if call.retry_failed:
            retried = retry_failed(journal, log, self.definition, call.max_tokens)
            self.retried = retried.sent
            for number in retried.jobs:
                writer.job_done(number)
        return writer

    def _run_loop(
        self, log: Log, journal: Journal, writer: ResultsWriter, call: Call, teller: ItemTeller
    ) -> None:
        assert self._provider is not None or not (journal.run.pending or journal.run.open)
        if call.cancel:
            self.stop.ask("cancelled", cancel=True)
        recorder = Recorder(
            self.definition.reader,
            lambda job: self.definition.price_at(journal.run.jobs[job].started_at),
            writer.arrivals,
            _asks_again(journal.run),
            self.definition.geo,
        )
        notes = Notes(log, journal)
        watch = Watch()
        with progress_for(call.show_progress, every=EVERY if call.every is None else call.every) as progress:

            def tell(run: Run) -> None:
                watch.update(run)
                progress.update(run)
                writer.look()
                self._expiring.look(run, None if self._provider is None else self._provider.clock)

            def job_done(number: int) -> None:
                journal.append(*checked_now(log, journal.run, number, lambda: self.stop.reason is not None))
                writer.job_done(number)
                teller.job_done(number)

            runner = Runner(
                journal=journal,
                intake=Intake(journal, recorder, random.random, self.definition.inputs.place),
                provider=self._provider,
                intents=self._intents(journal, notes),
                stop=self.stop,
                wait=self._wait(call),
                tell=tell,
                job_done=job_done,
                all_done=writer.rest,
                patience=self.patience,
                let_go=self._let_go if self._was_away else None,
                elsewhere=self._elsewhere,
            )
            try:
                runner.drive(once=call.once)
            finally:
                self._expiring.look(journal.run, now())  # where nothing answered
                self._provider = None if runner.broke_off else self._provider

    def _intents(self, journal: Journal, notes: Notes) -> Intents:
        requests, inputs = self._requests(notes), self.definition.inputs
        return Intents(journal, inputs, requests, lambda route: self._by_route(route, notes), notes)

    def _requests(self, notes: Notes) -> Requests:
        """Return what the runner needs to plan and to build requests."""
        definition, run = self.definition, self.store.run
        return Requests(
            definition.template,
            definition.measures(notes.of, run.items.raised),
            self._expectation or expectation_of(definition),
            None if definition.given_price is None else definition.given_price.source,
        )

    def _by_route(self, route: str, notes: Notes) -> Requests:
        """Return the same for the schema's new route: prompts are longer then, and cost more."""
        self.definition.take_route(route)
        self._expectation = None
        return self._requests(notes)


def _asks_again(run: Run) -> Callable[[int], bool] | None:
    """Return whether an item whose passages contradict its answer has an attempt left; None: never mind."""
    settings = run.settings
    if settings is None or settings.check_support != "retry":
        return None
    return lambda index: run.items.attempts[index] < settings.max_attempts


def _may_be_unknown(run: Run, batch_id: str) -> bool:
    """Whether it may be the id of a batch that the log lacks; a job has a number."""
    is_id = bool(batch_id.strip()) and not batch_id.isdecimal()
    return is_id and all(job.batch_id != batch_id for job in run.jobs.values())


def not_open(run: Run, number: int | str) -> str:
    """Say why a job cannot be given up, and which ones can."""
    open_jobs = ", ".join(map(str, run.open)) or "none"
    return f"job {number!r} is not open, so there is nothing to abandon; open jobs: {open_jobs}"


def new_run_id() -> str:
    """Make a name for a run: its start time, and enough randomness to be unique."""
    return f"{utc():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
