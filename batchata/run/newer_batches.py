"""Find batches of the run that its log does not know: then the log is an older copy of itself.

Such a copy would send, and pay for, what a newer state of the log has sent. Only what is seen counts: a list
that cannot be read, or does not reach as far as such a batch, proves nothing and holds nothing up.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass

from batchata.core.state import Run
from batchata.errors import BatchataError, LogError
from batchata.providers.port import Client
from batchata.run.reports import LookedForNewer, Put

_HOUR = 3600 * 1_000_000  # by which the clocks may be apart
_NAMED = 20  # batches of one message


@dataclass(frozen=True, slots=True)
class Known:
    """What the log knows: the beginning of all its marks, the marks of its jobs, their batches.

    `since` is when the newest of these was created, by the provider's clock: batches that the log does not
    know are newer. They are so no longer once the run went on in spite of them.
    """

    tag: str
    since: int
    marks: frozenset[str]
    batches: frozenset[str]


def known_to(run: Run, let_go: AbstractSet[str]) -> Known:
    """Describe what the log knows; what the user has `let_go` counts as known."""
    assert run.started is not None
    jobs = run.jobs.values()
    return Known(
        tag=run.started.tag,
        since=max((job.created_at for job in jobs if job.created_at), default=run.started_at - _HOUR),
        marks=frozenset(job.mark for job in jobs),
        batches=frozenset(job.batch_id for job in jobs if job.batch_id) | let_go,
    )


def look(provider: Client, known: Known, put: Put) -> None:
    """Look through the newest batches for some of the run that the log does not know."""
    found: dict[str, None] = {}
    with suppress(BatchataError):  # the run went on without such a look before there was one
        for batch_id, sign in provider.signs(known.since, known.batches):
            if _is_of_newer_job(sign, known):
                found[batch_id] = None
    put(LookedForNewer(list(found)))


def _is_of_newer_job(sign: str, known: Known) -> bool:
    """Whether a mark or a custom id is of a job of the run, and of none in the log.

    A lost submission of a job that is in the log is looked for elsewhere.
    """
    if not sign.startswith(f"{known.tag}-") or sign in known.marks:
        return False
    return not any(sign.startswith(f"{mark}-") for mark in known.marks)


def outdated(batches: Sequence[str]) -> LogError:
    """Say that the log is an older copy, and what to do."""
    named = ", ".join(batches[:_NAMED])
    more = f" and {len(batches) - _NAMED} more" if len(batches) > _NAMED else ""
    return LogError(
        f"this log is older than its run: a newer state of it has sent {named}{more}, of which this copy "
        "knows nothing, so what it would send now may be paid for already. Nothing more was sent. Go on with "
        f"the newest copy of the log. Only if there is none any more, call manager.abandon({batches[0]!r}) "
        "before run(), once for each of these batches: it lets what they hold be sent, and paid, again"
    )
