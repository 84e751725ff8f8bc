"""The ledger as JSON: amounts are decimal strings in USD, prices USD per million tokens."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from batchata.core.pricing import plain
from batchata.replay.ledger import Entry, Ledger, by_model, cost_at


def runs_json(ledgers: dict[str, Ledger]) -> dict[str, Any]:
    """The ledgers of several runs, by their run ids, and the totals of each model."""
    return {
        "runs": [ledger_json(stream, ledger) for stream, ledger in ledgers.items()],
        "by_model": {model: _entry_json(entry) for model, entry in by_model(ledgers.values()).items()},
    }


def ledger_json(stream: str, ledger: Ledger) -> dict[str, Any]:
    """Everything that `costs` tells of one run; `total_cost`, `cost` and `price` are null where unknown."""
    run = ledger.history.run
    return {
        "run_id": stream,
        "model": None if run.started is None else run.started.model,
        "total_cost": _amount(run.total_cost),
        "spent": plain(run.spent),
        "reserved_cost": plain(run.reserved),
        "withheld_cost": plain(run.withheld),
        "max_cost": None if run.settings is None else run.settings.max_cost,
        "left": _amount(ledger.left),
        "total": _entry_json(ledger.total),
        "unused": _entry_json(ledger.unused),
        "rates": [
            {**rate._asdict(), "count": count, "cost": _amount(cost_at(rate, count))}
            for rate, count in ledger.by_rate.items()
        ],
        "jobs": [
            {
                "job": job.number,
                "batch_id": job.batch_id,
                "status": job.status.value,
                "requests": job.request_count,
                "reserved": _amount(job.reserved),
                "still_reserved": plain(job.held),
                **_entry_json(ledger.by_job.get(job.number, Entry())),
            }
            for job in run.jobs.values()
        ],
    }


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {
        "charges": entry.charges,
        "unpriced": entry.unpriced,
        "cost": _amount(entry.known),
        "usage": entry.used,
    }


def _amount(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)
