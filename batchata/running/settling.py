"""What a look for the batch of a lost submission has shown: the verdict as an event, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from batchata.core.events import SubmissionSettled
from batchata.core.state import Job
from batchata.running.work import Sought


def adopted(report: Sought) -> SubmissionSettled:
    """One batch is the job's; what else was proven holds the same requests once more."""
    batch, *surplus = report.proven
    return SubmissionSettled(
        job=report.job,
        verdict="adopted",
        batch_id=batch.batch_id,
        created_at=batch.created_at,
        expires_at=batch.expires_at,
        looked_at=report.looked_at,
        evidence="the results of the batch carry this job's custom ids",
        surplus=[other.batch_id for other in surplus],
    )


def absent(report: Sought) -> SubmissionSettled:
    """The job became no batch."""
    return SubmissionSettled(
        job=report.job,
        verdict="absent",
        batch_id=None,
        created_at=None,
        expires_at=None,
        looked_at=report.looked_at,
        evidence="no batch of this size was created since, other than those of other jobs",
        surplus=[],
    )


def unsettled(job: Job, candidates: Sequence[str]) -> str:
    """What to look at where nothing can be proven, and what to do then."""
    when = f"{datetime.fromtimestamp(job.started_at / 1e6, UTC):%Y-%m-%d %H:%M:%S} UTC"
    sent = f"job {job.number} ({job.request_count} requests, sent {when})"
    if candidates:
        return (
            f"nobody can tell whether {sent} became a batch: {', '.join(candidates)} may be it, and the "
            "results cannot be read any more. Look at it in the Console; if the job is to be sent again, "
            f"call manager.abandon({job.number})"
        )
    return (
        f"nobody can tell whether {sent} became a batch: it was sent with another API key, and none of the "
        "run's batches can be seen with this one. Use a key of the workspace in which the run was started; "
        f"if there is none any more and the job is to be sent again, call manager.abandon({job.number})"
    )
