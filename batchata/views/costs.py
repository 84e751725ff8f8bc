"""Add up what a run paid for by job, and for answers that could not be used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from batchata.core import events as e
from batchata.core.accounts import room
from batchata.core.money import EXACT, TOKEN_KINDS, amount_of, pico_text
from batchata.core.pages import Page
from batchata.core.values import Usage
from batchata.log.port import Log
from batchata.views.history import History

KINDS = Usage.__struct_fields__


@dataclass(slots=True)
class Entry:
    """Charges added up: what was used by kind, USD where the price was known, and how many had no price."""

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

    def add_page(self, page: Page) -> None:
        """Add all charges of a page."""
        self.charges += len(page.index)
        self.amount = EXACT.add(self.amount, amount_of(pico_text(sum(page.amount))))
        for kind, column in page.used.items():
            self.used[kind] += sum(column)

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
    """What a run paid for, by job; `unused` is what it paid for answers that could not be used.

    What it paid by price is in its state: see `ledger_lines` and `unpriced_kinds` of `core.accounts`.
    """

    history: History = field(default_factory=History)
    unused: Entry = field(default_factory=Entry)
    by_job: dict[int, Entry] = field(default_factory=dict)
    _unusable: tuple[int, int] | None = None  # job and item of the last outcome, if it was unusable

    def take(self, event: e.Event | Page) -> None:
        """Take one more event, or a page of them; an outcome comes right before its charge."""
        if isinstance(event, Page):
            self._unusable = None
            self.by_job.setdefault(event.job, Entry()).add_page(event)
        elif isinstance(event, e.OutcomeRecorded):
            self._unusable = None if event.error is None else (event.job, event.index)
        elif isinstance(event, e.CostCharged):
            self.by_job.setdefault(event.job, Entry()).add(event)
            if (event.job, event.index) == self._unusable:
                self.unused.add(event)

    @property
    def total(self) -> Entry:
        """All jobs added up."""
        return together(self.by_job.values())

    @property
    def model(self) -> str:
        """The run's model; "-" before the run has begun."""
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
    for version, at, event in log.entries(stream):
        ledger.history.advance(stream, version, at, event)
        ledger.take(event)
    return ledger


def together(entries: Iterable[Entry]) -> Entry:
    """Add up entries."""
    total = Entry()
    for one in entries:
        total.charges += one.charges
        total.unpriced += one.unpriced
        total.amount = EXACT.add(total.amount, one.amount)
        for kind in KINDS:
            total.used[kind] += one.used[kind]
    return total


def by_model(ledgers: Iterable[Ledger]) -> dict[str, Entry]:
    """Return the totals of several runs, by their models."""
    found: dict[str, list[Entry]] = {}
    for ledger in ledgers:
        found.setdefault(ledger.model, []).append(ledger.total)
    return {model: together(entries) for model, entries in found.items()}
