"""Check what must hold of a run's events beyond their order: counts, money, and time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from batchata.core import events as e
from batchata.core import ranges
from batchata.core.accounts import owed, room
from batchata.core.evolve import MISFITS, evolve
from batchata.core.money import EXACT, MILLION, PICO_DIGITS, PICOS_A_TICK, amount_of, plain, sum_of
from batchata.core.pricing import MOST_SEARCHES, MOST_TICKS, MOST_TOKENS, quantities
from batchata.core.state import ItemStatus, Run
from batchata.core.values import Usage, known

_MOST_PRICE = 10**9  # USD per million; what is taken as a price is at most that
_CLOCK_MARGIN = 60_000_000  # microseconds by which two machines' clocks may differ


class Audit:
    """Folds the events of one run, one by one, and reports what does not hold.

    `now` is the present, in microseconds since 1970 UTC: nothing can have happened after it.
    """

    def __init__(self, now: int) -> None:
        self.run = Run()
        self._latest = now + _CLOCK_MARGIN
        self.ahead: tuple[int, int] | None = None  # version and time of the first event from the future
        self._batches: dict[str, int] = {}  # batch id -> job
        self._uncharged: dict[tuple[int, int], Usage | None] = {}  # answered requests: (job, item)
        self._refused: set[tuple[int, int, int, int | None]] = set()  # answers: (version, job, item, body)
        self._version = 0
        self._broken = False

    def take(self, version: int, at: int, event: e.Event) -> list[str]:
        """Return what is wrong with the next event, one sentence each, without its version."""
        if self._broken:
            return []
        found: list[str] = []
        try:
            found.extend(self._before(version, at, event))
            evolve(self.run, version, at, event)
        except MISFITS:
            # Nothing after it can be judged.
            self._broken = True
            return [*found, "it does not fit the events before it; what follows cannot be replayed"]
        return [*found, *self._after(event)]

    def end(self) -> list[str]:
        """Return what does not add up in the state after the last event."""
        if self._broken:
            return []
        run = self.run
        statuses = run.items.status
        found = []
        for word, status, counted in (
            ("completed", ItemStatus.COMPLETED, run.completed),
            ("failed", ItemStatus.FAILED, run.failed),
        ):
            if statuses.count(status) != counted:
                found.append(f"{counted} items count as {word}, {statuses.count(status)} items are")
        by_job = sum_of(job.cost for job in run.jobs.values())
        by_item = sum_of(run.items.cost(index) or Decimal(0) for index in range(run.total))
        if by_job != run.spent:
            found.append(f"the jobs cost ${plain(by_job)} together, the run ${plain(run.spent)}")
        if not run.unpriced and by_item != run.spent:
            found.append(f"the items cost ${plain(by_item)} together, the run ${plain(run.spent)}")
        return found

    def _before(self, version: int, at: int, event: e.Event) -> Iterator[str]:
        """Check against the state before the event."""
        if at > self._latest and self.ahead is None:
            self.ahead = version, at
        if (version == 1) != isinstance(event, e.RunStarted):
            yield "a run begins with run_started, and only once"
        self._version = version
        rule = _RULES.get(type(event))
        if rule is not None:
            yield from rule(self, event)

    def _after(self, event: e.Event) -> Iterator[str]:
        """Check against the state after the event."""
        run, settings = self.run, self.run.settings
        over = isinstance(event, e.SubmissionStarted) and (room(run) or 0) < 0
        if over and settings is not None:
            yield f"with it, ${plain(owed(run))} are spent or reserved, above max_cost ${settings.max_cost}"
        if isinstance(event, e.JobCompleted):
            left = [key for key in self._uncharged if key[0] == event.job]
            if left:
                yield f"the answer for item {left[0][1]} was never charged" + _more(len(left) - 1)
            for key in left:
                del self._uncharged[key]

    def _items_added(self, event: e.ItemsAdded) -> Iterator[str]:
        if event.first != self.run.total:
            yield f"item {event.first} is added after {self.run.total} items"
        new = range(event.first, event.first + event.count)
        for index, original in event.same_as:
            if index not in new or not 0 <= original < index or original in self.run.items.same_as:
                yield f"item {index} is said to be the same as item {original}"

    def _item_refused(self, event: e.ItemRefused) -> Iterator[str]:
        if self._is_under_way(event.index):
            yield f"item {event.index} is refused although it is under way or completed"

    def _item_mended(self, event: e.ItemMended) -> Iterator[str]:
        status, original = self.run.items.status, event.same_as
        if event.index < self.run.total and status[event.index] != ItemStatus.FAILED:
            yield f"item {event.index} is mended although it has not failed"
        if original is not None and not (0 <= original < event.index and original in self.run.mended):
            yield f"item {event.index} is said to be the same as item {original}"

    def _is_under_way(self, index: int) -> bool:
        known = index < self.run.total
        return known and self.run.items.status[index] in (
            ItemStatus.SENT,
            ItemStatus.UNDECIDED,
            ItemStatus.COMPLETED,
        )

    def _submission_started(self, event: e.SubmissionStarted) -> Iterator[str]:
        if event.job != len(self.run.jobs):
            yield f"job {event.job} follows {len(self.run.jobs)} jobs"
        if ranges.count(event.items) != event.request_count:
            yield f"{event.request_count} requests for {ranges.count(event.items)} items"
        beyond = [last for first, last in event.items if not 0 <= first <= last < self.run.total]
        if beyond:
            yield f"item {beyond[0]} is sent of {self.run.total} items"
            return
        under_way = [index for index in ranges.iterate(event.items) if self._is_under_way(index)]
        shared = [index for index in ranges.iterate(event.items) if index in self.run.items.same_as]
        limit, first = known(event.max_tokens), next(ranges.iterate(event.items), 0)
        if limit is not None and limit != self.run.max_tokens_of(first):
            yield f"its max_tokens is {limit} where {self.run.max_tokens_of(first)} was decided"
        if shared:
            yield f"item {shared[0]} is sent although it shares a request" + _more(len(shared) - 1)
        if event.reserved is not None and amount_of(event.reserved) < 0:
            yield f"${event.reserved} is reserved: a reservation cannot be negative"
        others = [index for index in ranges.iterate(event.items) if not self.run.may_send(index)]
        if others:
            yield f"item {others[0]} is sent although others were chosen" + _more(len(others) - 1)
        if under_way:
            yield f"item {under_way[0]} is sent although it is under way or completed" + _more(
                len(under_way) - 1
            )

    def _batch_known(self, event: e.BatchSubmitted | e.SubmissionSettled) -> Iterator[str]:
        if event.batch_id is None:
            return
        owner = self._batches.setdefault(event.batch_id, event.job)
        if owner != event.job:
            yield f"batch {event.batch_id} belongs to job {owner} already"

    def _batch_doubted(self, event: e.SubmissionUnknown) -> Iterator[str]:
        job = self.run.jobs.get(event.job)
        if job is None:
            return
        if job.recorded:
            yield f"the batch of job {event.job} is doubted, and has answers of it"
        self._batches = {batch: owner for batch, owner in self._batches.items() if owner != event.job}

    def _batch_failed(self, event: e.BatchFailed) -> Iterator[str]:
        job = self.run.jobs.get(event.job)
        if job is None:
            return
        if job.batch_id != event.batch_id:
            yield f"batch {event.batch_id} failed, and job {event.job} is {job.batch_id}"
        if answered := job.outcomes.keys() - {"refused"}:
            yield f"a batch of which nothing ran has outcomes: {', '.join(sorted(answered))}"

    def _outcome_recorded(self, event: e.OutcomeRecorded) -> Iterator[str]:
        items = self.run.items
        sent = event.index < len(items) and items.job[event.index] == event.job
        sent = sent and event.index not in items.same_as
        if not sent or not self._is_awaited(event):
            yield f"item {event.index} has no open request in job {event.job}"
        if event.kind == "succeeded":
            self._uncharged[event.job, event.index] = event.usage
            if event.error is not None:
                self._refused.add((self._version, event.job, event.index, event.body))

    def _answer_accepted(self, event: e.AnswerAccepted) -> Iterator[str]:
        if (event.outcome, event.job, event.index, event.body) not in self._refused:
            yield f"an answer of item {event.index} is accepted that event {event.outcome} does not have"

    def _is_awaited(self, event: e.OutcomeRecorded) -> bool:
        """Whether the request has no outcome yet, or one without an answer that this answer replaces."""
        job = self.run.jobs[event.job]
        is_open = self.run.items.status[event.index] == ItemStatus.SENT
        return is_open or (event.kind == "succeeded" and event.index in job.unanswered)

    def _cost_charged(self, event: e.CostCharged) -> Iterator[str]:
        used = {kind: getattr(event, kind) for kind in Usage.__struct_fields__}
        key = (event.job, event.index)
        if key not in self._uncharged:
            yield f"item {event.index} is charged in job {event.job} without an answer, or twice"
        elif (self._uncharged.pop(key) or Usage()) != Usage(**used):
            yield "what is charged is not what the answer used"
        yield from _impossible(event)
        amount = charged(event)
        if amount is not None and amount != amount_of(event.amount or "0"):
            what = "the provider's own word is" if event.ticks else "tokens times unit prices give"
            yield f"${event.amount} is charged where {what} ${plain(amount)}"

    def _job_completed(self, event: e.JobCompleted) -> Iterator[str]:
        job = self.run.jobs.get(event.job)
        if job is None:
            return
        if sum(event.outcomes.values()) != job.request_count:
            yield f"{sum(event.outcomes.values())} outcomes for {job.request_count} requests"
        if event.outcomes != job.outcomes:
            yield "the outcomes counted are not those recorded"

    def _citations_checked(self, event: e.CitationsChecked) -> Iterator[str]:
        job = self.run.jobs.get(event.job)
        if job is None:
            return
        for answer in event.answers:
            if not (ranges.holds(job.items, answer.index) and ranges.holds(job.bodies, answer.body)):
                yield f"job {event.job} has no answer of item {answer.index} in body {answer.body}"
            elif len(answer.places) not in (0, len(answer.found)):
                yield f"{len(answer.places)} places of {len(answer.found)} citations of item {answer.index}"

    def _cost_limit_reached(self, event: e.CostLimitReached) -> Iterator[str]:
        for word, said, is_ in (
            ("spent", event.spent, self.run.spent),
            ("reserved", event.reserved, self.run.reserved),
        ):
            if amount_of(said) != is_:
                yield f"it says that ${said} is {word}; the events before it add up to ${plain(is_)}"

    def _run_interrupted(self, event: e.RunInterrupted) -> Iterator[str]:
        if event.pending_items != self.run.pending:
            pending = self.run.pending
            yield f"it says that {event.pending_items} items are pending; before it {pending} were"

    def _run_completed(self, event: e.RunCompleted) -> Iterator[str]:
        run = self.run
        said, is_ = (event.completed_items, event.failed_items), (run.completed, run.failed)
        if said != is_ or run.pending:
            yield (
                f"it says that {said[0]} items completed and {said[1]} failed; before it "
                f"{is_[0]} were completed, {is_[1]} failed and {run.pending} pending"
            )
        cost = None if event.total_cost is None else amount_of(event.total_cost)
        if cost != run.total_cost:
            by_events = "unknown" if run.total_cost is None else f"${plain(run.total_cost)}"
            yield f"it says that the cost is {event.total_cost}; the charges before it add up to {by_events}"


def charged(event: e.CostCharged) -> Decimal | None:
    """Return what the tokens cost at the recorded unit prices, or the ticks; None without a price."""
    if event.amount is None:
        return None
    if event.ticks:
        return Decimal(event.ticks * PICOS_A_TICK).scaleb(-PICO_DIGITS, EXACT)
    total = Decimal(0)
    for kind in Usage.__struct_fields__:
        tokens = getattr(event, kind)
        if tokens and kind not in event.unit_prices:
            return None
        total = EXACT.fma(amount_of(event.unit_prices.get(kind, "0")), tokens, total)
    return EXACT.divide(total, MILLION)


def _impossible(event: e.CostCharged) -> Iterator[str]:
    """Name a usage or price that no answer and no price list can have."""
    for kind in Usage.__struct_fields__:
        used, most = getattr(event, kind), MOST_SEARCHES if kind == "web_search_requests" else MOST_TOKENS
        if not 0 <= used <= most:
            yield f"{used:,} {kind.replace('_', ' ')} are charged, more than any request uses"
    for kind, unit in event.unit_prices.items():
        if not _is_price(unit):
            yield f"{kind.replace('_', ' ')} are charged at ${unit} per million, which is not a price"
    if event.amount is None:
        return
    if amount_of(event.amount) < 0:
        yield f"${event.amount} is charged: a cost cannot be negative"
    if not 0 <= event.ticks <= MOST_TICKS:
        yield f"{event.ticks:,} ticks are charged, more than any request costs"
    if event.ticks:
        return
    without = [kind for kind, _ in quantities(event) if kind not in event.unit_prices]
    if without:
        yield f"${event.amount} is charged without a price of {', '.join(without).replace('_', ' ')}"


def _is_price(unit: str) -> bool:
    try:
        return 0 <= amount_of(unit) <= _MOST_PRICE
    except ValueError:
        return False


def _more(count: int) -> str:
    return f", and {count} more" if count else ""


_RULES: dict[type[e.Event], Callable[[Audit, Any], Iterator[str]]] = {
    e.ItemsAdded: Audit._items_added,
    e.ItemRefused: Audit._item_refused,
    e.ItemMended: Audit._item_mended,
    e.SubmissionStarted: Audit._submission_started,
    e.BatchSubmitted: Audit._batch_known,
    e.SubmissionSettled: Audit._batch_known,
    e.SubmissionUnknown: Audit._batch_doubted,
    e.BatchFailed: Audit._batch_failed,
    e.OutcomeRecorded: Audit._outcome_recorded,
    e.AnswerAccepted: Audit._answer_accepted,
    e.CostCharged: Audit._cost_charged,
    e.JobCompleted: Audit._job_completed,
    e.CitationsChecked: Audit._citations_checked,
    e.CostLimitReached: Audit._cost_limit_reached,
    e.RunInterrupted: Audit._run_interrupted,
    e.RunCompleted: Audit._run_completed,
}
