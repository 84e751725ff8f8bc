"""Ctrl-C and SIGTERM while a run is driven: a wish to stop, not an exception in the middle of a write."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from batchata.runner import Stop

_REASONS = {signal.SIGINT: "keyboard", signal.SIGTERM: "terminated"}

_ADVICE = "the run is safe in its log; start the same script again to continue it"


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
