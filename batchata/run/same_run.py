"""Decide whether a script continues a run in the log, and which one; else say what differs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from msgspec.structs import asdict

from batchata.core import decide
from batchata.core.events import ItemsAdded, RunStarted
from batchata.core.evolve import fold
from batchata.core.state import ItemStatus, Run
from batchata.core.values import Settings, known
from batchata.errors import LogError, RunMismatchError
from batchata.inputs import Inputs
from batchata.log.port import Log
from batchata.logs import get_logger
from batchata.providers.address import redacted
from batchata.run.definition import Definition
from batchata.run.same_items import (
    RecordedItems,
    arrangement,
    as_logged,
    identifying,
    moved,
    readable,
    was_is,
)
from batchata.text import day

_logger = get_logger()
_MOST_BATCHES = 10


def advice(run: Run) -> str:
    """Say what to do with a run that a script does not continue, before anything is paid for twice."""
    if not run.open:
        return (
            "Start it as it was, or give another state_path or run_id for a new run, which pays for its "
            f"items anew (of this run {run.completed:,} of {run.total:,} items are completed)."
        )
    return (
        f"{waiting(run)}. Collect first, from the log alone: BatchManager.open(state_path).collect() needs "
        "no inputs. Or start the run as it was, with all its items, in any order (a file is known by its "
        "name and content, not by its folder). Another state_path or run_id begins a new run, which would "
        "pay for these items once more."
    )


def waiting(run: Run) -> str:
    """Name the batches that the provider holds for the run's open jobs, and until when."""
    jobs = list(run.open.values())
    named = [f"{job.batch_id or 'a batch that may exist'} (job {job.number})" for job in jobs]
    shown = ", ".join(named[:_MOST_BATCHES])
    more = len(named) - _MOST_BATCHES
    what = "1 batch of it is" if len(jobs) == 1 else f"{len(jobs)} batches of it are"
    until = decide.kept_until(run)
    kept = "" if until is None else f" until {day(until)}"
    rest = f" and {more} more" if more > 0 else ""
    return f"{what} paid for and kept at the provider{kept}: {shown}{rest}"


_ITEM = "item "  # begins what differs in the item at one place: items are known by what they are
_SCHEMA = "response_model (its JSON Schema)"
_MOST_RUNS = 20  # that a message says more of than their names


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the log says of a run's inputs and definition, without its history."""

    log: Log
    started: RunStarted
    added: Sequence[ItemsAdded]
    failed: Sequence[int] = ()

    @classmethod
    def of(cls, log: Log, stream: str) -> Recorded | None:
        """Read the run; None for a stream that begins with something else, which `replay verify` reports."""
        first = [recorded.event for recorded in log.events_at(stream, [1])]
        if not first or not isinstance(first[0], RunStarted):
            return None
        added = [cast("ItemsAdded", r.event) for r in log.events(stream, types=[ItemsAdded.TYPE])]
        return cls(log, first[0], added)

    @property
    def items(self) -> RecordedItems:
        """Its items, as far as the log has them."""
        return RecordedItems(self.log, self.started.run_id, self.added, self.failed)

    @property
    def total(self) -> int:
        """Count its items, including those of a start that was killed before it had written them all."""
        return max([self.started.input_count, *(event.first + event.count for event in self.added)])


def check_same_run(log: Log, run: Run, definition: Definition) -> None:
    """Check that the run was started with this definition; more items, and another order, are allowed.

    Raises RunMismatchError with a line for each difference, and with what waits to be collected.
    """
    assert run.started is not None
    recorded = Recorded.of(log, run.started.run_id)
    assert recorded is not None
    if definition.inputs.kind == "files" and run.failed:
        failed = [index for index, status in enumerate(run.items.status) if status == ItemStatus.FAILED]
        recorded = replace(recorded, failed=failed)
    differences = list(_differences(recorded, definition))
    if differences and _arrange(recorded, definition):
        differences = list(_differences(recorded, definition))
    if not differences:
        return
    if run.started.input_kind == definition.inputs.kind and (
        found := moved(recorded.items, definition.inputs)
    ):
        differences = [said for said in differences if not said.startswith(_ITEM)] + found
    if all(difference.startswith(_SCHEMA) for difference in differences):
        differences.append("to read its answers with another model: results(OtherModel), items(OtherModel)")
    listed = "\n".join(f"  - {difference}" for difference in differences)
    raise RunMismatchError(
        f"the log holds run {run.started.run_id}, which was started differently:\n{listed}\n{advice(run)}"
    )


