"""Turn every report of a worker into events, and decide whether the run must stop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import assert_never

from batchata.core import decide, events
from batchata.core.error_kinds import INCOMPLETE, NOT_FOUND, ODD_REPLY, SPENT, TOO_LARGE
from batchata.core.events import Event
from batchata.core.evolve_jobs import UNREADABLE
from batchata.core.pages import Entry
from batchata.core.retry import accepted_after_all, schedule_retries
from batchata.core.state import Job, Run
from batchata.core.values import RequestError
from batchata.errors import (
    BatchataError,
    BatchNotFoundError,
    IncompleteResultsError,
    ProviderUnavailableError,
    RequestRefusedError,
    SpendLimitError,
    UnknownSubmissionError,
)
from batchata.providers.exchange import Batch, Failure
from batchata.run import reports, schema_route, trouble
from batchata.run.bad_files import KIND
from batchata.run.failed_calls import MOST_REFUSED, Pauses, is_passing, item_at, named_among, refused_item
from batchata.run.journal import Journal
from batchata.run.lost_batches import absent, adopted, unsettled
from batchata.run.record import Collection, Recorder
from batchata.run.trouble import Trouble, as_error

_SECOND = 1_000_000
_SHORT_DOWNLOADS = 2  # results with gaps are fetched so many times before the gaps count as missing
_SHORT_OF_ANSWERS = 12  # … and so many times where answers are among what is lacking, which were paid for
_UNREADABLE = 5  # looks until an ended batch that shows no custom ids is given up
_GONE_LOOKS = 5  # looks, and …
_GONE_AFTER = 10  # … so many times `settle_delay` until a batch that is not known is believed to be gone


class Intake:
    """Records reports. Only the loop's thread calls it."""

    def __init__(
        self,
        journal: Journal,
        recorder: Recorder,
        random: Callable[[], float],
        place: Callable[[int], str] = "item {}".format,
    ) -> None:
        self._journal = journal
        self._place = place  # how an item is named in a message
        self._refused = 0  # items that jobs were refused for since one was taken
        self._given_up = 0  # batches that failed as a whole since one was worked on
        self.trouble = Trouble()
        self.apart: int | None = None  # microseconds that the provider's clock is ahead of ours
        self._recorder = recorder
        self._random = random
        self._collections: dict[int, Collection] = {}
        self.pauses = Pauses(journal, random)
        self.cancelled: set[int] = set()
        self._batch_ids = {job.batch_id for job in journal.run.jobs.values()}  # of all jobs, from then on
        self.created: dict[int, str] = {}  # job -> its batch, as soon as the provider has said so
        # job -> ended batches that are not its own, though they may be another lost job's
        self.strangers: defaultdict[int, set[str]] = defaultdict(set)
        self.undecided: set[int] = set()  # jobs that are settled only when a running batch has ended

    @property
    def _run(self) -> Run:
        return self._journal.run

    def _now(self) -> int:
        return self._journal.now()

    def _provider_now(self) -> int:
        """Return the time by the provider's clock; our own until the difference is known."""
        return self._now() + (self.apart or 0)

    def take(self, report: reports.OfJobs) -> None:
        """Append what the report says; an error that waiting cannot cure goes to `trouble`."""
        open_before = len(self._run.open)
        self._take(report)
        if self._run.items.kept and len(self._run.open) < open_before:
            self._journal.append(*accepted_after_all(self._run))

    def _take(self, report: reports.OfJobs) -> None:
        if not isinstance(report, reports.CallFailed):
            self.pauses.answered()
        match report:
            case reports.Staged():
                self._staged(report.job, report.upload.handle)
            case reports.Submitted():
                self._refused = 0
                self._created(report.job, report.batch)
            case reports.FilesRefused():
                self._files_refused(self._run.jobs[report.job], report.refused)
            case reports.Sought():
                self._sought(report)
            case reports.Polled():
                self._polled(report)
            case reports.Arrived():
                self._arrived(report)
            case reports.Exhausted():
                self._exhausted(self._run.jobs[report.job], report.batch)
            case reports.CancelAsked():
                self.cancelled.add(report.job)
            case reports.CallFailed():
                self._failed(report)
            case _:
                assert_never(report)

    def _staged(self, number: int, handle: str) -> None:
        """Record an upload; another job's file is a repeated reply, and a batch of it would pay again."""
        if any(job.upload == handle for job in self._run.jobs.values()):
            said = f"uploading a job: the answer names {handle}, which is another job's"
            error = ProviderUnavailableError(said, kind=ODD_REPLY)
            self._journal.append(self._submission_failed(number, error, self.pauses.failed(error)))
            return
        self._journal.append(events.InputUploaded(job=number, handle=handle))

    def _created(self, number: int, batch: Batch) -> None:
        """Record a created batch; the id of another job's batch is a repeated reply and proves nothing."""
        if batch.batch_id in self._batch_ids:
            said = f"creating a batch: the answer names {batch.batch_id}, which is another job's"
            error = RequestError(kind=ODD_REPLY, message=said)
            self._journal.append(events.SubmissionUnknown(job=number, error=error))
            return
        self._batch_ids.add(batch.batch_id)
        self.created[number] = batch.batch_id
        self._journal.append(_submitted(number, batch))

    def _files_refused(self, job: Job, refused: dict[int, str]) -> None:
        """Record that the job became no batch; its other items are sent again at once."""
        indexes = list(job.indexes())
        error = RequestError(kind=KIND, message=next(iter(refused.values())))
        failed = [
            events.ItemRefused(index=indexes[place], error=RequestError(kind=KIND, message=why))
            for place, why in refused.items()
        ]
        self._journal.append(
            events.SubmissionFailed(job=job.number, error=error, not_before=self._now()), *failed
        )

    def _sought(self, report: reports.Sought) -> None:
        job = self._run.jobs[report.job]
        self.strangers[job.number].update(report.strangers)
        self.undecided.discard(job.number)
        waits = report.running or report.looked_at < decide.settle_by(self._run, job)
        if report.proven:
            settled = adopted(report)
            self._batch_ids.add(settled.batch_id)
            self._journal.append(*self._taken_from(job, settled.batch_id), settled)
        elif waits or (report.unreadable and job.unreadable + 1 < _UNREADABLE):
            self._look_again(job, report, "not_settled" if waits else UNREADABLE)
        elif report.unreadable or not report.same_place or job.is_misnamed:
            error = UnknownSubmissionError(unsettled(job, report.unreadable), kind="not_settled")
            self._give_up(error, job.number)
        else:
            self._journal.append(absent(report))

    def _taken_from(self, job: Job, batch_id: str | None) -> list[Event]:
        """Doubt the batch of an open job that has the id of this job's: the answers to them were confused."""
        others = [other for other in self._run.open.values() if other is not job]
        return [self._doubted(other) for other in others if other.batch_id == batch_id]

    def _doubted(self, job: Job) -> Event:
        """Record that the batch that the answer to a creation named is another's: its own is looked for."""
        said = f"the results of {job.batch_id}, which the answer to the creation named, are not this job's"
        self.created.pop(job.number, None)
        self.cancelled.discard(job.number)
        return events.SubmissionUnknown(job=job.number, error=RequestError(kind=ODD_REPLY, message=said))

    def _look_again(self, job: Job, report: reports.Sought, kind: str) -> None:
        candidates = [*report.running, *report.unreadable]
        said = f"candidates: {', '.join(candidates)}" if candidates else "no such batch yet"
        if report.running:
            self.undecided.add(job.number)
        error = RequestError(kind=kind, message=said)
        not_before = self.pauses.again(job.looks + 1)
        settle_by = decide.settle_by(self._run, job)
        if report.looked_at < settle_by:  # the look that counts is the first one after the delay
            not_before = min(not_before, max(settle_by, self._now()))
        self._journal.append(
            events.CallFailed(doing="settle", jobs=[job.number], error=error, not_before=not_before)
        )

    def _polled(self, report: reports.Polled) -> None:
        recorded: list[Event] = []
        failed: list[tuple[Job, Failure]] = []
        jobs = [number for number in report.jobs if self._run.jobs[number].batch_id is not None]
        for number in jobs:  # but for those whose batch has turned out to be another's meanwhile
            job = self._run.jobs[number]
            batch = report.batches.get(job.batch_id or "")
            if batch is not None and batch.failure is not None:
                failed.append((job, batch.failure))
                continue
            recorded.append(self._vanished(job) if batch is None else _polled(job, batch))
            if batch is not None and batch.size:
                self._given_up = 0
                self.pauses.worked_on()
        self._journal.append(*recorded)
        for job, failure in failed:
            self._batch_failed(job, failure)
        for number in jobs:
            job = self._run.jobs[number]
            if job.batch_id not in report.batches and self._is_gone(job):
                self._give_up(trouble.gone(job), number)

    def _batch_failed(self, job: Job, failure: Failure) -> None:
        """Record that the whole batch was given up, unbilled: for now, because of one item, or for good."""
        error = failure.error
        not_before = self.pauses.full() if failure.passing else self._now()
        assert job.batch_id is not None
        ended = (
            events.BatchFailed(job=job.number, batch_id=job.batch_id, error=error, passing=failure.passing),
            events.SubmissionFailed(job=job.number, error=error, not_before=not_before),
        )
        named = {index: why for place, why in failure.refused if (index := item_at(job, place)) is not None}
        if named and not failure.passing and self._given_up < MOST_REFUSED:
            self._given_up += 1
            refused = [
                self._recorder.refused(job.number, index, self._place(index), why)
                for index, why in named.items()
            ]
            self._journal.append(*refused, *ended)
            return
        self._journal.append(*ended)
        if not failure.passing:
            refusal = SpendLimitError if error.kind == SPENT else RequestRefusedError
            self._give_up(refusal(f"job {job.number} ({job.batch_id}): {error.message}", kind=error.kind))

    def _give_up(self, error: BatchataError, *jobs: int) -> None:
        """Give these jobs up for this start: no further call would help."""
        self._journal.append(*self.trouble.meet(self._run, error, jobs))

    def _vanished(self, job: Job) -> Event:
        error = RequestError(kind=NOT_FOUND, message=f"the provider knows no batch {job.batch_id}")
        return _again_later("poll", job, error, self.pauses.again(job.missed + 1))

    def _arrived(self, report: reports.Arrived) -> None:
        job = self._run.jobs[report.job]
        collection = self._collections.get(job.number)
        if collection is None:
            collection = self._collections[job.number] = Collection.of(self._run, job)
        recorded, bodies = self._recorder.outcomes(
            collection, report.outcomes, self._journal.next_body, schema_route.meaning(self._run, job)
        )
        decided = schema_route.decided_by_results(self._run, job, recorded)
        self._journal.append(*recorded, *decided, *self._no_credit(job, recorded), bodies=bodies)

    def _no_credit(self, job: Job, recorded: Sequence[Entry]) -> Sequence[Event]:
        """Return the spending error that shows only in the results of an accepted batch."""
        for event in recorded:
            if isinstance(event, events.OutcomeRecorded) and event.error and event.error.kind == SPENT:
                said = f"requests of job {job.number} were refused: {event.error.message}"
                return self.trouble.meet(self._run, SpendLimitError(said, kind=SPENT))
        return []

    def _exhausted(self, job: Job, batch: Batch | None) -> None:
        """Take results that were read to their end; `batch` is its new description, if asked for.

        Those of a batch that has turned out to be another's meanwhile say nothing.
        """
        if job.batch_id is None:
            self._collections.pop(job.number, None)
            return
        if batch is not None and batch.counts != job.counts:
            self._journal.append(_polled(job, batch))
        collection = self._collections.pop(job.number, None) or Collection.of(self._run, job)
        if not (collection.expected and self._are_doubted(job, collection)):
            self._complete(job, collection)

    def _are_doubted(self, job: Job, collection: Collection) -> bool:
        """Whether gaps may come from a download that ended early; gaps that the counts explain stay gaps."""
        is_foreign = trouble.is_foreign(job, collection)
        is_explained = not is_foreign and trouble.is_explained(job, collection)
        times = job.short_reads + 1  # over all starts: one that may not wait reads once
        if is_foreign and not job.is_adopted and times >= _SHORT_OF_ANSWERS:
            self._journal.append(self._doubted(job))
            return True
        if times < (_SHORT_DOWNLOADS if is_explained else _SHORT_OF_ANSWERS):
            said = f"{len(collection.expected)} requests have no result line"
            error = RequestError(kind=INCOMPLETE, message=said)
            self._journal.append(_again_later("collect", job, error, self.pauses.again(times)))
            return True
        if not is_explained:
            self._give_up(trouble.short(self._run, job, collection), job.number)
        return not is_explained

    def is_doubted(self, number: int) -> bool:
        """Whether an earlier download of the job's results was short."""
        return bool(self._run.jobs[number].short_reads)

    def _complete(self, job: Job, collection: Collection) -> None:
        missing = self._recorder.missing(collection)
        completion, bodies = self._recorder.completion(job, collection, len(missing), self._journal.next_body)
        undecided = job.undecided | dict.fromkeys(collection.expected.values(), "missing")
        retries = schedule_retries(self._run, job, undecided, self._now(), self._random)
        # At once: what is missing is decided together with the end of the job, or read again.
        self._journal.append(*missing, *completion, *retries, bodies=bodies)

    def _failed(self, report: reports.CallFailed) -> None:
        error = report.error
        if report.doing == "submit" and not is_passing(error):
            self._not_submitted(self._run.jobs[report.jobs[0]], error)
            return
        not_before = self.pauses.failed(error)
        for number in report.jobs:
            self._collections.pop(number, None)
        if report.doing == "submit":
            self._journal.append(self._submission_failed(report.jobs[0], error, not_before))
        else:
            self._journal.append(
                events.CallFailed(
                    doing=report.doing, jobs=list(report.jobs), error=as_error(error), not_before=not_before
                )
            )
        if self.pauses.is_odd(report.doing, error):
            return
        if report.doing == "collect":
            self._not_collected(self._run.jobs[report.jobs[0]], error)
        elif not is_passing(error):
            self._give_up(error, *report.jobs)

    def _not_collected(self, job: Job, error: BatchataError) -> None:
        if isinstance(error, BatchNotFoundError):
            if self._is_gone(job):
                self._give_up(self._expired(job) or trouble.gone(job), job.number)
        elif isinstance(error, IncompleteResultsError):
            collection = Collection.of(self._run, job)
            if job.short_reads < _SHORT_OF_ANSWERS:
                return
            if trouble.is_explained(job, collection):
                self._complete(job, collection)
            else:
                self._give_up(trouble.short(self._run, job, collection), job.number)
        elif not is_passing(error):
            self._give_up(error, job.number)

    def _is_gone(self, job: Job) -> bool:
        """Whether to believe a 404: only after several looks over minutes, whatever the batch's age."""
        assert self._run.settings is not None
        delay = self._run.settings.settle_delay
        delay = decide.DEFAULT_SETTLE_DELAY if delay is None else delay
        since = self._now() if job.missed_since is None else job.missed_since
        return job.missed >= _GONE_LOOKS and self._now() - since >= _GONE_AFTER * delay * _SECOND

    def _not_submitted(self, job: Job, error: BatchataError) -> None:
        """End submitting after a refusal, unless it concerns the job's size or one of its items.

        Without that item the others can be sent.
        """
        decided = schema_route.decided_by_refusal(self._run, job, error)
        if decided is not None:
            self._journal.append(self._submission_failed(job.number, error, self._now()), *decided)
            return
        about_schema = schema_route.cured(self._run, job, error)
        index = None if about_schema is not error else refused_item(job, error)
        error = about_schema
        too_large = error.kind == TOO_LARGE and job.request_count > 1
        if index is not None and self._refused < MOST_REFUSED:
            self._refused += 1
            outcome = self._recorder.refused(job.number, index, self._place(index), as_error(error))
            self._journal.append(outcome, self._submission_failed(job.number, error, self._now()))
        elif too_large:
            self._journal.append(self._submission_failed(job.number, error, self._now()))
        else:
            said = error if index is None else named_among(error, self._place(index))
            failed = self._submission_failed(job.number, said, self._now())
            self._journal.append(failed, *self.trouble.meet(self._run, said))

    def _expired(self, job: Job) -> BatchataError | None:
        """Return a clearer error for a download that is refused because the results are too old."""
        until = decide.collect_by(self._run, job)
        return None if until is None or self._provider_now() < until else trouble.expired(self._run, job)

    def _submission_failed(self, job: int, error: BatchataError, not_before: int) -> Event:
        if isinstance(error, UnknownSubmissionError):
            return events.SubmissionUnknown(job=job, error=as_error(error))
        return events.SubmissionFailed(job=job, error=as_error(error), not_before=not_before)


def _again_later(doing: str, job: Job, error: RequestError, not_before: int) -> Event:
    return events.CallFailed(doing=doing, jobs=[job.number], error=error, not_before=not_before)


def _submitted(job: int, batch: Batch) -> Event:
    return events.BatchSubmitted(
        job=job, batch_id=batch.batch_id, created_at=batch.created_at, expires_at=batch.expires_at
    )


def _polled(job: Job, batch: Batch) -> Event:
    return events.BatchPolled(
        job=job.number, batch_id=batch.batch_id, status=batch.status, counts=batch.counts
    )
