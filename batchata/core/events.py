"""The facts and decisions that make up a run, as frozen values with literal type names.

A run flows through its log like this:

    run_started, items_added                      what is to be done
    submission_started                            the intent to send a job, with the cost reserved for it
    input_uploaded                                only where the provider takes a file first
    batch_submitted or submission_failed          what the create call came to,
      or submission_unknown, submission_settled   or what a look at the provider found later
    batch_polled                                  how far the batch is
    outcome_recorded, cost_charged                for each request: what came back, and what it cost
    job_completed, citations_checked              nothing of the job is left open
    retry_scheduled                               failed items wait for another job
    run_completed                                 every item is completed or failed

Between any two of these a start may end (run_interrupted, or nothing where it was killed) and another one
take the run up (run_resumed).

Times are integers: microseconds since 1970-01-01 UTC. Amounts of money are decimal strings in USD. Sets of
items are lists of `[first, last]` ranges of item indexes, both ends included, ascending.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from batchata.core.values import (
    CachePlan,
    Checked,
    Counts,
    Expected,
    Limits,
    Process,
    Ranges,
    RequestError,
    Settings,
    Usage,
)


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The base of all events. `TYPE` and `SCHEMA` name the shape for good; a new shape gets a new SCHEMA."""

    TYPE: ClassVar[str]
    SCHEMA: ClassVar[int] = 1


class RunStarted(Event, frozen=True, kw_only=True):
    """A run begins; everything that defines what is sent is in this event or in its `items_added`.

    `response_schema` is what answers must fit, `result_schema` how their values are written: by Python names.
    `key` is a fingerprint of the API key, which tells keys apart and reveals nothing; None when unknown. With
    `dedupe` identical items share one request. `cache` is None when caching is not asked for. `limits` are
    the provider's; a log without them is of a run that went to Anthropic.
    """

    TYPE: ClassVar[str] = "run_started"
    run_id: str
    tag: str
    provider: str
    base_url: str
    library_version: str
    model: str
    params: dict[str, Any]
    prompt: str | None
    response_model: str | None
    response_schema: dict[str, Any] | None
    result_schema: dict[str, Any] | None
    enable_citations: bool
    output_route: str
    input_kind: str
    input_count: int
    input_fingerprint: str
    settings: Settings
    process: Process
    key: str | None = None
    dedupe: bool = False
    cache: CachePlan | None = None
    limits: Limits | msgspec.UnsetType = msgspec.UNSET


class ItemsAdded(Event, frozen=True, kw_only=True):
    """Items `first` to `first + count - 1` belong to the run; item i has body `first_body + i - first`.

    `digest` is the fingerprint of all items up to the last of these. `same_as` has (item, earlier item) for
    each of these that shares the request of an earlier one, the first of its kind, which bears the cost.
    `keys` is a digest of the user's own ids of these items, which are in the bodies; unset without such ids.
    """

    TYPE: ClassVar[str] = "items_added"
    first: int
    count: int
    digest: str
    first_body: int
    same_as: list[tuple[int, int]] = []
    keys: str | msgspec.UnsetType = msgspec.UNSET


class ItemRefused(Event, frozen=True, kw_only=True):
    """The file of an item cannot be used: the item fails without being sent, and costs nothing.

    `error` says why. It stays so whatever becomes of the file, until the user asks for failed items again.
    """

    TYPE: ClassVar[str] = "item_refused"
    index: int
    error: RequestError


class ItemMended(Event, frozen=True, kw_only=True):
    """The file of a failed item has changed, and the user asked for failed items again.

    From here on the item's input is `body`; earlier answers are about the old file. It has a request of its
    own, unless it is now the same as the earlier item `same_as`, which changed too; so have the items that
    shared its request.
    """

    TYPE: ClassVar[str] = "item_mended"
    index: int
    body: int
    same_as: int | None = None


class ItemsChosen(Event, frozen=True, kw_only=True):
    """The decision to send only these items until the next such decision; None: all of them again.

    It was asked for as the first `limit` items, or as `sample` items spread over the input: the middle of
    each of so many parts, or with a `seed` an item drawn at random from each.
    """

    TYPE: ClassVar[str] = "items_chosen"
    items: Ranges | None
    limit: int | None = None
    sample: int | None = None
    seed: int | None = None


class RunResumed(Event, frozen=True, kw_only=True):
    """Another start took the run up; `changed` maps a setting to its old and new value.

    Besides the settings, `max_tokens` may change, for what is sent from then on, and `base_url` as long as no
    job is or may be a batch. `key` is the fingerprint of this start's API key, as in `run_started`.
    """

    TYPE: ClassVar[str] = "run_resumed"
    process: Process
    library_version: str
    changed: dict[str, tuple[Any, Any]]
    key: str | None = None


