"""Judge a look for the batch of a lost submission: the verdict as an event, or why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from batchata.core.events import SubmissionSettled
from batchata.core.state import Job, Run
from batchata.providers.exchange import Upload
from batchata.run.reports import Sought
from batchata.run.search import Lost
from batchata.text import moment

_BY_RESULTS = "the results of the batch carry this job's custom ids"


def adopted(report: Sought) -> SubmissionSettled:
    """Adopt one batch as the job's; further proven ones hold the same requests again."""
    batch, *surplus = report.proven
    return SubmissionSettled(
        job=report.job,
        verdict="adopted",
        batch_id=batch.batch_id,
        created_at=batch.created_at,
        expires_at=batch.expires_at,
        looked_at=report.looked_at,
        evidence="the batch bears this job's mark" if batch.is_marked else _BY_RESULTS,
        surplus=[other.batch_id for other in surplus],
    )


def absent(report: Sought) -> SubmissionSettled:
    """Record that the job became no batch."""
    return SubmissionSettled(
        job=report.job,
        verdict="absent",
        batch_id=None,
        created_at=None,
        expires_at=None,
        looked_at=report.looked_at,
        evidence="no batch was created since that may be this job's",
        surplus=[],
    )


def unsettled(job: Job, candidates: Sequence[str]) -> str:
    """Say what to check where nothing can be proven, and what to do then."""
    sent = f"job {job.number} ({job.request_count} requests, sent {moment(job.started_at)})"
    if job.is_misnamed:
        seen = f" (looked at: {', '.join(candidates)})" if candidates else ""
        return (
            f"the answer to the creation of {sent} named a batch of other requests, and none with its own is "
            f"found{seen}: it may be paid for under another id. Look in the provider's console for one of "
            f"{job.request_count} requests created {moment(job.started_at)}. Only if there is none, call "
            f"manager.abandon({job.number}): it lets these items be sent, and paid, again"
        )
    if candidates:
        return (
            f"it is unknown whether {sent} created a batch. Candidates: {', '.join(candidates)}; their "
            "results cannot be read any more. Look at them in the provider's console; if the job is to be "
            f"sent again, call manager.abandon({job.number})"
        )
    return (
        f"it is unknown whether {sent} created a batch: it was sent with another API key, or for another "
        "project or workspace, and none of the run's batches is seen there. Use a key of the workspace in "
        "which the run was started; "
        f"if there is none any more and the job is to be sent again, call manager.abandon({job.number})"
    )


def _of_others(job: Job, owned: list[Job]) -> Iterator[str]:
    """Yield the batches of other jobs. Where answers to creations were confused, they prove nothing."""
    for other in owned:
        if other.batch_id and (not job.is_confused or other.recorded or other.is_adopted):
            yield other.batch_id


_HOUR = 3600 * 1_000_000
# Batches sent within so many hours of the lost one tell how far the clocks were apart …
_CALIBRATED_BY = 6 * _HOUR
_ANCHORS = 3


def lost(run: Run, job: Job, strangers: AbstractSet[str], asked_at: int, apart: int | None) -> Lost:
    """Describe the job's batch for the worker that looks for it.

    `asked_at` is the time by our clock, `apart` how far the provider's is ahead of it in this start, None
    when no answer has told yet.
    """
    owned = [other for other in run.jobs.values() if other.batch_id is not None]
    anchors = [other.batch_id for other in owned[: -_ANCHORS - 1 : -1] if other.batch_id is not None]
    return Lost(
        job=job.number,
        asked_at=asked_at,
        custom_ids=[job.custom_id(index) for index in job.indexes()],
        since=_since(run, job, owned, apart),
        until=_until(run, job, owned, apart),
        about=(job.started_at - _HOUR, job.alone_since + _HOUR),
        ahead=_apart(run, job.start, job.started_at, owned, apart),
        not_ours=frozenset(_of_others(job, owned)) | strangers,
        same_key=_same_key(run, job, anchors),
        anchors=anchors,
        upload=Upload(job.upload or "", job.mark),
    )


def _since(run: Run, job: Job, owned: list[Job], apart: int | None) -> int:
    """Return the provider's time before which the job's batch was certainly not created.

    Where it is unknown how far the clocks were apart, our times say nothing: only that jobs were sent in the
    order of their numbers. 0 where there is none before it; then the whole list is looked through.
    """
    known = _apart(run, job.start, job.started_at, owned, apart)
    before = [other.created_at for other in owned if other.created_at and other.number < job.number]
    floor = max(before, default=_HOUR) - _HOUR  # they may have been sent side by side
    return max(job.started_at + min(known) - _HOUR, 0) if known else floor


def _until(run: Run, job: Job, owned: list[Job], apart: int | None) -> int | None:
    """Return the provider's time after which it was certainly not created; None where that is unknown.

    In a workspace where others create batches of the same size all day, new ones must not keep the job
    waiting for ever.
    """
    known = _apart(run, job.alone_in, job.alone_since, owned, apart)
    return job.alone_since + max(known) + _HOUR if known else None


def _apart(run: Run, start: int, moment: int, owned: list[Job], apart: int | None) -> list[int]:
    """Return by how much the provider's clock may have been ahead of ours, at a moment of that start.

    Our clock may have been set between two starts, so only jobs of the same start count, and only those whose
    creation was answered: an adopted batch was found hours after it was created. `apart` is by the Date of
    answers, which may be that of a gateway in between: then ours may be right, too.
    """
    found = [
        other.created_at - other.submitted_at
        for other in owned
        if other.created_at and other.submitted_at and other.start == start and not other.is_adopted
        if abs(other.started_at - moment) < _CALIBRATED_BY
    ]
    return [*found, apart, 0] if apart is not None and start == run.starts else found


def _same_key(run: Run, job: Job, anchors: list[str]) -> bool:
    """Whether the job was certainly sent with today's key; unknown keys count as the same."""
    if job.start == run.starts:
        return True
    is_known = job.key is not None and not job.key.startswith("?")  # else it is the workspace's, if anything
    return job.key == run.key and (is_known or not anchors)
