"""Run the loop that starts what is due and records what comes back.

Provider calls run in worker threads and hand plain values back through a bounded queue. Only the loop's
thread touches state and log, so nothing is shared and nothing is locked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import assert_never

from batchata.core import decide, events
from batchata.core.decide import (
    AwaitRoom,
    Cancel,
    Collect,
    Finish,
    Poll,
    Settle,
    Situation,
    Step,
    StopAtLimit,
    Submit,
)
from batchata.core.money import plain, plain_if_known
from batchata.core.plan import worst_of_pending
from batchata.core.state import JobStatus, Run
from batchata.core.values import RequestError
from batchata.errors import BatchataError, LogError
from batchata.providers.port import Client
from batchata.run import calls, newer_batches, search
from batchata.run.executors import Elsewhere
from batchata.run.intents import Intents
from batchata.run.interrupts import MainThread, Stop
from batchata.run.journal import Journal
from batchata.run.lost_batches import lost
from batchata.run.one_pass import OnePass
from batchata.run.outbox import Outbox
from batchata.run.outcomes import Intake
from batchata.run.reports import (
    NO_JOB,
    Arrived,
    CallFailed,
    Exhausted,
    LookedForNewer,
    Polled,
    Report,
    Staged,
    Submitted,
)
from batchata.run.trouble import as_error
from batchata.run.workers import Workers, jobs_of

# Calls wait for the provider, and what they do besides shares one interpreter: more threads bring nothing but
# an arena of memory each.
_MOST_WORKERS = 4
_MOST_ELSEWHERE = 64  # … where they wait for the workers of an executor
_GATHER = 0.008  # seconds that the first of them waits for others of calls that are under way
_MOST_TOGETHER = 64  # reports recorded in one append
_MANY = 1_000  # outcomes, after which no more is recorded in the same append: they wait for it in memory
_LARGE = 1_000  # requests of a job whose results are much to read
_LOOK_UP = 0.2  # seconds; the loop looks this often whether it is to stop
_LONGEST_WAIT = 5.0  # seconds until all that may be due is looked through again
_GRACE = 20.0  # seconds that calls under way get when the run ends early, so that their answers are recorded


@dataclass(slots=True)
class Runner:
    """Drives one run until it is done, told to stop, out of money, or has waited for `wait` seconds."""

    journal: Journal
    intake: Intake
    provider: Client | None  # None for a run without items
    intents: Intents
    stop: Stop
    wait: float | None  # None: until the run is done; 0: one pass
    tell: Callable[[Run], None]  # called when something may have changed
    job_done: Callable[[int], None]  # called when a job has been collected
    all_done: Callable[[], None]  # called when no item is pending, before the log says so
    patience: float  # seconds for readers that keep what is written out of the log's main file
    # Batches that the log lacks are looked for before anything is sent, but these; None: there is no look
    let_go: AbstractSet[str] | None = None
    elsewhere: Elsewhere | None = None  # an executor that does the jobs' work; None: it is done in threads
    broke_off: bool = False  # calls were under way at the end; the provider is closed
    _workers: Workers = field(init=False)
    _outbox: Outbox = field(init=False)
    _found: set[int] = field(
        default_factory=set
    )  # jobs that were at the provider at the start, not yet asked
    _deadline: float | None = field(init=False, default=None)  # monotonic
    _pass: OnePass = field(init=False, default_factory=OnePass)
    _main_thread: MainThread = field(init=False, default_factory=MainThread)

    @property
    def run(self) -> Run:
        """The state, which only the journal changes."""
        return self.journal.run

    def drive(self, *, once: bool = False) -> None:
        """Carry out what is due until nothing more is; with `once`, in one pass that does not end the run.

        Each open batch is polled at the beginning. When time is up, the first pass is still completed: work
        is not waiting.

        Raises the provider's definite refusals, with everything pending left pending, and a LogError that
        names the batches at the provider when the log cannot be written.
        """
        assert self.run.settings is not None
        most = _MOST_WORKERS if self.elsewhere is None else _MOST_ELSEWHERE
        jobs = max(self.run.pending + len(self.run.open), 1)  # at most, and each has one call at a time
        self._workers = Workers(self.provider, min(self.run.settings.max_parallel_jobs + 1, most, jobs))
        self._outbox = Outbox(self.journal, self._workers, self.elsewhere, self.patience)
        self._found = {job.number for job in self.run.jobs_with(JobStatus.SUBMITTED, JobStatus.ENDED)}
        try:
            self._loop_to_its_end(once)
        except LogError as exc:
            if exc is self.intake.trouble.error:
                raise  # the log can be written
            raise type(exc)(f"{exc}{self._left_behind()}") from exc
        finally:
            if self.elsewhere is not None:
                self.elsewhere.close()
            self.broke_off = self._workers.close()

    def _loop_to_its_end(self, once: bool) -> None:
        try:
            self._loop(once)
        except LogError:
            raise  # nothing more can be written
        except BatchataError as exc:
            self._end_early("error", as_error(exc))
            raise
        trouble = self.intake.trouble.error
        if trouble is None or (self.stop.reason and not self.stop.cancel):
            return
        if self.run.status == "running":
            self._end_early("error")
        raise trouble

    def _loop(self, once: bool) -> None:
        self._deadline = None if self.wait is None else time.monotonic() + self.wait
        first = True
        while not self._is_over():
            last_pass = once or self._time_is_up()
            steps = self._steps(check_now=first)
            if last_pass:
                steps = self._pass.rest(steps)
            for step in steps:
                self._start(step)
            self._outbox.send()
            first = False
            self.tell(self.run)
            if last_pass and not steps and not self._pass.is_under_way(self._calls):
                if not once:
                    self._end_early("max_wait_time")
                return
            # Another job may be due, or nothing can come any more.
            at_once = any(isinstance(step, Submit | Finish | StopAtLimit) for step in steps)
            finished = self._record(0.0 if at_once else self._patience(), sending=not last_pass)
            if self._may_submit():
                self._outbox.send()  # calls are made while files are written
            self._write_files(finished)

    def _time_is_up(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _steps(self, check_now: bool) -> list[Step]:
        situation = Situation(
            busy=self._calls.keys() | self.intake.trouble.stuck,
            submitting=self._is_time_to_submit(),
            cancelling=self.stop.cancel,
            cancelled=self.intake.cancelled,
            check_now=check_now,
            awaiting=self.intents.awaiting,
        )
        steps = decide.next_steps(self.run, self.journal.now(), self.intents.requests.measures, situation)
        return steps if self.let_go is None else self._after_the_look(self.let_go, steps)

    def _after_the_look(self, let_go: AbstractSet[str], steps: list[Step]) -> list[Step]:
        """Hold back what is to be sent until batches were looked for that the log lacks; begin to look."""
        others: list[Step] = [step for step in steps if not isinstance(step, Submit)]
        if len(others) < len(steps) and NO_JOB not in self._calls:
            known = newer_batches.known_to(self.run, let_go)
            self._workers.call("look", [NO_JOB], newer_batches.look, known)
        return others

    @property
    def _calls(self) -> dict[int, str]:
        """Return the jobs with a call under way or about to be made, and which."""
        return self._workers.busy | dict.fromkeys(self._outbox.jobs, "submit")

    def _may_submit(self) -> bool:
        """Whether more may be sent now, as nothing has yet to be looked for."""
        return self.let_go is None and self._is_time_to_submit()

    def _is_time_to_submit(self) -> bool:
        """Whether more may be sent: batches found at the start were polled, and fetched if they had ended."""
        return not (self._is_to_stop() or self._found) and self.journal.now() >= self.intake.pauses.until

    def _is_anything_to_cancel(self) -> bool:
        """Whether an open job can be cancelled and collected without waiting for the batches of others."""
        return bool(self.run.open.keys() - self.intake.undecided - self.intake.trouble.stuck)

    def _is_over(self) -> bool:
        assert self.run.settings is not None
        if self.run.status == "completed":
            return True
        trouble = self.intake.trouble
        if trouble.error is not None and not self.run.open.keys() - trouble.stuck:
            return True
        if self._main_thread.was_interrupted():
            self.stop.ask("keyboard", cancel=self.run.settings.on_interrupt == "cancel")
        if self.stop.reason and not (self.stop.cancel and self._is_anything_to_cancel()):
            self._end_early(self.stop.reason)
            return True
        if self.run.limit_reached and not self.run.open:
            self._end_early("cost_limit")
            return True
        if self.run.is_pilot_done:
            self._end_early("pilot")
            return True
        return False

    def _start(self, step: Step) -> None:
        self._pass.note(step)
        match step:
            case Submit():
                self._submit(step)
            case Settle():
                job = self.run.jobs[step.job]
                strangers = self.intake.strangers[job.number]
                sought = lost(self.run, job, strangers, self.journal.now(), self.intake.apart)
                self._workers.call("settle", [step.job], search.settle, sought)
            case Poll():
                batch_ids = {number: self._batch_id(number) for number in step.jobs}
                since = min(self.run.jobs[number].started_at for number in step.jobs)
                self._workers.call("poll", step.jobs, calls.poll, batch_ids, since)
            case Collect():
                self._workers.call(
                    "collect",
                    [step.job],
                    calls.collect if self.elsewhere is None else self.elsewhere.collect,
                    step.job,
                    self._batch_id(step.job),
                    self.intake.is_doubted(step.job),
                    is_heavy=self.elsewhere is None and self.run.jobs[step.job].request_count > _LARGE,
                )
            case Cancel():
                self._cancel(step.job)
            case StopAtLimit():
                self._stop_at_limit(step)
            case AwaitRoom():
                self.intents.awaiting = step.outlook
            case Finish():
                self._finish()
            case _:
                assert_never(step)

    def _submit(self, step: Submit) -> None:
        """Write the intents of all jobs that may be sent now, so that they are secured together."""
        with self.journal.together():
            self._intend(step)
            self._intend_more()

    def _intend_more(self) -> None:
        """Write the intents of what else may be sent."""
        while (step := self.intents.following(submitting=self._may_submit())) is not None:
            self._intend(step)

    def _intend(self, step: Submit) -> None:
        self._pass.note(step)
        self._outbox.add(self.intents.write(step))

    def _cancel(self, number: int) -> None:
        batch_id = self._batch_id(number)
        if not self.run.jobs[number].cancel_requested:
            reason = self.stop.reason or "requested"
            self.journal.append(events.BatchCancelRequested(job=number, batch_id=batch_id, reason=reason))
            self.journal.claim.secure()
        self._workers.call("cancel", [number], calls.cancel, number, batch_id)

    def _stop_at_limit(self, step: StopAtLimit) -> None:
        assert self.run.settings is not None
        pending = worst_of_pending(self.run, self.intents.requests.measures)
        self.journal.append(
            events.CostLimitReached(
                limit=self.run.settings.max_cost or "",
                spent=plain(self.run.spent),
                reserved=plain(self.run.reserved),
                withheld=plain(self.run.withheld),
                needed=plain(step.over.needed) if step.over.needed.is_finite() else None,
                needed_for_all=plain_if_known(pending),
            )
        )

    def _finish(self) -> None:
        self.all_done()
        cost = self.run.total_cost
        self.journal.append(
            events.RunCompleted(
                completed_items=self.run.completed,
                failed_items=self.run.failed,
                total_cost=plain_if_known(cost),
            )
        )

    def _batch_id(self, number: int) -> str:
        batch_id = self.run.jobs[number].batch_id
        assert batch_id is not None
        return batch_id

    def _take_reports(self, patience: float) -> None:
        """Record all reports that have come, waiting for the first, and write the files of finished jobs."""
        self._write_files(self._record(patience, sending=False))

    def _record(self, patience: float, *, sending: bool) -> list[int]:
        """Record all reports that have come, waiting for the first, and return the jobs to write files of.

        With `sending` the intents of what may be sent now are written together with them.
        """
        finished: list[int] = []
        reports = outcomes = 0
        with self.journal.together():
            report = self._first_report(patience)
            until = time.monotonic() + _GATHER
            while report is not None:
                if self._take(report):
                    finished += jobs_of(report)[:1]
                reports += 1
                outcomes += len(report.outcomes) if isinstance(report, Arrived) else 0
                is_enough = reports >= _MOST_TOGETHER or outcomes >= _MANY
                report = None if is_enough else self._next_report(until)
            if sending and reports:
                self._intend_more()
        return finished

    def _write_files(self, finished: list[int]) -> None:
        for number in finished:
            self.job_done(number)

    def _first_report(self, patience: float) -> Report | None:
        """Wait for a report, or until the run is told to stop; the display is kept up to date meanwhile."""
        until = time.monotonic() + patience
        while (left := until - time.monotonic()) > _LOOK_UP and not self._is_to_stop():
            report = self._workers.report(_LOOK_UP)
            if report is not None:
                return report
            self.tell(self.run)
        return self._workers.report(min(max(left, 0.0), _LOOK_UP))

    def _next_report(self, until: float) -> Report | None:
        """Return the next report, waiting until then for it while calls are under way."""
        return self._workers.report(max(until - time.monotonic(), 0.0) if self._workers.busy else 0.0)

    def _is_to_stop(self) -> bool:
        return self.stop.reason is not None or self._main_thread.was_interrupted()

    def _take(self, report: Report) -> bool:
        """Record one report; return whether files are to be written for its job."""
        self._pass.take(report)
        completed_before, route = self._completed(report), self.run.route
        theirs = None if self.provider is None else self.provider.clock
        self.intake.apart = None if theirs is None else theirs - self.journal.now()
        if isinstance(report, LookedForNewer):
            self._looked(report.batches)
            return False
        self.intake.take(report)
        if isinstance(report, Staged) and report.job in self.run.open:  # else it was another job's
            self._outbox.stage(report.job, report.upload)
        if self.run.route != route:
            self._outbox.take_back("the schema is sent in another way from now on")
            self.intents.change_route(self.run.route)
        if not isinstance(report, Arrived):
            ended = self.run.jobs_with(JobStatus.ENDED) if isinstance(report, Polled) else ()
            self._found -= set(jobs_of(report)) - {job.number for job in ended}
        return self._completed(report) != completed_before

    def _looked(self, batches: Sequence[str]) -> None:
        """Send nothing more where the log lacks batches of the run; what it knows of is still collected."""
        self.let_go = None
        if batches:
            outdated = newer_batches.outdated(batches)
            self.journal.append(*self.intake.trouble.meet(self.run, outdated))

    def _completed(self, report: Report) -> bool:
        """Whether the report's job has results to write; an item may also have been refused."""
        if isinstance(report, CallFailed):
            job = self.run.jobs[report.jobs[0]]
            return report.doing == "submit" and bool(job.outcomes)
        return isinstance(report, Exhausted) and report.job not in self.run.open

    def _patience(self) -> float:
        """Return for how many seconds nothing is due."""
        moment = self.journal.now()
        times = [decide.wake_at(self.run, self._calls.keys(), moment), self.intake.pauses.until]
        due = min((time for time in times if time is not None and time > moment), default=None)
        wait = _LOOK_UP if due is None else min((due - moment) / 1e6, _LONGEST_WAIT)
        if self._outbox.jobs:  # readers keep them from being sent
            wait = min(wait, _LOOK_UP)
        if self._deadline is not None and not self._time_is_up():
            wait = min(wait, self._deadline - time.monotonic())
        return max(wait, 0.001)

    def _left_behind(self) -> str:
        """Name the batches at the provider, for a message: the log cannot be asked for them."""
        if self.elsewhere is not None:
            self.elsewhere.end()
        until = time.monotonic() + _GRACE
        while "submit" in self._workers.busy.values() and time.monotonic() < until:
            report = self._workers.report(_LOOK_UP)
            if isinstance(report, Submitted):
                self.intake.created[report.job] = report.batch.batch_id
        unwritten = {
            each.job
            for each in self.journal.unwritten
            if isinstance(each, events.BatchSubmitted | events.SubmissionSettled)
        }
        known = {job.number: job.batch_id for job in self.run.open.values() if job.batch_id is not None}
        created = {n: batch_id for n, batch_id in self.intake.created.items() if n in self.run.open}
        in_log = known.keys() - unwritten
        named = [
            f"{batch_id} (job {number}{'' if number in in_log else ', not in the log'})"
            for number, batch_id in (known | created).items()
        ]
        if not named:
            return ""
        return (
            f"\nAt the provider are: {', '.join(named)}.\n"
            "Nothing is lost while this log exists: once it can be written, the next start of the same "
            "script collects them. A start without it would send, and pay for, all of it again."
        )

    def _end_early(self, reason: str, error: RequestError | None = None) -> None:
        """Let creations under way report, so that the log knows their batches, and say why we stop."""
        if self.elsewhere is not None:
            self.elsewhere.end()
        self._outbox.take_back()
        until = time.monotonic() + _GRACE
        while "submit" in self._workers.busy.values() and time.monotonic() < until:
            self._take_reports(_LOOK_UP)
        self._outbox.take_back()  # what was uploaded meanwhile
        if self.intake.trouble.error is not None and not (self.stop.reason and not self.stop.cancel):
            reason, error = "error", as_error(self.intake.trouble.error)
        self.journal.append(events.RunInterrupted(reason=reason, error=error, pending_items=self.run.pending))
        self.tell(self.run)
