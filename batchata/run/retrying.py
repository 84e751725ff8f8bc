"""Send failed items again when the user asks: which, and how long their answers may be."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from batchata.core.accounts import together
from batchata.core.events import Event, RetryScheduled
from batchata.core.money import plain
from batchata.core.ranges import to_ranges
from batchata.core.state import ItemStatus, Run
from batchata.core.values import Settings
from batchata.errors import CostLimitError, InvalidInputError
from batchata.inputs import Inputs
from batchata.log.port import Log
from batchata.run.bad_files import mend
from batchata.run.definition import Definition
from batchata.run.journal import Journal
from batchata.text import usd


def retry_failed(journal: Journal, log: Log, inputs: Inputs, max_tokens: int | None) -> int:
    """Give failed items a fresh set of attempts, with their files as they are now; return how many.

    All of them get `max_tokens` where that is given.
    """
    mended = mend(log, journal.run, inputs, journal.claim.next_body)
    decisions: list[Event] = [*mended.events]
    if mended.again:
        decisions.append(
            RetryScheduled(
                job=None,
                items=to_ranges(mended.again),
                attempt=1,
                not_before=journal.now(),
                reason="requested",
                max_tokens=msgspec.UNSET if max_tokens is None else max_tokens,
            )
        )
    if decisions:
        journal.append(*decisions, bodies=mended.bodies)
    return sum(len(journal.run.family(index)) for index in mended.again)


def check_raised(run: Run, definition: Definition, settings: Settings, max_tokens: int) -> None:
    """Check that answers to the failed items only become longer, and that their cost fits into the limit.

    Raises InvalidInputError or CostLimitError.
    """
    definition.model.check_max_tokens(max_tokens)
    failed = _failed(run)
    if not failed:
        return
    jobs = {index: run.items.job[index] for index in failed}  # -1 for one that was never sent
    had = {index: 0 if job < 0 else run.max_tokens_in(job) for index, job in jobs.items()}
    longest = max(had, key=had.__getitem__)
    least = max(had[longest] + 1, definition.max_tokens)
    if max_tokens < least:
        raise InvalidInputError(
            f"retry_failed(max_tokens={max_tokens}) makes no longer answers: item {longest} was sent with "
            f"max_tokens={had[longest]}, and the run has {definition.max_tokens}; give {least} or more, or "
            "leave it out to send the failed items as they were"
        )
    _check_fits(run, definition, settings, max_tokens, failed)


def _check_fits(
    run: Run, definition: Definition, settings: Settings, max_tokens: int, failed: list[int]
) -> None:
    """Refuse a retry that is dearer than what will be left of the limit: it would never be sent."""
    if settings.max_cost is None:
        return
    measures = definition.measures(raised=dict.fromkeys(failed, max_tokens))
    worst = {index: cost for index in failed if (cost := measures.worst_cost(index)) is not None}
    if not worst:
        return  # without a price the limit is refused as such
    dearest = max(worst, key=worst.__getitem__)
    needed = together(run.spent, worst[dearest], run.withheld)
    if needed > Decimal(settings.max_cost):
        raise CostLimitError(
            f"with max_tokens={max_tokens} item {dearest} alone may cost {usd(worst[dearest])} at worst, "
            f"more than max_cost ${settings.max_cost} leaves; give max_cost={plain(needed)} or more, or a "
            "lower max_tokens"
        )


def _failed(run: Run) -> list[int]:
    """Return the failed items that have a request of their own."""
    items = run.items
    return [i for i, s in enumerate(items.status) if s == ItemStatus.FAILED and i not in items.same_as]
