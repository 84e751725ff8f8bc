"""Compare a run's estimated cost with what its answered requests used."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from batchata.core.money import EXACT, amount_of, quotient
from batchata.core.values import Expected

_ENOUGH = 20  # answers, and …
_WORTH = Decimal("0.01")  # … USD, below which a ratio says nothing


@dataclass(slots=True)
class Accuracy:
    """Sums over the completed jobs for which something was expected. Costs in USD.

    Where some of a job's requests are not billed, only the same share of its expectation counts.
    """

    answers: int = 0
    expected_input: int = 0
    expected_output: int = 0
    expected_cost: Decimal = Decimal(0)
    used_input: int = 0
    used_output: int = 0
    used_cost: Decimal = Decimal(0)
    unpriced: int = 0  # answers for which no cost was expected, or none is known

    def add(
        self, expected: Expected, requests: int, answers: int, used: tuple[int, int], cost: Decimal | None
    ) -> None:
        """Add a completed job of so many requests; `used` are all its input and its output tokens."""
        self.answers += answers
        self.expected_input += expected.input_tokens * answers // requests
        self.expected_output += expected.output_tokens * answers // requests
        self.used_input += used[0]
        self.used_output += used[1]
        if expected.cost is None or cost is None:
            self.unpriced += answers
        else:
            share = quotient(EXACT.multiply(amount_of(expected.cost), answers), requests)
            self.expected_cost = EXACT.add(self.expected_cost, share)
            self.used_cost = EXACT.add(self.used_cost, cost)

    @property
    def telling(self) -> bool:
        """Whether enough was used for the errors to be meaningful."""
        return self.cost_error is not None and self.answers >= _ENOUGH and self.used_cost >= _WORTH

    @property
    def cost_error(self) -> float | None:
        """By how much the expected cost was too high, as a share of the real one; None if unknown."""
        if self.unpriced or not self.used_cost:
            return None
        return float(quotient(self.expected_cost, self.used_cost)) - 1

    @property
    def input_error(self) -> float | None:
        """The same for input tokens."""
        return self.expected_input / self.used_input - 1 if self.used_input else None

    @property
    def output_error(self) -> float | None:
        """The same for output tokens."""
        return self.expected_output / self.used_output - 1 if self.used_output else None
