"""Explain a log to those who were not there: `python -m batchata.replay`, and the same for programs.

    import batchata.replay

    with batchata.replay.open("invoices.db") as log:
        log.runs                      # every run of the file
        log.state_at("-1h")           # the state that the runner had an hour ago
        log.events(types=["job_completed"])
        log.results()                 # every item, with result, citations, status, error and cost

Nothing of it calls a provider or changes a log, except `purge`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchata.replay.comparison import compare
    from batchata.replay.log_reader import Archive, RecordedRun, open

__all__ = ["Archive", "RecordedRun", "compare", "open"]


def __getattr__(name: str) -> Any:
    # Lazily, so that the command line's help need not wait for what it does not use.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from batchata.replay import comparison, log_reader

    return getattr(comparison if name == "compare" else log_reader, name)


def __dir__() -> list[str]:
    return [*__all__]
