"""Print the events of one run, one line each, a page at a time."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer

from batchata.core import events as e
from batchata.core.codec import EVENT_TYPES
from batchata.core.events import Event
from batchata.core.ranges import holds
from batchata.log.port import Log, Recorded
from batchata.replay.console import as_json, check_types, reading, the_run
from batchata.replay.sentences import sentence
from batchata.text import clean, iso, moment

_EVERY = 0.2  # seconds between two looks of --follow
_TYPE_WIDTH = max(map(len, EVENT_TYPES))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events to show; all conditions must hold, and an empty one always does."""

    types: list[str]
    job: int | None
    item: int | None

    def includes(self, event: Event) -> bool:
        """Whether the event is of a wanted type and about the job and the item."""
        return (
            (not self.types or event.TYPE in self.types)
            and (self.job is None or is_about_job(event, self.job))
            and (self.item is None or names_item(event, self.item))
        )


def print_timeline(
    path: str, run_id: str | None, wanted: Wanted, *, json: bool, follow: bool = False
) -> None:
    """Print the wanted events of a run, oldest first, in constant memory.

    With `follow` also new ones as they come, until the run is complete. Raises LogError when the file is no
    readable log, InvalidInputError for a run or type that does not exist.
    """
    check_types(wanted.types)
    with reading(path, moving=follow) as log:
        stream = the_run(log, path, run_id)
        found = False
        events = _followed(log, stream) if follow else log.events(stream, types=wanted.types or None)
        for recorded in events:
            if wanted.includes(recorded.event):
                found = True
                line = as_json(_object(stream, recorded)) if json else _line(recorded)
                sys.stdout.write(line + "\n")
    if not found:
        typer.echo("batchata: no event matches", err=True)


def is_about_job(event: Event, job: int) -> bool:
    """Whether the event belongs to the job, alone or among others."""
    return getattr(event, "job", None) == job or job in getattr(event, "jobs", ())


def names_item(event: Event, item: int) -> bool:
    """Whether the event names the item, by itself or within a range."""
    match event:
        case e.ItemsAdded():
            return event.first <= item < event.first + event.count
        case e.SubmissionStarted() | e.RetryScheduled():
            return holds(event.items, item)
        case e.CitationsChecked():
            return any(answer.index == item for answer in event.answers)
        case _:
            return getattr(event, "index", None) == item


def _followed(log: Log, stream: str) -> Iterator[Recorded]:
    """Yield every event, including those to come, until the run is complete."""
    version, ended = 0, False
    while True:
        for recorded in log.events(stream, after=version):
            version, ended = recorded.version, isinstance(recorded.event, e.RunCompleted)
            yield recorded
        if ended:
            return
        sys.stdout.flush()
        time.sleep(_EVERY)


def _object(stream: str, recorded: Recorded) -> dict[str, Any]:
    version, at, event = recorded
    return {"stream": stream, "version": version, "type": event.TYPE, "at": iso(at), "data": event}


def _line(recorded: Recorded) -> str:
    version, at, event = recorded
    return f"{version:>6}  {moment(at)}  {event.TYPE:<{_TYPE_WIDTH}}  {clean(sentence(event))}"
