"""Show a run's progress: a line redrawn on a terminal, plain lines elsewhere, or nothing.

A display that fails (closed, full, of another encoding) is given up and never stops a run.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from batchata.core.state import Run
from batchata.logs import get_logger
from batchata.terminal.account import cost_lines
from batchata.terminal.notebook import Line, is_notebook
from batchata.terminal.progress_line import changing, line, rows_of
from batchata.text import folded, stopwatch

if TYPE_CHECKING:
    from rich.live import Live

_logger = get_logger()
EVERY = 300.0  # seconds until the first plain line while nothing but time passes
_RARELY = 4 * 3600.0  # … and at most between two of them, as each comes after twice the time of the last
_AT_LEAST, _AT_MOST = 0.5, 60.0  # seconds between plain lines about changes: a hundredth of the run's age
_FRAME = 0.2  # seconds between two drawings on a terminal
_NOTEBOOK = 110  # characters of a row there


class Progress:
    """Show nothing; the base of the displays that show something."""

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
        if not self._is_due(run, changing(run), now - self._last, now - self._began):
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
    """Redraws a line in place on a terminal, on several rows where it is narrow."""

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
    """Replaces a line in place below a notebook's cell."""

    def __init__(self) -> None:
        self._line = Line()
        self._began = time.monotonic()

    def update(self, run: Run) -> None:
        """Show where the run stands."""
        elapsed = stopwatch(time.monotonic() - self._began).strip()
        self._line.show("\n".join(rows_of(run, _NOTEBOOK, elapsed)), run)


def progress_for(shown: bool, stream: TextIO | None = None, every: float = EVERY) -> Progress:
    """Return the progress that suits the stream (standard error by default); a silent one without any."""
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
    """Print to the stream, with question marks for characters that its encoding lacks."""
    try:
        print(text, file=stream, flush=True)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        print(text.encode(encoding, "replace").decode(encoding), file=stream, flush=True)


def say_if_possible(text: str, stream: TextIO | None = None) -> None:
    """Print something at the end of a run, if the stream still takes it.

    Without a stream that is standard error; in a notebook, which shows that as an error, standard output.
    """
    stream = stream or (sys.stdout if is_notebook() else sys.stderr)
    if stream is not None:
        with suppress(Exception):
            say(_fitting(text, stream), stream)


def _fitting(text: str, stream: TextIO) -> str:
    """Return the text folded to the width of a terminal; for other streams unchanged."""
    try:
        width = os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except (OSError, ValueError):  # a stream that has no file says it is a terminal
        width = 0
    return folded(text, width)


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
    """Print the account of the run when a call ends, and always what a higher limit would have to be.

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
