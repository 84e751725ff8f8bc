"""Say each event in a sentence: the facts that matter to a reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import UnsetType

from batchata.core import events as e
from batchata.core import ranges
from batchata.core.events import Event
from batchata.core.values import Counts, Process, Ranges, RequestError, Usage, known, tally
from batchata.providers.address import redacted
from batchata.text import by_kind, item_ranges, moment, number_of, short, usage_in_words, usd


def sentence(event: Event) -> str:
    """Write the facts of the event that matter to a reader, on one line."""
    return _SENTENCES[type(event)](event)


def _run_started(event: e.RunStarted) -> str:
    place = f" at {redacted(event.base_url)}" if event.base_url else ""
    return (
        f"{number_of(event.input_count, 'item')} of {event.input_kind} for {event.model}{place}; "
        f"{_who(event.process)}, batchata {event.library_version}"
    )


def _items_added(event: e.ItemsAdded) -> str:
    return _items([(event.first, event.first + event.count - 1)] if event.count else [])


def _item_refused(event: e.ItemRefused) -> str:
    return f"item {event.index}: fails without being sent: {_error(event.error)}"


def _item_mended(event: e.ItemMended) -> str:
    shared = "" if event.same_as is None else f", the same as that of item {event.same_as}"
    return f"item {event.index}: its file has changed and is read again{shared}"


def _items_chosen(event: e.ItemsChosen) -> str:
    if event.items is None:
        return "all items may be sent again"
    drawn = "" if event.seed is None else f" drawn with seed {event.seed}"
    how = f"the first {event.limit:,}" if event.sample is None else f"a sample of {event.sample:,}{drawn}"
    return f"only {_items(event.items)} may be sent for now: {how}"


def _answer_accepted(event: e.AnswerAccepted) -> str:
    return (
        f"item {event.index} in job {event.job}: its answer (event {event.outcome}) was read again and is "
        "accepted, at no cost"
    )


def _run_resumed(event: e.RunResumed) -> str:
    changed = ", ".join(f"{name} {old} -> {new}" for name, (old, new) in event.changed.items())
    return f"{_who(event.process)}, batchata {event.library_version}; {changed or 'same settings'}"


def _submission_started(event: e.SubmissionStarted) -> str:
    reserved = "nothing reserved (no price)" if event.reserved is None else f"{usd(event.reserved)} reserved"
    limit = _tokens(event.max_tokens)
    return f"job {event.job}: {_items(event.items)}, {event.bytes:,} bytes, {reserved}{limit}"


def _batch_submitted(event: e.BatchSubmitted) -> str:
    expires = "" if event.expires_at is None else f", expires {moment(event.expires_at)}"
    return f"job {event.job}: {event.batch_id}{expires}"


def _submission_failed(event: e.SubmissionFailed) -> str:
    return f"job {event.job}: no batch: {_error(event.error)}; again from {moment(event.not_before)}"


def _input_uploaded(event: e.InputUploaded) -> str:
    return f"job {event.job}: its requests are uploaded as {short(event.handle)}; no batch yet"


def _batch_failed(event: e.BatchFailed) -> str:
    when = "it may be accepted later" if event.passing else "it would fail again"
    return f"job {event.job}: {event.batch_id} failed, nothing was billed: {_error(event.error)}; {when}"


def _schema_route_changed(event: e.SchemaRouteChanged) -> str:
    where = {"prompt": "goes into the prompt", "native": "is sent as an output format"}.get(
        event.route, f"is sent by {short(event.route)}"
    )
    why = "as asked" if event.error is None else f"job {event.job}: {_error(event.error)}"
    return f"the schema {where} from now on; {why}"


def _submitting_stopped(event: e.SubmittingStopped) -> str:
    return f"nothing more is sent in this start: {_error(event.error)}"


def _submission_unknown(event: e.SubmissionUnknown) -> str:
    return f"job {event.job}: a batch may or may not exist: {_error(event.error)}"


def _submission_settled(event: e.SubmissionSettled) -> str:
    batch = "" if event.batch_id is None else f" {event.batch_id}"
    surplus = f"; the same requests are also in {', '.join(event.surplus)}" if event.surplus else ""
    return f"job {event.job}: {event.verdict}{batch}: {event.evidence}{surplus}"


def _job_abandoned(event: e.JobAbandoned) -> str:
    return f"job {event.job}: given up by the user ({event.batch_id or 'no batch known'})"


def _batch_polled(event: e.BatchPolled) -> str:
    counts = {kind: getattr(event.counts, kind) for kind in Counts.__struct_fields__}
    return f"job {event.job}: {event.status}: {by_kind(counts)}"


def _call_failed(event: e.CallFailed) -> str:
    jobs = ", ".join(map(str, event.jobs))
    return f"{event.doing} of {'job' if len(event.jobs) == 1 else 'jobs'} {jobs}: {_error(event.error)}"


def _outcome_recorded(event: e.OutcomeRecorded) -> str:
    kind = event.kind if event.stop_reason is None else f"{event.kind} ({event.stop_reason})"
    error = "" if event.error is None else f": {_error(event.error)}"
    return f"job {event.job}, item {event.index}: {kind}{error}"


def _stray_outcome_recorded(event: e.StrayOutcomeRecorded) -> str:
    return f"job {event.job}: {event.reason} result, {event.kind}, for custom id {short(event.custom_id)}"


def _cost_charged(event: e.CostCharged) -> str:
    used = {kind: getattr(event, kind) for kind in Usage.__struct_fields__}
    return f"job {event.job}, item {event.index}: {usd(event.amount)}: {usage_in_words(used) or 'nothing'}"


def _job_completed(event: e.JobCompleted) -> str:
    strays = f"; strays: {by_kind(event.strays)}" if event.strays else ""
    return f"job {event.job}: {by_kind(event.outcomes)}{strays}"


def _citations_checked(event: e.CitationsChecked) -> str:
    told = by_kind(tally(event.answers)) or "none"
    return f"job {event.job}: citations of {number_of(len(event.answers), 'answer')} looked up: {told}"


def _retry_scheduled(event: e.RetryScheduled) -> str:
    when, limit = moment(event.not_before), _tokens(event.max_tokens)
    return f"{_items(event.items)}: attempt {event.attempt} from {when}: {event.reason}{limit}"


def _tokens(max_tokens: int | UnsetType) -> str:
    limit = known(max_tokens)
    return "" if limit is None else f", at most {limit:,} tokens an answer"


def _cost_limit_reached(event: e.CostLimitReached) -> str:
    held = f"{usd(event.spent)} spent and {usd(event.reserved)} reserved"
    if event.withheld != "0":
        held = f"{usd(event.spent)} spent, {usd(event.reserved)} reserved and {usd(event.withheld)} withheld"
    more = "" if event.needed_for_all is None else f", all that are pending {usd(event.needed_for_all)}"
    return f"{held} of {usd(event.limit)}; the next item needs {usd(event.needed)}{more}"


def _batch_cancel_requested(event: e.BatchCancelRequested) -> str:
    return f"job {event.job}: {event.batch_id}: {short(event.reason)}"


def _bodies_purged(event: e.BodiesPurged) -> str:
    return f"{number_of(event.bodies, 'body', 'bodies')} removed by {_who(event.process)}"


def _run_interrupted(event: e.RunInterrupted) -> str:
    why = event.reason if event.error is None else f"error: {short(event.error.message)}"
    return f"{why}; {number_of(event.pending_items, 'item')} pending"


def _run_completed(event: e.RunCompleted) -> str:
    return f"{event.completed_items:,} completed, {event.failed_items:,} failed, cost {usd(event.total_cost)}"


def _items(items: Ranges) -> str:
    return f"{number_of(ranges.count(items), 'item')} ({item_ranges(items)})"


def _who(process: Process) -> str:
    return f"process {process.pid} on {process.host}"


def _error(error: RequestError) -> str:
    return f"{error.kind}: {short(error.message)}"


_SENTENCES: dict[type[Event], Callable[[Any], str]] = {
    e.RunStarted: _run_started,
    e.ItemsAdded: _items_added,
    e.ItemRefused: _item_refused,
    e.ItemMended: _item_mended,
    e.ItemsChosen: _items_chosen,
    e.AnswerAccepted: _answer_accepted,
    e.RunResumed: _run_resumed,
    e.SubmissionStarted: _submission_started,
    e.BatchSubmitted: _batch_submitted,
    e.InputUploaded: _input_uploaded,
    e.SubmissionFailed: _submission_failed,
    e.BatchFailed: _batch_failed,
    e.SubmittingStopped: _submitting_stopped,
    e.SubmissionUnknown: _submission_unknown,
    e.SubmissionSettled: _submission_settled,
    e.JobAbandoned: _job_abandoned,
    e.BatchPolled: _batch_polled,
    e.CallFailed: _call_failed,
    e.SchemaRouteChanged: _schema_route_changed,
    e.OutcomeRecorded: _outcome_recorded,
    e.StrayOutcomeRecorded: _stray_outcome_recorded,
    e.CostCharged: _cost_charged,
    e.JobCompleted: _job_completed,
    e.CitationsChecked: _citations_checked,
    e.RetryScheduled: _retry_scheduled,
    e.CostLimitReached: _cost_limit_reached,
    e.BatchCancelRequested: _batch_cancel_requested,
    e.BodiesPurged: _bodies_purged,
    e.RunInterrupted: _run_interrupted,
    e.RunCompleted: _run_completed,
}
