"""Keep sets of item indexes as short lists of `(first, last)` ranges, both ends included."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from batchata.core.values import Ranges


def to_ranges(indexes: Iterable[int]) -> Ranges:
    """Return ascending ranges that cover exactly these ascending, distinct indexes."""
    ranges: Ranges = []
    for index in indexes:
        extend(ranges, index)
    return ranges


def extend(ranges: Ranges, index: int) -> None:
    """Add an index above all others, in place."""
    if ranges and ranges[-1][1] == index - 1:
        ranges[-1] = (ranges[-1][0], index)
    else:
        ranges.append((index, index))


def iterate(ranges: Ranges) -> Iterator[int]:
    """Yield every index in the ranges, in their order."""
    for first, last in ranges:
        yield from range(first, last + 1)


def count(ranges: Ranges) -> int:
    """Count the indexes in the ranges."""
    return sum(last - first + 1 for first, last in ranges)


def holds(ranges: Ranges, index: int) -> bool:
    """Whether the index is in one of the ranges."""
    place = bisect_right(ranges, index, key=_first)
    return place > 0 and index <= ranges[place - 1][1]


def _first(span: tuple[int, int]) -> int:
    return span[0]


def within(ranges: Ranges, first: int, end: int) -> Iterator[int]:
    """Yield every index in the ranges from `first` on, the end excluded."""
    for low, high in ranges:
        yield from range(max(low, first), min(high + 1, end))
