"""Print what changed in the state of a run between two moments: `diff`."""

from __future__ import annotations

from typing import Any

from batchata.clock import now
from batchata.core.ranges import count
from batchata.replay.console import Paper, as_json, print_json, reading, the_run
from batchata.text import (
    ITEM_STATUS,
    by_kind,
    clean,
    iso,
    item_ranges,
    moment,
    number_of,
    short,
    span,
    usage_in_words,
    usd,
)
from batchata.views.changes import Changes, read_changes
from batchata.views.history import parse_at

_MOST_JOBS = 20
_AMOUNTS = ("total_cost", "spent", "reserved_cost", "max_cost", "cost", "reserved")
_OF_JOBS = ("items", "status", "batch_id", "counts", "outcomes", "cost", "error", "cancel_requested")


def show_changes(
    path: str, run_id: str | None, first: str, second: str | None, *, every_job: bool, json: bool
) -> None:
    """Print what changed from the first moment to the second, or until now; moments as in `parse_at`.

    Raises LogError when the file is no readable log, InvalidInputError when it holds no such run or moment.
    """
    at = now()
    begin, end = parse_at(first, at), None if second is None else parse_at(second, at)
    with reading(path) as log:
        stream = the_run(log, path, run_id)
        changes = read_changes(log, stream, begin, end)
    if json:
        print_json(_json(stream, changes))
    else:
        _print(stream, changes, every_job)


def _print(stream: str, changes: Changes, every_job: bool) -> None:
    paper = Paper()
    paper.field("run", clean(stream), "bold")
    asked = "" if changes.before is None else f", the beginning ({clean(changes.before)} is before it)"
    paper.field("from", f"{moment(changes.from_at)}, after event {changes.from_version:,}{asked}")
    took = span(changes.to_at - changes.from_at)
    paper.field("to", f"{moment(changes.to_at)}, after event {changes.to_version:,}, {took} later")
    if not changes.events:
        paper.field("changes", "none: nothing happened in between")
        return
    paper.field("events", by_kind(dict(changes.events)))
    for name, pair in changes.run.items():
        if name != "total_cost" or pair != changes.run.get("spent"):
            paper.field(_label(name), _pair(name, *pair))
    for name, pair in changes.settings.items():
        paper.field("setting", f"{name}: {_pair(name, *pair)}")
    for change in changes.items:
        before = "added" if change.before is None else ITEM_STATUS[change.before]
        which = f"{number_of(count(change.items), 'item')} ({item_ranges(change.items)})"
        again = ", again" if change.before == change.after else ""
        paper.field("items", f"{which}: {before} -> {ITEM_STATUS[change.after]}{again}")
    _print_jobs(paper, changes, every_job)


def _print_jobs(paper: Paper, changes: Changes, every_job: bool) -> None:
    numbers = list(changes.jobs)
    shown = numbers if every_job else numbers[-_MOST_JOBS:]
    for number in shown:
        found = changes.jobs[number]
        told = [f"{_label(name)} {_pair(name, *found[name])}" for name in _told(found)]
        paper.field(f"job {number}", "; ".join(["new", *told] if "job" in found else told) or "its times")
    if len(shown) < len(numbers):
        paper.line(f"{number_of(len(numbers) - len(shown), 'more job')} changed; --all shows all")


def _told(found: dict[str, tuple[Any, Any]]) -> list[str]:
    """Return the changes of a job that are worth printing; the rest is in the JSON."""
    names = [name for name in _OF_JOBS if name in found and any(found[name])]
    return [name for name in names if name != "counts" or "outcomes" not in names]


def _label(name: str) -> str:
    return name.removesuffix("_items").removesuffix("_cost").removesuffix("_at").replace("_", " ")


def _pair(name: str, before: Any, after: Any) -> str:
    return _value(name, after) if before is None else f"{_value(name, before)} -> {_value(name, after)}"


def _value(name: str, value: Any) -> str:
    match value:
        case str() if name in _AMOUNTS:
            return usd(value)
        case str():
            return clean(value)
        case dict() if name == "usage":
            return usage_in_words(value) or "nothing"
        case dict() if all(isinstance(n, int) for n in value.values()):
            return by_kind(value) or "none"
        case list() if name == "items":
            return item_ranges(value)
        case _:
            return short(as_json(value))


def _json(stream: str, changes: Changes) -> dict[str, Any]:
    return {
        "run_id": stream,
        "from": {"version": changes.from_version, "at": iso(changes.from_at)},
        "to": {"version": changes.to_version, "at": iso(changes.to_at)},
        "events": dict(changes.events),
        "changes": changes.run,
        "settings": changes.settings,
        "jobs": [
            {"job": number, "changes": {name: pair for name, pair in found.items() if name != "job"}}
            for number, found in changes.jobs.items()
        ],
        "items": [
            {"before": change.before, "after": change.after, "items": change.items}
            for change in changes.items
        ],
    }
