"""Sets of item indexes as ranges lose nothing and are as short as can be."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from batchata.core.ranges import count, extend, iterate, to_ranges

INDEXES = st.sets(st.integers(0, 300)).map(sorted)


@given(INDEXES)
def test_ranges_hold_exactly_the_indexes(indexes: list[int]) -> None:
    """To ranges and back gives the same indexes in the same order."""
    ranges = to_ranges(indexes)
    assert list(iterate(ranges)) == indexes
    assert count(ranges) == len(indexes)


@given(INDEXES)
def test_ranges_are_as_few_as_possible(indexes: list[int]) -> None:
    """Neighbours share a range: a whole job of 100,000 items is one pair in its event."""
    ranges = to_ranges(indexes)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(ranges))


def test_both_ends_are_included() -> None:
    """One index is a range from itself to itself; the last is part of its range."""
    assert to_ranges([4]) == [(4, 4)]
    assert to_ranges([0, 1, 2, 5]) == [(0, 2), (5, 5)]
    assert list(iterate([(3, 5)])) == [3, 4, 5]


def test_extending_adds_in_place() -> None:
    """One more index lengthens the last range or begins a new one."""
    ranges = [(0, 2)]
    extend(ranges, 3)
    extend(ranges, 9)
    assert ranges == [(0, 3), (9, 9)]


def test_no_indexes_make_no_ranges() -> None:
    """An empty set is an empty list."""
    assert to_ranges([]) == []
    assert count([]) == 0
