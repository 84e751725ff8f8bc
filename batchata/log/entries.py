"""Read pages as the events that they stand for: those after a version, of some types, at some versions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from batchata.core.events import CostCharged, OutcomeRecorded
from batchata.core.pages import Page, length_of
from batchata.log.port import Recorded, Written

_IN_PAGES = frozenset((OutcomeRecorded.TYPE, CostCharged.TYPE))


def stored_types(types: Collection[str]) -> set[str]:
    """Return the types of the rows in which events of these types are."""
    return {*types, Page.TYPE} if _IN_PAGES.intersection(types) else {*types}


def from_version(entries: Iterable[Written], after: int) -> Iterator[Written]:
    """Yield what remains of the entries after a version; of a page that it cuts, event by event."""
    for written in entries:
        version, at, entry = written
        if version > after:
            yield written
        elif isinstance(entry, Page):
            for position in range(after + 1 - version, entry.length):
                yield Written(version + position, at, entry.event(position))


def every_event(entries: Iterable[Written], types: Collection[str] | None) -> Iterator[Recorded]:
    """Yield the events one by one, of these types (all if None)."""
    for version, at, entry in entries:
        if not isinstance(entry, Page):
            if types is None or entry.TYPE in types:
                yield Recorded(version, at, entry)
            continue
        for place, event in enumerate(entry.expand(), version):
            if types is None or event.TYPE in types:
                yield Recorded(place, at, event)


def event_at(written: Written, version: int) -> Recorded | None:
    """Return the event of this version, if the entry holds it."""
    first, at, entry = written
    if not first <= version < first + length_of(entry):
        return None
    event = entry.event(version - first) if isinstance(entry, Page) else entry
    return Recorded(version, at, event)
