"""Summarise a run so far, as run(), stats(), `show`, `diff` and the report tell it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, cast

from batchata.core import decide
from batchata.core.accounts import batch_saving, cost_by_kind, room, saved_by_cache, saved_by_dedupe
from batchata.core.accuracy import Accuracy
from batchata.core.money import quotient
from batchata.core.state import Run
from batchata.text import preformatted, usd
from batchata.views.results_folder import processed_dir, raw_dir

if TYPE_CHECKING:
    from batchata.views.results import SupportCounts  # with all that reads answers, which `show` does without


class Summary(TypedDict):
    """Items by status, jobs, and the cost in USD; None when a price was unknown.

    summary: Summary = manager.run()
    """

    total_items: int
    completed_items: int
    failed_items: int
    pending_items: int
    total_cost: Decimal | None
    jobs_completed: int
    cost_limit_reached: bool
    retry_count: NotRequired[int]


class Stats(Summary):
    """What `stats()` tells; amounts in USD, None where a price was unknown.

    stats: Stats = manager.stats()
    """

    run_id: str | None
    status: str
    interrupted_by: str | None
    sending_ended: str | None
    model: str | None
    unpriced_requests: int
    reserved_cost: Decimal
    retries: int
    usage: dict[str, int]
    stray_outcomes: dict[str, int]
    jobs: int
    batches: list[str]
    outcomes: dict[str, int]
    collect_by: datetime | None
    known_cost: Decimal
    cost_per_item: Decimal | None
    cost_by_model: dict[str, Decimal | None]
    cost_by_job: dict[int, Decimal | None]
    cost_by_kind: dict[str, Decimal]
    batch_saving: Decimal | None
    max_cost: Decimal | None
    withheld_cost: Decimal
    left_cost: Decimal | None
    needed_cost: Decimal | None
    needed_cost_for_all: Decimal | None
    shared_items: int
    saved: dict[str, Decimal | None]
    cache: str | None
    estimate: dict[str, Any] | None
    elapsed_seconds: float
    results_dir: str | None
    output_route: str | None
    processed_results_dir: str | None
    raw_results_dir: str | None
    log_head: str | None
    unsupported_fields: int | None
    uncited_fields: int | None


class _Shown(dict[str, Any]):
    """A summary that a notebook shows as text."""

    def _repr_html_(self) -> str:
        lines = (f"{name.replace('_', ' '):20}{_figure(value)}" for name, value in self.items())
        return preformatted("\n".join(lines))


def _figure(value: object) -> str:
    if isinstance(value, Decimal):
        return usd(value)
    return "unknown" if value is None else str(value)


def summary(run: Run, total_items: int | None = None) -> Summary:
    """Return items by status, cost in USD as Decimal (None when a price was unknown), and jobs completed."""
    total = run.total if total_items is None else max(total_items, run.total)
    found: Summary = {
        "total_items": total,
        "completed_items": run.completed,
        "failed_items": run.failed,
        "pending_items": total - run.completed - run.failed,
        "total_cost": run.total_cost,
        "jobs_completed": run.jobs_completed,
        "cost_limit_reached": run.limit_reached,
    }
    return cast("Summary", _Shown(found))


def facts(run: Run) -> dict[str, Any]:
    """Return what both `stats()` and `show` report, in the same words; amounts in USD."""
    started = run.started
    counts = {name: told for name, told in summary(run).items() if name != "jobs_completed"}
    return counts | {
        "run_id": None if started is None else started.run_id,
        "status": run.status,
        "interrupted_by": run.interrupted_by,
        "sending_ended": None if run.sending_ended is None else run.sending_ended.message,
        "model": None if started is None else started.model,
        "unpriced_requests": run.unpriced,
        "reserved_cost": run.reserved,
        "retries": run.retries,
        "usage": dict(run.usage),
        "stray_outcomes": dict(run.strays),
    }


def statistics(
    run: Run,
    total_items: int,
    results_dir: str | None,
    raw_results_dir: str | None,
    head: str | None = None,
    support: SupportCounts | None = None,
) -> Stats:
    """Return the summary, and what was sent, used, paid and repeated; `head` is the hash of the log.

    `support` counts the fields without a passage that says them, where fields have citations.
    """
    raw, until = raw_dir(results_dir, raw_results_dir), decide.kept_until(run)
    status = "not started" if run.started is None else run.status
    found = (
        facts(run)
        | dict(summary(run, total_items))
        | {
            "status": status,
            "jobs": len(run.jobs),
            "batches": [job.batch_id for job in run.jobs.values() if job.batch_id],
            "outcomes": outcomes(run),
            "collect_by": None if until is None else datetime.fromtimestamp(until / 1e6, UTC),
            **_money(run),
            "shared_items": len(run.items.same_as),
            "saved": {"dedupe": saved_by_dedupe(run), "cache": saved_by_cache(run)},
            "cache": None if run.started is None or run.started.cache is None else run.started.cache.reason,
            "estimate": estimate_error(run.accuracy),
            "elapsed_seconds": (run.updated_at - run.started_at) / 1e6,
            "results_dir": results_dir,
            "output_route": run.route or None,
            "processed_results_dir": None if results_dir is None else processed_dir(results_dir),
            "raw_results_dir": raw,
            "log_head": head,
            "unsupported_fields": None if support is None else support.unsupported_fields,
            "uncited_fields": None if support is None else support.uncited_fields,
        }
    )
    return cast("Stats", found)


def outcomes(run: Run) -> dict[str, int]:
    """Count how requests came back, over all jobs and attempts."""
    counts: Counter[str] = Counter()
    for job in run.jobs.values():
        counts.update(job.outcomes)
    return dict(counts)


def estimate_error(accuracy: Accuracy) -> dict[str, Any] | None:
    """Return what was expected of the answers of completed jobs, what they used, and the errors.

    An error of +0.1 means that a tenth too much was expected. None before there are any answers, and None
    for an error that cannot be computed.
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
    """Return amounts in USD as Decimal; None where a price was unknown, or where there is no limit."""
    settings, done = run.settings, run.completed + run.failed
    known = run.total_cost is not None
    return {
        "known_cost": run.spent,
        "cost_per_item": quotient(run.spent, done) if known and done else None,
        "cost_by_model": {} if run.started is None else {run.started.model: run.total_cost},
        "cost_by_job": {job.number: job.known_cost for job in run.jobs.values()},
        "cost_by_kind": cost_by_kind(run),
        "batch_saving": batch_saving(run) if known else None,
        "max_cost": None if settings is None or settings.max_cost is None else Decimal(settings.max_cost),
        "withheld_cost": run.withheld,
        "left_cost": room(run),
        "needed_cost": run.needed,
        "needed_cost_for_all": run.needed_for_all,
    }


_FEW = 1_000  # answers, which are read again in less than half a second


def is_support_counted(run: Run) -> bool:
    """Whether the run has cited answers, and few enough to read them and count what no passage supports."""
    return run.started is not None and run.started.enable_citations and 0 < run.completed <= _FEW
