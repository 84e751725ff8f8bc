"""Show a run's progress: a line redrawn on a terminal, plain lines elsewhere, or nothing.

A display that fails (closed, full, of another encoding) is left off: it stops no run.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from batchata.clock import now
from batchata.core import decide
from batchata.core.accounts import awaits_room
from batchata.core.caching import is_priming
from batchata.core.ranges import count, iterate
from batchata.core.state import ItemStatus, JobStatus, Run
from batchata.logs import get_logger
from batchata.terminal.account import cost_lines
from batchata.terminal.failures import failing, failing_in_words
from batchata.terminal.notebook import Line, is_notebook
from batchata.text import day, error_in_words, folded, number_of, rounded, short, stopwatch, usd

if TYPE_CHECKING:
    from rich.live import Live

_logger = get_logger()
EVERY = 300.0  # seconds until the first plain line while nothing but time passes
_RARELY = 4 * 3600.0  # … and at most between two of them, as each comes after twice the time of the last
_AT_LEAST, _AT_MOST = 0.5, 60.0  # seconds between plain lines about changes: a hundredth of the run's age
_FRAME = 0.2  # seconds between two drawings on a terminal
_BAR = 24  # characters
_NOTEBOOK = 110  # characters of a row there
_MOST_OF_AN_ERROR = 90  # characters


class Progress:
    """Shows nothing; the base of those that show something."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        return None

    def update(self, run: Run) -> None:
        """Note that the run may have changed."""


class Careful(Progress):
    """Wraps another progress, and shows nothing more once that fails."""

    def __init__(self, shown: Progress) -> None:
        self._shown: Progress | None = shown

    def __enter__(self) -> Self:
        self._try("__enter__")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._try("__exit__", kind, value, tb)

    def update(self, run: Run) -> None:
        """Note that the run may have changed."""
        self._try("update", run)

    def _try(self, what: str, *args: Any) -> None:
        shown = self._shown
        if shown is None:
            return
        try:
            getattr(shown, what)(*args)
        except Exception as exc:  # noqa: BLE001 - a run is worth more than its display, whatever that fails with
            self._shown = None
            _logger.warning("display_failed", error=repr(exc))
            with suppress(Exception):
                shown.__exit__(None, None, None)


class PlainProgress(Progress):
    """Prints a line when something has changed, and a sign of life ever more rarely while nothing does."""

    def __init__(self, stream: TextIO, every: float = EVERY) -> None:
        self._stream = stream
        self._every = self._quiet = every
        self._began = self._last = time.monotonic()
        self._shown: tuple[object, ...] | None = None

    def update(self, run: Run) -> None:
        """Print a line if there is something new to say."""
        now = time.monotonic()
        if not self._is_due(run, _changing(run), now - self._last, now - self._began):
            return
        self._last = now
        say(f"[{stopwatch(now - self._began)}] {line(run)}", self._stream)

    def _is_due(self, run: Run, key: tuple[object, ...], since: float, age: float) -> bool:
        ended = run.status in ("completed", "interrupted")
        if key != self._shown:
            if not ended and self._shown is not None and since < min(max(_AT_LEAST, age / 100), _AT_MOST):
                return False
            self._shown, self._quiet = key, self._every
            return True
        if ended or since < self._quiet:
            return False
        self._quiet = max(min(self._quiet * 2, _RARELY), self._every)
        return True


class LiveProgress(Progress):
    """Redraws a line in place on a terminal: on several rows where it is narrow."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=stream)
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        # No thread of its own: what it fails with is ours to catch, and the loop comes by often enough.
        self._live: Live = Live(console=console, auto_refresh=False)
        self._console = console
        self._began = time.monotonic()
        self._drawn, self._status = 0.0, ""

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._live.stop()

    def update(self, run: Run) -> None:
        """Redraw."""
        from rich.text import Text

        now = time.monotonic()
        if now - self._drawn < _FRAME and run.status == self._status:
            return
        self._drawn, self._status = now, run.status
        rows = "\n".join(rows_of(run, self._console.width, stopwatch(now - self._began).strip()))
        shown = rows.encode(self._encoding, "replace").decode(self._encoding)
        self._live.update(Text(shown, overflow="fold"), refresh=True)


class NotebookProgress(Progress):
    """Changes a line in place below a notebook's cell."""

    def __init__(self) -> None:
        self._line = Line()
        self._began = time.monotonic()

    def update(self, run: Run) -> None:
        """Show where the run stands."""
        elapsed = stopwatch(time.monotonic() - self._began).strip()
        self._line.show("\n".join(rows_of(run, _NOTEBOOK, elapsed)), run)


