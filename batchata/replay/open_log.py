"""Find the run of a log that is meant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from batchata.errors import InvalidInputError, LogError
from batchata.log import read_log
from batchata.log.port import Log
from batchata.text import clean, number_of

_MOST_NAMES = 20


@contextmanager
def reading(path: str, *, moving: bool = False) -> Iterator[Log]:
    """Open the log for reading only: as it is now to the end of the block, or, if `moving`, as it grows.

    Raises LogError, also when no run has begun in it yet.
    """
    log = read_log(path)
    try:
        if not log.streams():
            raise LogError(log.no_run_yet())
        with nullcontext(log) if moving else log.snapshot() as seen:
            yield seen
    finally:
        log.close()


def the_run(log: Log, path: str, run_id: str | None) -> str:
    """Return the run of this name, or the only one.

    Raises InvalidInputError, which names the runs there are.
    """
    runs = log.streams()
    if run_id is None and len(runs) == 1:
        return runs[0]
    if run_id in runs:
        return run_id
    if run_id is not None:
        raise InvalidInputError(f"{path} holds no run {run_id!r}; give --run one of: {_names(runs)}")
    raise InvalidInputError(f"{path} holds {len(runs)} runs; choose one with --run: {_names(runs)}")


def _names(runs: list[str]) -> str:
    names = ", ".join(map(clean, runs[:_MOST_NAMES]))
    more = len(runs) - _MOST_NAMES
    return names if more <= 0 else f"{names}, and {number_of(more, 'more', 'more')} (show lists them)"