class SubmissionStarted(Event, frozen=True, kw_only=True):
    """The intent to send one job; from here until its answer is known, a batch may exist and cost money.

    The custom id of item i in the job is `custom_ids` with `{index}` replaced by i. `expected` is the
    estimate for its requests. `max_tokens` is the most that each answer may have; jobs without it have that
    of `run_started`, and an answer that was cut off in them was asked for again with a note. `prices` is the
    source of the user's own prices, if its costs are computed from these; unset where list prices hold.
    """

    TYPE: ClassVar[str] = "submission_started"
    job: int
    items: Ranges
    request_count: int
    bytes: int
    custom_ids: str
    reserved: str | None
    expected: Expected | None = None
    max_tokens: int | msgspec.UnsetType = msgspec.UNSET
    prices: str | msgspec.UnsetType = msgspec.UNSET


class BatchSubmitted(Event, frozen=True, kw_only=True):
    """The provider holds the job as a batch."""

    TYPE: ClassVar[str] = "batch_submitted"
    job: int
    batch_id: str
    created_at: int
    expires_at: int | None


class InputUploaded(Event, frozen=True, kw_only=True):
    """The provider holds the job's requests as a file under this handle; the create call comes only now.

    An upload is not billed, and may be repeated. A batch of this file is the job's.
    """

    TYPE: ClassVar[str] = "input_uploaded"
    job: int
    handle: str


class SubmissionFailed(Event, frozen=True, kw_only=True):
    """The job certainly became no batch; its items may be sent again from `not_before` on."""

    TYPE: ClassVar[str] = "submission_failed"
    job: int
    error: RequestError
    not_before: int


class BatchFailed(Event, frozen=True, kw_only=True):
    """The provider gave up the batch before any request of it ran: nothing was answered, nothing is billed.

    `submission_failed` follows and says from when on its items may be sent again. `passing` tells whether the
    same batch may be accepted later, or never.
    """

    TYPE: ClassVar[str] = "batch_failed"
    job: int
    batch_id: str
    error: RequestError
    passing: bool


class SubmittingStopped(Event, frozen=True, kw_only=True):
    """Nothing more is sent until the next start: it would be refused too. What is out is still collected."""

    TYPE: ClassVar[str] = "submitting_stopped"
    error: RequestError


class SubmissionUnknown(Event, frozen=True, kw_only=True):
    """The create call ended without an answer, or with one that named another's batch.

    Only a look at the provider shows whether a batch exists.
    """

    TYPE: ClassVar[str] = "submission_unknown"
    job: int
    error: RequestError


class SubmissionSettled(Event, frozen=True, kw_only=True):
    """An unknown submission became known: `verdict` is "adopted" (with its batch) or "absent".

    `looked_at` is when the look at the provider began that settled it. `surplus` are further batches with the
    same requests: a proxy or gateway repeated the call, and they are billed too.
    """

    TYPE: ClassVar[str] = "submission_settled"
    job: int
    verdict: str
    batch_id: str | None
    created_at: int | None
    expires_at: int | None
    looked_at: int
    evidence: str
    surplus: list[str] = []


class JobAbandoned(Event, frozen=True, kw_only=True):
    """The user gave up a job whose batch cannot be found or read any more: its open items wait again.

    Its batch may have been billed, so what it had reserved stays withheld.
    """

    TYPE: ClassVar[str] = "job_abandoned"
    job: int
    batch_id: str | None


class BatchPolled(Event, frozen=True, kw_only=True):
    """The provider said how far a batch is."""

    TYPE: ClassVar[str] = "batch_polled"
    job: int
    batch_id: str
    status: str
    counts: Counts


class CallFailed(Event, frozen=True, kw_only=True):
    """A call about these jobs failed and will be repeated from `not_before` on.

    `doing` is its purpose: "settle", "poll", "collect" or "cancel". Failed submissions have their own events,
    since they may have created a batch.
    """

    TYPE: ClassVar[str] = "call_failed"
    doing: str
    jobs: list[int]
    error: RequestError
    not_before: int


class SchemaRouteChanged(Event, frozen=True, kw_only=True):
    """The decision to ask for the answer's shape in another way from now on: "native" or "prompt".

    `job` is the one whose refusal led to it, with the provider's `error`; both are None where the user asked
    for it. Jobs that are out keep the way in which they were sent.
    """

    TYPE: ClassVar[str] = "schema_route_changed"
    route: str
    job: int | None
    error: RequestError | None


