"""Calls that fail, in words: what fails, how often, since when, and when it is tried again."""

from __future__ import annotations

import time

from batchata.core.state import Failing, Run
from batchata.logs import get_logger
from batchata.projections.wording import span
from batchata.text import short

_logger = get_logger()
_MOST = 90  # characters of an error
_LONG = 60_000_000  # microseconds after which it is worth saying since when
_LEADS = {
    "rate_limit_error": "the provider takes no more calls for now",
    "not_found_error": "the provider does not find what it had",
    "incomplete_results": "results come back incomplete",
}


def failing(run: Run) -> tuple[str, Failing] | None:
    """The kind of call that has been failing for longest; None while calls succeed."""
    return min(run.failing.items(), key=lambda pair: pair[1].since, default=None)


def failing_in_words(run: Run) -> str:
    """As "the provider does not answer (529 …): again in 16 s, 3rd time"; empty while none fails."""
    found = failing(run)
    if found is None:
        return ""
    _, call = found
    now = time.time_ns() // 1000
    lead = _LEADS.get(call.error.kind, "the provider does not answer")
    left = (call.again - now) / 1e6
    again = f"again in {left:,.0f} s" if left >= 1 else "again now"
    since = f", for {span(now - call.since)}" if now - call.since > _LONG else ""
    said = call.error.message
    said = said.partition(": HTTP ")[2] or said  # what was asked for is of no use here
    return f"{lead} ({short(said, _MOST)}): {again}, {_ordinal(call.times)} time{since}"


class Watch:
    """Warns in the log tree of calls that fail: the first time, the second, the fourth and so on."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[int, int]] = {}  # doing -> since when it fails, and the power of two

    def update(self, run: Run) -> None:
        """The run may have changed."""
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
                    again_in=max(0.0, round(call.again / 1e6 - time.time(), 1)),
                )
        for doing in self._told.keys() - run.failing.keys():
            del self._told[doing]
            _logger.info("call_succeeds_again", run=name, doing=doing)


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number:,}th"
    return f"{number:,}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
