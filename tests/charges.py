"""Makes the charges that tests put into logs and histories."""

from __future__ import annotations

from typing import Any

from batchata.core.events import CostCharged
from batchata.core.pages import KINDS


def cost_charged(job: int, index: int, amount: str | None, **said: Any) -> CostCharged:
    """What a request cost, by no tokens and no price unless they are given."""
    fields = dict.fromkeys(KINDS, 0) | {"unit_prices": {}, "price_source": "test"} | said
    return CostCharged(job=job, index=index, amount=amount, **fields)
