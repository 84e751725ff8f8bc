"""Summarise a run so far, as run(), stats(), `show`, `diff` and the report tell it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, cast

from batchata.core import decide
from batchata.core.accounts import batch_saving, cost_by_kind, room, saved_by_cache, saved_by_dedupe
from batchata.core.accuracy import Accuracy
from batchata.core.events import ItemRefused, OutcomeRecorded
from batchata.core.money import plain, plain_if_known, quotient
from batchata.core.state import Job, Run
from batchata.core.values import Process
from batchata.log.port import Log
from batchata.providers.address import redacted
from batchata.text import iso, preformatted, usd
from batchata.views.history import History
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
    """A summary that shows itself in a notebook."""

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


def _facts(run: Run) -> dict[str, Any]:
    """Return what both `stats()` and `show` tell, in the same words; amounts in USD."""
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
        _facts(run)
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
            "processed_results_dir": None if results_dir is None else str(processed_dir(results_dir)),
            "raw_results_dir": None if raw is None else str(raw),
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
    """Whether the run has cited answers, so few that they are read to count what no passage supports."""
    return run.started is not None and run.started.enable_citations and 0 < run.completed <= _FEW


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
            for name, fact in _facts(run).items()
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
    """Return the most frequent reasons of failed items, so many, each with its first item's message."""
    found = sorted(history.failures().items(), key=lambda pair: (-len(pair[1]), pair[0]))[:most]
    versions = sorted(history.run.items.outcome[items[0]] for _, items in found)
    messages = {
        event.index: "" if event.error is None else event.error.message
        for _, _, event in log.events_at(stream, versions)
        if isinstance(event, OutcomeRecorded | ItemRefused)
    }
    return [Failure(kind, len(items), items[0], messages[items[0]]) for kind, items in found]
