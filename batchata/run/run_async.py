"""Wait for a run in a coroutine: in a thread of its own, the event loop free, and left when cancelled."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

_LOOK_UP = 0.1  # seconds between two requests to leave, as the first may come before the run has begun


@dataclass(slots=True)
class _Call[T]:
    """The outcome of the call so far."""

    value: T | None = None
    error: BaseException | None = None


async def in_a_thread[T](call: Callable[[], T], leave: Callable[[], None], left: Callable[[], str]) -> T:
    """Return or raise what `call` does, in a thread of its own.

    When the coroutine is cancelled, `leave` makes the call end, which is waited for, so that no thread is
    left; `left` says then, in the CancelledError, what the call left behind. Cancelled a second time, the
    coroutine does not wait.
    """
    made: _Call[T] = _Call()
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            made.value = context.run(call)
        except BaseException as exc:  # noqa: BLE001 - the thread's outermost edge: the coroutine raises it again
            made.error = exc
        with suppress(RuntimeError):  # the event loop was closed meanwhile: nobody waits
            loop.call_soon_threadsafe(ended.set)

    # A daemon: who leaves a second time is not kept from ending by a call that takes its time.
    thread = threading.Thread(target=work, name="batchata-run", daemon=True)
    thread.start()
    try:
        await ended.wait()
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
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), _LOOK_UP)
