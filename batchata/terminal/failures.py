"""Describe failing calls: what fails, how often, since when, and when it is tried again."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator

from batchata.clock import now
from batchata.core.error_kinds import INCOMPLETE, NOT_FOUND, RATE_LIMITED
from batchata.core.events import ItemRefused, OutcomeRecorded
from batchata.core.state import Failing, ItemStatus, Run
from batchata.log.port import Log
from batchata.logs import get_logger
from batchata.text import number_of, ordinal, short, span
from batchata.views.overview import Failure

_logger = get_logger()
_MOST = 90  # characters of an error
_LONG = 60_000_000  # microseconds after which it is worth saying since when
_LEADS = {
    RATE_LIMITED: "the provider refuses further calls for now",
    NOT_FOUND: "the provider does not find a batch",
    INCOMPLETE: "results come back incomplete",
}


def failing(run: Run) -> tuple[str, Failing] | None:
    """Return the kind of call that has been failing for longest; None while calls succeed."""
    return min(run.failing.items(), key=lambda pair: pair[1].since, default=None)


def failing_in_words(run: Run) -> str:
    """Write as "the provider does not answer (529 …): again in 16 s, 3rd time"; empty while none fails."""
    found = failing(run)
    if found is None:
        return ""
    _, call = found
    at = now()
    lead = _LEADS.get(call.error.kind, "the provider does not answer")
    left = (call.again - at) / 1e6
    again = f"again in {left:,.0f} s" if left >= 1 else "again now"
    since = f", for {span(at - call.since)}" if at - call.since > _LONG else ""
    said = call.error.message
    said = said.partition(": HTTP ")[2] or said  # without the name of the call
    return f"{lead} ({short(said, _MOST)}): {again}, {ordinal(call.times)} time{since}"


class Watch:
    """Warns in the log tree of calls that fail: the first time, the second, the fourth and so on."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[int, int]] = {}  # doing -> since when it fails, and the power of two

    def update(self, run: Run) -> None:
        """Note that the run may have changed."""
        if not run.failing and not self._told:
            return
        name = None if run.started is None else run.started.run_id
        for doing, call in run.failing.items():
            stage = (call.since, call.times.bit_length())
            if self._told.get(doing) != stage:
                self._told[doing] = stage
                _logger.warning(
                    "call_failing",
                    run=name,
                    doing=doing,
                    times=call.times,
                    kind=call.error.kind,
                    error=short(call.error.message),
                    again_in=max(0.0, round((call.again - now()) / 1e6, 1)),
                )
        for doing in self._told.keys() - run.failing.keys():
            del self._told[doing]
            _logger.info("call_succeeds_again", run=name, doing=doing)


_MOST_KINDS = 5


def failures(log: Log, run: Run) -> list[Failure]:
    """Return the kinds of errors of all failed items, the most frequent first."""
    if run.started is None or not run.failed:
        return []
    versions = sorted(
        {
            run.items.outcome[index]
            for index, status in enumerate(run.items.status)
            if status == ItemStatus.FAILED and run.items.outcome[index]
        }
    )
    kinds: dict[str, Failure] = {}
    for recorded in log.events_at(run.started.run_id, versions):
        event = recorded.event
        if isinstance(event, OutcomeRecorded | ItemRefused) and event.error is not None:
            known = kinds.setdefault(
                event.error.kind, Failure(event.error.kind, 0, event.index, event.error.message)
            )
            known.items += len(run.family(event.index))
            if event.index < known.index:
                known.index, known.message = event.index, event.error.message
    return sorted(kinds.values(), key=lambda each: -each.items)


def warn_of(found: list[Failure], run: Run, place: Callable[[int], str]) -> None:
    """Give one warning per kind of error in the log tree; `place` names an item."""
    for each in found[:_MOST_KINDS]:
        _logger.warning(
            "items_failed",
            run=None if run.started is None else run.started.run_id,
            kind=each.kind,
            items=each.items,
            example=place(each.index),
            error=short(each.message),
            remedy="manager.retry_failed()",
        )


def failure_lines(
    found: list[Failure], run: Run, place: Callable[[int], str], path: str | None
) -> Iterator[str]:
    """Return what failed, why, and what to do next, for the account of the run."""
    if not found:
        return
    pending = f", {run.pending:,} pending" if run.pending else ""
    yield f"result    {run.completed:,} of {number_of(run.total, 'item')}; {run.failed:,} failed{pending}:"
    for each in found[:_MOST_KINDS]:
        which = f"{each.items:,} items, e.g. " if each.items > 1 else ""
        yield f"          {each.kind}: {which}{place(each.index)}: {short(each.message)}"
    if len(found) > _MOST_KINDS:
        yield f"          and {number_of(len(found) - _MOST_KINDS, 'other kind')} of error"
    if path is None:
        yield "          again: manager.retry_failed()"
        return
    log = shlex.quote(path)
    yield f"          again: manager.retry_failed(), or: batchata resume {log} --retry-failed"
    yield f"          look:  batchata item {log} {found[0].index}"
