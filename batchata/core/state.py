"""The state of one run, as folded from its events: a record per job, and totals; items are in columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum, StrEnum

from batchata.core import ranges
from batchata.core.accuracy import Accuracy
from batchata.core.events import ItemsChosen, RunStarted
from batchata.core.item_columns import Items, Requeued
from batchata.core.money import EXACT, Sum, sum_of
from batchata.core.values import Counts, Expected, Limits, Ranges, RequestError, Settings, Usage, known

_LIMITS = Limits()  # of runs that do not say


class ItemStatus(IntEnum):
    """Where an item stands. Everything below COMPLETED counts as pending."""

    FRESH = 0  # never part of a job
    SENT = 1  # in a job whose outcome for it is not known
    UNDECIDED = 2  # its last answer is unusable, and its job is still being collected
    WAITING = 3  # to be sent again
    COMPLETED = 4
    FAILED = 5


class JobStatus(StrEnum):
    """Where a job stands."""

    STARTED = "started"  # the intent is written; whether a batch exists is unknown
    UNKNOWN = "unknown"  # the create call ended without an answer
    SUBMITTED = "submitted"  # the provider works on it
    ENDED = "ended"  # the provider is done; results are to be collected
    COMPLETED = "completed"
    FAILED = "failed"  # it never became a batch
    ABANDONED = "abandoned"  # the user gave it up: its batch cannot be found or read


type Tariff = tuple[str, tuple[tuple[str, str], ...]]

# Outcomes whose cost is known: that of an answer is charged, the others are free.
SETTLED_KINDS = frozenset({"succeeded", "errored", "canceled", "expired"})

UNSETTLED = (JobStatus.STARTED, JobStatus.UNKNOWN)
OPEN = (*UNSETTLED, JobStatus.SUBMITTED, JobStatus.ENDED)


@dataclass(slots=True)
class Failing:
    """A kind of call that has been failing since `since`: how often, why, and when it is repeated.

    Calls that failed side by side count as one failure.
    """

    since: int
    times: int
    error: RequestError
    again: int


@dataclass(slots=True)
class Job:
    """One job: what it holds, the batch it became, and how far it is."""

    number: int
    items: Ranges
    request_count: int
    custom_ids: str
    reserved: Decimal | None
    started_at: int
    key: str | None  # the fingerprint of the API key it was sent with
    alone_since: int  # from then on no process was sending it; until then it may still become a batch
    start: int = 0  # the number of the start that sent it: times by our clock compare only within one
    alone_in: int = 0  # … and of the one by whose clock `alone_since` is
    expected: Expected | None = None
    bytes: int = 0
    route: str = ""  # how the answers' shape was asked for: "text", "native" or "prompt"
    max_tokens: int | None = None  # of each answer; None in logs that had one limit for the whole run
    status: JobStatus = JobStatus.STARTED
    upload: str | None = None  # the file of its requests at the provider, where one comes before the batch
    batch_id: str | None = None
    created_at: int | None = None  # by the provider's clock
    submitted_at: int | None = None  # by ours
    is_adopted: bool = False  # found later, without an answer to its creation
    is_misnamed: bool = False  # the answer to its creation named a batch that turned out to be another's
    is_confused: bool = False  # … or one that another job has: the answers to both may have been confused
    expires_at: int | None = None
    polled_at: int | None = None
    completed_at: int | None = None
    not_before: int = 0  # after a failed call: no call about this job before
    counts: Counts | None = None
    short_reads: int = 0  # downloads of its results that ended early or lacked lines
    missed: int = 0  # calls about its batch that ended in a 404, one after another …
    missed_since: int | None = None  # … since then
    looks: int = 0  # looks for the batch of a lost submission that settled nothing …
    unreadable: int = 0  # … and found batches that have ended and cannot be read
    recorded: int = 0
    charged: Sum = field(default_factory=Sum)
    unpriced: int = 0  # charges whose amount is unknown
    unmeasured: int = 0  # … because what was used could not be read
    answers: int = 0  # charges
    used: tuple[int, int] = (0, 0)  # input tokens of all kinds, output tokens
    cached: bool = False  # whether an answer wrote or read a cached beginning
    running_at: int = 0  # when it was last known not to have ended
    cancel_requested: bool = False
    bodies: Ranges = field(default_factory=list)  # its result lines, in the order received
    undecided: dict[int, str] = field(default_factory=dict)  # index -> why its answer is unusable
    outcomes: dict[str, int] = field(default_factory=dict)
    # index -> kind of its outcome, where that is not an answer: one that follows it takes its place
    unanswered: dict[int, str] = field(default_factory=dict)
    checks: tuple[int, ...] = ()  # versions of the events that say what its citations were found to be

    def custom_id(self, index: int) -> str:
        """Return the custom id under which item `index` travels in this job."""
        return self.custom_ids.replace("{index}", str(index))

    @property
    def mark(self) -> str:
        """What its custom ids have in common with each other and with no other job's."""
        return self.custom_ids.replace("{index}", "").rstrip("-")

    def indexes(self) -> Iterator[int]:
        """Yield the indexes of the job's items, in the order they are sent."""
        return ranges.iterate(self.items)

    @property
    def cost(self) -> Decimal:
        """What the job has cost so far in USD, as far as prices are known."""
        return self.charged.value

    @property
    def uncertain(self) -> bool:
        """Whether its requests may have cost something that no charge records."""
        return bool(self.unpriced or self.outcomes.keys() - SETTLED_KINDS)

    @property
    def held(self) -> Decimal:
        """What is left of the job's reservation: still owed in the worst case (USD)."""
        if self.status not in OPEN or self.reserved is None:
            return Decimal(0)
        return max(EXACT.subtract(self.reserved, self.cost), Decimal(0))

    @property
    def known_cost(self) -> Decimal | None:
        """What the job has cost so far in USD, None when a price was unknown."""
        return None if self.unpriced else self.cost


