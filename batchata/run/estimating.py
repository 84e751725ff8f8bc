"""Make an estimate: from the inputs, from the run's usage so far, or from counts of a sample."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from batchata.answers.json_schema import answer_length
from batchata.core.caching import cached_cost
from batchata.core.money import EXACT, plain
from batchata.core.plan import packed
from batchata.core.pricing import ModelPrice, expected_cost
from batchata.core.state import ItemStatus, Run
from batchata.core.values import Expected, Settings
from batchata.errors import InvalidInputError
from batchata.inputs import Inputs
from batchata.run.definition import Definition
from batchata.run.estimate import Ahead, Estimate, Outlook, outlook

_FREE_TEXT: Final = 300  # tokens: recorded answers in free text have as many in the middle
_WITH_QUOTES: Final = 3  # a quote with the path of its field takes about twice what the value takes
CHARACTERS_A_TOKEN: Final = 3.0  # of JSON to a token, on the models whose text_factor is 1


@dataclass(frozen=True, slots=True)
class Expectation:
    """Tokens and cost of each item. `scale` corrects the offline count of input tokens.

    `cached_tokens` are the tokens of the beginning that all requests share, where it is cached.
    """

    inputs: Inputs
    shared_tokens: int
    output_tokens: int
    price: ModelPrice | None
    scale: float = 1.0
    cached_tokens: int = 0

    def input_tokens(self, index: int) -> int:
        """Return the expected input tokens of one request for the item."""
        return round((self.inputs.expected_tokens(index) + self.shared_tokens) * self.scale)

    def of(self, indexes: Iterable[int]) -> Expected:
        """Return what one request for each of these items uses and costs."""
        tokens, count, cost = 0, 0, Decimal(0)
        known = self.price is not None
        amounts: dict[int, Decimal | None] = {}  # by tokens: many items are of one size
        for index in indexes:
            one = self.input_tokens(index)
            tokens, count = tokens + one, count + 1
            if one not in amounts:
                amounts[one] = self._cost(one)
            amount = amounts[one]
            known = known and amount is not None
            cost = cost if amount is None else EXACT.add(cost, amount)
        return Expected(
            input_tokens=tokens,
            output_tokens=count * self.output_tokens,
            cost=plain(cost) if known else None,
        )

    def _cost(self, tokens: int) -> Decimal | None:
        if self.price is None:
            return None
        if self.cached_tokens:
            cached = min(round(self.cached_tokens * self.scale), tokens)
            return cached_cost(self.price, tokens, cached, self.output_tokens)
        return expected_cost(self.price, tokens, self.output_tokens)


def expectation_of(definition: Definition) -> Expectation:
    """Return what is known offline, before anything was sent."""
    plan = definition.cache_plan
    return Expectation(
        inputs=definition.inputs,
        shared_tokens=definition.template.expected_tokens,
        output_tokens=expected_output(definition),
        price=None if definition.price is None else definition.price.kept_in(definition.geo),
        cached_tokens=0 if plan is None else plan.tokens,
    )


def expected_output(definition: Definition) -> int:
    """Return the expected output tokens of one answer, at most `max_tokens`.

    They follow from the fields of the response model, or from the usual length of free text, plus the model's
    thinking.
    """
    factor, schema = definition.model.text_factor, definition.schema
    text = _FREE_TEXT if schema is None else answer_length(schema) / CHARACTERS_A_TOKEN * factor
    if definition.enable_citations and definition.model.locates:
        text *= _WITH_QUOTES
    most: int = definition.params["max_tokens"]
    return min(round(text) + definition.model.thinking_tokens(definition.params), most)


_SAMPLE: Final = 20  # items counted by the provider: each is a call
_ENOUGH_ANSWERS: Final = 10  # of the run itself, before they tell more than the offline count
_SURE: Final = 1.96  # standard errors that hold in 95 of 100 cases

type Count = Callable[[int], int]  # the input tokens of an item, as the provider counts them


@dataclass(frozen=True, slots=True)
class Basis:
    """An expectation, and in words what it rests on."""

    expectation: Expectation
    input: str
    output: str
    sampled: int = 0
    margin: float | None = None


def offline_basis(definition: Definition, run: Run, output_tokens: int | None) -> Basis:
    """Return what can be known without a call.

    Raises InvalidInputError when `output_tokens` is not a number of tokens.
    """
    expectation = expectation_of(definition)
    counted = "counted offline; exact=True asks the provider"
    guess = "by the fields of the response model" if definition.schema else "the length of usual free text"
    guessed = f"{expectation.output_tokens:,} an item, {guess}; output_tokens=… if you know better"
    basis = Basis(expectation, counted, guessed)
    enough = _ENOUGH_ANSWERS if run.choice is None else 1  # that is what a pilot was for
    if run.accuracy.answers >= enough:
        basis = _learned(basis, run)
    return basis if output_tokens is None else _given(basis, definition, output_tokens)


def _learned(basis: Basis, run: Run) -> Basis:
    """Correct the expectation by what the run's own answers used."""
    seen = run.accuracy
    scale = seen.used_input / seen.expected_input if seen.expected_input else 1.0
    output = round(seen.used_output / seen.answers)
    expectation = replace(basis.expectation, scale=scale, output_tokens=output)
    return Basis(
        expectation,
        f"as the run's {seen.answers:,} answers used",
        f"{output:,} an item, as the run's {seen.answers:,} answers have",
    )


