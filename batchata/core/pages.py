"""Pack runs of similar events into pages: the accepted answers of one job and their charges, as columns.

A page stands for two events per answer, `outcome_recorded` and then `cost_charged`, each with a version of
its own; pages change only how events are stored. What does not fit the columns stays an event: an answer that
was not accepted, a cost that is unknown or finer than a picodollar.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, ClassVar, NamedTuple

import msgspec

from batchata.core.events import CostCharged, Event, OutcomeRecorded
from batchata.core.money import pico_of, pico_text
from batchata.core.values import Usage

type Entry = Event | Page
_MOST = 2**63 - 1  # beyond it, SQLite's JSON has floating point numbers
type Whole = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]
type Positive = Annotated[int, msgspec.Meta(ge=1, le=_MOST)]

MOST_ANSWERS = 1_000  # in one page: reading a single event decodes all of it
KINDS = Usage.__struct_fields__
ACCEPTED = "succeeded"  # the kind of each outcome


class Page(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Answers that the run's own reader accepted, in columns; answer k has body `first_body + k`.

    `amount` is what each cost in picodollars (1e-12 USD). There is a column for each kind of token that all
    of these answers used, at the price in `unit_prices`; kinds without a column were not used.
    """

    TYPE: ClassVar[str] = "page_of_answers"
    SCHEMA: ClassVar[int] = 1
    job: int
    first_body: Whole
    stop_reason: str | None
    unit_prices: dict[str, str]
    price_source: str
    index: list[Whole]
    amount: list[Whole]
    input_tokens: list[Positive] = []
    output_tokens: list[Positive] = []
    cache_write_5m_tokens: list[Positive] = []
    cache_write_1h_tokens: list[Positive] = []
    cache_read_tokens: list[Positive] = []
    web_search_requests: list[Positive] = []

    def __post_init__(self) -> None:
        used = self.used
        lengths = {len(column) for column in (self.index, self.amount, *used.values())}
        if len(lengths) != 1 or not self.index:
            raise ValueError("the columns of a page must be of one length, and not empty")
        if [*self.unit_prices] != [*used]:
            raise ValueError("a page must have a price of each kind that was used, and of no other")

    @property
    def used(self) -> dict[str, list[int]]:
        """What each answer used, by kind of token."""
        return {kind: column for kind in KINDS if (column := getattr(self, kind))}

    @property
    def length(self) -> int:
        """How many events the page stands for."""
        return 2 * len(self.index)

    def event(self, position: int) -> Event:
        """Return the event at this position, counted from 0."""
        place, is_charge = divmod(position, 2)
        used = {kind: column[place] for kind, column in self.used.items()}
        if is_charge:
            return self._charge(self.index[place], self.amount[place], used)
        return self._outcome(self.index[place], self.first_body + place, used)

    def about(self, index: int) -> Iterator[Event]:
        """Yield the two events of an item, if the page has them."""
        if index in self.index:
            place = 2 * self.index.index(index)
            yield from (self.event(place), self.event(place + 1))

    def expand(self) -> Iterator[Event]:
        """Yield all events in order."""
        kinds = [*self.used]
        for place, (index, amount, *numbers) in enumerate(
            zip(self.index, self.amount, *self.used.values(), strict=True)
        ):
            used = dict(zip(kinds, numbers, strict=True))
            yield self._outcome(index, self.first_body + place, used)
            yield self._charge(index, amount, used)

    def _outcome(self, index: int, body: int, used: dict[str, int]) -> OutcomeRecorded:
        return OutcomeRecorded(
            job=self.job,
            index=index,
            kind=ACCEPTED,
            stop_reason=self.stop_reason,
            error=None,
            usage=Usage(**used),
            body=body,
        )

    def _charge(self, index: int, amount: int, used: dict[str, int]) -> CostCharged:
        return CostCharged(
            job=self.job,
            index=index,
            amount=pico_text(amount),
            unit_prices=self.unit_prices,
            price_source=self.price_source,
            **(_NOTHING | used),
        )


