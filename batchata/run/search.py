"""Search the provider for the batch that a submission without an answer may have created."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from batchata.errors import BatchNotFoundError, IncompleteResultsError, UnreadableReplyError
from batchata.providers.exchange import Batch, Upload
from batchata.providers.port import Client
from batchata.run.reports import Put, Sought

_ENOUGH_TO_TELL = 1_000  # result lines, none of them ours, that make a batch another's


@dataclass(frozen=True, slots=True)
class Lost:
    """A submission with an unknown outcome, and what a batch of it would look like.

    It was created between `since` and `until` (None: unknown), in microseconds by the provider's clock. By
    our clock it was sent within `about`, when the provider's was ahead by one of `ahead`, if any is known.
    `asked_at` is the present by our clock. `not_ours` are batches known to belong to another job or run.
    `same_key` says that it was sent with today's key; if not, only a batch of the run that is still visible
    (`anchors`, newest first) shows that this is the workspace it was sent to.
    """

    job: int
    asked_at: int
    custom_ids: Sequence[str]
    since: int
    until: int | None
    about: tuple[int, int]
    ahead: Sequence[int]
    not_ours: frozenset[str]
    same_key: bool
    anchors: Sequence[str]
    upload: Upload


def settle(provider: Client, lost: Lost, put: Put) -> None:
    """Look for a batch that the lost submission may have created.

    A batch shows its custom ids only once it has ended; until then a batch of the right time and perhaps the
    right size counts as undecided.
    """
    found, doubt = _candidates(provider, lost)
    proven: list[Batch] = []
    others: dict[str, list[str]] = {"running": [], "unreadable": [], "stranger": []}
    for batch in found:
        verdict = _whose(provider, batch, lost.custom_ids)
        if verdict == "ours":
            proven.append(batch)
        else:
            others[verdict].append(batch.batch_id)
    if doubt is not None and not (proven or others["running"]):
        raise doubt  # the job's batch may be among what cannot be read
    same_place = bool(proven) or lost.same_key or _sees_any(provider, lost.anchors)
    proven.sort(key=lambda batch: batch.created_at)
    put(
        Sought(
            job=lost.job,
            looked_at=lost.asked_at,
            proven=proven,
            running=others["running"],
            unreadable=others["unreadable"],
            strangers=others["stranger"],
            same_place=same_place,
        )
    )


def _candidates(provider: Client, lost: Lost) -> tuple[list[Batch], UnreadableReplyError | None]:
    """Yield the batches that may be the job's, and why there may be more that cannot be read."""
    found: list[Batch] = []
    try:
        for batch in provider.find(lost.since, len(lost.custom_ids), lost.upload):
            is_anothers = batch.batch_id in lost.not_ours
            if batch.is_marked or (not is_anothers and _may_be(batch, lost, provider.clock)):
                found.append(batch)
    except UnreadableReplyError as exc:
        return found, exc
    return found, None


def _may_be(batch: Batch, lost: Lost, clock: int | None) -> bool:
    """Return whether it was created in time and, where its counts speak against it, near the time of sending.

    Where the time is unknown, the results of everything that a workspace has ever sent would be fetched
    otherwise. `clock` is the provider's time: the list read here may be the first reply that shows it.
    """
    if lost.until is not None and batch.created_at > lost.until:
        return False
    if not batch.ended or batch.size in (0, len(lost.custom_ids)) or not batch.created_at:
        return True
    ahead = lost.ahead or [0, (clock or lost.asked_at) - lost.asked_at]
    first, last = lost.about
    return first + min(ahead) <= batch.created_at <= last + max(ahead)


def _whose(provider: Client, batch: Batch, custom_ids: Sequence[str]) -> str:
    """Judge whose batch it is by the first thousand result lines: a single line may be a stray one.

    Foreign lines alone prove nothing where they are not as many as the requests: our own may be missing, or
    the download may have ended early. Where there are no results any more, the counts decide.
    """
    if batch.is_marked:
        return "ours"
    if not batch.ended:
        return "running"
    ours, seen = frozenset(custom_ids), set[str]()
    try:
        for outcomes in provider.outcomes(batch.batch_id):
            seen.update(outcome.custom_id for outcome in outcomes if outcome.custom_id)
            if not seen.isdisjoint(ours):
                return "ours"
            if len(seen) >= _ENOUGH_TO_TELL:
                return "stranger"
    except BatchNotFoundError:
        return "unreadable" if batch.size in (0, len(ours)) else "stranger"
    except IncompleteResultsError:
        return "unreadable"
    # 0 where the counts cannot be read: then a single foreign line could seem to be all
    return "stranger" if len(seen) == batch.size > 0 else "unreadable"


def _sees_any(provider: Client, batch_ids: Sequence[str]) -> bool:
    """Whether a batch of the run is visible: a key sees the batches of its own workspace only."""
    return any(provider.poll([batch_id], 0) for batch_id in batch_ids)
