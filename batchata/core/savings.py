"""What a run did not have to pay for, because requests were shared."""

from __future__ import annotations

from decimal import Decimal

from batchata.core.state import Run


def saved_by_dedupe(run: Run) -> Decimal | None:
    """What the items that share a request would have cost in requests of their own; None when unknown."""
    total = Decimal(0)
    for original, copies in run.items.copies.items():
        cost = run.items.cost(original)
        if cost is None:
            return None
        total += cost * len(copies)
    return total
