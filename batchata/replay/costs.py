"""Print the ledger of a run, or what each run of a log has cost: `costs`."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import starmap
from typing import Any

from batchata.core.accounts import Line, ledger_lines, unpriced_kinds, why_unknown
from batchata.core.money import EXACT, plain, plain_if_known, quotient
from batchata.core.state import Job, Run
from batchata.replay.console import Paper, aligned, print_json, reading, the_run
from batchata.replay.status import most_telling
from batchata.text import JOB_STATUS, WITHHELD, clean, number_of, short_kind, usd
from batchata.views.costs import KINDS, Entry, Ledger, by_model, read_ledger


def runs_json(ledgers: dict[str, Ledger]) -> dict[str, Any]:
    """Return the ledgers of several runs, by their run ids, and the totals of each model."""
    return {
        "runs": [ledger_json(stream, ledger) for stream, ledger in ledgers.items()],
        "by_model": {model: _entry_json(entry) for model, entry in by_model(ledgers.values()).items()},
    }


def ledger_json(stream: str, ledger: Ledger) -> dict[str, Any]:
    """Return everything that `costs` shows of one run; unknown amounts are null."""
    run = ledger.history.run
    return {
        "run_id": stream,
        "model": None if run.started is None else run.started.model,
        "total_cost": plain_if_known(run.total_cost),
        "spent": plain(run.spent),
        "reserved_cost": plain(run.reserved),
        "withheld_cost": plain(run.withheld),
        "max_cost": None if run.settings is None else run.settings.max_cost,
        "left": plain_if_known(ledger.left),
        "total": _entry_json(ledger.total),
        "unused": _entry_json(ledger.unused),
        "rates": [*map(_rate_json, _used(run)), *starmap(_unpriced_json, unpriced_kinds(run).items())],
        "jobs": [
            {
                "job": job.number,
                "batch_id": job.batch_id,
                "status": job.status.value,
                "requests": job.request_count,
                "reserved": plain_if_known(job.reserved),
                "still_reserved": plain(job.held),
                **_entry_json(ledger.by_job.get(job.number, Entry())),
            }
            for job in run.jobs.values()
        ],
    }


def _used(run: Run) -> list[Line]:
    return [line for line in ledger_lines(run) if line.quantity]


def _rate_json(line: Line) -> dict[str, Any]:
    return {
        "kind": line.kind,
        "price": plain(line.unit_price),
        "source": line.source,
        "count": line.quantity,
        "cost": plain(line.amount),
    }


def _unpriced_json(kind: str, count: int) -> dict[str, Any]:
    return {"kind": kind, "price": None, "source": "", "count": count, "cost": None}


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {
        "charges": entry.charges,
        "unpriced": entry.unpriced,
        "cost": plain_if_known(entry.known),
        "usage": entry.used,
    }


_MILLIONTH = Decimal("0.000001")


def show_costs(path: str, run_id: str | None, *, every_job: bool, json: bool) -> None:
    """Print the ledger of the run; without a choice among several, what each has cost.

    Raises LogError when the file is no readable log, InvalidInputError when it holds no such run.
    """
    with reading(path) as log:
        runs = log.streams()
        if run_id is None and len(runs) > 1:
            ledgers = {stream: read_ledger(log, stream) for stream in runs}
            if json:
                print_json(runs_json(ledgers))
            else:
                _print_runs(ledgers)
            return
        stream = the_run(log, path, run_id)
        ledger = read_ledger(log, stream)
    if json:
        print_json(ledger_json(stream, ledger))
    else:
        _print(stream, ledger, every_job)


def _print(stream: str, ledger: Ledger, every_job: bool) -> None:
    paper, run = Paper(), ledger.history.run
    paper.field("run", clean(stream), "bold")
    paper.field("model", clean(ledger.model))
    paper.field("spent", _spent(ledger))
    paper.field("reserved", _reserved(ledger))
    if run.withheld:
        paper.field("withheld", f"{usd(run.withheld)}, {WITHHELD}")
    if ledger.unused.charges:
        answers = number_of(ledger.unused.charges, "answer")
        paper.field("unused", f"{usd(ledger.unused.known)} for {answers} that could not be used")
    if run.completed and run.total_cost is not None:
        each = quotient(run.total_cost, run.completed).quantize(_MILLIONTH, context=EXACT)
        paper.field("per result", f"about {usd(each)}")
    if any(run.usage.values()):
        paper.line()
        paper.columns(aligned(_rate_rows(ledger), right=(1, 2, 3)))
    if run.jobs:
        paper.line()
        _print_jobs(paper, ledger, every_job)


def _spent(ledger: Ledger) -> str:
    run = ledger.history.run
    if run.total_cost is None:
        text = f"unknown: {why_unknown(run)}; the others cost {usd(run.spent)}"
    else:
        text = f"{usd(run.spent)} for {number_of(ledger.total.charges, 'answer')}"
    limit = None if run.settings is None else run.settings.max_cost
    if limit is None:
        return text
    return f"{text}, of at most {usd(limit)} (max_cost); {usd(ledger.left)} left for new jobs"


def _reserved(ledger: Ledger) -> str:
    run = ledger.history.run
    if not run.open:
        return "nothing: no job is open"
    return (
        f"{usd(run.reserved)} for {number_of(len(run.open), 'open job')}: what they may still cost at worst"
    )


def _rate_rows(ledger: Ledger) -> list[Sequence[str]]:
    run = ledger.history.run
    rows: list[Sequence[str]] = [("used", "count", "per million", "cost", "price from")]
    for line in _used(run):
        price, source = usd(line.unit_price), clean(line.source) or "-"
        rows.append((short_kind(line.kind), f"{line.quantity:,}", price, usd(line.amount), source))
    for kind, count in unpriced_kinds(run).items():
        rows.append((short_kind(kind), f"{count:,}", usd(None), usd(None), "-"))
    return [*rows, ("all tokens", f"{ledger.total.all_tokens:,}", "", usd(ledger.total.known), "")]


def _print_jobs(paper: Paper, ledger: Ledger, every_job: bool) -> None:
    run = ledger.history.run
    jobs = list(run.jobs.values())
    shown = jobs if every_job else most_telling(jobs, set(run.open))
    kinds = [kind for kind in KINDS if ledger.total.used[kind]]
    heads = (
        "job",
        "status",
        "requests",
        "answers",
        *map(short_kind, kinds),
        "spent",
        "reserved",
        "held",
    )
    rows = [heads, *(_job_row(ledger, job, kinds) for job in shown)]
    paper.columns(aligned(rows, right=(0, *range(2, len(heads)))))
    if len(shown) < len(jobs):
        hidden = number_of(len(jobs) - len(shown), "more job")
        paper.line(f"{hidden} not shown; --all shows all {len(jobs):,}")


def _job_row(ledger: Ledger, job: Job, kinds: Sequence[str]) -> list[str]:
    entry = ledger.by_job.get(job.number, Entry())
    return [
        str(job.number),
        JOB_STATUS[job.status],
        f"{job.request_count:,}",
        f"{entry.charges:,}",
        *(f"{entry.used[kind]:,}" for kind in kinds),
        usd(entry.known),
        "-" if job.reserved is None else usd(job.reserved),
        usd(job.held) if job.held else "-",
    ]


def _print_runs(ledgers: dict[str, Ledger]) -> None:
    paper = Paper()
    heads = ("run", "model", "answers", "tokens", "spent", "reserved", "max_cost")
    rows: list[Sequence[str]] = [heads]
    for stream, ledger in ledgers.items():
        limit = None if ledger.history.run.settings is None else ledger.history.run.settings.max_cost
        held = ledger.history.run.reserved
        rows.append(
            [
                clean(stream),
                clean(ledger.model),
                *_entry_cells(ledger.total),
                usd(held) if held else "-",
                "-" if limit is None else usd(limit),
            ]
        )
    paper.columns(aligned(rows, right=(2, 3, 4, 5, 6)))
    paper.line()
    models = [("model", "answers", "tokens", "spent")]
    models += [(clean(name), *_entry_cells(entry)) for name, entry in by_model(ledgers.values()).items()]
    paper.columns(aligned(models, right=(1, 2, 3)))


def _entry_cells(entry: Entry) -> tuple[str, str, str]:
    return f"{entry.charges:,}", f"{entry.all_tokens:,}", usd(entry.known)