def rows_of(run: Run, width: int, elapsed: str) -> list[str]:
    """Split the line of a run into as many rows as it needs; the bar is dropped first, no text is cut."""
    done = run.completed + run.failed
    parts = [f"{done:,}/{run.total:,} items", *_details(run), elapsed]
    whole = " · ".join(parts)
    if len(whole) + _BAR + 1 < width:
        filled = _BAR * done // run.total if run.total else 0
        return [f"{'━' * filled}{'─' * (_BAR - filled)} {whole}"]
    rows = [parts[0]]
    for part in parts[1:]:
        if len(rows[-1]) + len(part) + 3 < width:
            rows[-1] += f" · {part}"
        else:
            rows.append(part)
    return rows


def progress_for(shown: bool, stream: TextIO | None = None, every: float = EVERY) -> Progress:
    """Return the progress that suits the stream (standard error if none is given); nothing without one."""
    try:
        if shown and stream is None and is_notebook():
            return Careful(NotebookProgress())
        stream = stream or sys.stderr
        if not shown or stream is None:
            return Progress()
        live = stream.isatty() and os.environ.get("TERM") != "dumb"
        return Careful(LiveProgress(stream) if live else PlainProgress(stream, every))
    except Exception as exc:  # noqa: BLE001 - as in Careful
        _logger.warning("display_failed", error=repr(exc))
        return Progress()


def say(text: str, stream: TextIO) -> None:
    """Print to the stream, with question marks for what its encoding lacks."""
    try:
        print(text, file=stream, flush=True)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        print(text.encode(encoding, "replace").decode(encoding), file=stream, flush=True)


def say_if_possible(text: str, stream: TextIO | None = None) -> None:
    """Say something at the end of a run, if the stream still takes it.

    Without one that is standard error, and in a notebook, where that is shown as an error, standard output.
    """
    stream = stream or (sys.stdout if is_notebook() else sys.stderr)
    if stream is not None:
        with suppress(Exception):
            say(_fitting(text, stream), stream)


def _fitting(text: str, stream: TextIO) -> str:
    """Return the text with its lines as wide as the terminal; elsewhere they are as long as they are."""
    try:
        width = os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except (OSError, ValueError):  # a stream that has no file says it is a terminal
        width = 0
    return folded(text, width)


def _changing(run: Run) -> tuple[object, ...]:
    """Return what is worth a line when it changes."""
    found = failing(run)
    fails = None if found is None else (found[0], found[1].since, found[1].times.bit_length())
    return run.completed, run.failed, len(run.jobs), run.status, fails


def name_head(head: str | None, run_id: str | None, shown: bool, stream: TextIO | None = None) -> None:
    """Name the hash that proves later that the log was neither changed nor cut."""
    if head is None:
        return
    _logger.info("log_head", run=run_id, head=head)
    if shown:
        say_if_possible(f"log head {head}", stream)


def report_costs(
    run: Run,
    shown: bool,
    failed: Iterable[str] = (),
    stream: TextIO | None = None,
    max_cost: str | None = None,
) -> None:
    """Print the account of the run when a call ends, and in any case what a higher limit would have to be.

    `failed` are the lines about failed items, `max_cost` is the limit given now.
    """
    if run.limit_reached:
        _logger.warning(
            "cost_limit",
            run=None if run.started is None else run.started.run_id,
            pending=run.pending,
            spent=str(run.spent),
            needed=None if run.needed is None else str(run.needed),
            needed_for_all=None if run.needed_for_all is None else str(run.needed_for_all),
        )
    if shown and run.started is not None:
        say_if_possible("\n".join([*failed, *cost_lines(run, max_cost)]), stream)


