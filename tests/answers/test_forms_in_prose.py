"""Amounts and dates in prose are matched as documents write them, and no other value is."""

from __future__ import annotations

import decimal
import json
from decimal import Decimal

import pydantic
import pytest

from batchata.answers.answer import Block, Citation
from batchata.answers.citations import UNMATCHED
from batchata.answers.normalize import fold
from batchata.answers.numbers_and_dates import figures
from batchata.answers.reader import Reader


class Due(pydantic.BaseModel):
    vendor: str
    v: float


class Day(pydantic.BaseModel):
    vendor: str
    v: str


AMOUNTS: dict[str, float] = {
    "₹1,23,456.00": 123456, "12,34,567": 1234567, "45.00-": -45, "1.200,00-": -1200, "$1.2 million": 1.2e6,
    "2,5 Mrd. €": 2.5e9, "1.2 Mio. EUR": 1.2e6, "3 crore": 3e7, "5 lakh": 5e5, "$3k": 3000, "£2bn": 2e9,
    "300万円": 3e6, ".5": 0.5, ".125": 0.125, "0.125": 0.125, "(1,200.00)": -1200, "12 million.": 12e6,
    "1,200¹": 1200,
}  # fmt: skip
DAYS = [
    "20241231", "2024年12月31日", "2024年 12月 31日", "2024년 12월 31일", "31 грудня 2024 року",
    "31 декабря 2024", "31 Aral\u0131k 2024", "31. prosince 2024", "31 tháng 12 năm 2024",
    "31. joulukuuta 2024", "31 decembrie 2024", "31 de diciembre de 2024", "December 31st, 2024",
    "2024. december 31.",
]  # fmt: skip
WRONG: list[tuple[str, float]] = [
    ("0.125", 125), (".125", 125), ("5-10", -5), ("45.00 - text", -45), ("1.2 million", 12), ("3 m", 3e6),
    ("1,23,456", 1.23), ("5m", 5e6), ("10- and 20-day", -10),
    ("10⁹ Hz", 109), ("2½ hours", 21), ("1,200²", 12002),
]  # fmt: skip


def cited(model: type[pydantic.BaseModel], said: str, value: object) -> list[str]:
    citation = Citation("char_location", f"Due: {said}", 0)
    blocks = [
        Block("text", "It is "),
        Block("text", said, [citation]),
        Block("text", ".\n\n" + json.dumps({"vendor": "Acme Corp", "v": value})),
    ]
    found = Reader(model, enable_citations=True).read(blocks, "end_turn").citations
    assert isinstance(found, dict)
    return list(found)


@pytest.mark.parametrize(("said", "value"), AMOUNTS.items(), ids=list(AMOUNTS))
def test_an_amount_is_matched_as_it_is_written(said: str, value: float) -> None:
    """Groups of all countries, a minus behind it, words for powers of ten, no digit before the point."""
    assert cited(Due, said, value) == ["v"]


@pytest.mark.parametrize("said", DAYS)
def test_a_day_is_matched_as_it_is_written(said: str) -> None:
    """In the languages and scripts of the world; the day after it is another."""
    assert cited(Day, said, "2024-12-31") == ["v"]
    assert cited(Day, said, "2024-12-30") == [UNMATCHED]


@pytest.mark.parametrize(("said", "value"), WRONG)
def test_what_is_not_said_is_not_matched(said: str, value: float) -> None:
    """A citation under a field says that the document says so."""
    assert cited(Due, said, value) == [UNMATCHED]


def test_numbers_are_exact_in_any_context() -> None:
    """A program's own decimal context rounds nothing."""
    with decimal.localcontext(prec=3):
        meant = [figure.meanings for figure in figures(fold("1,234,567.89 and 12.345678% and 45.6789-"))]
    assert meant[0] == {Decimal("1234567.89")}
    assert meant[1] == {Decimal("12.345678"), Decimal("0.12345678")}
    assert meant[2] == {Decimal("45.6789"), Decimal("-45.6789")}
