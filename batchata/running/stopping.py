"""How a run is told to stop: another thread, Ctrl-C or SIGTERM; a wish, not an exception mid-write."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

_REASONS = {signal.SIGINT: "keyboard", signal.SIGTERM: "terminated"}

_ADVICE = "the run is safe in its log; start the same script again to continue it"


@dataclass(slots=True)
class Stop:
    """Why and how a run is to end early. Set from any thread or a signal handler, read by the loop."""

    reason: str | None = None
    cancel: bool = False

    def ask(self, reason: str, *, cancel: bool = False) -> None:
        """End the run: leave its batches running, or cancel them and collect what they finished."""
        self.reason = self.reason or reason
        self.cancel = self.cancel or cancel


def main_thread_was_interrupted() -> bool:
    """Whether Ctrl-C, which reaches the main thread alone, has ended it: that ends the runs of other threads.

    A main thread that just comes to its end leaves them running, as Python does with threads.
    """
    if threading.main_thread().is_alive():
        return False
    return isinstance(getattr(sys, "last_exc", None), KeyboardInterrupt)


class _Asked:
    """What has been received so far."""

    signal: int | None = None


@contextmanager
def stop_on_signals(stop: Stop, *, cancel: bool) -> Iterator[None]:
    """Turn the first Ctrl-C or SIGTERM into a request to stop; the second one ends the process as usual.

    When the block is left after such a request, KeyboardInterrupt or SystemExit(143) is raised, so that the
    script ends as its user expects. Signals that the program handles itself are left to it, and so are all
    signals when this is not the main thread, which alone receives them.
    """
    asked = _Asked()
    previous = _install(stop, cancel, asked)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if asked.signal == signal.SIGINT:
        raise KeyboardInterrupt(_ADVICE)
    if asked.signal == signal.SIGTERM:
        raise SystemExit(128 + signal.SIGTERM)


def _install(stop: Stop, cancel: bool, asked: _Asked) -> dict[int, signal.Handlers]:
    if threading.current_thread() is not threading.main_thread():
        return {}
    defaults = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    previous = {number: signal.getsignal(number) for number in defaults}
    ours = {number: handler for number, handler in previous.items() if handler == defaults[number]}

    def on_signal(number: int, frame: FrameType | None) -> None:
        asked.signal = number
        stop.ask(_REASONS[signal.Signals(number)], cancel=cancel)
        for taken, handler in ours.items():
            signal.signal(taken, handler)

    for number in ours:
        signal.signal(number, on_signal)
    return ours  # type: ignore[return-value]  # getsignal's type is wider than what was compared with
