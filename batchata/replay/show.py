"""What `show` prints: one run at a glance, or a line for each when the log holds several."""

from __future__ import annotations

import time

import msgspec
import typer

from batchata.log.port import Log
from batchata.replay.glance import print_glance, print_runs
from batchata.replay.history import History, read_history
from batchata.replay.living import is_alive
from batchata.replay.overview import overview
from batchata.replay.runs import reading, the_run
from batchata.replay.wording import as_json


def show_log(path: str, run_id: str | None, *, every_job: bool, json: bool) -> None:
    """Print the run of this id, or the only one; without an id, all runs of a log that holds several.

    Raises LogError when the file is no readable log, InvalidInputError when it holds no such run.
    """
    with reading(path) as log:
        runs = log.streams()
        if run_id is None and len(runs) > 1:
            _show_list(log, path, runs, json)
            return
        stream = the_run(log, path, run_id)
        history = read_history(log, stream)
        if json:
            _print_json(overview(history, is_alive(history.process)))
        else:
            print_glance(log, stream, history, now=time.time_ns() // 1000, every_job=every_job)


def _show_list(log: Log, path: str, runs: list[str], json: bool) -> None:
    histories: list[History] = [read_history(log, stream) for stream in runs]
    if json:
        _print_json({"runs": [overview(history, is_alive(history.process)) for history in histories]})
    else:
        print_runs(path, histories)


def _print_json(value: object) -> None:
    typer.echo(msgspec.json.format(as_json(value), indent=2))
