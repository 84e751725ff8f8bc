"""Build the request of an item again, from what the log holds of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from batchata.core.state import Run
from batchata.errors import FileInputError, InvalidInputError
from batchata.inputs import Source
from batchata.inputs.files import file_of
from batchata.providers.port import Template
from batchata.providers.registry import dialect_of
from batchata.run.definition import route_of
from batchata.views.item_history import Life

_NOT_HERE = b"(the file is not here)"


def request_again(life: Life) -> tuple[dict[str, Any], str | None]:
    """Return the request of the item's last attempt, and what keeps it from being complete, if anything does.

    Without an attempt it is the request that would be sent. A file that is gone is replaced by a few words.
    Raises InvalidInputError when the input was purged, or its file could never be used.
    """
    run, value = life.history.run, life.input
    if value is None:
        raise InvalidInputError(f"the input of item {life.index} was purged from the log")
    if not life.attempts and "file" in value and not value["file"]["sha256"]:
        raise InvalidInputError(f"the file of item {life.index} could not be used, so nothing was sent")
    source: Source = file_of(value["file"]) if "file" in value else value["messages"]
    last = life.attempts[-1] if life.attempts else None
    template = _template(run, None if last is None else last.job)
    custom_id, note = ("preview", None) if last is None else (last.custom_id, last.note)
    try:
        request, why = template.encode(custom_id, source, note), None
    except FileInputError as exc:
        assert not isinstance(source, list | tuple)
        request = template.encode(custom_id, replace(source, path=None, data=_NOT_HERE), note)
        why = f"{exc}; without its bytes the request is as it was"
    found: dict[str, Any] = msgspec.json.decode(request)
    return found, why


def _template(run: Run, job: int | None) -> Template:
    started = run.started
    assert started is not None
    cited, day = started.enable_citations, datetime.fromtimestamp(run.started_at / 1e6, UTC).date()
    model = dialect_of(started).model(started.model, day)
    route = run.route if job is None else run.jobs[job].route
    most = run.max_tokens if job is None else run.max_tokens_in(job)
    template = model.template(
        {**started.params, "max_tokens": most},
        route_of(started.response_schema, model, cited, route or started.output_route),
        started.prompt,
        cited,
    )
    return (
        template if started.cache is None or started.cache.level is None else template.caching(started.cache)
    )