class OutcomeRecorded(Event, frozen=True, kw_only=True):
    """What became of one request. `error` is None only where the run's own reader accepted the answer.

    `kind` is the provider's word (succeeded, errored, canceled, expired, or one we do not know), "missing",
    or "refused" where the provider refused the batch because of this request: `submission_failed` follows. An
    answer replaces an earlier outcome of the same request that was not one: results may hold both, far apart.
    """

    TYPE: ClassVar[str] = "outcome_recorded"
    job: int
    index: int
    kind: str
    stop_reason: str | None
    error: RequestError | None
    usage: Usage | None
    body: int | None


class AnswerAccepted(Event, frozen=True, kw_only=True):
    """A stored answer of a failed item is its result: it was refused once, and is accepted today.

    Either the user asked for failed items again, and their answers are read again before others are paid for.
    Or the answer's own passages contradict it, another one was asked for, and none was better. `outcome` is
    the version of the `outcome_recorded` that has the answer, `body` its line.
    """

    TYPE: ClassVar[str] = "answer_accepted"
    job: int
    index: int
    outcome: int
    body: int


class StrayOutcomeRecorded(Event, frozen=True, kw_only=True):
    """A result line that belongs to no open request of its job.

    `reason` is "foreign", "repeated" or, for a line that is not JSON, "unreadable".
    """

    TYPE: ClassVar[str] = "stray_outcome_recorded"
    job: int
    custom_id: str
    reason: str
    kind: str
    body: int


class CostCharged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What one request cost: `amount` in USD, None without a known price; unit prices per million.

    Unit prices are those that were applied: of a batch, and with the surcharge that the source names. `ticks`
    are what the provider itself says that it charged, in units of 1e-10 USD, where prices give another amount
    or are unknown: then they are the amount, and no unit price was applied.
    """

    TYPE: ClassVar[str] = "cost_charged"
    job: int
    index: int
    amount: str | None
    input_tokens: int
    output_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    cache_read_tokens: int
    unit_prices: dict[str, str]
    price_source: str
    web_search_requests: int = 0
    ticks: int = 0


class JobCompleted(Event, frozen=True, kw_only=True):
    """Every request of the job has an outcome; counts by kind, and of lines that belonged nowhere."""

    TYPE: ClassVar[str] = "job_completed"
    job: int
    batch_id: str
    outcomes: dict[str, int]
    strays: dict[str, int]


class CitationsChecked(Event, frozen=True, kw_only=True):
    """The citations of a job's answers were looked up in the documents, as these were when it was collected.

    The log does not hold documents that were given as files: they may be gone or changed later. `answers` are
    those that were checked: with citations, and a document that was still the one that was sent.
    """

    TYPE: ClassVar[str] = "citations_checked"
    job: int
    answers: list[Checked]


class RetryScheduled(Event, frozen=True, kw_only=True):
    """The decision to pay for another attempt. `attempt` is its number; 1 begins a fresh set of attempts.

    `job` is the job whose outcomes led to it, None when the user asked for it. `delay` is the backoff with
    its jitter, in seconds, from which `not_before` follows. With `max_tokens` the answers to these items may
    have so many from now on, unless the run's own limit is higher.
    """

    TYPE: ClassVar[str] = "retry_scheduled"
    job: int | None
    items: Ranges
    attempt: int
    not_before: int
    reason: str
    delay: float = 0.0
    max_tokens: int | msgspec.UnsetType = msgspec.UNSET


class CostLimitReached(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Nothing more fits into `max_cost`: amounts in USD, `needed` is what the next item would reserve.

    `withheld` is the worst case of requests of completed jobs whose cost is not known. `needed_for_all` is
    what all pending items would reserve together.
    """

    TYPE: ClassVar[str] = "cost_limit_reached"
    limit: str
    spent: str
    reserved: str
    withheld: str
    needed: str | None
    needed_for_all: str | None = None


class BatchCancelRequested(Event, frozen=True, kw_only=True):
    """The provider was asked to cancel a batch; what it had finished is still collected."""

    TYPE: ClassVar[str] = "batch_cancel_requested"
    job: int
    batch_id: str
    reason: str


class BodiesPurged(Event, frozen=True, kw_only=True):
    """The bodies numbered below `bodies`, inputs and answers, were removed on request; their hashes stay."""

    TYPE: ClassVar[str] = "bodies_purged"
    bodies: int
    process: Process


class RunInterrupted(Event, frozen=True, kw_only=True):
    """A start of the run ended before all items were done; the next start continues.

    `reason` is "keyboard", "terminated", "detached", "cancelled", "max_wait_time", "cost_limit", "pilot" (all
    that were chosen are done) or "error".
    """

    TYPE: ClassVar[str] = "run_interrupted"
    reason: str
    error: RequestError | None
    pending_items: int


class RunCompleted(Event, frozen=True, kw_only=True):
    """Every item is completed or failed. `total_cost` is None when a price was unknown."""

    TYPE: ClassVar[str] = "run_completed"
    completed_items: int
    failed_items: int
    total_cost: str | None
