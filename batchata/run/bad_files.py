"""Record files that could not be used, and files that were mended since."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from batchata.core.events import Event, ItemMended, ItemRefused, ItemsAdded
from batchata.core.state import ItemStatus, Run
from batchata.core.values import RequestError
from batchata.inputs import FileInput, Inputs, file_digest
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


def as_logged(
    log: Log, stream: str, added: Sequence[ItemsAdded], failed: Sequence[int], inputs: Inputs
) -> dict[int, bytes]:
    """Return the digests by which the log knows items whose files have changed since they were added.

    A failed item, and one whose file cannot be used, is known by its name alone: it is not sent as it is now.
    """
    mended: dict[int, int] = {}
    by_name = frozenset(failed)
    known = {*failed, *inputs.refused}
    for recorded in log.events(stream, types=[ItemRefused.TYPE, ItemMended.TYPE]):
        event = recorded.event
        if isinstance(event, ItemMended):
            mended[event.index] = event.body
        if isinstance(event, ItemRefused | ItemMended):
            known.add(event.index)
    found = {}
    for index in sorted(known):
        body = _first_body(added, index)
        if body is None or index >= inputs.count:
            continue
        now = mended.get(index, body)
        first, latest = (_file(raw) for raw in log.bodies(stream, [body, now]))
        if first is not None and latest is not None and _is_same(inputs, index, latest, index in by_name):
            found[index] = _digest(first)
    return found


def _first_body(added: Sequence[ItemsAdded], index: int) -> int | None:
    for event in added:
        if event.first <= index < event.first + event.count:
            return event.first_body + index - event.first
    return None


def _file(body: bytes | None) -> dict[str, Any] | None:
    file: dict[str, Any] | None = None if body is None else json.loads(body).get("file")
    return file


def _digest(file: dict[str, Any]) -> bytes:
    return file_digest(file["media_type"], file["name"], file["sha256"])


def _is_same(inputs: Inputs, index: int, file: dict[str, Any], by_name: bool) -> bool:
    """Whether the item is the one in the log, though its file may have changed."""
    source = inputs.source(index)
    if not isinstance(source, FileInput):
        return False
    if by_name or not source.is_usable or not file["sha256"]:
        return _stem(source.name, index) == _stem(file["name"], index)
    return source.digest() == _digest(file)


def _stem(name: str, index: int) -> str:
    """Return the name without its ending; bytes without a name are called by their place and kind."""
    nameless = f"document-{index + 1}"
    return nameless if name.startswith(f"{nameless}.") else name


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
        file = _file(body)
        known = None if file is None else _digest(file)
        yield index, index in run.refused if known is None else known != inputs.digest_now(index)


def _refused_again(log: Log, run: Run, inputs: Inputs, index: int) -> list[Event]:
    """Return why its file still cannot be used, unless the log says so already."""
    assert run.started is not None
    versions = [version] if (version := run.items.outcome[index]) else []
    last = [recorded.event for recorded in log.events_at(run.started.run_id, versions)]
    now = ItemRefused(index=index, error=RequestError(kind=KIND, message=inputs.refused[index]))
    return [] if last == [now] else [now]
