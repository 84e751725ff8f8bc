"""React to a refused schema: it goes into the prompt, or its items fail.

A provider takes a schema as an output format only within limits that are not all documented. With
`structured_output="auto"` the first refusal is a decision: from then on the schema is in the prompt, and what
was refused is sent again at once, as the refusal was not the item's fault and cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from batchata.core.events import Event, OutcomeRecorded, SchemaRouteChanged
from batchata.core.pages import Entry
from batchata.core.retry import SCHEMA_REFUSED
from batchata.core.state import Job, Run
from batchata.core.values import RequestError
from batchata.errors import BatchataError, RequestRefusedError
from batchata.logs import get_logger

_logger = get_logger()
_CURE = (
    "structured_output='native' has the provider take the schema as it is; give 'auto' or 'prompt' (it may "
    "change between starts), or a simpler response_model"
)


def meaning(run: Run, job: Job) -> Callable[[RequestError], RequestError]:
    """Return what an error about the schema means for the items of this job."""
    if job.route != "native":
        return lambda error: error
    if _is_final(run):
        return lambda error: RequestError(kind=error.kind, message=f"{error.message}; {_CURE}")
    return lambda error: RequestError(kind=SCHEMA_REFUSED, message=error.message)


def decided_by_results(run: Run, job: Job, recorded: Iterable[Entry]) -> list[Event]:
    """Return the decision, where one of these outcomes asks for it and it was not taken yet."""
    refusals = (event.error for event in recorded if isinstance(event, OutcomeRecorded))
    error = next((error for error in refusals if error is not None and error.kind == SCHEMA_REFUSED), None)
    return [] if error is None else _decided(run, job, error)


def decided_by_refusal(run: Run, job: Job, error: BatchataError) -> list[Event] | None:
    """Return the decision for a whole refused job; None where the refusal is not about the schema."""
    if not isinstance(error, RequestRefusedError) or not error.schema_refused:
        return None
    if job.route != "native" or _is_final(run):
        return None
    return _decided(run, job, RequestError(kind=SCHEMA_REFUSED, message=str(error)))


def cured(run: Run, job: Job, error: BatchataError) -> BatchataError:
    """Return the error of a schema that ends the run, with what to change; another error unchanged."""
    about = isinstance(error, RequestRefusedError) and error.schema_refused and job.route == "native"
    return RequestRefusedError(f"{error}; {_CURE}", kind=error.kind) if about and _is_final(run) else error


def _is_final(run: Run) -> bool:
    return run.settings is not None and run.settings.structured_output == "native"


def _decided(run: Run, job: Job, error: RequestError) -> list[Event]:
    if run.route != "native":
        return []
    name = None if run.started is None else run.started.run_id
    _logger.warning("schema_goes_into_the_prompt", run=name, job=job.number, error=error.message)
    return [SchemaRouteChanged(route="prompt", job=job.number, error=error)]
