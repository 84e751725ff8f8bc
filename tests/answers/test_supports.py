"""Whether a passage says the value that it is cited for."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Literal

import msgspec
import pydantic
import pytest

from batchata.answers.answer import Block, Citation
from batchata.answers.grounding import Sources
from batchata.answers.reader import Reader
from batchata.answers.supports import supports, unsupported
from batchata.answers.values_by_path import uncited


class Status(Enum):
    PAST_DUE = "past_due"
    PAID = "paid"
    PARTLY = "partially_paid"
    UNPAID = "unpaid"


class Line(pydantic.BaseModel):
    price: Decimal


class Invoice(pydantic.BaseModel):
    vendor: str
    total: Decimal
    due: date | None = None
    paid: bool = False
    terms: Literal["net 30", "net 60"] | None = None
    lines: list[Line] = []
    note: str = ""
    extra: dict[str, str] = {}


@pytest.mark.parametrize(
    ("value", "passage", "said"),
    [
        (9999.99, "Total: $1,200.00", False),
        (1200.0, "Total: $1,200.00", True),
        (1200, "see the attached schedule", False),
        (3, "apples, pears and plums", None),
        (Decimal(1234), "Gesamt: 1.234 €", True),
        (Decimal("1.234"), "1,234", None),
        (Decimal(1200), "(1,200.00)", None),
        (Decimal("1.2"), "1.2 million", None),
        (15, "a share of 0.15", False),
        (16, "iPad 16GB", True),
        (120, "Total 120¹", True),
        (20, "10-20", None),
        (2024, "on March 4, 2024", True),
        (4, "on March 4, 2024", None),
        (date(2024, 4, 3), "03/04/2024", None),
        (date(2024, 3, 4), "03/04/2024", None),
        (date(2024, 3, 4), "03/04/2024 - 03/31/2024", True),
        (date(2024, 4, 3), "03/04/2024 - 03/31/2024", False),
        (date(2024, 3, 4), "03.04.2024", False),
        (date(2024, 3, 1), "March 2024", None),
        (date(1985, 4, 3), "geboren 03.04.85", True),
        (datetime(2024, 3, 4, 10, 30, tzinfo=UTC), "4 March 2024, 10:30", True),
        (datetime(2024, 3, 4, 10, 30, tzinfo=UTC), "4 March 2024", None),
        ("$1,200.00", "USD 1200", True),
        ("€1,200.00", "$1,200.00", False),
        ("$1,200.00", "Total 1,200.00", None),
        ("USD", "$1,200.00", True),
        ("USD", "1.200 EUR", False),
        ("Globex", "Vendor: Acme Ltd", False),
        ("Brightwater", "Bright-\nwater Ltd", True),
        ("Müller", "MUELLER & Co", True),
        ("BE0123456789", "BE 0123.456.789", True),
        ("BW-1098", "BW-10982", False),
        ("1250", "12.50", False),
        ("0042", "42", False),
        ("1.5 kg", "15 kg", False),
        ("-5 °C", "5 °C", False),
        ("Net 30 days", "Payment terms: Net 45 days", False),
        ("US", "contact us", None),
        ("ALL", "all items", None),
        ("nowhere", "now here", None),
        ("कि", "की", False),
        ("京都", "東京都", None),
        ("東京都", "住所東京都千代田区", True),
        ("electricity supply", "Your power usage", None),
        ("2014-08-03", "August 3, 2014", True),
        ("http://www.example.com", "see www.example.com for more", True),
        ("paid", "not paid on 1 May, but paid on 3 May", True),
        ("Smith", "Invoice No: Smith", True),
        ("not paid", "It is not paid", True),
        (12.5, "12\u00b75", True),
        ("C++", "C++ developer", True),
        (True, "yes", None),
        (None, "nothing", None),
        (Status.PAST_DUE, "Status: Past due", True),
        (Status.PAID, "Status: unpaid", False),
        (Status.PAID, "partially paid", False),
        (Status.PAID, "not yet paid", None),
        (Status.PAID, "we thank you", None),
        ("word " * 60, "word", None),
        ("", "anything", None),
        (float("nan"), "nan", None),
        ("x", " ", None),
        ("May", "Prices may be changed.", None),
        ("May", "May be sold in 7 shops", None),
        ("March", "the band will march on", None),
        ("May", "Prices may change in May", True),
        ("May", "due in may", True),
        ("May", "3 MAY", True),
        ("March", "February\nMARCH\nApril", True),
        ("may", "you may", True),
        ("109", "10⁹ Hz", False),
        ("10⁹", "10⁹ Hz", True),
        ("52", "5²", False),
        ("12½", "121/2", False),
        ("12 1/2", "12½", True),
        ("Acme", "Acme¹", True),
        ("km²", "5 km2", True),
        ("1.10", "section 1.1", None),
        ("1.1", "section 1.10", None),
        ("1.10", "EUR 1.1", True),
        (date(2023, 12, 31), "December 31, 2024 and 2023", None),
        (date(2022, 12, 31), "December 31, 2024 and 2023", False),
        (date(2023, 12, 30), "December 31, 2024 and 2023", False),
    ],
)
def test_a_passage_supports_contradicts_or_leaves_it_open(
    value: Any, passage: str, said: bool | None
) -> None:
    """What has two readings, is composed or may be another notation is open; another value is False."""
    assert supports(value, passage) is said


@pytest.mark.parametrize(
    ("value", "passage"),
    [
        ("J. Doe", "Jane Doe"), ("Jane Doe", "Ms Doe"), ("Germany", "DE"), ("+49 30 123456", "(030) 123456"),
        ("v2.3.1", "version 2.3.1"), ("2.3.1", "v2.3.1"), ("Q1 2025", "first quarter of 2025"),
        ("FY2024", "fiscal year 2024"), ("FY24", "FY 2024"), ("St. Mary's", "Saint Mary's"),
        ("Mt. Everest", "Mount Everest"), ("04/2025", "April 2025"), ("2025-04", "April 2025"),
        ("9am-5pm", "9:00 to 17:00"), ("Page 3", "p. 3"), ("1st", "first"),
        ("paid", "not yet paid"), ("Paid", "Status: Not paid"), ("refundable", "a non-refundable fee"),
        (date(2024, 3, 1), "Mar-24"),  (date(2024, 3, 5), "24/03/05"),
        ("5 kg", "5.0 kg"), ("10:30", "10.30 Uhr"), ("12 Main St", "12 Main Street"),
        ("$5 million", "USD 5m"),
        ("2024/25", "2024-2025"), ("ISBN 978-3-16-148410-0", "9783161484100"), (5, "5,000"), (5, "5.000 €"),
        ("Müller & Söhne", "Mueller und Soehne"), ("acme.com", "acme.com.au"),
        ("v1.2", "v1.2.3"), ("C", "C++"), ("v2", "v2.1"),
        ("30 days", "within thirty days"), ("14 Tage", "vierzehn Tage"), ("60 Tage", "sechzig Tage"),
        ("payé", "n'est pas payé"), ("overdue", "isn\u2019t overdue"),
        (90, "1h30"), (90, "1:30"), (5.5, "5'6\""), (180, "1.80 m"), (2025, "FY25"), (2024, "2023/24"),
        (Decimal("0.10"), "10¢"), (Decimal("1234.57"), "1234.5678"),
        (date(2025, 3, 4), "yesterday"), (date(2025, 3, 1), "1-4 March 2025"),
        (date(2026, 3, 4), "one year after 4 March 2025"),
    ],
)  # fmt: skip
def test_what_a_passage_says_in_other_words_is_not_contradicted(value: Any, passage: str) -> None:
    """Whether it means the same cannot be told; an item is asked again only for what is another value."""
    assert supports(value, passage) is None


@pytest.mark.parametrize(
    ("value", "passage"),
    [
        ("Jane Doe", "Ms Roe"), ("John Doe", "Jane Doe"), ("v2.3.1", "version 2.3.2"),
        ("10.0.0.1", "10.0.1.0"), ("FY24", "FY 2023"), ("Q1 2025", "first quarter of 2024"),
        ("St. Mary's", "Saint Paul's"), ("04/2025", "April 2024"), (12.5, "12.53"), (2025, "FY24"),
        ("5 kg", "15 kg"), (date(2024, 3, 5), "24/03/06"),
        ("2024/25", "2023-2024"), ("12 Main St", "112 Main Street"), ("10:30", "Raum 4"),
        ("INV-2041", "Chapter IV, INV-2042"), (date(2025, 3, 5), "1-4 March 2025"), ("Germany", "France"),
    ],
)  # fmt: skip
def test_other_words_for_another_value_contradict(value: Any, passage: str) -> None:
    """An abbreviation, a title or a range makes no passage agree with everything."""
    assert supports(value, passage) is False


@pytest.mark.parametrize(
    ("value", "passage", "said"),
    [
        (12.3, "Harbor Lane 12, total 12.30 USD, paid", True), (Decimal("12.3"), "total $12.30; paid", True),
        (1234.5, "of 1234.50 euros.", True), (857, "some 857 pieces", True), (12_000, "12,000, net", True),
        (date(2025, 3, 4), "as of 2025-03-04, net", True), (date(2025, 3, 4), "am 04.03.2025 dort", True),
        ("Harbor Lane 12", "Harbor Lane 12, invoice 12", True),
        (12.3, "total 12.30 million", None), (12.3, "(12.30 USD)", None), (12.3, "-USD 12.30", False),
        (12.3, "12.30/15.30", None), (234.5, "1 234.50 in all", False), (234.5, "1,234.50 in all", False),
        (12.3, "12.30.45", False), (12, "on 12 May 2021 there", None), (2021, "12 May 2021", True),
        (date(2025, 3, 4), "no. 2025-03-041 here", None), (date(2025, 3, 4), "14 March 2025 it is", False),
        ("$1,200.00", "-$1,200.00", False), ("857", "12-857", None),
    ],
)  # fmt: skip
def test_what_is_seen_at_once_is_what_would_be_found(value: Any, passage: str, said: bool | None) -> None:
    """A value in its usual print is stated, unless what stands around it makes another one of it."""
    assert supports(value, passage) is said


def _read(*blocks: tuple[str, list[str]]) -> Any:
    said = [
        Block("text", text, [Citation("char_location", cites) for cites in c] or None) for text, c in blocks
    ]
    return Reader(Invoice, enable_citations=True).read(said, "end_turn").checked_in(None)


@pytest.mark.parametrize(
    ("value", "passage"),
    [
        (1000, "1k"), (1500, "1.5K users"), (2_500_000, "2.5M"), (16_000_000_000, "16GB"), (4700, "4k7"),
        (1e-9, "1e-9"), (123_000, "1.23E5"), (6.02e23, "6.02 x 10^23"), (1000, "1\u00d710³"), (8, "2³"),
        (0.5, "1/2"), (12.5, "12½ of 30"), (0.333, "1/3"), (33.33, "1/3"), (0.2, "1 in 5"), (0.0005, "5 bps"),
        (14, "Chapter XIV, page 3"), (2024, "MMXXIV"), (1, "Phase I, 12 patients"), (3, "the third of 12"),
        (10, "10-20"), (255, "0xFF"), (14, "2 weeks"), (3600, "1 hour"), (500, "fünfhundert"), (10, "10⁹"),
        (0, "free, not 12.00"), (1e-320, "1e-320"), (1, "1e5"), (1e9, "1G"), (1e12, "1 tn"),
        (10**100, "a googol"), (144, "a gross"), (3e12, "trillions"), (1e9, "een miljard"),
        (300_000, "trecentomila"), (2.2e-6, "2u2"), (2.2e-6, "C1: 2\u00b52F"), (2.2e-6, "2.2 uF"),
        (99.99, "only $99⁹⁹"), (1e-6, "1 \u03bcm"), (4.7, "4R7"), (4.7e-9, "4n7"), (1.5e-12, "1p5"),
        (4.7, "4k7"),
    ],
)  # fmt: skip
def test_a_number_in_another_notation_is_not_contradicted(value: float, passage: str) -> None:
    """Only a passage that gives another number contradicts; in which unit or notation cannot be told."""
    assert supports(value, passage) is None


@pytest.mark.parametrize(
    ("value", "passage"),
    [
        (2000, "1k"), (1e-8, "1e-9"), (0.6, "1/2"), (15, "10-20"), (109, "10⁹"), (121, "12½"), (1000, "12k"),
        (1201, "Total 120¹"), (4, "Chapter XIV, page 3"), (1, "I paid 60"), (1000, "Total: $1.00"),
        (1000, "5 apples"), (1e9, "2G"), (4, "1G"), (123_456, "Amount due"),
    ],
)  # fmt: skip
def test_another_number_in_such_a_notation_contradicts(value: float, passage: str) -> None:
    """No notation makes a passage agree with any number."""
    assert supports(value, passage) is False


def test_each_citation_of_a_field_says_whether_it_supports_it() -> None:
    """Paths by Python names decide which value is meant; what fits no field is open."""
    reading = _read(
        ('{"vendor": ', []),
        ('"Acme"', ["Sold by: ACME"]),
        (', "total": ', []),
        ("12.5", ["Total 9.00", "12,50 €"]),
        (', "lines": [{"price": ', []),
        ("7", ["7.00 each"]),
        ('}], "terms": ', []),
        ('"net 30"', ["net 60 days"]),
        (', "paid": ', []),
        ("true", ["PAID"]),
        ("}", []),
        (" That is all.", ["so it is"]),
    )
    assert reading.error is None
    said = {path: [c.supports for c in found] for path, found in reading.citations.items()}
    assert said == {
        "vendor": [True],
        "total": [False, True],
        "lines[0].price": [True],
        "terms": [False],
        "paid": [None],
        "(unmatched)": [None],
    }
    assert unsupported(reading.citations) == ["terms"]
    assert uncited(reading.result, reading.citations) == []


def test_passages_that_only_together_state_a_value_do_not_contradict_it() -> None:
    """A name that two lines of a document share is cited by both."""
    reading = _read(('{"vendor": ', []), ('"Acme Robotics"', ["Acme", "Robotics"]), (', "total": 1}', []))
    assert [c.supports for c in reading.citations["vendor"]] == [None, None]
    assert unsupported(reading.citations) == []
    assert uncited(reading.result, reading.citations) == ["total", "paid"]


def test_what_is_empty_needs_no_citation() -> None:
    """Defaults that say something do; None, empty texts and empty lists do not."""
    result = Invoice(vendor="A", total=Decimal(1), lines=[Line(price=Decimal(2))], extra={"a.b": "c"})
    cited = {"vendor": [Citation()], "lines[0]": [Citation()]}
    assert uncited(result, cited) == ["total", "paid", 'extra["a.b"]']


def test_what_a_citation_supports_is_found_out_once_and_stays_with_it() -> None:
    """Equal, hashed, copied, sent and written as if it had been known from the beginning."""
    reading = _read(('{"vendor": ', []), ('"Acme"', ["ACME"]), (', "total": 1}', []))
    (citation,) = reading.citations["vendor"]
    known = Citation("char_location", "ACME", supports=True)
    assert citation == known
    assert hash(citation) == hash(known)
    assert pickle.loads(pickle.dumps(citation)) == known
    assert msgspec.structs.replace(citation, grounded=True).supports is True
    assert citation.as_dict() == {"type": "char_location", "cited_text": "ACME", "supports": True}
    assert msgspec.convert({"supports": False}, Citation).supports is False


def test_a_text_without_a_model_supports_nothing() -> None:
    """Its citations are of no field."""
    reading = Reader(None, enable_citations=True).read([Block("text", "Acme", [Citation("x", "Acme")])], None)
    (citation,) = reading.checked_in(Sources()).citations or ()
    assert isinstance(citation, Citation)
    assert citation.supports is None
