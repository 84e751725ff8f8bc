"""What the batch of a lost submission would look like, and where it may be."""

from __future__ import annotations

from collections.abc import Set

from batchata.core.state import Job, Run
from batchata.running.work import Lost

_HOUR = 3600 * 1_000_000
# How far the provider's clock may be from ours where nothing tells. Wide, since custom ids prove ownership: a
# wrong clock must not make our own batch look absent, and a wider look costs only pages of a list.
_UNKNOWN_CLOCKS = 24 * _HOUR
# Batches sent within so many hours of the lost one tell how far the clocks are apart …
_CALIBRATED_BY = 6 * _HOUR
# … to this. It only bounds how late a batch may have been created: in a workspace where others create batches
# of the same size all day, new ones must not keep the job waiting for ever.
_KNOWN_CLOCKS = _HOUR
_ANCHORS = 3


def lost(run: Run, job: Job, strangers: Set[str]) -> Lost:
    """The description by which a worker looks for the job's batch."""
    owned = [other for other in run.jobs.values() if other.batch_id is not None]
    anchors = [other.batch_id for other in owned[: -_ANCHORS - 1 : -1] if other.batch_id is not None]
    return Lost(
        job=job.number,
        custom_ids=[job.custom_id(index) for index in job.indexes()],
        since=job.started_at - _UNKNOWN_CLOCKS,
        until=_until(job, owned),
        not_ours=frozenset(other.batch_id for other in owned if other.batch_id) | strangers,
        same_key=_same_key(run, job, anchors),
        anchors=anchors,
    )


def _until(job: Job, owned: list[Job]) -> int:
    """The provider's time at which the job's batch was created at the latest."""
    apart = [
        other.created_at - other.submitted_at
        for other in owned
        if other.created_at and other.submitted_at and abs(other.started_at - job.started_at) < _CALIBRATED_BY
    ]
    # An adopted batch was submitted later than it was created: its difference is too small, never too large.
    return job.alone_since + (max(apart) + _KNOWN_CLOCKS if apart else _UNKNOWN_CLOCKS)


def _same_key(run: Run, job: Job, anchors: list[str]) -> bool:
    """Whether the job was certainly sent with the key of today; without any trace of a key nothing is held
    against it."""
    if job.started_at >= run.resumed_at:
        return True
    return job.key == run.key and (job.key is not None or not anchors)
