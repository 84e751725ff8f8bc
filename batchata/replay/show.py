"""Print one run, or a line for each where the log holds several: `show`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from batchata.clock import now
from batchata.core.accounts import why_unknown
from batchata.core.events import RunStarted
from batchata.core.state import Run
from batchata.errors import InvalidInputError
from batchata.log.port import Log
from batchata.providers.address import redacted
from batchata.replay.console import Paper, aligned, print_json, reading, the_run
from batchata.replay.status import print_jobs, status_in_words, status_then, what_next
from batchata.terminal.account import cache_in_words
from batchata.text import (
    RESERVED,
    WITHHELD,
    ago,
    by_kind,
    clean,
    error_in_words,
    moment,
    number_of,
    rounded,
    short,
    span,
    usage_in_words,
    usd,
)
from batchata.views.history import History, is_alive, parse_at, read_history
from batchata.views.overview import failures, overview
from batchata.views.run_summary import is_support_counted

if TYPE_CHECKING:
    from batchata.views.results import SupportCounts

_STYLES = {"completed": "green", "interrupted": "yellow", "running": "cyan"}
_MOST_FAILURES = 5  # kinds of failure shown with an example


def print_glance(
    log: Log,
    stream: str,
    history: History,
    *,
    now: int,
    every_job: bool,
    past: bool = False,
    support: SupportCounts | None = None,
) -> None:
    """Print identity, status, totals, cost, failures, jobs, and what happens next.

    `past` says that `now` is a moment of the run's past, of which nothing later is known. `support` counts
    the fields that no passage supports, where they were counted.
    """
    paper, run = Paper(), history.run
    alive = None if past else is_alive(history.process)
    paper.field("run", clean(stream), "bold")
    if past:
        paper.field("as of", f"{moment(now)}, after event {run.version:,}", "bold")
        paper.field("status", status_then(run, history.process), _STYLES.get(run.status, ""))
    else:
        paper.field("status", status_in_words(run, history.process, alive, now), _STYLES.get(run.status, ""))
        if run.status == "running" and alive is False and (half := log.maybe_half()):
            paper.field("log file", half)
    if run.started is not None:
        _identity(paper, history, run.started, now)
    _items(paper, history)
    if support is not None:
        paper.field("support", _to_look_at(support))
    for text in _failures(log, stream, history):
        paper.field("failed", text)
    if run.purged:
        what = number_of(run.purged, "body", "bodies")
        paper.field("purged", f"{what} with inputs and answers were removed; the history and its costs stay")
    _cost(paper, run)
    if run.sending_ended is not None:
        paper.field("sending", f"ended in this start: {short(run.sending_ended.message, 500)}")
    paper.field("next", what_next(run, past or alive, now), "bold")
    head = None if past else log.head(stream)
    if head is not None:
        paper.field("log head", head)
    if run.jobs:
        paper.line()
        print_jobs(paper, history, now, every_job=every_job)


def print_runs(path: str, histories: Sequence[History]) -> None:
    """Print one line for each run of the log."""
    paper = Paper()
    paper.line(f"{clean(path)} holds {number_of(len(histories), 'run')}; --run ID shows one of them")
    paper.line()
    heads = ("run", "status", "started", "items", "completed", "failed", "pending", "cost", "model")
    rows = [heads, *(_run_row(history.run) for history in histories)]
    paper.columns(aligned(rows, right=(3, 4, 5, 6, 7)))


def _run_row(run: Run) -> list[str]:
    counts = (run.total, run.completed, run.failed, run.pending)
    started = run.started
    return [
        "-" if started is None else clean(started.run_id),
        run.status,
        moment(run.started_at),
        *(f"{count:,}" for count in counts),
        usd(run.total_cost),
        "-" if started is None else clean(started.model),
    ]


def _identity(paper: Paper, history: History, started: RunStarted, now: int) -> None:
    run = history.run
    place = (
        f"{started.provider}, {redacted(run.base_url)}" if run.base_url else "no provider: the run was empty"
    )
    paper.field("model", clean(f"{started.model} ({place})"))
    answers = f"as {started.response_model}" if started.response_model else "as text"
    features = [started.input_kind, f"answers {answers}"]
    if started.enable_citations:
        features.append("with citations")
    paper.field("input", clean(", ".join(features)))
    if run.schema_refusal is not None:
        job, error = run.schema_refusal
        paper.field("schema", f"in the prompt since job {job} was refused for it: {short(error.message)}")
    paper.field("started", f"{moment(run.started_at)} by batchata {clean(started.library_version)}")
    if history.starts > 1:
        times = f"{history.starts:,}, the last at {moment(run.resumed_at)}"
        gone = number_of(history.killed, "process", "processes")
        killed = f"; {gone} before ended without closing the run (killed?)" if history.killed else ""
        paper.field("starts", times + killed)
    took = span(run.updated_at - run.started_at)
    paper.field(
        "last event",
        f"{moment(run.updated_at)}, {ago(run.updated_at, now)}: number {run.version:,}, "
        f"{took} after the start",
    )


def _items(paper: Paper, history: History) -> None:
    run = history.run
    counts = {"completed": run.completed, "failed": run.failed, "pending": run.pending}
    paper.field("items", f"{run.total:,}: " + ", ".join(f"{n:,} {word}" for word, n in counts.items()))
    if run.items.same_as:
        shared = number_of(len(run.items.same_as), "item")
        paper.field(
            "shared",
            f"{shared} {'shares' if len(run.items.same_as) == 1 else 'share'} the request of an earlier one",
        )
    if run.retries:
        paper.field("retries", f"{run.retries:,} scheduled: {by_kind(dict(history.retries))}")
    if run.strays:
        lines = number_of(sum(run.strays.values()), "result line")
        paper.field("strays", f"{lines} kept that belong to no open request: {by_kind(run.strays)}")


def _to_look_at(support: SupportCounts) -> str:
    """Say how many fields a person should look at first."""
    fields, uncited = support.unsupported_fields, support.uncited_fields
    if not fields and not uncited:
        return "no passage contradicts its value, and no value lacks a passage"
    where = number_of(support.items_to_look_at, "item")
    return (
        f"{number_of(fields, 'field')} whose passages say something else, {uncited:,} without a passage, "
        f"in {where}; the report can show these first"
    )


def _failures(log: Log, stream: str, history: History) -> list[str]:
    """Yield each kind of failure with its first item's message."""
    shown = failures(log, stream, history, _MOST_FAILURES)
    texts = [
        f"{number_of(each.items, 'item')}: {clean(each.kind)}, e.g. item {each.index}: {short(each.message)}"
        for each in shown
    ]
    rest = history.run.failed - sum(each.items for each in shown)
    return [*texts, f"{number_of(rest, 'item')} for other reasons"] if rest else texts


