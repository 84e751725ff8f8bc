"""Compare the state of a run at two moments."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import msgspec

from batchata.core.pages import types_of
from batchata.core.ranges import extend
from batchata.core.state import ItemStatus, Run
from batchata.core.values import Ranges
from batchata.errors import InvalidInputError
from batchata.log.port import Log
from batchata.views.history import At, History, read_history, read_on, up_to
from batchata.views.overview import overview

# Of these the versions and times at the top speak already, or the jobs and items below.
_TOLD_ELSEWHERE = ("version", "head", "updated_at", "jobs", "process")


@dataclass(frozen=True, slots=True)
class ItemChange:
    """Items that went from one status to another, both in words; `before` is None for items added since."""

    before: str | None
    after: str
    items: Ranges


@dataclass(slots=True)
class Changes:
    """From one version of a run to a later one; a change is the value before and the value after.

    `before` is the moment that was asked for, where the run began only later.
    """

    from_version: int
    from_at: int
    to_version: int = 0
    to_at: int = 0
    before: str | None = None
    run: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    settings: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    jobs: dict[int, dict[str, tuple[Any, Any]]] = field(default_factory=dict)
    items: list[ItemChange] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)


def read_changes(log: Log, stream: str, first: At, second: At | None) -> Changes:
    """Return what changed from the first moment to the second, or to the last event.

    A first moment before the run is its beginning.

    Raises InvalidInputError for moments that the run does not have, and when the second is the earlier one.
    """
    (began,) = log.events_at(stream, [1])
    is_before = first.time is not None and first.time < began.at
    history = read_history(log, stream, At(first.text, version=1) if is_before else first)
    run = history.run
    changes = Changes(run.version, run.updated_at, before=first.text if is_before else None)
    before = _values(history)
    settings = _settings(run)
    statuses, outcomes = bytes(run.items.status), list(run.items.outcome)
    if second is not None and not second.includes(run.version, run.updated_at):
        raise InvalidInputError(f"{second} is before {first}; give the earlier moment first")
    read_on(history, log, stream, second)
    changes.to_version, changes.to_at = run.version, run.updated_at
    after = _values(history)
    jobs_before, jobs_after = _by_number(before), _by_number(after)
    changes.run = _different(before, after, leave_out=_TOLD_ELSEWHERE)
    changes.settings = _different(settings, _settings(run))
    for number, job in jobs_after.items():
        if found := _different(jobs_before.get(number, {}), job):
            changes.jobs[number] = found
    changes.items = _item_changes(history, statuses, outcomes)
    upto = At("its end", version=changes.to_version)
    for version, _, entry in up_to(log.entries(stream, after=changes.from_version), upto):
        if version > changes.to_version:
            break
        changes.events.update(types_of(entry))
    return changes


def _values(history: History) -> dict[str, Any]:
    """Copy the state into values that do not change when the history goes on."""
    values: dict[str, Any] = _builtins(overview(history, None))
    return values


def _settings(run: Run) -> dict[str, Any]:
    """Return what may change between two starts."""
    values: dict[str, Any] = _builtins(run.settings) or {}
    return {**values, "max_tokens": run.max_tokens}


def _builtins(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def _by_number(values: dict[str, Any]) -> dict[int, dict[str, Any]]:
    return {job["job"]: job for job in values["jobs"]}


def _different(
    before: dict[str, Any], after: dict[str, Any], leave_out: tuple[str, ...] = ()
) -> dict[str, tuple[Any, Any]]:
    return {
        key: (before.get(key), value)
        for key, value in after.items()
        if key not in leave_out and before.get(key) != value
    }


def _item_changes(history: History, statuses: bytes, outcomes: list[int]) -> list[ItemChange]:
    items, groups = history.run.items, dict[tuple[int | None, int], Ranges]()
    pairs = zip_longest(statuses, items.status)
    known = zip_longest(outcomes, items.outcome)
    for index, ((old, new), (earlier, later)) in enumerate(zip(pairs, known, strict=True)):
        if old != new or earlier != later:
            extend(groups.setdefault((old, new), []), index)
    return [
        ItemChange(None if old is None else _word(old), _word(new), ranges)
        for (old, new), ranges in sorted(groups.items(), key=lambda group: group[1][0])
    ]


def _word(status: int) -> str:
    return ItemStatus(status).name.lower()