def line(run: Run) -> str:
    """Write where the run stands, in one line."""
    return f"{run.completed + run.failed:,}/{run.total:,} items · {details(run)}"


def details(run: Run) -> str:
    """Write failures, jobs, cost against the limit, and what is being waited for."""
    return " · ".join(_details(run))


def _details(run: Run) -> Iterator[str]:
    if run.failed:
        yield f"{run.failed:,} failed"
    if run.chosen is not None:
        yield f"a pilot of {number_of(count(run.chosen), 'item')}"
    yield f"jobs {run.jobs_completed:,}/{planned_jobs(run):,}"
    limit = run.settings.max_cost if run.settings else None
    cost = "cost unknown" if run.total_cost is None else rounded(run.total_cost)
    yield cost if limit is None else f"{cost} of {usd(limit)}"
    if run.status in ("completed", "interrupted") and run.accuracy.telling:
        yield f"estimate {error_in_words(run.accuracy.cost_error)}"
    yield waiting_for(run)
    if run.sending_ended is not None and run.status == "running":
        yield f"nothing more is sent ({short(run.sending_ended.message, _MOST_OF_AN_ERROR)})"


def planned_jobs(run: Run) -> int:
    """Count the jobs that were made and, as far as is known, those that will be."""
    made = sum(job.status is not JobStatus.FAILED for job in run.jobs.values())
    if run.settings is None or run.status == "completed":
        return made
    status, each = run.items.status, run.settings.items_per_job
    if run.chosen is not None:
        fresh = sum(status[i] == ItemStatus.FRESH for i in iterate(run.chosen) if i not in run.items.same_as)
    else:
        fresh = status.count(ItemStatus.FRESH) - sum(status[i] == ItemStatus.FRESH for i in run.items.same_as)
    return made + -(-fresh // each) + -(-len(run.requeued) // each)


def waiting_for(run: Run) -> str:
    """Say what keeps the run from going on right now."""
    if run.status == "completed":
        return "done"
    if run.status == "interrupted":
        return _stopped(run)
    if failing_now := failing_in_words(run):
        return failing_now
    if len(run.jobs_with(JobStatus.ENDED)):
        return "collecting results"
    if unsettled := len(run.jobs_with(JobStatus.UNKNOWN)):
        return f"looking for {number_of(unsettled, 'lost submission')}"
    if sending := len(run.jobs_with(JobStatus.STARTED)):
        return f"sending {number_of(sending, 'job')}"
    if is_priming(run):
        return "waiting for the request that fills the cache"
    if running := len(run.jobs_with(JobStatus.SUBMITTED)):
        then = "; then max_cost has room for more" if awaits_room(run) else ""
        return f"waiting for {number_of(running, 'batch', 'batches')}{then}"
    return resending(run) if len(run.requeued) else "planning"


def _stopped(run: Run) -> str:
    if run.interrupted_by == "pilot":
        return "the pilot is done"
    until = decide.kept_until(run)
    collect = f"; collect by {day(until)}" if until else ""
    submitted = sum(job.batch_id is not None for job in run.open.values())
    if run.interrupted_by == "max_wait_time":  # which is how submit() and collect() end
        if submitted:
            return f"{number_of(submitted, 'batch', 'batches')} submitted{collect}"
        if waiting := len(run.requeued):
            why = f" ({run.retry_reason})" if run.retry_reason else ""
            return f"{number_of(waiting, 'item waits', 'items wait')} to be sent again{why}"
        if run.pending and not run.open:
            return f"{number_of(run.pending, 'item')} still to be sent"
    return f"stopped ({run.interrupted_by}){collect}"


def resending(run: Run) -> str:
    """Say how many items wait to be sent again, why the last of them do, and how long the first waits."""
    count = len(run.requeued)
    items = f"{number_of(count, 'item waits', 'items wait')} to be sent again"
    why = f" ({run.retry_reason})" if run.retry_reason else ""
    left = ((run.requeued.earliest() or 0) - now()) / 1e6
    return f"{items}{why}" + (f", the first in {left:.0f} s" if left >= 1 else "")
