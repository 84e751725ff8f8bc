"""Add up what a run paid for: by job, by price, and what was paid for unusable answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from batchata.core import events as e
from batchata.core.accounts import amount_at, room
from batchata.core.money import EXACT, TOKEN_KINDS, amount_of
from batchata.core.values import Usage
from batchata.errors import LogError
from batchata.log.port import Log
from batchata.views.history import History

KINDS = Usage.__struct_fields__


class Rate(NamedTuple):
    """What a kind costs in USD per million, and the source of the price; None where no price was known."""

    kind: str
    price: str | None
    source: str


@dataclass(slots=True)
class Entry:
    """Charges added up: what was used by kind, USD where the price was known, and how many had none."""

    charges: int = 0
    unpriced: int = 0
    amount: Decimal = Decimal(0)
    used: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))

    def add(self, charge: e.CostCharged) -> None:
        """Add one more charge."""
        self.charges += 1
        if charge.amount is None:
            self.unpriced += 1
        else:
            self.amount = EXACT.add(self.amount, amount_of(charge.amount))
        for kind in KINDS:
            self.used[kind] += getattr(charge, kind)

    @property
    def all_tokens(self) -> int:
        """Tokens of every kind together."""
        return sum(self.used[kind] for kind in TOKEN_KINDS)

    @property
    def known(self) -> Decimal | None:
        """The amount, None when one of the charges had no price."""
        return None if self.unpriced else self.amount


@dataclass(slots=True)
class Ledger:
    """All charges of a run; `unused` are those for answers that could not be used."""

    history: History = field(default_factory=History)
    total: Entry = field(default_factory=Entry)
    unused: Entry = field(default_factory=Entry)
    by_job: dict[int, Entry] = field(default_factory=dict)
    by_rate: dict[Rate, int] = field(default_factory=dict)  # how many were used
    _no_good: tuple[int, int] | None = None  # job and item of the outcome before, if it was no good

    def take(self, event: e.Event) -> None:
        """Take one more event; an outcome comes right before its charge."""
        if isinstance(event, e.OutcomeRecorded):
            self._no_good = None if event.error is None else (event.job, event.index)
        elif isinstance(event, e.CostCharged):
            self.by_job.setdefault(event.job, Entry()).add(event)
            self.total.add(event)
            self._add_rates(event)
            if (event.job, event.index) == self._no_good:
                self.unused.add(event)

    def _add_rates(self, charge: e.CostCharged) -> None:
        for kind in KINDS:
            if used := getattr(charge, kind):
                rate = Rate(kind, charge.unit_prices.get(kind), charge.price_source)
                self.by_rate[rate] = self.by_rate.get(rate, 0) + used

    @property
    def model(self) -> str:
        """The run's model; "-" before there is one."""
        started = self.history.run.started
        return "-" if started is None else started.model

    @property
    def left(self) -> Decimal | None:
        """Return what `max_cost` still leaves for new jobs, in USD; None without a limit."""
        left = room(self.history.run)
        return None if left is None else max(left, Decimal(0))


def read_ledger(log: Log, stream: str) -> Ledger:
    """Read the ledger of a run as it is now.

    Raises LogError when its events contradict each other.
    """
    ledger = Ledger()
    for version, at, event in log.events(stream):
        ledger.history.advance(stream, version, at, event)
        ledger.take(event)
    return ledger


def cost_at(rate: Rate, count: int) -> Decimal | None:
    """Return what so many cost at a rate, in USD; None where it has no price.

    Raises LogError for a price that is none.
    """
    try:
        price = None if rate.price is None else amount_of(rate.price)
    except ValueError as exc:
        raise LogError(f"the log holds a price that is none ({exc}); `verify` says where") from exc
    return None if price is None else amount_at(price, count)


def by_model(ledgers: Iterable[Ledger]) -> dict[str, Entry]:
    """Return the totals of several runs, by their models."""
    found: dict[str, Entry] = {}
    for ledger in ledgers:
        total, one = found.setdefault(ledger.model, Entry()), ledger.total
        total.charges += one.charges
        total.unpriced += one.unpriced
        total.amount = EXACT.add(total.amount, one.amount)
        for kind in KINDS:
            total.used[kind] += one.used[kind]
    return found
