"""Define a run: everything that decides what is sent, checked before anything is written or sent."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, cached_property, lru_cache, partial
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

import pydantic

from batchata.answers.located import quoted_schema
from batchata.answers.reader import Reader
from batchata.answers.schema import Route, choose_route, result_schema
from batchata.clock import now
from batchata.core.events import RunStarted
from batchata.core.plan import Measures
from batchata.core.pricing import ModelPrice, worst_cost
from batchata.core.values import CachePlan, Process, Settings
from batchata.errors import InvalidInputError, UnsupportedModelError
from batchata.inputs import Inputs
from batchata.inputs.items import Checks
from batchata.providers.port import Client, Dialect, Model, Template
from batchata.providers.prices import find_price
from batchata.run.settings import plan_cache

_HOUR = 3_600_000_000  # microseconds


@lru_cache(maxsize=64)
def _listed(model: str, hour: int) -> ModelPrice | None:
    """Return the list price that holds in an hour, counted from 1970."""
    return find_price(model, datetime.fromtimestamp(hour * 3_600, UTC))


@dataclass
class Definition:
    """A run as its caller describes it."""

    dialect: Dialect
    model: Model
    given: Inputs | Callable[[], Inputs]  # read when they are needed, where a log has them
    params: dict[str, Any]
    prompt: str | None
    response_model: type[pydantic.BaseModel] | None
    schema: dict[str, Any] | None
    enable_citations: bool
    route: Route
    dedupe: bool = False
    cache: str | None = None
    given_price: ModelPrice | None = None
    allow_unknown_model: bool = False
    opened: tuple[str, int] | None = None  # tag and size of the run, if its own log defines it
    _planned: CachePlan | None = None
    _decided: bool = False

    @cached_property
    def inputs(self) -> Inputs:
        """All items."""
        return self.given() if callable(self.given) else self.given

    @property
    def count(self) -> int:
        """How many items there are; no item is read from a log to count them."""
        return self.inputs.count if self.opened is None else self.opened[1]

    @property
    def reader(self) -> Reader:
        """A reader of answers by this run's response model and citations."""
        return Reader(self.response_model, self.enable_citations)

    @cached_property
    def template(self) -> Template:
        """What all requests share."""
        bare = self.model.template(self.params, self.route, self.prompt, self.enable_citations)
        plan = self._cache_plan(bare)
        return bare if plan is None or plan.level is None else bare.caching(plan)

    @property
    def checks(self) -> Checks:
        """What inputs of the run have to pass."""
        return self.model.checks(self.enable_citations, self.params)

    @property
    def cache_plan(self) -> CachePlan | None:
        """What is cached, and why; None when that is not asked for."""
        return self._planned if self.template else None  # the template is made by the plan

    def take_route(self, wanted: str) -> None:
        """Ask for the shape of answers in this way, "native" or "prompt", from now on.

        What the native format cannot carry stays in the prompt.
        """
        if wanted in (self.route.kind, "", "text"):
            return
        try:
            found = self._route(wanted)
        except InvalidInputError:
            return
        self.route = found
        self.__dict__.pop("template", None)

    def _route(self, wanted: str) -> Route:
        return route_of(self.schema, self.model, self.enable_citations, wanted)

    def follow(self, plan: CachePlan | None) -> None:
        """Cache what the run in the log has been caching since it began, whatever would pay today."""
        self._planned = plan
        self._decided = True
        self.__dict__.pop("template", None)

    @property
    def as_given(self) -> Sequence[int]:
        """The items by their numbers in the run, in the order in which the caller gives them."""
        return range(self.count) if self.opened is not None else self.inputs.as_given

    def arrange(self, order: Sequence[int]) -> None:
        """Put the items into this order, which is the run's."""
        self.inputs = self.inputs.arranged(order)
        self.__dict__.pop("same_as", None)

    def follow_inputs(self, digests: Mapping[int, bytes]) -> None:
        """Identify these items as the run in the log does."""
        self.inputs.follow(digests)
        self.__dict__.pop("same_as", None)

    def _cache_plan(self, bare: Template) -> CachePlan | None:
        if not self._decided and self.cache is not None:
            price = None if self.price is None else self.price.kept_in(self.geo)
            requests = self.count - len(self.same_as)
            self._planned = plan_cache(self.model, self.inputs, bare, price, requests)
        self._decided = True
        return self._planned

    @cached_property
    def price(self) -> ModelPrice | None:
        """Return the price that the caller gave, or today's list price; None if no source knows the model."""
        return self.price_at(now())

    def price_at(self, at: int) -> ModelPrice | None:
        """Return the price of what is sent then (microseconds since 1970): it may change at a date."""
        return self.given_price or _listed(self.model.id, at // _HOUR)

    def _prices_ahead(self, sent: int) -> list[ModelPrice]:
        """Return the prices that hold from then until the batch must have been answered."""
        found = [self.price_at(at) for at in (sent, sent + self.dialect.batch_hours * _HOUR)]
        return [price for price in found if price is not None]

    @cached_property
    def same_as(self) -> dict[int, int]:
        """Return the items that share the request of an earlier one; empty unless `dedupe` is on."""
        return self.inputs.copies() if self.dedupe else {}

    @property
    def max_tokens(self) -> int:
        """What an answer may have at most, thinking included."""
        return int(self.params["max_tokens"])

    @property
    def geo(self) -> str | None:
        """Where inference is to take place, as far as the parameters say so."""
        return self.model.place(self.params)

    def measures(
        self,
        note: Callable[[int], str | None] = lambda _index: None,
        raised: Mapping[int, int] = MappingProxyType({}),
        max_tokens: int | None = None,
    ) -> Measures:
        """Return how big each request is, and what it may cost at worst.

        `note` returns the note that goes with an item; `raised` are the items whose answers may be longer
        than `max_tokens`, which is the run's unless another is given.
        """
        inputs, template = self.inputs, self.template
        bytes_more, tokens_more = template.size, template.token_bound
        most = self.max_tokens if max_tokens is None else max_tokens
        caching = inputs.caches or template.caches
        us = self.geo != "global"  # a workspace may have the United States as its default

        def noted(index: int) -> int:
            text = note(index)
            return 0 if text is None else template.note_size(text)

        @lru_cache(maxsize=10_000)  # many items are of one size
        def worst_of(tokens: int, max_tokens: int, hour: int) -> Decimal | None:
            prices = self._prices_ahead(hour * _HOUR)
            costs = [worst_cost(price, tokens, max_tokens, caching=caching, us=us) for price in prices]
            return max(costs, default=None)

        def worst(index: int) -> Decimal | None:
            limit = max(most, raised.get(index, 0))
            return worst_of(inputs.token_bound(index) + tokens_more + noted(index), limit, now() // _HOUR)

        def size(index: int) -> int:
            digits = len(str(raised[index])) if index in raised else 0
            return inputs.request_size(index) + bytes_more + digits + noted(index)

        return Measures(size=size, worst_cost=worst)

    def started(self, run_id: str, tag: str, provider: Client | None, settings: Settings) -> RunStarted:
        """Return the first event of the run. A run without items has no provider."""
        model = self.response_model
        return RunStarted(
            run_id=run_id,
            tag=tag,
            provider="" if provider is None else provider.name,
            base_url="" if provider is None else provider.base_url,
            library_version=version_of("batchata"),
            model=self.model.id,
            params=self.params,
            prompt=self.prompt,
            response_model=None if model is None else f"{model.__module__}:{model.__qualname__}",
            response_schema=self.schema,
            result_schema=None if model is None else result_schema(model),
            enable_citations=self.enable_citations,
            output_route=self.route.kind,
            input_kind=self.inputs.kind,
            input_count=self.count,
            input_fingerprint=self.inputs.fingerprint(),
            settings=settings,
            process=this_process(),
            key=None if provider is None else provider.key,
            dedupe=self.dedupe,
            cache=self.cache_plan,
            limits=self.dialect.limits,
        )


def route_of(schema: dict[str, Any] | None, model: Model, cited: bool, wanted: str) -> Route:
    """Choose how the shape of answers is asked for.

    Raises InvalidInputError when the native format is wanted and cannot be had, and UnsupportedModelError for
    citations of a text by a model that gives none.
    """
    is_located = cited and model.locates
    if is_located:
        if schema is None:
            raise UnsupportedModelError(
                f"{model.id} gives no citations of documents; with a response_model it is asked for quotes, "
                "which are looked up: give one, leave enable_citations out, or use a model with citations"
            )
        schema, cited = quoted_schema(schema), False
    native = partial(model.output_format, cited=cited)
    return choose_route(schema, native, citations=cited, wanted=wanted)


version_of = cache(version)  # a package's metadata is a file that is read and parsed


def this_process() -> Process:
    """Describe this process."""
    return Process(pid=os.getpid(), host=socket.gethostname())