def _none_used() -> dict[str, int]:
    return dict.fromkeys(Usage.__struct_fields__, 0)


@dataclass(slots=True, eq=False)
class Run:
    """The state of one run. Changed only by `evolve`, event by event."""

    version: int = 0
    started: RunStarted | None = None
    settings: Settings | None = None
    max_tokens: int = 0  # what an answer may have at most, as the last start said
    route: str = ""  # how the shape of answers is asked for from now on: "text", "native" or "prompt"
    schema_refusal: tuple[int, RequestError] | None = None  # the job and the words that led to it
    base_url: str = ""  # where requests go; it may change as long as nothing can have arrived there
    key: str | None = None  # the fingerprint of the API key of the last start
    status: str = "empty"  # running | interrupted | completed
    started_at: int = 0
    resumed_at: int = 0  # when the last process took the run up; the first start does not count
    starts: int = 0  # processes that took the run up, the first included; each may have another clock
    updated_at: int = 0
    items: Items = field(default_factory=Items)
    # (First index, number of its input body)
    first_bodies: list[tuple[int, int]] = field(default_factory=list)
    fingerprint: str = ""
    # Item whose file could not be used -> the version that says so
    refused: dict[int, int] = field(default_factory=dict)
    mended: dict[int, int] = field(default_factory=dict)  # item -> the body that holds its input since
    jobs: dict[int, Job] = field(default_factory=dict)
    open: dict[int, Job] = field(default_factory=dict)
    # Job -> the items it was the first to carry
    chunks: dict[int, tuple[int, int]] = field(default_factory=dict)
    next_fresh: int = 0
    requeued: Requeued = field(default_factory=Requeued)
    completed: int = 0
    failed: int = 0
    retries: int = 0
    retry_reason: str | None = None  # of the last decision to send something again
    jobs_completed: int = 0
    charged: Sum = field(default_factory=Sum)
    unpriced: int = 0  # charges whose amount is unknown
    unmeasured: int = 0  # … because what was used could not be read
    withheld: Decimal = Decimal(0)  # of reservations: for requests that may have cost something unknown
    usage: dict[str, int] = field(default_factory=_none_used)
    # What was used at which prices: (source, unit prices by kind) -> how many of each kind.
    ledger: dict[Tariff, dict[str, int]] = field(default_factory=dict)
    given_prices: str | None = None  # the source of prices that the user gave for the last jobs that had some
    ticks: int = 0  # that the provider itself said it charged, of 1e-10 USD each …
    stated: dict[str, int] = field(default_factory=_none_used)  # … for so much of what was used
    accuracy: Accuracy = field(default_factory=Accuracy)
    cached_at: int = 0  # when the cached beginning was last known to be used
    cold_jobs: int = 0  # completed jobs with answers none of which used a cache
    strays: dict[str, int] = field(default_factory=dict)
    choice: ItemsChosen | None = None  # the last decision to send some of the items, or all again
    limit_reached: bool = False
    needed: Decimal | None = None  # the limit with which the next item would have been sent
    needed_for_all: Decimal | None = None  # … and with which all that were pending
    sending_ended: RequestError | None = None  # why nothing more is sent in this start
    most_bytes: int | None = None  # of a job: what was refused as too large was twice as large
    interrupted_by: str | None = None
    polls: int = 0
    # By what was to be done: submit, settle, poll, collect, cancel
    failing: dict[str, Failing] = field(default_factory=dict)
    purged: int = 0  # bodies numbered below this were removed

    @property
    def total(self) -> int:
        """All items."""
        return len(self.items)

    @property
    def pending(self) -> int:
        """Items that are neither completed nor failed."""
        return self.total - self.completed - self.failed

    @property
    def reserved(self) -> Decimal:
        """What the open jobs may still cost at worst, in USD."""
        return sum_of(job.held for job in self.open.values())

    @property
    def spent(self) -> Decimal:
        """What the run has cost so far in USD, as far as prices are known."""
        return self.charged.value

    @property
    def total_cost(self) -> Decimal | None:
        """What the run has cost so far in USD, None when a price was unknown."""
        return None if self.unpriced else self.spent

    @property
    def limits(self) -> Limits:
        """Those of the run's provider."""
        return _LIMITS if self.started is None else known(self.started.limits) or _LIMITS

    def family(self, index: int) -> tuple[int, ...]:
        """Return the item and those that share its request."""
        return (index, *self.items.copies.get(index, ()))

    def max_tokens_of(self, index: int) -> int:
        """Return the `max_tokens` of the item's next request."""
        return max(self.max_tokens, self.items.raised.get(index, 0))

    def max_tokens_in(self, number: int) -> int:
        """Return the `max_tokens` that each request of this job had."""
        said = self.jobs[number].max_tokens if number in self.jobs else None
        if said is not None:
            return said
        return 0 if self.started is None else int(self.started.params.get("max_tokens", 0))

    @property
    def is_anything_out(self) -> bool:
        """Whether any of its jobs is, or may be, a batch at the provider.

        A job that was given up before any batch of it was found does not count.
        """
        over = (JobStatus.FAILED, JobStatus.ABANDONED)
        return any(job.batch_id or job.status not in over for job in self.jobs.values())

    @property
    def chosen(self) -> Ranges | None:
        """The items that may be sent, all others being held back; None where all may be."""
        return None if self.choice is None else self.choice.items

    @property
    def is_pilot_done(self) -> bool:
        """Whether all chosen items have their results or have failed, nothing is open, and others wait."""
        if self.chosen is None or self.open or not self.pending:
            return False
        done = (ItemStatus.COMPLETED, ItemStatus.FAILED)
        return all(self.items.status[index] in done for index in ranges.iterate(self.chosen))

    def may_send(self, index: int) -> bool:
        """Whether the item, or one that shares its request, is one of those that may be sent."""
        chosen = self.chosen
        return chosen is None or any(ranges.holds(chosen, each) for each in self.family(index))

    def jobs_with(self, *statuses: JobStatus) -> list[Job]:
        """Return the open jobs with one of these statuses."""
        return [job for job in self.open.values() if job.status in statuses]

    def input_body(self, index: int) -> int:
        """Return the number of the body that holds the item's input."""
        if index in self.mended:
            return self.mended[index]
        return self.first_body(index)

    def first_body(self, index: int) -> int:
        """Return the number of the body that holds the item's input as it was when added."""
        first, body = next(pair for pair in reversed(self.first_bodies) if pair[0] <= index)
        return body + index - first
