"""An answer that a run has taken stays what it was, also where today's rules would refuse it."""

from __future__ import annotations

from decimal import Decimal

import pydantic
import pytest

from batchata.answers.answer import Block
from batchata.answers.reader import Reader


class Order(pydantic.BaseModel):
    vendor: str | None = None
    total: Decimal | None = None


READER = Reader(Order, enable_citations=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"vendor": "Acme", "sum": 5}', Order(vendor="Acme")),
        ('{"vendor": "Acme", "vendor": "Globex"}', Order(vendor="Globex")),
        ('{"vendor": "Acme", "total": "1.234"}', Order(vendor="Acme", total=Decimal("1.234"))),
        ('Draft: [{"vendor": "Globex"}] Final: {"vendor": "Acme"}', Order(vendor="Acme")),
        ("Draft: {'vendor': 'Acme', 'sum': 5}", Order(vendor="Acme")),
    ],
)
def test_what_a_run_took_is_still_read(text: str, value: Order) -> None:
    """A new run asks again; of an old one the result is not taken away."""
    blocks = [Block("text", text)]
    assert READER.read(blocks, "end_turn").error is not None
    assert READER.read_taken(blocks).result == value
    assert READER.read_taken(blocks).error is None


def test_what_is_read_today_is_read_by_todays_rules() -> None:
    """An old run's answer is read better where that loses nothing."""
    blocks = [Block("text", '{"Vendor": "Acme", "total": 1200.00}')]
    assert repr(READER.read_taken(blocks).result) == "Order(vendor='Acme', total=Decimal('1200.00'))"