_NOTHING = dict.fromkeys(KINDS, 0)


def length_of(entry: Entry) -> int:
    """Return how many events a log entry stands for."""
    return entry.length if type(entry) is Page else 1


def types_of(entry: Entry) -> dict[str, int]:
    """Count the events of an entry by their types."""
    if not isinstance(entry, Page):
        return {entry.TYPE: 1}
    return {OutcomeRecorded.TYPE: len(entry.index), CostCharged.TYPE: len(entry.index)}


def expanded(entries: Iterable[Entry]) -> Iterator[Event]:
    """Yield every event of these entries."""
    for entry in entries:
        if isinstance(entry, Page):
            yield from entry.expand()
        else:
            yield entry


class _Like(NamedTuple):
    """What the answers of one page have in common."""

    job: int
    stop_reason: str | None
    price_source: str
    unit_prices: tuple[tuple[str, str], ...]


class _Answer(NamedTuple):
    """An accepted answer and its charge, as a page can hold them."""

    like: _Like
    amount: int  # picodollars
    outcome: OutcomeRecorded
    charge: CostCharged


def pack(entries: Sequence[Entry]) -> list[Entry]:
    """Return the same events, with two or more similar answers in a row packed into a page."""
    packed: list[Entry] = []
    run: list[_Answer] = []
    place = 0
    while place < len(entries):
        answer = _answer(entries[place], entries[place + 1]) if place + 1 < len(entries) else None
        if run and (answer is None or not _goes_on(run, answer)):
            packed += _packed(run)
            run = []
        if answer is None:
            packed.append(entries[place])
            place += 1
        else:
            run.append(answer)
            place += 2
    return packed + _packed(run)


def _goes_on(run: list[_Answer], answer: _Answer) -> bool:
    follows = answer.outcome.body == (run[0].outcome.body or 0) + len(run)
    return follows and answer.like == run[0].like and len(run) < MOST_ANSWERS


def _answer(outcome: Entry, charge: Entry) -> _Answer | None:
    """Return both events as an answer that a page can hold; None where they are anything else."""
    if type(outcome) is not OutcomeRecorded or type(charge) is not CostCharged:
        return None
    if outcome.kind != ACCEPTED or outcome.error is not None or outcome.usage is None:
        return None
    numbers = [(getattr(outcome.usage, kind), getattr(charge, kind)) for kind in KINDS]
    kinds = [kind for kind, (answered, _) in zip(KINDS, numbers, strict=True) if answered]
    is_same = (outcome.job, outcome.index) == (charge.job, charge.index)
    if not is_same or charge.ticks or any(a != b for a, b in numbers) or [*charge.unit_prices] != kinds:
        return None
    amount = _whole(charge.amount)
    whole = (amount, outcome.index, outcome.body, *(answered for answered, _ in numbers))
    if amount is None or any(number is None or not 0 <= number <= _MOST for number in whole):
        return None
    like = _Like(charge.job, outcome.stop_reason, charge.price_source, tuple(charge.unit_prices.items()))
    return _Answer(like, amount, outcome, charge)


def _whole(amount: str | None) -> int | None:
    """Return the amount in picodollars; None where that would not give back the text as it was written."""
    try:
        pico = None if amount is None else pico_of(amount)
    except ValueError:
        return None
    return pico if pico is not None and pico_text(pico) == amount else None


def _packed(run: list[_Answer]) -> list[Entry]:
    if len(run) < 2:
        return [event for answer in run for event in (answer.outcome, answer.charge)]
    like, charges = run[0].like, [answer.charge for answer in run]
    page = Page(
        job=like.job,
        first_body=run[0].outcome.body or 0,
        stop_reason=like.stop_reason,
        unit_prices=dict(like.unit_prices),
        price_source=like.price_source,
        index=[charge.index for charge in charges],
        amount=[answer.amount for answer in run],
        **{kind: [getattr(charge, kind) for charge in charges] for kind, _ in like.unit_prices},
    )
    return [page]
