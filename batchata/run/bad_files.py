"""Record files that could not be used, and files that were corrected since."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from batchata.core.events import Event, ItemMended, ItemRefused
from batchata.core.state import ItemStatus, Run
from batchata.core.values import RequestError
from batchata.inputs import Inputs, file_digest
from batchata.log.port import Log

KIND = "file_error"


def refusals(inputs: Inputs, run: Run, first: int, end: int) -> list[ItemRefused]:
    """Return an event for each of these items whose file cannot be used, unless it is under way or done."""
    return [
        ItemRefused(index=index, error=RequestError(kind=KIND, message=why))
        for index, why in inputs.refused.items()
        if first <= index < end and (index >= run.total or _waits(run, index))
    ]


def _waits(run: Run, index: int) -> bool:
    waiting = run.items.status[index] in (ItemStatus.FRESH, ItemStatus.WAITING)
    return waiting and index not in run.items.same_as


def file_in(body: bytes | None) -> dict[str, Any] | None:
    """Return what an item's body says of its file; None without one."""
    file: dict[str, Any] | None = None if body is None else json.loads(body).get("file")
    return file


def logged_digest(file: dict[str, Any]) -> bytes:
    """Identify what was sent of a file that is in the log."""
    return file_digest(file["media_type"], file["name"], file["sha256"])


@dataclass(slots=True)
class Mended:
    """What a retry of failed items leads to: events with their bodies, and the items to send."""

    events: list[Event] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    again: list[int] = field(default_factory=list)


def mend(log: Log, run: Run, inputs: Inputs, next_body: int) -> Mended:
    """Take the present content of changed files as new inputs, in bodies from `next_body` on.

    An item that shared the request of one whose file changed has its own from here on.
    """
    mended = Mended()
    leaders: dict[bytes, int] = {}
    apart: set[int] = set()
    for index, is_changed in _failed(log, run, inputs):
        original = run.items.same_as.get(index)
        if index in inputs.refused:
            apart.add(index)
            mended.events += [] if original is not None else _refused_again(log, run, inputs, index)
        elif is_changed or original in inputs.refused:
            apart.add(index)
            leader = leaders.setdefault(inputs.digest_now(index), index) if run.items.copies else index
            body, same_as = next_body + len(mended.bodies), None if leader == index else leader
            mended.events.append(ItemMended(index=index, body=body, same_as=same_as))
            mended.bodies.append(inputs.body(index))
            mended.again += [index] if same_as is None else []
        elif original is None or original in apart:
            mended.again.append(index)
    return mended


def _failed(log: Log, run: Run, inputs: Inputs) -> Iterator[tuple[int, bool]]:
    """Yield the failed items, and whether the file of each has changed since the log recorded it."""
    assert run.started is not None
    failed = [index for index, status in enumerate(run.items.status) if status == ItemStatus.FAILED]
    if inputs.kind == "messages":
        yield from ((index, False) for index in failed)
        return
    bodies = log.bodies(run.started.run_id, map(run.input_body, failed))
    for index, body in zip(failed, bodies, strict=True):
        file = file_in(body)
        known = None if file is None else logged_digest(file)
        yield index, index in run.refused if known is None else known != inputs.digest_now(index)


def _refused_again(log: Log, run: Run, inputs: Inputs, index: int) -> list[Event]:
    """Return why its file still cannot be used, unless the log says so already."""
    assert run.started is not None
    versions = [version] if (version := run.items.outcome[index]) else []
    last = [recorded.event for recorded in log.events_at(run.started.run_id, versions)]
    now = ItemRefused(index=index, error=RequestError(kind=KIND, message=inputs.refused[index]))
    return [] if last == [now] else [now]
