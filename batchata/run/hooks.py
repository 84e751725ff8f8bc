"""Tell the program what happens: each event once it is durable, each item once it has ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from batchata.answers.reader import Reader
from batchata.core.pages import Entry, expanded
from batchata.core.state import ItemStatus, Run
from batchata.errors import InvalidInputError
from batchata.log.port import Log, Recorded
from batchata.logs import get_logger
from batchata.views.item_result import ItemResult
from batchata.views.results import read_items

type OnEvent = Callable[[Recorded], object]
type OnItem = Callable[[ItemResult[Any]], object]

_logger = get_logger()
_ENDED = (ItemStatus.COMPLETED, ItemStatus.FAILED)


@dataclass(frozen=True, slots=True)
class Hooks:
    """The program's functions. What they raise is logged, and stops no run."""

    on_event: OnEvent | None = None
    on_item: OnItem | None = None

    def __post_init__(self) -> None:
        """Raise InvalidInputError for what cannot be called."""
        for name in ("on_event", "on_item"):
            hook = getattr(self, name)
            if hook is not None and not callable(hook):
                raise InvalidInputError(f"{name} must be a function, or None, not {hook!r}")

    def listener(self) -> Callable[[int, int, Entry], None] | None:
        """Return what takes an entry of the log, with its version and time; None if nothing is wanted."""
        hook = self.on_event
        if hook is None:
            return None

        def tell(version: int, at: int, entry: Entry) -> None:
            for place, event in enumerate(expanded([entry]), version):
                _call("on_event", hook, Recorded(place, at, event))

        return tell


def _call(name: str, hook: Callable[[Any], object], value: object) -> None:
    try:
        hook(value)
    except Exception as exc:  # noqa: BLE001 - a run is worth more than what a stranger's function fails with
        _logger.warning("hook_failed", hook=name, error=repr(exc))


@dataclass(slots=True)
class ItemTeller:
    """Hands each item over once, when it has ended in this call."""

    log: Log
    run: Run
    reader: Reader
    hooks: list[OnItem]
    _before: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        """Leave out what had ended before."""
        self._before = bytearray(self.run.items.status)

    def begun(self) -> None:
        """Note which items are sent again, and report those that were refused."""
        status = self.run.items.status
        for index, known in enumerate(self._before):
            if status[index] != known or status[index] not in _ENDED:
                self._before[index] = ItemStatus.FRESH
        self.rest()

    def job_done(self, number: int) -> None:
        """Report the items of a job, and those that share their requests."""
        if not self.hooks:
            return
        indexes = self.run.jobs[number].indexes()
        self._tell(sorted(each for index in indexes for each in self.run.family(index)))

    def rest(self) -> None:
        """Report all items that were not reported yet."""
        self._tell(range(self.run.total))

    def _tell(self, indexes: Iterable[int]) -> None:
        if not self.hooks:
            return
        status = self.run.items.status
        self._before.extend(bytes(len(status) - len(self._before)))
        ended = [i for i in indexes if status[i] in _ENDED and self._before[i] not in _ENDED]
        for item in read_items(self.log, self.run, ended, self.reader, again=False):
            self._before[item.index] = status[item.index]
            for hook in self.hooks:
                _call("on_item", hook, item)


async def as_they_end(
    known: Iterable[ItemResult[Any]], drive: Callable[[OnItem], Coroutine[Any, Any, object]]
) -> AsyncGenerator[ItemResult[Any]]:
    """Yield the items that have ended, then each that ends while `drive` goes on; raise what it raises.

    A consumer that stops early cancels it.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[ItemResult[Any] | None] = asyncio.Queue()
    for item in known:
        if item.status != "pending":
            yield item
    running = asyncio.ensure_future(drive(lambda item: loop.call_soon_threadsafe(queue.put_nowait, item)))
    running.add_done_callback(lambda _: queue.put_nowait(None))
    try:
        while (ended := await queue.get()) is not None:
            yield ended
        await running
    finally:
        if not running.done():
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