def _cost(paper: Paper, run: Run) -> None:
    limit = None if run.settings is None else run.settings.max_cost
    if run.total_cost is None:
        text = f"unknown: {why_unknown(run)}; the others cost {usd(run.spent)}"
    else:
        text = usd(run.spent)
    text += "" if limit is None else f" of at most {usd(limit)} (max_cost)"
    if run.reserved:
        text += f"; {usd(run.reserved)} {RESERVED}"
    if run.withheld:
        text += f"; {usd(run.withheld)} {WITHHELD}"
    paper.field("cost", text)
    if used := usage_in_words(run.usage):
        paper.field("used", used)
    for number, text in enumerate(cache_in_words(run)):
        paper.field("" if number else "cache", clean(text))
    guess = run.accuracy
    if guess.telling:
        errors = (guess.cost_error, guess.input_error, guess.output_error)
        whole, tokens_in, tokens_out = map(error_in_words, errors)
        expected = f"{rounded(guess.expected_cost)} expected of {number_of(guess.answers, 'answer')}"
        paper.field("estimate", f"{expected}: {whole} (input {tokens_in}, output {tokens_out})")


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
            support = None if then is not None else _support(log, history.run)
            print_glance(
                log, stream, history, now=moment, every_job=every_job, past=then is not None, support=support
            )


def watch_log(path: str, run_id: str | None, *, every_job: bool) -> None:
    """Print the run again and again: each second on a terminal, elsewhere when something has happened.

    Ends when the run is complete, or on Ctrl-C.
    """
    console = Console()
    with reading(path, moving=True) as log:
        stream = the_run(log, path, run_id)
        history, shown = History(), -1
        while True:
            for version, at, event in log.entries(stream, after=history.run.version):
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
    """Refuse to watch the past, which does not change, or to print JSON more than once.

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


def _overview(log: Log, stream: str, history: History) -> dict[str, object]:
    return overview(history, is_alive(history.process), log.head(stream), _support(log, history.run))


def _support(log: Log, run: Run) -> SupportCounts | None:
    """Count what no passage supports; what reads answers is imported only then, as it takes long."""
    if not is_support_counted(run):
        return None
    from batchata.views.response_models import support_of

    return support_of(log, run)
