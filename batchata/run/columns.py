"""Gather accepted answers as columns of pages, as long as each is like the one before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from batchata.core.money import PICOS_A_TICK
from batchata.core.pages import MOST_ANSWERS, Entry, Page
from batchata.core.pricing import ModelPrice, UnitPrices, prompt_tokens, quantities
from batchata.core.values import Usage


@dataclass(slots=True)
class _Answers:
    """The answers of a page that grows: `kinds` were used by each, at the same prices."""

    job: int
    first_body: int
    stop_reason: str | None
    source: str
    units: UnitPrices
    kinds: list[str]
    index: list[int] = field(default_factory=list)
    amount: list[int] = field(default_factory=list)
    numbers: list[list[int]] = field(default_factory=list)  # of each answer, in the order of the kinds

    def page(self) -> Iterator[Entry]:
        """Yield the page; the events themselves where it would hold a single answer."""
        columns = zip(*self.numbers, strict=True)
        page = Page(
            job=self.job,
            first_body=self.first_body,
            stop_reason=self.stop_reason,
            unit_prices={kind: self.units.in_batch[kind][1] for kind in self.kinds},
            price_source=self.source,
            index=self.index,
            amount=self.amount,
            **{kind: list(column) for kind, column in zip(self.kinds, columns, strict=True)},
        )
        if len(self.index) > 1:
            yield page
        else:
            yield from page.expand()


@dataclass(slots=True)
class Columns:
    """The entries of a log for one job's outcomes: pages as far as they go, other events between them."""

    job: int
    price: ModelPrice | None
    entries: list[Entry] = field(default_factory=list)
    _answers: _Answers | None = None

    def accept(
        self,
        index: int,
        body: int,
        stop_reason: str | None,
        usage: Usage,
        geo: str | None,
        ticks: int | None = None,
    ) -> bool:
        """Add an accepted answer and its cost; return False where these can only be events of their own."""
        placed = None if self.price is None else self.price.kept_in(geo)
        if placed is None:
            return False
        units = placed.for_prompt(prompt_tokens(usage))
        picos, used = units.picos, quantities(usage)
        kinds = [kind for kind, _ in used]
        if not (kinds and picos.keys() >= {*kinds}):
            return False
        amount = sum([picos[kind] * number for kind, number in used])
        if ticks is not None and ticks * PICOS_A_TICK != amount:
            return False
        growing = self._answers
        if (
            growing is None
            or len(growing.index) == MOST_ANSWERS
            or growing.units is not units
            or growing.kinds != kinds
            or growing.stop_reason != stop_reason
            or growing.source != placed.source
        ):
            self._end_page()
            growing = _Answers(self.job, body, stop_reason, placed.source, units, kinds)
            self._answers = growing
        growing.index.append(index)
        growing.amount.append(amount)
        growing.numbers.append([number for _, number in used])
        return True

    def add(self, events: Sequence[Entry]) -> None:
        """Add events as they are."""
        self._end_page()
        self.entries += events

    def finished(self) -> list[Entry]:
        """Return all entries."""
        self._end_page()
        return self.entries

    def _end_page(self) -> None:
        if self._answers is not None:
            self.entries += self._answers.page()
            self._answers = None
