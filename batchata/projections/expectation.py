"""What the items of a run are expected to use and to cost, before they are sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from batchata.core.caching import cached_cost
from batchata.core.pricing import EXACT, ModelPrice, expected_cost, plain
from batchata.core.values import Expected
from batchata.definition import Definition
from batchata.inputs import Inputs
from batchata.output.length import answer_length

# Tokens. The recorded answers in free text have 300 in the middle; the thinking that models of the current
# generation do by themselves took 0 to 80 in recordings.
_FREE_TEXT: Final = 300
_THINKING: Final = 40
CHARACTERS_A_TOKEN: Final = 3.0  # of JSON to a token, on the models up to the 4.6 generation


@dataclass(frozen=True, slots=True)
class Expectation:
    """Tokens and cost of each item. `scale` corrects the offline count of input tokens.

    `cached_tokens` of them are the beginning that all requests share and have cached.
    """

    inputs: Inputs
    shared_tokens: int
    output_tokens: int
    price: ModelPrice | None
    scale: float = 1.0
    cached_tokens: int = 0

    def input_tokens(self, index: int) -> int:
        """The input tokens that one request for the item is expected to have."""
        return round((self.inputs.expected_tokens(index) + self.shared_tokens) * self.scale)

    def of(self, indexes: Iterable[int]) -> Expected:
        """What one request for each of these items uses and costs."""
        tokens, count, cost = 0, 0, Decimal(0)
        known = self.price is not None
        for index in indexes:
            one = self.input_tokens(index)
            tokens, count = tokens + one, count + 1
            amount = self._cost(one)
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
    """What is known offline, before anything was sent."""
    plan = definition.cache_plan
    return Expectation(
        inputs=definition.inputs,
        shared_tokens=round(definition.template.expected_tokens * definition.model.text_factor),
        output_tokens=expected_output(definition),
        price=None if definition.price is None else definition.price.kept_in(definition.geo),
        cached_tokens=0 if plan is None else plan.tokens,
    )


def expected_output(definition: Definition) -> int:
    """Output tokens of one answer: by the fields of the response model, or those of a free text; with the
    thinking that the model does; never more than `max_tokens`.
    """
    factor, schema = definition.model.text_factor, definition.schema
    text = _FREE_TEXT if schema is None else answer_length(schema) / CHARACTERS_A_TOKEN * factor
    most: int = definition.params["max_tokens"]
    return min(round(text) + _thinking(definition, definition.params.get("thinking")), most)


def _thinking(definition: Definition, thinking: dict[str, Any] | None) -> int:
    """Of a budget, half is taken to be used; without one, what recordings show."""
    kind = None if thinking is None else thinking.get("type")
    if kind == "disabled" or (kind is None and not definition.model.thinks_by_default):
        return 0
    budget = None if thinking is None else thinking.get("budget_tokens")
    return budget // 2 if isinstance(budget, int) else _THINKING
