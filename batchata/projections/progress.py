"""What a person sees while a run goes on: a live bar on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from batchata.core.amounts import exact, money
from batchata.core.caching import is_priming
from batchata.core.limit import awaits_room
from batchata.core.state import JobStatus, Run
from batchata.logs import get_logger
from batchata.projections.report import cost_lines, error_in_words
from batchata.projections.stats import collect_by

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_logger = get_logger()
_EVERY = 5.0  # seconds between plain lines while nothing but time passes
_AT_LEAST = 0.5  # seconds between plain lines at the most


class Progress:
    """Nothing at all; the base of those that show something."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        return None

    def update(self, run: Run) -> None:
        """The run may have changed."""


class PlainProgress(Progress):
    """One line whenever something was finished, or some seconds have passed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._began = self._last = time.monotonic()
        self._shown: tuple[object, ...] | None = None

    def update(self, run: Run) -> None:
        """Print a line if there is something new to say."""
        key = (run.completed, run.failed, len(run.jobs), run.status)
        since = time.monotonic() - self._last
        settled = run.status != "running" or self._shown is None
        if key == self._shown and (since < _EVERY or run.status != "running"):
            return
        if since < _AT_LEAST and not settled:
            return
        self._shown, self._last = key, time.monotonic()
        print(f"[{time.monotonic() - self._began:6.1f}s] {line(run)}", file=self._stream, flush=True)


class LiveProgress(Progress):
    """A bar that is redrawn in place, for a terminal."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        self._bar: RichProgress = RichProgress(
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("items · {task.description}"),
            TimeElapsedColumn(),
            console=Console(file=stream),
            refresh_per_second=4,
        )
        self._task: TaskID = self._bar.add_task("starting", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self, run: Run) -> None:
        """Redraw."""
        done = run.completed + run.failed
        self._bar.update(self._task, total=run.total, completed=done, description=details(run))


def progress_for(shown: bool, stream: TextIO | None = None) -> Progress:
    """What fits the stream (standard error if none is given)."""
    if not shown:
        return Progress()
    stream = stream or sys.stderr
    return LiveProgress(stream) if stream.isatty() else PlainProgress(stream)


def name_head(head: str | None, run_id: str | None, shown: bool, stream: TextIO | None = None) -> None:
    """Name the hash that proves later, to whoever noted it, that the log was neither changed nor cut."""
    if head is None:
        return
    _logger.info("log_head", run=run_id, head=head)
    if shown:
        print(f"log head {head}", file=stream or sys.stderr, flush=True)


def report_costs(run: Run, shown: bool, stream: TextIO | None = None) -> None:
    """The account of the run when a call ends, and in any case what a higher limit would have to be."""
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
        print("\n".join(cost_lines(run)), file=stream or sys.stderr, flush=True)


def line(run: Run) -> str:
    """Where the run stands, in one line."""
    return f"{run.completed + run.failed:,}/{run.total:,} items · {details(run)}"


def details(run: Run) -> str:
    """Failures, jobs, cost against the limit, and what is being waited for."""
    parts = [f"{run.failed:,} failed"] if run.failed else []
    parts.append(f"jobs {run.jobs_completed}/{len(run.jobs)}")
    limit = run.settings.max_cost if run.settings else None
    cost = "cost unknown" if run.total_cost is None else money(run.total_cost)
    parts.append(cost if limit is None else f"{cost} of {exact(Decimal(limit))}")
    if run.status in ("completed", "interrupted") and run.accuracy.cost_error is not None:
        parts.append(f"estimate {error_in_words(run.accuracy.cost_error)}")
    return " · ".join([*parts, waiting_for(run)])


def waiting_for(run: Run) -> str:
    """What keeps the run from going on right now."""
    if run.status == "completed":
        return "done"
    if run.status == "interrupted":
        kept = collect_by(run)
        return f"stopped ({run.interrupted_by})" + (f"; collect by {kept:%Y-%m-%d}" if kept else "")
    if len(run.jobs_with(JobStatus.ENDED)):
        return "collecting results"
    if unsettled := len(run.jobs_with(JobStatus.UNKNOWN)):
        return f"looking for {unsettled} lost submissions"
    if sending := len(run.jobs_with(JobStatus.STARTED)):
        return f"sending {sending} {'job' if sending == 1 else 'jobs'}"
    if is_priming(run):
        return "waiting for the request that fills the cache"
    if running := len(run.jobs_with(JobStatus.SUBMITTED)):
        then = "; then max_cost has room for more" if awaits_room(run) else ""
        return f"waiting for {running} {'batch' if running == 1 else 'batches'}{then}"
    return resending(run) if len(run.requeued) else "planning"


def resending(run: Run) -> str:
    """How many items wait to be sent again, why the last of them do, and how long the first still will."""
    count = len(run.requeued)
    items = f"{count:,} {'item waits' if count == 1 else 'items wait'} to be sent again"
    why = f" ({run.retry_reason})" if run.retry_reason else ""
    left = ((run.requeued.earliest() or 0) - time.time_ns() // 1000) / 1e6
    return f"{items}{why}" + (f", the first in {left:.0f} s" if left >= 1 else "")