def _arrange(recorded: Recorded, definition: Definition) -> bool:
    """Put the items into the run's order, new ones last, where nothing else differs."""
    if any(_definition_differences(recorded.started, definition)):
        return False
    order = arrangement(recorded.items, definition.inputs)
    if order is None:
        return False
    definition.arrange(order)
    _logger.info("items_matched_by_content", run=recorded.started.run_id, items=recorded.total)
    return True


def which_run(definition: Definition, log: Log, streams: Sequence[str]) -> str:
    """Find the run in the log that this script continues, where none was named.

    A run whose items come first and in the same order is preferred to one that has them in another order, and
    a run with just these items to one that they would be added to. If there is only one run, `check_same_run`
    decides.

    Raises RunMismatchError when none was started like this, LogError when several were.
    """
    if len(streams) == 1:
        return streams[0]
    known = [recorded for stream in streams if (recorded := Recorded.of(log, stream)) is not None]
    ours = [recorded for recorded in known if not any(_differences(recorded, definition))]
    ours = ours or [r for r in known if _arrange(r, definition) and not any(_differences(r, definition))]
    found = [recorded for recorded in ours if recorded.total == definition.inputs.count] or ours
    if len(found) == 1:
        return found[0].started.run_id
    names = ", ".join(recorded.started.run_id for recorded in found) or ", ".join(streams)
    if found:
        raise LogError(
            f"the log holds {len(found)} runs of these items; say which is meant with run_id=…: {names}"
        )
    listed = "\n".join(_how_different(recorded, definition) for recorded in known[:_MOST_RUNS])
    raise RunMismatchError(
        f"the log holds {len(streams)} runs, and none of them was started like this: {names}\n{listed}\n"
        "Start one of them as it was, or give a new run_id for a new run, which pays for its items anew."
    )


def _how_different(recorded: Recorded, definition: Definition) -> str:
    run = fold(recorded.log.entries(recorded.started.run_id))
    waits = f"; {waiting(run)}" if run.open else ""
    return f"  - {recorded.started.run_id}: {next(_differences(recorded, definition), '')}{waits}"


def check_same_place(run: Run, provider: str, base_url: str, variable: str | None) -> None:
    """Check that calls go where the run's batches are: these exist only where they were created.

    `variable` is the environment variable that moves the provider's address. Raises RunMismatchError when the
    run has batches, or may have some, at another provider or URL.
    """
    assert run.started is not None
    if not run.base_url:
        return  # it began without items, and so without a provider
    if run.started.provider not in ("", provider):
        raise RunMismatchError(
            f"run {run.started.run_id} was sent to {run.started.provider!r}, and calls now go to "
            f"{provider!r}; continue it with its own provider.\n{advice(run)}"
        )
    place = redacted(run.base_url)  # older logs may hold a password in it
    if place != base_url and run.is_anything_out:  # else it is a wrong address, mended since
        back = f"set {variable} as it was (or base_url)" if variable else "give base_url as it was"
        raise RunMismatchError(
            f"batches of run {run.started.run_id} are at {place}, and calls now go to {base_url}; {back}."
            f"{_given_up(run)}\n"
            f"{advice(run)}"
        )


def _given_up(run: Run) -> str:
    """Say how a run is freed from an address that has moved, where jobs may be without a batch."""
    lost = [job for job in run.open.values() if job.batch_id is None]
    if not lost or len(lost) < len(run.open):
        return ""
    calls = " and ".join(f"abandon({job.number})" for job in lost)
    return (
        f" If the API has moved and cannot have made a batch there, {calls} with the old address gives it "
        "up; then the new one may be used, and its items are sent, and paid, there."
    )


