"""Whether a script continues the run in a log, or describes another one; and if so, what differs."""

from __future__ import annotations

import json
from typing import Any, cast

from msgspec.structs import asdict

from batchata.core.events import ItemsAdded, RunStarted
from batchata.core.state import Run
from batchata.core.values import Settings
from batchata.definition import Definition
from batchata.errors import RunMismatchError
from batchata.log.port import Log

_SHOWN = 120  # characters of a value in a message


def check_same_run(log: Log, run: Run, definition: Definition) -> None:
    """The run must have been started with this definition; more items at the end are allowed.

    Raises RunMismatchError with a line for each difference.
    """
    assert run.started is not None
    differences = [
        *_definition_differences(run.started, definition),
        *_input_differences(log, run, definition),
    ]
    if differences:
        listed = "\n".join(f"  - {difference}" for difference in differences)
        raise RunMismatchError(
            f"the log holds run {run.started.run_id}, which was started differently:\n{listed}\n"
            "Start it as it was, or give another state_path or run_id for a new run."
        )


def check_same_place(run: Run, provider: str, base_url: str) -> None:
    """Batches exist only where they were created.

    Raises RunMismatchError when the run was started against another provider or URL.
    """
    assert run.started is not None
    if not run.started.base_url:
        return  # it began without items, and so without a provider
    if run.started.provider != provider:
        raise RunMismatchError(
            f"run {run.started.run_id} is of the provider {run.started.provider!r}, this is {provider!r}; "
            "continue it with its own provider, or give another state_path or run_id for a new run"
        )
    if run.started.base_url != base_url:
        raise RunMismatchError(
            f"run {run.started.run_id} was started against {run.started.base_url}, this is {base_url}; "
            "set ANTHROPIC_BASE_URL as it was, or give another state_path or run_id for a new run"
        )


def changed_settings(old: Settings, new: Settings) -> dict[str, tuple[Any, Any]]:
    """The settings that differ, with their old and new value."""
    before, after = asdict(old), asdict(new)
    return {name: (before[name], after[name]) for name in after if before[name] != after[name]}


def _definition_differences(started: RunStarted, definition: Definition) -> list[str]:
    compared = [
        ("model", started.model, definition.model.id),
        ("prompt", started.prompt, definition.prompt),
        ("enable_citations", started.enable_citations, definition.enable_citations),
        ("response_model (its JSON Schema)", started.response_schema, definition.schema),
        ("cache", None if started.cache is None else "auto", definition.cache),
        ("dedupe", started.dedupe, definition.dedupe),
        ("kind of input", started.input_kind, definition.inputs.kind),
    ]
    names = sorted(started.params.keys() | definition.params.keys())
    compared += [(name, started.params.get(name), definition.params.get(name)) for name in names]
    return [f"{name}: {_was_is(old, new)}" for name, old, new in compared if old != new]


def _was_is(old: Any, new: Any) -> str:
    """Both values, from a little before the place where they part."""
    before, after = (v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in (old, new))
    apart = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    start = 0 if max(len(before), len(after)) <= _SHOWN else max(apart - 30, 0)
    return f"was {_cut(before, start)}, is {_cut(after, start)}"


def _cut(text: str, start: int) -> str:
    part = text[start : start + _SHOWN]
    return f"{'…' if start else ''}{part}{'…' if start + _SHOWN < len(text) else ''}"


def _input_differences(log: Log, run: Run, definition: Definition) -> list[str]:
    assert run.started is not None
    inputs = definition.inputs
    if run.started.input_kind != inputs.kind:
        return []
    begun = max(run.total, run.started.input_count)
    if inputs.count < begun:
        return [f"items: were {begun:,}, are {inputs.count:,}; items can be added at the end, not removed"]
    added = [cast(ItemsAdded, r.event) for r in log.events(run.started.run_id, types=[ItemsAdded.TYPE])]
    digests = inputs.fingerprints([event.first + event.count for event in added])
    for event, digest in zip(added, digests, strict=True):
        if event.digest != digest:
            return [_first_difference(log, run.started.run_id, event, definition)]
    # A start that was killed before it had written all its items has said which they are.
    if inputs.fingerprint(run.started.input_count) != run.started.input_fingerprint:
        return ["items: some that the first start was given, and had not written yet, are not the same"]
    return []


def _first_difference(log: Log, stream: str, event: ItemsAdded, definition: Definition) -> str:
    bodies = log.bodies(stream, range(event.first_body, event.first_body + event.count))
    for index, old in enumerate(bodies, event.first):
        new = definition.inputs.body(index)
        if old is not None and _identity(old) != _identity(new):
            return f"item {index}: {_was_is(_readable(old), _readable(new))}"
    return f"items {event.first} to {event.first + event.count - 1} are not the same"


def _identity(body: bytes) -> Any:
    """What decides about an item: of a file its name, type and content, not where it lies."""
    value = json.loads(body)
    return {k: value["file"][k] for k in ("name", "media_type", "sha256")} if "file" in value else value


def _readable(body: bytes) -> Any:
    value = json.loads(body)
    if "file" not in value:
        return value["messages"]
    file = value["file"]
    return f"{file['name']} ({file['size']:,} bytes, sha256 {file['sha256'][:12]}…)"
