"""Check a start before anything is written: model, costs, changed events, and what is to be warned of."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

from batchata.core.money import plain
from batchata.core.state import Run
from batchata.core.values import Settings
from batchata.errors import (
    BatchataWarning,
    ConfigurationError,
    CostLimitError,
    LogError,
    UnsupportedModelError,
    UntriedProviderWarning,
)
from batchata.log.port import Log
from batchata.logs import warn
from batchata.providers.address import is_local, redacted
from batchata.providers.given_prices import is_given
from batchata.run.definition import Definition
from batchata.run.executors import Elsewhere
from batchata.run.journal import Journal
from batchata.run.store import RunStore
from batchata.run.to_do import Call, is_work_left


def check_model(definition: Definition) -> None:
    """Refuse a new run with a misspelt or retired model, unless the caller insists.

    Raises UnsupportedModelError.
    """
    doubt = definition.model.doubt
    if doubt is not None and not definition.allow_unknown_model:
        raise UnsupportedModelError(
            f"{doubt.rstrip('.')}; nothing was sent. If the model is right, give "
            "allow_unknown_model=True (--allow-unknown-model)"
        )


def check_price(definition: Definition, settings: Settings) -> None:
    """Require a price, and a worst case to reserve, where there is a limit on costs.

    Raises CostLimitError.
    """
    if settings.max_cost is None:
        return
    template = definition.template
    give = f"prices={{{definition.model.id!r}: {{'input': …, 'output': …}}}} (USD per million tokens)"
    if definition.price is None:
        raise CostLimitError(
            f"max_cost is set, but no price is known for {definition.model.id}, so costs cannot be limited; "
            f"give its price with {give}, or leave max_cost out"
        )
    if unknown := definition.price.unknown_kinds(caching=definition.inputs.caches or template.caches):
        raise CostLimitError(
            f"max_cost is set and requests use prompt caching, but for {definition.model.id} no price is "
            f"known for {', '.join(kind.removesuffix('_tokens') for kind in unknown)} "
            f"({definition.price.source}); give all prices with prices={{…}}, or leave "
            f"{' or '.join(filter(None, ('max_cost', definition.model.cache_mark)))} out"
        )
    if (tool := template.unbounded) is not None:
        raise CostLimitError(
            f"max_cost cannot be kept with the tool {tool}: the service decides how often it "
            "runs, so a request has no worst case; leave max_cost or the tool out"
        )


def check_fits(definition: Definition, settings: Settings) -> None:
    """Refuse an item that costs more than the whole limit: it and all items after it would never be sent.

    Raises CostLimitError.
    """
    if settings.max_cost is None or not definition.count:
        return
    largest = definition.inputs.largest()
    worst = definition.measures().worst_cost(largest)
    if worst is not None and worst > Decimal(settings.max_cost):
        tokens = definition.inputs.token_bound(largest) + definition.template.token_bound
        output = definition.params["max_tokens"]
        raise CostLimitError(
            f"max_cost is ${settings.max_cost}, but item {largest} alone may cost ${plain(worst)} at "
            f"worst: up to {tokens:,} input tokens and max_tokens={output:,} of output; "
            f"give max_cost={plain(worst)} or more, a lower max_tokens, or leave the item out"
        )


def refuse_changed(store: RunStore, log: Log, journal: Journal, *, only_ends: bool = False) -> None:
    """Refuse to continue from events that were changed; only warn where batches are merely to be ended.

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


def warn_of_simulated(run: Run, address: Callable[[], str]) -> None:
    """Warn where results came from this machine, such as from the sandbox, and calls now go elsewhere."""
    if run.started is None or not (run.completed or run.failed) or not is_local(run.base_url):
        return
    with suppress(ConfigurationError):  # nothing can be called
        if not is_local(there := address()):
            warn(
                f"results of run {run.started.run_id} came from {redacted(run.base_url)}, on this machine, "
                f"as the sandbox's do, and calls now go to {there}: give another state_path to have all "
                "items answered there",
                BatchataWarning,
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
