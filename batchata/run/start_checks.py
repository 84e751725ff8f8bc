"""Look at what a start goes on from: events that were changed, other prices, a provider that is untried."""

from __future__ import annotations

from batchata.core.state import Run
from batchata.errors import BatchataWarning, LogError, UntriedProviderWarning
from batchata.log.port import Log
from batchata.logs import warn
from batchata.providers.given_prices import is_given
from batchata.run.definition import Definition
from batchata.run.executors import Elsewhere
from batchata.run.journal import Journal
from batchata.run.store import RunStore
from batchata.run.to_do import Call, is_work_left


def refuse_changed(store: RunStore, log: Log, journal: Journal, *, only_ends: bool = False) -> None:
    """Refuse to go on from events that were changed; warn where batches are only to be ended.

    Raises LogError.
    """
    changed = store.change_in(log, journal.claim)
    if changed is None:
        return
    place = store.place or "memory"
    told = (
        f"the run {store.run_id!r} in {place} is damaged: {changed} are not as they were written "
        "(`batchata verify` says more), so its items and amounts cannot be believed"
    )
    if only_ends:
        warn(f"{told}; what has ended is collected, and nothing is sent", BatchataWarning)
        return
    raise LogError(
        f"{told}. Nothing was sent. Go on with a copy of the log that verifies; without one, cancel() "
        "(`batchata cancel`) ends the open batches, collects what they finished, and sends nothing"
    )


def warn_of_untried(run: Run, definition: Definition) -> None:
    """Warn before a run begins with a provider whose live service was never tried."""
    dialect = definition.dialect
    if run.started is None and not dialect.is_tried:
        warn(
            f"Batchata was never run against the live service of {dialect.name}, only against its "
            "recorded replies and the sandbox: begin with a few items, and compare the bill",
            UntriedProviderWarning,
        )


def warn_of_other_prices(run: Run, definition: Definition, call: Call) -> None:
    """Warn where prices that the run was charged by are not given now: the log keeps no price list."""
    charged = (source for source, _ in run.ledger if is_given(source))
    before = run.given_prices or next(charged, None)
    if before is None or definition.given_price is not None or not is_work_left(call, run, definition):
        return
    price = definition.price
    warn(
        f"prices were given for what this run has sent so far ({before}), and are not now: its costs, "
        f"and max_cost, go by {'no price' if price is None else price.source} from here on. If yours "
        "still hold, stop and start again with prices=",
        BatchataWarning,
    )


def warn_of_lost_executor(elsewhere: Elsewhere | None) -> None:
    """Warn where an executor was lost, and threads did the rest of its work."""
    if elsewhere is not None and elsewhere.gone is not None:
        warn(
            f"the executor is lost ({elsewhere.gone}), and the rest of its work was done in "
            "threads of this process; make a new one for the next start",
            BatchataWarning,
        )
