"""A long answer with a value that fits in no reading is refused at the first of them; others are read."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pydantic
import pytest

from batchata.answers.parsing import UnreadableAnswer, parse


class Order(pydantic.BaseModel):
    tags: list[str] = []
    rows: list[dict[str, Decimal]] = []
    total: Decimal | None = None


MANY = 4_000  # longer than what is looked at as a whole


@pytest.mark.parametrize(
    ("tags", "rows", "said"),
    [
        ([{}], [], "tags[0]: Input should be a valid string"),
        (["x", [[1]]], [], "tags[1]: Input should be a valid string"),
        ([json.loads("[" * 9 + "]" * 9)], [], "tags[0]: Input should be a valid string"),
        ([{"value": []}], [], "tags[0]: Input should be a valid string"),
        ([], [{"a": None}], "rows[0].a: "),
        ([], [{"a": 1}, {"b": "about ten"}], "rows[1].b: Input should be a valid decimal"),
        ([], [{"a": "NaN"}], "rows[0].a: "),
    ],
)
def test_a_value_that_fits_in_no_reading_ends_the_look(tags: list[Any], rows: list[Any], said: str) -> None:
    """The message names the first, as a short answer's does."""
    for times in (1, MANY):
        text = json.dumps({"total": None, "tags": tags * times, "rows": rows * times})
        with pytest.raises(UnreadableAnswer) as caught:
            parse(text, Order)
        assert said in str(caught.value)


def test_what_has_one_reading_is_read_however_long() -> None:
    """A value in a list of one, under "value", or as a text in notations of the world."""
    text = json.dumps({"tags": [["x"], {"value": 5}, 1.5] * MANY, "rows": [{"a": "1.200,00 EUR"}] * MANY})
    read = parse(text, Order).value
    assert read == Order(tags=["x", "5", "1.5"] * MANY, rows=[{"a": Decimal("1200.00")}] * MANY)
