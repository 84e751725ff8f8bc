"""Ask a run to stop, from a thread, by a signal or by a cancelled coroutine, without an exception in it."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

from batchata.errors import short_traceback
from batchata.logs import called_from_here

_REASONS = {signal.SIGINT: "keyboard", signal.SIGTERM: "terminated"}
_DEFAULTS: dict[signal.Signals, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}
_MOST_CAUSES = 20  # exceptions in a chain that are looked at


# Seconds between two looks whether a coroutine was cancelled; and between two requests to leave, as the first
# may come before the run has begun.
_LOOK_UP = 0.1


@dataclass(slots=True)
class Stop:
    """Why and how a run is to end early. Set from any thread or a signal handler, read by the loop."""

    reason: str | None = None
    cancel: bool = False

    def ask(self, reason: str, *, cancel: bool = False) -> None:
        """End the run: leave its batches running, or cancel them and collect what they finished."""
        self.reason = self.reason or reason
        self.cancel = self.cancel or cancel


class MainThread:
    """Detects from another thread that the main thread, which alone receives Ctrl-C, was interrupted.

    A pool, or asyncio at its end, makes the main thread wait for the very thread that should end with it. A
    main thread that ends normally leaves other threads running, as Python does.
    """

    def __init__(self) -> None:
        # What a prompt has shown before is not the last word.
        at_a_prompt = hasattr(sys, "ps1") or bool(sys.flags.interactive)
        self._old_news = getattr(sys, "last_exc", None) if at_a_prompt else None

    def was_interrupted(self) -> bool:
        """Whether it is handling a KeyboardInterrupt now, or has ended by one."""
        main = threading.main_thread()
        if threading.current_thread() is main or main.ident is None:
            return False
        last = getattr(sys, "last_exc", None)
        return _is_interrupt(sys._current_exceptions().get(main.ident)) or (  # noqa: SLF001 - the only way to see it
            last is not self._old_news and _is_interrupt(last)
        )


def _is_interrupt(exc: object) -> bool:
    """Whether it is a KeyboardInterrupt or came from one: sys.exit() after a Ctrl-C is still a Ctrl-C."""
    for _ in range(_MOST_CAUSES):
        if not isinstance(exc, BaseException):
            return False
        if isinstance(exc, KeyboardInterrupt):
            return True
        exc = exc.__context__
    return False


@dataclass(slots=True)
class Asked:
    """The signal that was received, if any."""

    signal: int | None = None


@contextmanager
def stop_on_signals(stop: Stop, *, cancel: bool) -> Iterator[Asked]:
    """Turn the first Ctrl-C or SIGTERM into a request to stop; the second one ends the process as usual.

    The caller passes on what was received when the block has been left. Signals that the program handles
    itself are left to it, and so are all signals when this is not the main thread, which alone receives them.
    """
    asked = Asked()
    previous = _install(stop, cancel, asked)
    try:
        yield asked
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _install(stop: Stop, cancel: bool, asked: Asked) -> dict[signal.Signals, Any]:
    """Install our handlers, and return the ones before."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    previous: dict[signal.Signals, Any] = {number: signal.getsignal(number) for number in _DEFAULTS}
    usual: dict[signal.Signals, Any] = {
        number: handler for number, handler in previous.items() if _is_usual(number, handler)
    }

    def on_signal(number: int, _frame: FrameType | None) -> None:
        asked.signal = number
        stop.ask(_REASONS[signal.Signals(number)], cancel=cancel)
        for taken in usual:
            signal.signal(taken, _DEFAULTS[taken])

    for number in usual:
        signal.signal(number, on_signal)
    return usual


def _is_usual(number: signal.Signals, handler: object) -> bool:
    """Whether only Python itself handles the signal.

    asyncio.run() makes Ctrl-C cancel its main task, which has no effect while that task runs our loop.
    """
    if isinstance(handler, functools.partial):
        return getattr(handler.func, "__qualname__", "") == "Runner._on_sigint"
    return bool(handler == _DEFAULTS[number])


@dataclass(slots=True)
class _Call[T]:
    """The outcome of the call so far."""

    value: T | None = None
    error: BaseException | None = None


def interrupted(said: str) -> KeyboardInterrupt:
    """Return what ends a script after Ctrl-C; notebooks show it without the lines of Batchata."""
    error = KeyboardInterrupt(said)
    error.__dict__["_render_traceback_"] = lambda: short_traceback(error)
    return error


async def in_a_thread[T](call: Callable[[], T], leave: Callable[[], None], left: Callable[[], str]) -> T:
    """Return or raise what `call` does, in a thread of its own.

    When the coroutine is cancelled, `leave` makes the call end, and the coroutine waits for that, so that no
    thread is left; `left` then says, in the CancelledError, what the call left behind. Cancelled a second
    time, the coroutine does not wait.
    """
    made: _Call[T] = _Call()
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    with called_from_here():
        context = contextvars.copy_context()

    def work() -> None:
        try:
            made.value = context.run(call)
        except BaseException as exc:  # noqa: BLE001 - the thread's outermost edge: the coroutine raises it again
            made.error = exc
        with suppress(RuntimeError):  # the event loop was closed meanwhile, so nothing waits
            loop.call_soon_threadsafe(ended.set)

    # A daemon: who leaves a second time is not kept from ending by a call that takes its time.
    thread = threading.Thread(target=work, name="batchata-run", daemon=True)
    thread.start()
    try:
        # A notebook cancels its cell in a handler of the signal, which does not wake a loop that sleeps.
        while not ended.is_set():
            await _wait_a_moment(ended)
    except asyncio.CancelledError:
        await _end(ended, leave)
        thread.join()
        raise asyncio.CancelledError(str(made.error) if made.error else left()) from made.error
    thread.join()
    if made.error is not None:
        raise made.error
    return made.value  # type: ignore[return-value]  # there is one, without an error


async def _end(ended: asyncio.Event, leave: Callable[[], None]) -> None:
    while not ended.is_set():
        leave()
        await _wait_a_moment(ended)


async def _wait_a_moment(ended: asyncio.Event) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(ended.wait(), _LOOK_UP)
