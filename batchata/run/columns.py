"""Collect accepted answers as columns of pages, as long as each resembles the one before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress
from operator import mul
from typing import NamedTuple

from batchata.core.money import PICOS_A_TICK
from batchata.core.pages import KINDS, MOST_ANSWERS, Entry, Page
from batchata.core.pricing import ModelPrice, UnitPrices, of_each_kind
from batchata.core.values import Usage


class _Like(NamedTuple):
    """What the answers of one page have in common: `used` says which kinds each of them used."""

    units: UnitPrices
    used: tuple[bool, ...]
    stop_reason: str | None
    source: str


@dataclass(slots=True)
class _Answers:
    """The answers of a page that grows; `picos` are the prices of each kind, in picodollars."""

    job: int
    first_body: int
    like: _Like
    picos: list[int]
    index: list[int] = field(default_factory=list)
    amount: list[int] = field(default_factory=list)
    numbers: list[tuple[int, ...]] = field(default_factory=list)  # of each answer, all kinds in their order

    def page(self) -> Iterator[Entry]:
        """Yield the page; the events themselves where it would hold a single answer."""
        columns = zip(KINDS, self.like.used, zip(*self.numbers, strict=True), strict=True)
        used = {kind: list(column) for kind, is_used, column in columns if is_used}
        page = Page(
            job=self.job,
            first_body=self.first_body,
            stop_reason=self.like.stop_reason,
            unit_prices={kind: self.like.units.in_batch[kind][1] for kind in used},
            price_source=self.like.source,
            index=self.index,
            amount=self.amount,
            **used,
        )
        if len(self.index) > 1:
            yield page
        else:
            yield from page.expand()


@dataclass(slots=True)
class Columns:
    """The log entries for one job's outcomes: pages as far as possible, other events between them."""

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
        """Add an accepted answer and its cost; return False where they can only be separate events."""
        placed = None if self.price is None else self.price.kept_in(geo)
        if placed is None:
            return False
        numbers = of_each_kind(usage)
        like = _Like(placed.for_usage(usage), tuple(map(bool, numbers)), stop_reason, placed.source)
        growing = self._answers
        goes_on = growing is not None and growing.like == like and len(growing.index) < MOST_ANSWERS
        picos = growing.picos if growing is not None and goes_on else _picos(like)
        if picos is None:
            return False
        amount = sum(map(mul, numbers, picos))
        if ticks is not None and ticks * PICOS_A_TICK != amount:
            return False
        if growing is None or not goes_on:
            self._end_page()
            growing = self._answers = _Answers(self.job, body, like, picos)
        growing.index.append(index)
        growing.amount.append(amount)
        growing.numbers.append(numbers)
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


def _picos(like: _Like) -> list[int] | None:
    """Return the price of each kind; None where nothing was used, or a price is not whole picodollars."""
    kinds = list(compress(KINDS, like.used))
    if not kinds or not like.units.picos.keys() >= {*kinds}:
        return None
    return [like.units.picos[kind] if is_used else 0 for kind, is_used in zip(KINDS, like.used, strict=True)]
