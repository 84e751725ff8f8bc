"""Numbers and dates as documents write them."""

from __future__ import annotations

from typing import Any

import pytest

from batchata.sandbox.reading.typed import find_dates, number_of


@pytest.mark.parametrize(
    ("text", "comma", "value"),
    [
        ("1.234,56", False, 1234.56),
        ("1,234.56", True, 1234.56),
        ("1 234,5", True, 1234.5),
        ("1,234", False, 1234),
        ("1.234", True, 1234),
        ("1.234", False, 1.234),
        ("0,125", False, 0.125),
        ("1.234.567", False, 1234567),
        ("-9,32", True, -9.32),
        ("€ 4,24", True, 4.24),
        ("(12.00)", False, -12.0),
    ],
)
def test_numbers_with_either_decimal_sign(text: Any, comma: Any, value: Any) -> None:
    """A lone separator before three digits is settled by how the rest of the text writes decimals."""
    assert number_of(text, comma_decimal=comma) == value


@pytest.mark.parametrize(
    ("text", "us", "iso"),
    [
        ("2024-03-05", False, "2024-03-05"),
        ("5.3.2024", False, "2024-03-05"),
        ("05/03/2024", False, "2024-03-05"),
        ("03/05/2024", True, "2024-03-05"),
        ("03/20/2024", False, "2024-03-20"),
        ("5. März 2024", False, "2024-03-05"),
        ("02 Juillet 2015", False, "2015-07-02"),
        ("2 juin 2015", False, "2015-06-02"),
        ("August 3 , 2014", False, "2014-08-03"),
        ("Jan 1, 2022", False, "2022-01-01"),
        ("19 april 2014", False, "2014-04-19"),
        ("5 de marzo de 2024", False, "2024-03-05"),
        ("21.05.14", False, "2014-05-21"),
        ("30.02.2024", False, None),
    ],
)
def test_dates_in_several_languages(text: Any, us: Any, iso: Any) -> None:
    """Every form becomes ISO; what is no date is none."""
    assert [found for _, _, found in find_dates(text, us=us)] == ([iso] if iso else [])
