"""What a run amounts to so far: the summary that run() returns, and the longer statistics."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from batchata.core import decide
from batchata.core.accounts import batch_saving, cost_by_kind, saved_by_cache, saved_by_dedupe
from batchata.core.accuracy import Accuracy
from batchata.core.limit import room
from batchata.core.money import quotient
from batchata.core.state import Job, Run
from batchata.terminal.account import cost_lines
from batchata.views.results_folder import processed_dir, raw_dir


def summary(run: Run, total_items: int | None = None) -> dict[str, Any]:
    """Items by status, cost in USD as Decimal (None when a price was unknown), and jobs completed."""
    total = run.total if total_items is None else max(total_items, run.total)
    return {
        "total_items": total,
        "completed_items": run.completed,
        "failed_items": run.failed,
        "pending_items": total - run.completed - run.failed,
        "total_cost": run.total_cost,
        "jobs_completed": run.jobs_completed,
        "cost_limit_reached": run.limit_reached,
    }


def statistics(
    run: Run, total_items: int, results_dir: str | None, raw_results_dir: str | None
) -> dict[str, Any]:
    """The summary, and what was sent, used, paid and repeated."""
    raw, until = raw_dir(results_dir, raw_results_dir), decide.kept_until(run)
    return summary(run, total_items) | {
        "run_id": None if run.started is None else run.started.run_id,
        "status": "not started" if run.started is None else run.status,
        "model": None if run.started is None else run.started.model,
        "jobs": len(run.jobs),
        "batches": [job.batch_id for job in run.jobs.values() if job.batch_id],
        "outcomes": outcomes(run),
        "collect_by": None if until is None else datetime.fromtimestamp(until / 1e6, UTC),
        "retries": run.retries,
        "usage": dict(run.usage),
        **_money(run),
        "stray_outcomes": dict(run.strays),
        "shared_items": len(run.items.same_as),
        "saved": {"dedupe": saved_by_dedupe(run), "cache": saved_by_cache(run)},
        "cache": None if run.started is None or run.started.cache is None else run.started.cache.reason,
        "estimate": estimate_error(run.accuracy),
        "elapsed_seconds": (run.updated_at - run.started_at) / 1e6,
        "results_dir": results_dir,
        "output_route": run.route or None,
        "processed_results_dir": None if results_dir is None else str(processed_dir(results_dir)),
        "raw_results_dir": None if raw is None else str(raw),
    }


def outcomes(run: Run) -> dict[str, int]:
    """How many requests came back how, over all jobs and attempts."""
    counts: Counter[str] = Counter()
    for job in run.jobs.values():
        counts.update(job.outcomes)
    return dict(counts)


def estimate_error(accuracy: Accuracy) -> dict[str, Any] | None:
    """What was expected of the answers of completed jobs, what they used, and the errors: +0.1 means that a
    tenth too much was expected. None before there are any, and None for an error that cannot be told.
    """
    if not accuracy.answers:
        return None
    known = not accuracy.unpriced
    return {
        "answers": accuracy.answers,
        "expected_cost": accuracy.expected_cost if known else None,
        "expected_input_tokens": accuracy.expected_input,
        "expected_output_tokens": accuracy.expected_output,
        "cost": accuracy.used_cost if known else None,
        "input_tokens": accuracy.used_input,
        "output_tokens": accuracy.used_output,
        "cost_error": accuracy.cost_error,
        "input_error": accuracy.input_error,
        "output_error": accuracy.output_error,
    }


def _money(run: Run) -> dict[str, Any]:
    """All in USD as Decimal; None where a price was unknown, or where there is no limit."""
    settings, done = run.settings, run.completed + run.failed
    known = run.total_cost is not None
    return {
        "known_cost": run.spent,
        "unpriced_requests": run.unpriced,
        "cost_per_item": quotient(run.spent, done) if known and done else None,
        "cost_by_model": {} if run.started is None else {run.started.model: run.total_cost},
        "cost_by_job": {job.number: _cost(job) for job in run.jobs.values()},
        "cost_by_kind": cost_by_kind(run),
        "batch_saving": batch_saving(run) if known else None,
        "max_cost": None if settings is None or settings.max_cost is None else Decimal(settings.max_cost),
        "reserved_cost": run.reserved,
        "withheld_cost": run.withheld,
        "left_cost": room(run),
        "needed_cost": run.needed,
        "needed_cost_for_all": run.needed_for_all,
    }


def _cost(job: Job) -> Decimal | None:
    return None if job.unpriced else job.cost


def printed(run: Run, stats: dict[str, Any]) -> str:
    """The statistics as lines for a person."""
    lines = [
        f"run       {stats['run_id'] or '-'} ({stats['status']}), model {stats['model'] or '-'}",
        f"items     {stats['total_items']:,}: {stats['completed_items']:,} completed, "
        f"{stats['failed_items']:,} failed, {stats['pending_items']:,} pending",
        f"jobs      {stats['jobs']:,}, {stats['jobs_completed']:,} completed; "
        f"{stats['retries']:,} items sent again",
        *cost_lines(run),
    ]
    if stats["results_dir"]:
        lines.append(f"results   {stats['results_dir']}")
    return "\n".join(lines)
