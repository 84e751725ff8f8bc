"""Choose the items of a pilot: a few are sent and completed before the rest is paid for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from batchata.core.events import ItemsChosen
from batchata.core.ranges import to_ranges
from batchata.core.state import Run
from batchata.errors import InvalidInputError
from batchata.logs import get_logger
from batchata.run.estimate import Estimate
from batchata.text import number_of, rounded

_logger = get_logger()


@dataclass(frozen=True, slots=True)
class Choice:
    """What a call of `run()` may send: the first `limit` items, a `sample` of all, or everything."""

    limit: int | None = None
    sample: int | None = None
    seed: int | None = None

    @classmethod
    def of(cls, limit: object, sample: object, seed: object) -> Choice:
        """Check what a caller asks for.

        Raises InvalidInputError.
        """
        if limit is not None and sample is not None:
            raise InvalidInputError(
                "limit takes the first items and sample takes some of all; leave one of them out"
            )
        if seed is not None and sample is None:
            raise InvalidInputError("seed chooses which items a sample takes; give sample=… with it")
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
            raise InvalidInputError(f"seed must be a whole number, not {seed!r}")
        return cls(_count("limit", limit), _count("sample", sample), seed)

    def of_run(self, run: Run) -> ItemsChosen:
        """Return the decision for the run as it is now.

        A sample that the run has taken before stays the same, whatever was added to the run since.
        """
        before, items = run.choice, None
        if before is not None and self == Choice(before.limit, before.sample, before.seed) and self.sample:
            items = before.items
        elif self.limit is not None:
            items = to_ranges(range(min(self.limit, run.total)))
        elif self.sample is not None:
            items = to_ranges(_spread(run.total, self.sample, self.seed))
        return ItemsChosen(items=items, limit=self.limit, sample=self.sample, seed=self.seed)


def _count(name: str, value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidInputError(f"{name} must be a whole number of items, 1 or more, not {value!r}")
    return value


def _spread(total: int, sample: int, seed: int | None) -> Iterator[int]:
    """Yield one item of each of so many parts of the input: its middle, or one drawn with the seed."""
    drawn = None if seed is None else Random(seed)  # noqa: S311 - repeatable, and no secret
    parts = min(sample, total)
    for part in range(parts):
        first, end = part * total // parts, (part + 1) * total // parts
        yield first + int((0.5 if drawn is None else drawn.random()) * (end - first))


def of_the_rest(run: Run, rest: Estimate) -> str:
    """Say, also in the log tree, what the items after the pilot will cost, judging by what these used."""
    _logger.info(
        "pilot_done",
        run=None if run.started is None else run.started.run_id,
        pending=run.pending,
        expected_cost=None if rest.cost is None else str(rest.cost),
        worst_cost=None if rest.worst_cost is None else str(rest.worst_cost),
    )
    done = f"pilot     {number_of(run.completed + run.failed, 'item')} of {run.total:,} done"
    if rest.cost is None or rest.worst_cost is None:
        return f"{done}; what the others cost is unknown, as no price is. run() without a limit sends them"
    return (
        f"{done}; the others are expected to cost {rounded(rest.cost)}, {rounded(rest.worst_cost)} at worst\n"
        f"          (output: {rest.output_basis}). run() without a limit sends them"
    )