def _given(basis: Basis, definition: Definition, output_tokens: int) -> Basis:
    if isinstance(output_tokens, bool) or not isinstance(output_tokens, int) or output_tokens < 0:
        raise InvalidInputError(
            f"output_tokens must be a whole number of tokens per item, 0 or more, not {output_tokens!r}"
        )
    most = definition.params["max_tokens"]
    if output_tokens > most:
        raise InvalidInputError(
            f"output_tokens is {output_tokens:,} per item, and no answer is longer than max_tokens={most:,}"
        )
    expectation = replace(basis.expectation, output_tokens=output_tokens)
    return replace(basis, expectation=expectation, output=f"{output_tokens:,} an item, as given")


def sampled_basis(basis: Basis, items: Sequence[int], count: Count) -> Basis:
    """Correct the expectation by the provider's count of an even sample; of all items when they are few."""
    chosen = [items[i * len(items) // _SAMPLE] for i in range(_SAMPLE)] if len(items) > _SAMPLE else items
    if not chosen:
        return basis
    offline = [basis.expectation.input_tokens(index) for index in chosen]
    counted = [count(index) for index in chosen]
    scale = basis.expectation.scale * sum(counted) / max(sum(offline), 1)
    said = f"counted by the provider for {'each' if len(chosen) == len(items) else f'{len(chosen)} of them'}"
    return replace(
        basis,
        expectation=replace(basis.expectation, scale=scale),
        input=said,
        sampled=len(chosen),
        margin=_margin(offline, counted, len(items)),
    )


def _margin(offline: Sequence[int], counted: Sequence[int], items: int) -> float:
    """Return a safe margin of a ratio estimated from a sample, as a share of the whole."""
    size = len(counted)
    if size == items or size < 2:
        return 0.0
    ratio = sum(counted) / max(sum(offline), 1)
    spread = sum((c - ratio * o) ** 2 for c, o in zip(counted, offline, strict=True)) / (size - 1)
    error = math.sqrt(spread / size * (1 - size / items)) * size / max(sum(counted), 1)
    return _SURE * error


@dataclass(frozen=True, slots=True)
class Remaining:
    """The requests that items without a result need: to be sent again, never sent, and under way.

    Each is named by its item; `shared` are the items that have no request of their own.
    """

    again: list[int]
    fresh: list[int]
    sent: list[int]
    shared: list[int]

    @property
    def requests(self) -> list[int]:
        """Return the requests in the order of the input."""
        return sorted([*self.again, *self.fresh, *self.sent])


def remaining(run: Run, inputs: Inputs, same_as: Mapping[int, int]) -> Remaining:
    """Return the items that have no result yet; `same_as` maps those that share a request.

    Items whose files cannot be used are left out, unless they were sent before.
    """
    left: dict[int, list[int]] = {status: [] for status in ItemStatus}
    for index in range(inputs.count):
        known = same_as.get(index, index)
        status = run.items.status[known] if known < run.total else ItemStatus.FRESH
        if index not in inputs.refused or status not in (ItemStatus.FRESH, ItemStatus.WAITING):
            left[status].append(index)
    pending = (ItemStatus.WAITING, ItemStatus.FRESH, ItemStatus.SENT, ItemStatus.UNDECIDED)
    again, fresh, sent, undecided = ([i for i in left[s] if i not in same_as] for s in pending)
    shared = [index for status in pending for index in left[status] if index in same_as]
    return Remaining(again, fresh, sorted([*sent, *undecided]), shared)


def make_estimate(
    definition: Definition, settings: Settings, run: Run, left: Remaining, basis: Basis
) -> Estimate:
    """Estimate the items that remain."""
    measures, everything = definition.measures(raised=run.items.raised), left.requests
    expected = basis.expectation.of(everything)
    cost = None if expected.cost is None else Decimal(expected.cost)
    at_worst = {index: measures.worst_cost(index) for index in everything}
    worst = _sum(at_worst.values())
    to_send = {index: at_worst[index] for index in sorted([*left.again, *left.fresh])}
    primes = _primes(definition, run, len(to_send))
    share = EXACT.divide(cost, worst) if cost is not None and worst else Decimal(1)
    expects = Ahead(basis.expectation.output_tokens, share, _released(run, left, basis))
    ahead = outlook(definition, settings, run, to_send, expects)
    limits = definition.dialect.limits
    parts = (left.again, left.fresh)
    packs = [packed(map(measures.size, items), settings.items_per_job, limits) for items in parts]
    return Estimate(
        model=definition.model.id,
        items=len(everything) + len(left.shared),
        shared_items=len(left.shared),
        sent_items=len(left.sent),
        jobs=sum(jobs for jobs, _ in packs) + primes,
        bytes=sum(size for _, size in packs),
        input_tokens=expected.input_tokens,
        output_tokens=expected.output_tokens,
        cost=cost,
        cost_without_batch=None if cost is None else EXACT.divide(cost, Decimal(limits.batch_factor)),
        worst_cost=worst,
        worst_cost_with_retries=None if worst is None else EXACT.multiply(worst, settings.max_attempts),
        max_cost=None if settings.max_cost is None else Decimal(settings.max_cost),
        spent=run.total_cost,
        done_items=run.completed + run.failed,
        price_source=None if definition.price is None else definition.price.source,
        input_basis=basis.input,
        output_basis=basis.output,
        sampled_items=basis.sampled,
        margin=basis.margin,
        cache=None if definition.cache_plan is None else definition.cache_plan.reason,
        **({} if ahead is None else _of_limit(ahead, primes)),
    )


def _of_limit(ahead: Outlook, primes: int) -> dict[str, Any]:
    """Return what the estimate says of the limit."""
    return {
        "waves": ahead.under_limit.count + primes,
        "waves_without_limit": ahead.without_limit.count + primes,
        "jobs_under_limit": ahead.under_limit.jobs + primes,
        "unsent_items": ahead.under_limit.unsent,
        "one_wave_max_cost": ahead.one_wave_max_cost,
        "one_wave_max_tokens": ahead.one_wave_max_tokens,
        "sparing_max_tokens": ahead.sparing_max_tokens,
        "sparing_max_cost": ahead.sparing_max_cost,
    }


def _released(run: Run, left: Remaining, basis: Basis) -> Decimal:
    """Return what the batches under way are expected to leave of their reservations (USD)."""
    cost = basis.expectation.of(left.sent).cost
    return max(EXACT.subtract(run.reserved, Decimal(cost or 0)), Decimal(0))


def _primes(definition: Definition, run: Run, requests: int) -> int:
    """Count the jobs of one request that is sent ahead to fill the cache."""
    return int(definition.template.cache is not None and not run.cached_at and requests > 1)


def _sum(costs: Iterable[Decimal | None]) -> Decimal | None:
    total = Decimal(0)
    for cost in costs:
        if cost is None:
            return None
        total = EXACT.add(total, cost)
    return total
