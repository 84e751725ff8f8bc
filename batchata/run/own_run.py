"""Read a run that a definition describes: its state, its items, and what the rest of it will cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pydantic

from batchata.answers.reader import Reader
from batchata.answers.schema import check_response_model
from batchata.core.state import Run
from batchata.core.values import Settings
from batchata.errors import InvalidInputError, RunMismatchError
from batchata.garbage import out_of_collections
from batchata.log.port import Log
from batchata.providers.port import Client
from batchata.run.definition import Definition
from batchata.run.estimate import Estimate
from batchata.run.estimating import (
    Basis,
    Expectation,
    make_estimate,
    offline_basis,
    remaining,
    sampled_basis,
)
from batchata.run.from_log import check_unchanged
from batchata.run.same_run import check_same_run, which_run
from batchata.run.settings import check_switches
from batchata.run.store import RunStore
from batchata.run.stored_answers import warned_of_no_fit
from batchata.text import number_of
from batchata.views.item_result import Entry, ItemResult, entry
from batchata.views.results import SupportCounts, never_started, read_all, read_items, refuse_purged


class OwnRun:
    """The run in a log, checked to be the one that a definition describes. Nothing is written."""

    def __init__(
        self, definition: Definition, settings: Settings, store: RunStore, provider: Callable[[], Client]
    ) -> None:
        self.definition = definition
        self.settings = settings
        self.store = store
        self.store.choose = partial(which_run, definition)
        self._make_provider = provider
        self._expectation: Expectation | None = None  # of the last estimate that was asked for
        self._support = SupportCounts()
        # Results that the last call of drive has read, and the state of the log in which they are these.
        self._fresh: tuple[tuple[str, int, str | None] | None, dict[int, Any]] = None, {}
        self._ours: tuple[str, int] | None = None  # tag and size of the run that was found to be ours

    @contextmanager
    def reading(self) -> Iterator[tuple[Log | None, Run]]:
        """Open the log, with the run that our definition describes in it.

        The log is None, and the run an empty one, when it was never started. Raises RunMismatchError when the
        log holds another run.
        """
        with self.store.reading() as log:
            if log is not None:
                self._check_ours(log)
            yield log, self.store.run

    def _check_ours(self, log: Log) -> None:
        """Check once for each size of the run: neither its beginning nor our definition changes."""
        run = self.store.run
        if run.started is None:
            return
        if self._ours == (run.started.tag, run.total):
            self.definition.take_route(self._route_of(run))
            return
        try:
            if self.definition.opened is None:
                check_same_run(log, run, self.definition)
            else:
                check_unchanged(run, self.definition.opened)
        except RunMismatchError:
            self.store.forget()
            raise
        if self._ours is None:
            self.definition.follow(run.started.cache)
        self.definition.take_route(self._route_of(run))
        self._ours = run.started.tag, run.total

    def _route_of(self, run: Run) -> str:
        """Return the route that the caller asked for, or the one that the run decided on."""
        wanted = self.settings.structured_output
        return run.route if wanted is None else wanted

    def state(self) -> Run:
        """Return the run as its log has it now; an empty one when it was never started."""
        with self.reading() as (_, run):
            return run

    def look(self) -> tuple[Run, str | None, SupportCounts | None]:
        """Return the run, its log's head, and how many fields no passage supports, in one look at the log.

        The counts are None where fields have no citations.
        """
        reader = self.definition.reader
        has_cited_fields = reader.response_model is not None and self.definition.enable_citations
        support, head = self._support if has_cited_fields else None, None
        with self.reading() as (log, run):
            if log is not None and run.started is not None:
                head = log.head(run.started.run_id)
                if support is not None:
                    support.read(log, run, reader)
        return run, head, support

    def items(self, response_model: type[pydantic.BaseModel] | None = None) -> Iterator[ItemResult]:
        """Yield every item in input order, parsed with another response model if one is given."""
        other = check_response_model(response_model)
        reader = None if other is None else Reader(other, self.definition.enable_citations)
        # Now, and not when the first item is asked for; by what is known, where that is anything.
        refuse_purged(self.store.run if self.store.run.started else self.state())
        items = self._items(reader or self.definition.reader, again=reader is not None)
        return items if other is None else warned_of_no_fit(items, other)

    def _items(self, reader: Reader, *, again: bool) -> Iterator[ItemResult]:
        with self.reading() as (log, run):
            refuse_purged(run)
            known: Iterator[ItemResult] = iter(())
            new: Iterator[ItemResult] = iter(())
            order = self.definition.as_given
            if log is not None:
                known = read_items(log, run, (i for i in order if i < run.total), reader, again=again)
            if run.total < self.definition.count:
                new = never_started(self.definition.inputs, (i for i in order if i >= run.total))
            for index in order:
                yield next(known if index < run.total else new)

    def results(self, response_model: type[pydantic.BaseModel] | None = None) -> list[Entry[Any]]:
        """Return the items in the shape of `results()`."""
        if response_model is not None:
            return [entry(item) for item in self.items(response_model)]
        with out_of_collections(), self.reading() as (log, run):
            refuse_purged(run)
            entries: list[Entry[Any]] = []
            if log is not None and run.started is not None:
                mark, known = self._fresh
                known = known if mark == self._mark(log, run) else {}
                entries = read_all(log, run, self.definition.reader, known)
        if (read := len(entries)) < self.definition.count:
            new = never_started(self.definition.inputs, range(read, self.definition.count))
            entries += map(entry, new)
        return [entries[index] for index in self.definition.as_given]

    def _mark(self, log: Log, run: Run) -> tuple[str, int, str | None]:
        """Return a mark that no other state of any run has."""
        assert run.started is not None
        return run.started.tag, run.version, log.head(run.started.run_id)

    def preview(self, index: int) -> dict[str, Any]:
        """Return the request of an item as it would be sent for the first time."""
        with self.reading():
            inputs = self.definition.inputs  # as the run has them
        if type(index) is not int or not 0 <= index < inputs.count:
            raise InvalidInputError(
                f"there is no item {index!r}: the run has {number_of(inputs.count, 'item')}, numbered from 0"
            )
        if index in inputs.refused:
            raise InvalidInputError(f"item {index} is not sent: {inputs.refused[index]}")
        request = self.definition.template.encode(f"preview-{index}", inputs.source(index))
        found: dict[str, Any] = json.loads(request)
        return found

    def head(self) -> str | None:
        """See `Log.head`."""
        with self.store.reading() as log:
            return None if log is None or self.store.run_id is None else log.head(self.store.run_id)

    def estimate(self, exact: bool, output_tokens: int | None) -> Estimate:
        """Estimate what the rest of the run will use and cost; nothing is written."""
        check_switches(exact=exact)
        definition = self.definition
        with self.reading() as (_, run):
            basis = offline_basis(definition, run, output_tokens)
            if exact:
                left = remaining(run, definition.inputs, definition.same_as)
                basis = self._counted(basis, left.requests)
            self._expectation = basis.expectation
            return self._rest(run, basis)

    def _rest(self, run: Run, basis: Basis) -> Estimate:
        """Estimate the items without a result."""
        left = remaining(run, self.definition.inputs, self.definition.same_as)
        return make_estimate(self.definition, self.settings, run, left, basis)

    def _counted(self, basis: Basis, items: list[int]) -> Basis:
        """Estimate with counts of a sample by the provider."""
        provider = self._make_provider()
        try:
            provider.check()
            encode, source = self.definition.template.encode, self.definition.inputs.source
            return sampled_basis(basis, items, lambda i: provider.count_tokens(encode("counted", source(i))))
        finally:
            provider.close()
