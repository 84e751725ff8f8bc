"""Summarise a run with its jobs and why items failed, as `show` and the report tell it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from batchata.core.events import ItemRefused, OutcomeRecorded
from batchata.core.money import plain, plain_if_known
from batchata.core.state import Job
from batchata.core.values import Process
from batchata.log.port import Log
from batchata.providers.address import redacted
from batchata.text import iso
from batchata.views.history import History
from batchata.views.run_summary import facts

if TYPE_CHECKING:
    from batchata.views.results import SupportCounts  # with all that reads answers, which `show` does without


def overview(
    history: History, alive: bool | None, head: str | None = None, support: SupportCounts | None = None
) -> dict[str, Any]:
    """Return everything that `show` tells; with an unknown price `total_cost` is null, `spent` what is known.

    `head` is the log's hash of all that happened in the run, null for a moment of its past. The counts of
    unsupported and uncited fields are null where they were not counted.

    `process` is the last that took the run up; its `alive` is null when that is unknown here.
    """
    run, started, settings = history.run, history.run.started, history.run.settings
    return {
        **{
            name: plain_if_known(fact) if isinstance(fact, Decimal) else fact
            for name, fact in facts(run).items()
        },
        "provider": None if started is None else started.provider,
        "base_url": None if started is None else redacted(run.base_url),
        "library_version": None if started is None else started.library_version,
        "process": _process(history.process, alive),
        "version": run.version,
        "head": head,
        "started_at": iso(run.started_at),
        "updated_at": iso(run.updated_at),
        "spent": plain(run.spent),
        "max_cost": None if settings is None else settings.max_cost,
        "max_tokens": run.max_tokens,
        "purged_bodies": run.purged,
        "starts": history.starts,
        "killed_starts": history.killed,
        "retries_by_reason": dict(history.retries),
        "unsupported_fields": None if support is None else support.unsupported_fields,
        "uncited_fields": None if support is None else support.uncited_fields,
        "failures": {kind: len(items) for kind, items in history.failures().items()},
        "jobs": [_job(history, job) for job in run.jobs.values()],
    }


def _job(history: History, job: Job) -> dict[str, Any]:
    refusal = history.refusals.get(job.number)
    return {
        "job": job.number,
        "items": job.items,
        "item_count": job.request_count,
        "batch_id": job.batch_id,
        "status": job.status.value,
        "outcomes": job.outcomes,
        "counts": job.counts,
        "cost": plain_if_known(job.known_cost),
        "reserved": plain_if_known(job.reserved),
        "started_at": iso(job.started_at),
        "submitted_at": iso(job.submitted_at),
        "created_at": iso(job.created_at),
        "expires_at": iso(job.expires_at),
        "completed_at": iso(job.completed_at),
        "cancel_requested": job.cancel_requested,
        "error": refusal if job.batch_id is None else None,
    }


def _process(process: Process | None, alive: bool | None) -> dict[str, Any] | None:
    return None if process is None else {"pid": process.pid, "host": process.host, "alive": alive}


@dataclass(slots=True)
class Failure:
    """Failed items of one kind, and the first of them."""

    kind: str
    items: int
    index: int
    message: str


def failures(log: Log, stream: str, history: History, most: int) -> list[Failure]:
    """Return the most frequent reasons of failed items, at most so many, with the first item's messages."""
    found = sorted(history.failures().items(), key=lambda pair: (-len(pair[1]), pair[0]))[:most]
    versions = sorted(history.run.items.outcome[items[0]] for _, items in found)
    messages = {
        event.index: "" if event.error is None else event.error.message
        for _, _, event in log.events_at(stream, versions)
        if isinstance(event, OutcomeRecorded | ItemRefused)
    }
    return [Failure(kind, len(items), items[0], messages[items[0]]) for kind, items in found]
