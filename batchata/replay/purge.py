"""Remove the bodies of a finished run from the log, and keep its history: `purge`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from batchata.core.events import BodiesPurged
from batchata.core.state import Run
from batchata.errors import InvalidInputError, LogWriteError
from batchata.log import open_log
from batchata.log.port import Log
from batchata.replay.console import print_json, reading, the_run
from batchata.run.definition import this_process
from batchata.run.journal import Journal
from batchata.text import clean, number_of
from batchata.views.history import fold_events


def purge_run(path: str, run_id: str, *, json: bool) -> None:
    """Remove the inputs and answers of a completed run from the log, and say how far the log shrank.

    Raises NotALogError or LogVersionError for what is no readable log, InvalidInputError when it holds no
    such run or the run is not complete, RunClaimedError while a process drives it, LogWriteError when the log
    cannot be written.
    """
    with reading(path) as log:  # opened for writing, an empty file would become a log
        stream = the_run(log, path, run_id)
        before = log.size()
    with _opened(path) as log:
        claim = log.claim(stream, this_process())
        try:
            run = fold_events(log, stream)
            _refuse_unfinished(stream, run)
            if run.purged < claim.next_body:
                # First the decision: killed before the bodies are gone, the next purge finishes it.
                decision = BodiesPurged(bodies=claim.next_body, process=this_process())
                Journal(run, claim).append(decision)
            segments = log.purge(stream, run.purged)
        finally:
            claim.retire()
        shrunk = log.compact()
        log.finish()
    with reading(path) as log:
        freed = before - log.size()
    _say(stream, run.purged, segments, freed, shrunk, json)


@contextmanager
def _opened(path: str) -> Iterator[Log]:
    log = open_log(path)
    try:
        yield log
    finally:
        log.close()


def _refuse_unfinished(stream: str, run: Run) -> None:
    if run.status == "completed" and not run.open and not run.pending:
        return
    left = [number_of(run.pending, "pending item")] if run.pending else []
    left += [number_of(len(run.open), "open job")] if run.open else []
    why = f" with {' and '.join(left)}" if left else ""
    raise InvalidInputError(
        f"the run {stream!r} is {run.status}{why}, and needs its bodies to go on; finish it first"
    )


def _say(stream: str, bodies: int, segments: int, freed: int, shrunk: bool, json: bool) -> None:
    if json:
        print_json(
            {"run_id": stream, "bodies": bodies, "purged_now": segments > 0, "freed_bytes": max(freed, 0)}
        )
        return
    what = number_of(bodies, "body", "bodies")
    if segments:
        smaller = f", the log is {freed:,} bytes smaller" if freed > 0 else ""
        text = f"{clean(stream)}: {what} removed{smaller}; its history stays"
    else:
        gone = number_of(bodies, "body was", "bodies were")
        text = f"{clean(stream)}: nothing to remove: its {gone} purged before"
    sys.stdout.write(text + "\n")
    if not shrunk:
        raise LogWriteError(
            "the bodies are removed, but another program has the log open, so it could not be rebuilt and "
            "may still hold traces of them; close that program and purge again"
        )