def changes(
    run: Run, settings: Settings, max_tokens: int, base_url: str | None = None
) -> dict[str, tuple[Any, Any]]:
    """Return the settings that differ from the last start's, each with its old and new value.

    `base_url` is None where nothing is asked of the provider.
    """
    assert run.settings is not None
    place = redacted(run.base_url)
    before = {**asdict(run.settings), "max_tokens": run.max_tokens, "base_url": place}
    after = {
        **asdict(settings),
        "max_tokens": max_tokens,
        "base_url": place if base_url is None else base_url,
    }
    return {name: (before[name], after[name]) for name in after if before[name] != after[name]}


def _differences(recorded: Recorded, definition: Definition) -> Iterator[str]:
    """Yield the differences, those that are cheap to find first."""
    yield from _definition_differences(recorded.started, definition)
    if recorded.started.input_kind == definition.inputs.kind:
        yield from _input_differences(recorded, definition)


def _definition_differences(started: RunStarted, definition: Definition) -> Iterator[str]:
    compared = [
        ("model", started.model, definition.model.id),
        ("prompt", started.prompt, definition.prompt),
        ("enable_citations", started.enable_citations, definition.enable_citations),
        (_SCHEMA, started.response_schema, definition.schema),
        ("cache", None if started.cache is None else "auto", definition.cache),
        ("dedupe", started.dedupe, definition.dedupe),
        ("kind of input", started.input_kind, definition.inputs.kind),
    ]
    names = sorted((started.params.keys() | definition.params.keys()) - {"max_tokens"})  # it may change
    compared += [(name, started.params.get(name), definition.params.get(name)) for name in names]
    for name, old, new in compared:
        if old != new:
            yield f"{name}: {was_is(old, new)}"


def _input_differences(recorded: Recorded, definition: Definition) -> Iterator[str]:
    inputs, started = definition.inputs, recorded.started
    if inputs.count < recorded.total:
        were, are = recorded.total, inputs.count
        yield f"items: were {were:,}, are {are:,}; items can be added, not removed"
        return
    if inputs.kind == "files":
        definition.follow_inputs(as_logged(recorded.items, inputs))
    digests = inputs.fingerprints([event.first + event.count for event in recorded.added])
    for event, digest in zip(recorded.added, digests, strict=True):
        if event.digest != digest:
            yield _first_difference(recorded, event, definition)
            return
    yield from _key_differences(recorded, inputs)
    # A start that was killed before it had written all its items has said which they are.
    if inputs.fingerprint(started.input_count) != started.input_fingerprint:
        yield "items: some that the first start was given, but did not record, are not there in their order"


def _key_differences(recorded: Recorded, inputs: Inputs) -> Iterator[str]:
    """Yield the first key that has changed: results would appear under another's name."""
    for event in recorded.added:
        if (known(event.keys) or "") == inputs.keys_digest(event.first, event.first + event.count):
            continue
        numbers = range(event.first_body, event.first_body + event.count)
        for index, body in enumerate(recorded.log.bodies(recorded.started.run_id, numbers), event.first):
            before = None if body is None else json.loads(body).get("key")
            now = inputs.keys[index] if inputs.keys else None
            if body is not None and before != now:
                yield f"key of item {index}: {was_is(before, now)}"
                return
        yield f"keys of items {event.first} to {event.first + event.count - 1} are not the same"
        return


def _first_difference(recorded: Recorded, event: ItemsAdded, definition: Definition) -> str:
    numbers = range(event.first_body, event.first_body + event.count)
    bodies = recorded.log.bodies(recorded.started.run_id, numbers)
    for index, old in enumerate(bodies, event.first):
        new = definition.inputs.body(index)
        if old is not None and identifying(json.loads(old)) != identifying(json.loads(new)):
            return f"{_ITEM}{index}: {was_is(readable(old), readable(new))}"
    return f"items {event.first} to {event.first + event.count - 1} are not the same"
