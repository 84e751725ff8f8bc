"""A run as one JSON object: amounts are decimal strings in USD, times ISO 8601 in UTC."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from batchata.core.money import plain
from batchata.core.state import Job
from batchata.core.values import Process
from batchata.providers.address import redacted
from batchata.text import iso
from batchata.views.history import History


def overview(history: History, alive: bool | None, head: str | None = None) -> dict[str, Any]:
    """Everything that `show` tells; `total_cost` is null when a price was unknown, `spent` is what is known.
    `head` is the log's hash of all that happened in the run, null for a moment of its past.

    `process` is the last that took the run up; its `alive` is null when that cannot be told from here.
    """
    run, started, settings = history.run, history.run.started, history.run.settings
    return {
        "run_id": None if started is None else started.run_id,
        "status": run.status,
        "interrupted_by": run.interrupted_by,
        "model": None if started is None else started.model,
        "provider": None if started is None else started.provider,
        "base_url": None if started is None else redacted(run.base_url),
        "library_version": None if started is None else started.library_version,
        "process": _process(history.process, alive),
        "version": run.version,
        "head": head,
        "started_at": iso(run.started_at),
        "updated_at": iso(run.updated_at),
        "total_items": run.total,
        "completed_items": run.completed,
        "failed_items": run.failed,
        "pending_items": run.pending,
        "total_cost": _amount(run.total_cost),
        "spent": plain(run.spent),
        "unpriced_requests": run.unpriced,
        "reserved_cost": plain(run.reserved),
        "max_cost": None if settings is None else settings.max_cost,
        "max_tokens": run.max_tokens,
        "cost_limit_reached": run.limit_reached,
        "usage": run.usage,
        "purged_bodies": run.purged,
        "starts": history.starts,
        "killed_starts": history.killed,
        "retries": run.retries,
        "retries_by_reason": dict(history.retries),
        "failures": {kind: len(items) for kind, items in history.failures().items()},
        "stray_outcomes": run.strays,
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
        "cost": _amount(history.cost_of(job)),
        "reserved": _amount(job.reserved),
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


def _amount(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)
