"""What is known of each item, in columns: costs are exact whatever their size, unknown stays unknown."""

from __future__ import annotations

import sys
from decimal import Decimal, localcontext

from hypothesis import given
from hypothesis import strategies as st

from batchata.core.item_columns import Items
from batchata.core.state import ItemStatus

# From whole dollars down to a tenth of a femtodollar: below the picodollars that a column holds.
AMOUNTS = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent), st.integers(0, 10**9), st.integers(-16, 0)
)


def one_item() -> Items:
    items = Items()
    items.grow(1)
    return items


@given(st.lists(AMOUNTS, max_size=8))
def test_costs_add_up_exactly(amounts: list[Decimal]) -> None:
    """An item's cost is the sum of its charges to the last digit, finer than a picodollar or not."""
    items = one_item()
    for amount in amounts:
        items.charge(0, amount)
    with localcontext(prec=100):
        assert items.cost(0) == sum(amounts, Decimal(0))


@given(st.lists(st.none() | AMOUNTS, min_size=1, max_size=6))
def test_an_unknown_charge_makes_the_whole_unknown(amounts: list[Decimal | None]) -> None:
    """Once a price was unknown the item's cost is None, never a sum that leaves something out."""
    items = one_item()
    for amount in amounts:
        items.charge(0, amount)
    assert (items.cost(0) is None) == (None in amounts)


def test_a_column_holds_what_fits_and_a_dict_the_rest() -> None:
    """Beyond eight bytes of picodollars, and below one, a cost is kept all the same, and may come back."""
    items = one_item()
    items.charge(0, Decimal(9300000))  # 2**63 picodollars are 9,223,372 USD
    assert items.cost(0) == Decimal(9300000)
    items = one_item()
    items.charge(0, Decimal("0.0000000000005"))
    items.charge(0, Decimal("0.0000000000005"))
    assert items.cost(0) == Decimal("0.000000000001")


def test_a_cost_is_plain_digits() -> None:
    """Ten dollars print as 10, not as 1E+1."""
    items = one_item()
    items.charge(0, Decimal("10.00"))
    assert str(items.cost(0)) == "10"


def test_items_keep_apart() -> None:
    """A charge belongs to one item; those added later begin with nothing."""
    items = one_item()
    items.charge(0, Decimal("0.1"))
    items.grow(2)
    assert [items.cost(i) for i in range(3)] == [Decimal("0.1"), Decimal(0), Decimal(0)]
    assert len(items) == 3
    assert list(items.status) == [ItemStatus.FRESH] * 3
    assert list(items.job) == [-1] * 3


def test_an_item_that_parts_leaves_the_others_together() -> None:
    """A copy that gets a request of its own no longer follows; an original that does lets its copies go."""
    items = Items()
    items.grow(4)
    for index in (1, 2):
        items.share(index, 0)
    items.part(1)
    items.status[0] = ItemStatus.COMPLETED
    assert items.mirror(0) == 2
    done, fresh = ItemStatus.COMPLETED, ItemStatus.FRESH
    assert list(items.status) == [done, fresh, done, fresh]
    items.part(2)
    assert items.mirror(0) == 1
    items.share(3, 0)
    items.part(0)
    assert (items.mirror(0), items.same_as) == (1, {})


def test_an_item_takes_few_bytes() -> None:
    """Columns, not objects: a million items fit into some 40 MB."""
    items = Items()
    items.grow(100_000)
    columns = [part for part in vars(items).values() if hasattr(part, "__len__")]
    assert sum(map(sys.getsizeof, columns)) / 100_000 < 40
