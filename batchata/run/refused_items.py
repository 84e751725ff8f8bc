"""Find the item that a whole job was refused for: without it, the others can be sent."""

from __future__ import annotations

import re

from batchata.core.error_kinds import TOO_LARGE
from batchata.core.state import Job
from batchata.errors import BatchataError, RequestRefusedError

MOST_REFUSED = 10  # items that jobs are refused for, one after another, before it seems to be all of them


def refused_item(job: Job, error: BatchataError) -> int | None:
    """Return the item that a whole job is refused for: the one that the refusal names, or its only one."""
    if not isinstance(error, RequestRefusedError):
        return None
    if error.kind == TOO_LARGE and job.request_count == 1:
        return next(job.indexes())
    if (named := item_at(job, error.position)) is not None:
        return named
    # A custom id belongs to one request: an error that quotes it means that request.
    quoted = re.search(re.escape(job.custom_ids).replace(re.escape("{index}"), r"(\d+)"), str(error))
    return int(quoted[1]) if quoted is not None and int(quoted[1]) in set(job.indexes()) else None


def item_at(job: Job, position: int | None) -> int | None:
    """Return the item whose request has this place in the job; None where there is no such place."""
    if position is None or not 0 <= position < job.request_count:
        return None
    return list(job.indexes())[position]


def named_among(error: BatchataError, place: str) -> RequestRefusedError:
    """Return the refusal that repeats, one item after another."""
    return RequestRefusedError(
        f"{MOST_REFUSED} items were refused one after another and have failed; {place} was next: {error}",
        kind=error.kind,
    )
