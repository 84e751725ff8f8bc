"""What of a run waits at the provider, said to somebody who is about to begin another one."""

from __future__ import annotations

from datetime import UTC, datetime

from batchata.core import decide
from batchata.core.state import Run

_MOST_BATCHES = 10


def advice(run: Run) -> str:
    """What to do with a run that a script does not continue, before anything is paid for twice."""
    if not run.open:
        return (
            "Start it as it was, or give another state_path or run_id for a new run, which pays for its "
            f"items anew (of this run {run.completed:,} of {run.total:,} items are completed)."
        )
    return (
        f"{waiting(run)}. Collect first: start the run as it was, with all its items in their order (a file "
        "is known by its name and content, not by its folder). Another state_path or run_id begins a new "
        "run, which would pay for these items once more."
    )


def waiting(run: Run) -> str:
    """The batches that the provider holds for the run's open jobs, and until when."""
    jobs = list(run.open.values())
    named = [f"{job.batch_id or 'a batch that may exist'} (job {job.number})" for job in jobs]
    shown = ", ".join(named[:_MOST_BATCHES])
    more = len(named) - _MOST_BATCHES
    what = "1 batch of it is" if len(jobs) == 1 else f"{len(jobs)} batches of it are"
    until = min((at for job in jobs if (at := decide.collect_by(job)) is not None), default=None)
    kept = "" if until is None else f" until {datetime.fromtimestamp(until / 1e6, UTC):%Y-%m-%d}"
    rest = f" and {more} more" if more > 0 else ""
    return f"{what} paid for and kept at the provider{kept}: {shown}{rest}"
