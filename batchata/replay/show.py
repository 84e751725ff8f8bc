"""What `show` prints: one run at a glance, or a line for each when the log holds several."""

from __future__ import annotations

import time

from rich.console import Console

from batchata.clock import now
from batchata.errors import InvalidInputError
from batchata.log.port import Log
from batchata.log.sqlite import SqliteLog
from batchata.projections.living import is_alive
from batchata.replay.glance import print_glance, print_runs
from batchata.replay.history import History, read_history
from batchata.replay.moment import parse_at
from batchata.replay.overview import overview
from batchata.replay.paper import print_json
from batchata.replay.runs import reading, the_run

_EVERY = 1.0  # seconds between two looks of --watch


def show_log(path: str, run_id: str | None, *, at: str | None, every_job: bool, json: bool) -> None:
    """Print the run of this id, or the only one; without an id, all runs of a log that holds several.

    `at` is a moment of the run's past, as `parse_at` takes it.

    Raises LogError when the file is no readable log, InvalidInputError when it holds no such run or moment.
    """
    wanted = None if at is None else parse_at(at, now())
    with reading(path) as log:
        runs = log.streams()
        if run_id is None and len(runs) > 1 and wanted is None:
            _show_list(log, path, runs, json)
            return
        stream = the_run(log, path, run_id)
        history = read_history(log, stream, wanted)
        then = None if wanted is None else wanted.time or history.run.updated_at
        if json:
            print_json(_overview(log, stream, history) if then is None else overview(history, None))
        else:
            moment = now() if then is None else then
            print_glance(log, stream, history, now=moment, every_job=every_job, past=then is not None)


def watch_log(path: str, run_id: str | None, *, every_job: bool) -> None:
    """Print the run again and again: each second on a terminal, elsewhere when something has happened.

    Ends when the run is complete, or on Ctrl-C.
    """
    console = Console()
    with reading(path, moving=True) as log:
        stream = the_run(log, path, run_id)
        history, shown = History(), -1
        while True:
            for version, at, event in log.events(stream, after=history.run.version):
                history.advance(stream, version, at, event)
            if console.is_terminal:
                console.clear()
            if console.is_terminal or history.run.version != shown:
                print_glance(log, stream, history, now=now(), every_job=every_job)
                console.line(0 if console.is_terminal else 1)
                console.file.flush()
                shown = history.run.version
            if history.run.status == "completed":
                return
            time.sleep(_EVERY)


def refuse_watching(at: str | None, json: bool) -> None:
    """The past does not move, and one JSON object is one moment.

    Raises InvalidInputError.
    """
    if at is not None or json:
        raise InvalidInputError("--watch goes with neither --at nor --json; leave one of them out")


def _show_list(log: Log, path: str, runs: list[str], json: bool) -> None:
    histories: list[History] = [read_history(log, stream) for stream in runs]
    if json:
        found = zip(runs, histories, strict=True)
        print_json({"runs": [_overview(log, stream, history) for stream, history in found]})
    else:
        print_runs(path, histories)


def _overview(log: Log | SqliteLog, stream: str, history: History) -> dict[str, object]:
    return overview(history, is_alive(history.process), log.head(stream))
