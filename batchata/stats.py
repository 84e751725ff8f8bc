"""What a run amounts to so far: the summary that run() returns, and the longer statistics."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from batchata.core import decide
from batchata.core.accuracy import Accuracy
from batchata.core.state import Run
from batchata.results_dir import processed_dir, raw_dir


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
    raw = raw_dir(results_dir, raw_results_dir)
    settings = run.settings
    return summary(run, total_items) | {
        "run_id": None if run.started is None else run.started.run_id,
        "status": "not started" if run.started is None else run.status,
        "model": None if run.started is None else run.started.model,
        "jobs": len(run.jobs),
        "batches": [job.batch_id for job in run.jobs.values() if job.batch_id],
        "outcomes": outcomes(run),
        "collect_by": collect_by(run),
        "retries": run.retries,
        "usage": dict(run.usage),
        "max_cost": None if settings is None or settings.max_cost is None else Decimal(settings.max_cost),
        "reserved_cost": run.reserved,
        "withheld_cost": run.withheld,
        "stray_outcomes": dict(run.strays),
        "estimate": estimate_error(run.accuracy),
        "elapsed_seconds": (run.updated_at - run.started_at) / 1e6,
        "results_dir": results_dir,
        "processed_results_dir": None if results_dir is None else str(processed_dir(results_dir)),
        "raw_results_dir": None if raw is None else str(raw),
    }


def outcomes(run: Run) -> dict[str, int]:
    """How many requests came back how, over all jobs and attempts."""
    counts: Counter[str] = Counter()
    for job in run.jobs.values():
        counts.update(job.outcomes)
    return dict(counts)


def collect_by(run: Run) -> datetime | None:
    """Until when the results of every open batch are kept by the provider; None without one."""
    until = [by for job in run.open.values() if (by := decide.collect_by(job)) is not None]
    return datetime.fromtimestamp(min(until) / 1e6, UTC) if until else None


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


def error_in_words(error: float | None) -> str:
    """How good an estimate was: "12% too high"."""
    if error is None:
        return "not to be compared"
    if abs(error) < 0.005:
        return "exact to 1%"
    return f"{abs(error):.0%} too {'high' if error > 0 else 'low'}"


def printed(stats: dict[str, Any]) -> str:
    """The statistics as lines for a person."""
    cost = stats["total_cost"]
    usage = ", ".join(
        f"{count:,} {kind.replace('_', ' ')}" for kind, count in stats["usage"].items() if count
    )
    lines = [
        f"run       {stats['run_id'] or '-'} ({stats['status']}), model {stats['model'] or '-'}",
        f"items     {stats['total_items']:,}: {stats['completed_items']:,} completed, "
        f"{stats['failed_items']:,} failed, {stats['pending_items']:,} pending",
        f"jobs      {stats['jobs']:,}, {stats['jobs_completed']:,} completed; "
        f"{stats['retries']:,} items sent again",
        f"cost      {'unknown (no price for this model)' if cost is None else money(cost)}",
        f"tokens    {usage or '-'}",
    ]
    if (guess := stats["estimate"]) is not None and guess["expected_cost"] is not None:
        errors = (guess["cost_error"], guess["input_error"], guess["output_error"])
        whole, tokens_in, tokens_out = map(error_in_words, errors)
        lines.append(
            f"estimate  {money(guess['expected_cost'])}, {whole} (input {tokens_in}, output {tokens_out})"
        )
    if stats["results_dir"]:
        lines.append(f"results   {stats['results_dir']}")
    return "\n".join(lines)


def money(amount: Decimal) -> str:
    """USD to the hundredth of a cent, or to the millionth of a dollar where that would show nothing."""
    if amount == 0 or amount >= Decimal("0.01"):
        return f"${amount:,.4f}"
    return f"${amount:.6f}" if amount >= Decimal("0.000001") else "under $0.000001"
