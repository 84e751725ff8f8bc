"""What has one reading only is read at once, and what has two is a failure, never a guess or a lost value."""

from __future__ import annotations

import datetime
import enum
from collections import Counter
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple

import pydantic
import pytest
import typing_extensions
from answer_variants import ONE_READING, TWO_READINGS, Invoice, variants
from citing import supported

from batchata.answers.parsing import UnreadableAnswer, parse


class Order(pydantic.BaseModel):
    vendor: str | None = None
    total: Decimal | None = None
    date: datetime.date | None = None


class Exact(pydantic.BaseModel):
    v: list[Decimal]


class Amount(pydantic.BaseModel):
    total: Decimal


class Count(pydantic.BaseModel):
    n: int


class Text(pydantic.BaseModel):
    f: str


class Line(pydantic.BaseModel):
    desc: str
    price: Decimal
    qty: int = 1


class Bill(pydantic.BaseModel):
    number: str
    lines: list[Line] = []
    buyer: Order | None = None
    fees: dict[str, Decimal] = {}


class Aliased(pydantic.BaseModel):
    total: Decimal = pydantic.Field(alias="Total Amount")
    count: int = pydantic.Field(1, validation_alias=pydantic.AliasChoices("ex", "xx"))


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    a: int
    d: Decimal


class Kind(enum.StrEnum):
    CREDIT = "credit_note"
    INVOICE = "invoice"


class Paper(pydantic.BaseModel):
    kind: Kind
    colour: Literal["Red", "Blue"] = "Red"


class Cat(pydantic.BaseModel):
    type: Literal["cat"] = "cat"
    meow: str | None = None


class Dog(pydantic.BaseModel):
    type: Literal["dog"] = "dog"
    bark: str | None = None


class Pet(pydantic.BaseModel):
    pet: Annotated[Cat | Dog, pydantic.Field(discriminator="type")]


class Taxed(pydantic.BaseModel):
    tax_pct: float
    rate: float = pydantic.Field(0.0, description="in percent")
    share: float = pydantic.Field(0.0, description="percentage as a fraction between 0 and 1")


class Moment(pydantic.BaseModel):
    d: datetime.date | None = None
    t: datetime.datetime | None = None


class Clock(pydantic.BaseModel):
    at: datetime.time


class Either(pydantic.BaseModel):
    v: int | str


class More(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    a: int | None = None
    b: int | None = None


class Anything(pydantic.BaseModel):
    a: Any = None
    mixed: Decimal | str | None = None


class Cleaned(pydantic.BaseModel):
    total: Decimal

    @pydantic.field_validator("total", mode="before")
    @classmethod
    def _clean(cls, value: Any) -> Any:
        return value.replace("#", "") if isinstance(value, str) else value


class Named(NamedTuple):
    number: int
    share: Decimal


class Typed(typing_extensions.TypedDict):
    name: str
    amount: typing_extensions.NotRequired[Decimal]


class Kinds(pydantic.BaseModel):
    pair: Named | None = None
    typed: Typed | None = None


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Rated(pydantic.BaseModel):
    level: Level | None = None
    stars: Literal[1, 2, 3] | None = None
    flag: bool | int | None = None
    said: bool | str | None = None


class Listed(pydantic.BaseModel):
    numbers: list[int] = []
    rows: list[list[float]] = []
    flags: list[bool] = []


class Trimmed(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(str_strip_whitespace=True, str_to_lower=True)
    fees: dict[str, int] = {}
    many: list[dict[str, int]] = []


class Doubled(pydantic.BaseModel):
    a: int = 0
    b: int = 0

    @pydantic.model_validator(mode="after")
    def _double(self) -> Doubled:
        self.b = self.a * 2
        return self


READ = [
    ('{"Vendor": "Acme", "Total": 1200, "date": "2024-12-31"}',
     Order(vendor="Acme", total=Decimal(1200), date=datetime.date(2024, 12, 31))),
    ('{"V-en dor_": "Acme"}', Order(vendor="Acme")),
    ('{"result": {"VENDOR": "Acme"}}', Order(vendor="Acme")),
    ('[{"vendor": "Acme"}]', Order(vendor="Acme")),
    ('{"data": [{"vendor": "Acme"}]}', Order(vendor="Acme")),
    ('{"order": "{\\"vendor\\": \\"Acme\\"}"}', Order(vendor="Acme")),
    ('"{\\"vendor\\": \\"Acme\\"}"', Order(vendor="Acme")),
    ('{"vendor": "a", "vendor": "a"}', Order(vendor="a")),
    ('{"vendor": "a", "total": "N/A", "date": ""}', Order(vendor="a")),
    ('{"vendor": "N/A", "total": null, "date": null}', Order(vendor="N/A")),
    ('{"vendor": "a", "note": null}', Order(vendor="a")),
    ('{"vendor": "a", "total": 1, "date": null, "note": "x"}', Order(vendor="a", total=Decimal(1))),
    ('{"date": "31 December 2024"}', Order(date=datetime.date(2024, 12, 31))),
    ('{"date": "31.12.2024"}', Order(date=datetime.date(2024, 12, 31))),
    ('{"date": 20241231}', Order(date=datetime.date(2024, 12, 31))),
    ('{"date": "Tuesday, 31 December 2024", "Vendor:": "a"}',
     Order(vendor="a", date=datetime.date(2024, 12, 31))),
    ('{"date": "Do. 05/06/2025"}', Order(date=datetime.date(2025, 6, 5))),
    ('{"`vendor`": "a", "total": ["12.50"]}', Order(vendor="a", total=Decimal("12.50"))),
    ('{"vendor": {"value": "a"}, "total": 12.50}', Order(vendor="a", total=Decimal("12.50"))),
    ('{"number": "1", "lines": null, "fees": null}', Bill(number="1")),
    ('{"number": "1", "buyer": ""}', Bill(number="1")),
    ('{"number": "1", "buyer": "{\\"vendor\\": \\"z\\"}"}', Bill(number="1", buyer=Order(vendor="z"))),
    ('{"t": "31.12.2024 17:30"}', Moment(t=datetime.datetime(2024, 12, 31, 17, 30))),  # noqa: DTZ001 - without a zone, as the field has it
    ('{"t": "Dec 31, 2024, 5:30 PM UTC"}', Moment.model_validate_json('{"t": "2024-12-31T17:30:00Z"}')),
    ('{"at": "12:05 a.m."}', Clock(at=datetime.time(0, 5))),
    ('{"vendor": 12}', Order(vendor="12")),
    ('{"vendor": 1.50}', Order(vendor="1.50")),
    ('{"vendor": 12345678901234567890.10}', Order(vendor="12345678901234567890.10")),
    ('{"n": "1,200.00"}', Count(n=1200)),
    ('{"n": "1,234"}', Count(n=1234)),
    ('{"f": "A \\ud83d x"}', Text(f="A \ufffd x")),
    ('{"f": "A \ud83d x"}', Text(f="A \ufffd x")),
    ('{"f": "\\ud83d\\ude00 \\ude00"}', Text(f="😀 \ufffd")),
    ('{"f": "100 \\% \\alpha \\u12"}', Text(f="100 \\% \\alpha \\u12")),
    ('{"f": "$\\frac{a}{b}$ \\begin{x}"}', Text(f="$\\frac{a}{b}$ \\begin{x}")),
    ('{"f": "a\\fPage 2\\n\\tb"}', Text(f="a\fPage 2\n\tb")),
    ('{"f": "\\\\frac"}', Text(f="\\frac")),
    ('{"f": "\\neq \\to \\tau \\bar{x}"}', Text(f="\\neq \\to \\tau \\bar{x}")),
    ('{"f": "$\\tfrac{1}{2} \\tfrac12$"}', Text(f="$\\tfrac{1}{2} \\tfrac12$")),
    ('{"f": "a\\tfraction"}', Text(f="a\tfraction")),
    ('{"f": "\\d+\\b"}', Text(f="\\d+\\b")),
    ('{"f": "Solve \\(x\\)\\nThen\\ttry"}', Text(f="Solve \\(x\\)\nThen\ttry")),
    ('{"f": "one\\nuse\\tofor"}', Text(f="one\nuse\tofor")),
    ('{"Bill": {"Number":123, "Lines": [{"Desc": "x", "Price": "$1,200.00", "Qty":2}], "fees": {"a.b": 1}}}',
     Bill(number="123", lines=[Line(desc="x", price=Decimal("1200.00"), qty=2)], fees={"a.b": Decimal(1)})),
    ('{"number": "1", "lines": {"desc": "x", "price": 1.10}, "buyer": [{"vendor": "z"}]}',
     Bill(number="1", lines=[Line(desc="x", price=Decimal("1.10"))], buyer=Order(vendor="z"))),
    ('{"number": "1", "lines": "[{\\"desc\\": \\"x\\", \\"price\\": 1.10}]"}',
     Bill(number="1", lines=[Line(desc="x", price=Decimal("1.10"))])),
    ('{"total": 1.50, "xx": 2}', Aliased.model_validate({"Total Amount": "1.50", "ex": 2})),
    ('{"total_amount": 1.50, "ex": 2}', Aliased.model_validate({"Total Amount": "1.50", "ex": 2})),
    ('{"A": 1, "d": 2.50}', Strict(a=1, d=Decimal("2.50"))),
    ('{"kind": "Credit Note"}', Paper(kind=Kind.CREDIT)),
    ('{"kind": "INVOICE", "colour": "blue"}', Paper(kind=Kind.INVOICE, colour="Blue")),
    ('{"pet": {"Type": "dog", "Bark": "x"}}', Pet(pet=Dog(bark="x"))),
    ('{"tax_pct": "15%", "rate": "7,5 %"}', Taxed(tax_pct=15, rate=7.5)),
    ('{"t": "20241231"}', Moment(t=datetime.datetime(2024, 12, 31))),  # noqa: DTZ001 - as it is written
    ('{"t": 1735603200}', Moment.model_validate_json('{"t": "2024-12-31T00:00:00Z"}')),
    ('{"A": 1, "c": 2}', More.model_validate({"a": 1, "c": 2})),
    ('{"a": {"x":1.5,"y": "1.234"}, "mixed": "1,234"}', Anything(a={"x": 1.5, "y": "1.234"}, mixed="1,234")),
    ('{"total": "#1.50"}', Cleaned(total=Decimal("1.50"))),
    ('{"A": 1}', Doubled(a=1, b=2)),
    ('{"date": "the 4th of March 2025"}', Order(date=datetime.date(2025, 3, 4))),
    ('{"date": "2025-03-04 (Tuesday)"}', Order(date=datetime.date(2025, 3, 4))),
    ('{"date": "4 марта 2025 г."}', Order(date=datetime.date(2025, 3, 4))),  # noqa: RUF001 - as it is written
    ('{"date": "4 березня 2025 року"}', Order(date=datetime.date(2025, 3, 4))),
    ('{"date": "4/Mar/2025"}', Order(date=datetime.date(2025, 3, 4))),
    ('{"date": "令和7年3月4日"}', Order(date=datetime.date(2025, 3, 4))),
    ('{"date": "4 มีนาคม 2568"}', Order(date=datetime.date(2025, 3, 4))),
    ('{"t": "2025-03-04 10:11:12 UTC"}', Moment.model_validate_json('{"t": "2025-03-04T10:11:12Z"}')),
    ('{"t": "20250304T101112Z"}', Moment.model_validate_json('{"t": "2025-03-04T10:11:12Z"}')),
    ('{"at": "10h30"}', Clock(at=datetime.time(10, 30))),
    ('{"vendor": "a", "total": "none"}', Order(vendor="a")),
    ('{"vendor": "a", "total": 5, "Total": 5.00}', Order(vendor="a", total=Decimal(5))),
    ('{"pair": [1, 1234567890123456789.12345]}',
     Kinds(pair=Named(1, Decimal("1234567890123456789.12345")))),
    ('{"pair": {"Number": "1", "share": "1,50 €"}}', Kinds(pair=Named(1, Decimal("1.50")))),
    ('{"typed": {"Name": 5, "amount": 1234567890123456789.10}}',
     Kinds(typed={"name": "5", "amount": Decimal("1234567890123456789.10")})),
    ('{"level": "2", "stars": "3"}', Rated(level=Level.HIGH, stars=3)),
    ('{"flag": "1", "said": "1"}', Rated(flag=1, said="1")),
    ('{"flag": "true", "said": true}', Rated(flag=True, said=True)),
    ('{"fees": {"A": 1, "a ": 1}}', Trimmed(fees={"a": 1})),
    ('{"reasoning": "as it says", "answer": {"vendor": "a", "total": 5, "date": "2025-03-04"}}',
     Order(vendor="a", total=Decimal(5), date=datetime.date(2025, 3, 4))),
    ('{"name": "extract", "arguments": "{\\"vendor\\": \\"a\\", \\"total\\": 5, \\"date\\": null}"}',
     Order(vendor="a", total=Decimal(5))),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), READ, ids=[text[:60] for text, _ in READ])
@pytest.mark.parametrize("lead", ["", "Here: ", "```json\n"])
def test_what_has_one_reading_is_read(lead: str, text: str, value: pydantic.BaseModel) -> None:
    """Whatever way it is written in, to the last digit."""
    if text[0] == '"' and lead:
        pytest.skip("a text in a text in prose is no answer")
    assert repr(parse(lead + text, type(value)).value) == repr(value)


REFUSED = [
    (Order, '{"vendor_name": "Acme", "total_amount": 1200, "date": "2024-12-31"}', '"vendor_name"'),
    (Order, '{"date": "2024-12-31", "amounts": {"total": 1200}}', '"amounts"'),
    (Order, '{"vendor": "a", "vendor": "b"}', "comes twice"),
    (Order, '{"vendor": "a", "Vendor": "b"}', "comes twice"),
    (Order, '{"date": "05/06/2024"}', "date: "),
    (Order, '{"date": "31.12.24"}', "date: "),
    (Order, '{"properties": {"vendor": {"type": "string"}}, "type": "object"}', "none of the fields"),
    (Order, '{"vendor": "a"} {"Vendor": "b"}', "several different values"),
    (Order, '{"date": "Monday, 31 December 2024"}', "date: "),
    (Order, '{"date": "31.12.2024 17:30"}', "date: "),
    (Order, '{"vendor": ["a", "b"]}', "vendor: "),
    (Order, '{"total": {"net": 1}}', "total: "),
    (Bill, '{"number": "1", "lines": null, "items": [{"desc": "x", "price": 1}]}', '"items".*"lines"'),
    (Moment, '{"t": "05/06/2024 17:30"}', "t: "),
    (Clock, '{"at": "25:00 PM"}', "at: "),
    (Either, '{"v": true}', "v: a number is asked for"),
    (Count, '{"n": "1.234"}', "n: a point before three digits"),
    (Count, '{"n": "12.5"}', "n: "),
    (Text, '{"f": true}', "f: "),
    (Bill, '{"number": "1", "fees": {"a": 1, "a": 2}}', 'fees: "a" comes twice'),
    (
        Bill,
        '{"number": "1", "lines": [{"desc": "x", "price": 1, "quantity": 3}]}',
        r"lines\[0\]: .*quantity.*qty",
    ),
    (Aliased, '{"Total Amount": 1, "total": 2}', "comes twice"),
    (Aliased, '{"Total Amount": 1, "ex": 1, "xx": 2}', "comes twice"),
    (Strict, '{"a": "1", "d": 1.50}', "a: "),
    (Strict, '{"a": 1, "d": "1,200.00"}', "d: "),
    (Pet, '{"pet": {"type": "dog", "meow": "x"}}', "meow.*bark"),
    (Taxed, '{"tax_pct": 1, "share": "15%"}', "percentage"),
    (Moment, '{"t": 20241231}', "YYYY-MM-DD"),
    (Moment, '{"t": "2024"}', "YYYY-MM-DD"),
    (More, '{"c": 1, "c": 2}', "comes twice"),
    (Anything, '{"mixed": "1.234"}', "mixed: a point"),
    (Anything, '{"a": {"x": 1, "x": 2}}', "comes twice"),
    (Doubled, '{"a": 1, "c": 2}', '"c".*"b"'),
    (Order, '{"date": "2025-03-04 (Monday)"}', "date: "),
    (Order, '{"date": "4-Mar-25"}', "date: "),
    (Kinds, '{"typed": {"name": "a", "sum": 5}}', 'typed: .*"sum".*"amount"'),
    (Kinds, '{"pair": [1]}', r"pair\[1\]"),
    (Rated, '{"level": true}', "level: a number is asked for"),
    (Rated, '{"stars": true, "said": true}', "stars: a number is asked for"),
    (Listed, '{"numbers": [true]}', r"numbers\[0\]: a number is asked for"),
    (Listed, '{"numbers": ["1", 2, false]}', r"numbers\[2\]: a number is asked for"),
    (Listed, '{"flags": [true], "rows": [[1], [2, true]]}', r"rows\[1\]\[1\]: a number is asked for"),
    (Rated, '{"said": 1}', "said: a number may mean"),
    (Trimmed, '{"fees": {"a": 1, "a ": 2}}', "fees: .*comes twice"),
    (Trimmed, '{"many": [{"a": 1, "A": 2}]}', r"many\[0\]: .*comes twice"),
    (Order, '{"currency": "EUR", "tax": {"vendor": "a", "total": 5}}', "none of the fields"),
    (Order, '{"reasoning": "x", "answer": {"vendor": "a"}}', '"reasoning".*"total"'),
    (Order, '{"data": {"vendor": "a"}, "result": {"vendor": "b"}}', "none of the fields"),
]


@pytest.mark.parametrize(("model", "text", "said"), REFUSED, ids=[text[:60] for _, text, _ in REFUSED])
@pytest.mark.parametrize("lead", ["", "Here: "])
def test_what_has_two_readings_or_lost_a_value_is_refused(
    lead: str, model: type[pydantic.BaseModel], text: str, said: str
) -> None:
    """With a note that names what was wrong: keys and fields, never the values."""
    with pytest.raises(UnreadableAnswer, match=said):
        parse(lead + text, model)


AMOUNTS = {
    "1,200.00": "1200.00", "$1,200.00": "1200.00", "(1,200.00)": "-1200.00", "1.200,00 EUR": "1200.00",
    "1 200,00": "1200.00", "1\u202f200,00 €": "1200.00", "₹1,23,456.00": "123456.00",
    "1'200.50": "1200.50", "45.00-": "-45.00", "1,234,567": "1234567", "1.234.567": "1234567",
    "0.123": "0.123", "0,123": "0.123", "12,5": "12.5", "1234.567": "1234.567", "1,234.567": "1234.567",
    "CHF 12.-": "12", "-$5": "-5", "$-5": "-5", "($5)": "-5", "\u22123,5": "-3.5",
    "\u0661\u066c\u0662\u0663\u0664\u066b\u0665": "1234.5", "\uff11\uff12\uff10\uff10": "1200",
    ".5": "0.5", "R$ 1.200,00": "1200.00", "1,200.00 USD": "1200.00", "+5": "5",
    "1 234 567,89 zł": "1234567.89", "1.234": None, "1,234": None, "-1.234": None, "$1,234": None,
    "(1.234)": None, "15%": None, "15 percent": None, "5²": None, "½": None, "12 kg": None,
    "1,234,56": None, "1.234,567.8": None, "--5": None, "(-5)": None, "NaN": None, "Infinity": None,
    "1.234e": None, "5 or 6": None, "5-6": None, "1/2": None, "2024-12-31": None,
}  # fmt: skip


@pytest.mark.parametrize(("said", "meant"), AMOUNTS.items(), ids=list(AMOUNTS))
def test_an_amount_as_a_text_is_the_one_number_that_it_can_be(said: str, meant: str | None) -> None:
    """As it stands in documents of many countries; where it may be two numbers it is none."""
    text = f'{{"total": "{said}"}}'
    if meant is None:
        with pytest.raises(UnreadableAnswer):
            parse(text, Amount)
    else:
        assert str(parse(text, Amount).value.total) == meant


@pytest.mark.parametrize("lead", ["", "Here: ", "```json\n"])
def test_decimals_have_the_digits_of_the_answer(lead: str) -> None:
    """No float is between them; beside fields of other kinds as well."""
    digits = ["12345678901234567.89", "1.234567890123456789", "1200.00", "0.10", "-0.50", "7", "1E+3"]
    text = f'{lead}{{"v": [{", ".join(digits)}]}}'
    assert [str(number) for number in parse(text, Exact).value.v] == digits

    class Mixed(pydantic.BaseModel):
        d: Decimal
        f: float
        s: str
        a: Any = None

    value = parse(f'{lead}{{"d": 1.20, "f": 1.5, "s": "\\"a: 1.20, b\\"", "a": 2.50}}', Mixed).value
    assert (str(value.d), value.f, value.s, value.a) == ("1.20", 1.5, '"a: 1.20, b"', 2.5)


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ('{"a": 12345678901234567e2, "s": "x."}', "1.2345678901234567E+18"),
        ('{"a": 1E5, "v": [1.50], "s": "x"}', "1E+5 1.50"),
        ('{"a":1.50,"v":[2.50],"s":"x"}', "1.50 2.50"),
        ('{"a": 1.50, "v": [2.50, 3.50], "s": "e1, x.5, 1.5"}', "1.50 2.50 3.50"),
        ('{"s": "ratio: 1.50, x", "a": 1.50}', "1.50"),
        ('{"a": 1.50, "v": [2.50], "s": "x"}', "1.50 2.50"),
        ('{"a":\t-0.50, "v":\n[ 7.00 ], "s": "DE12"}', "-0.50 7.00"),
        ('{"a": 1.500000000000000000001e2 , "s": "Inc."}', "150.0000000000000000001"),
    ],
)
def test_decimals_have_their_digits_wherever_they_stand(text: str, digits: str) -> None:
    """Behind a key, in a list, with an exponent, beside texts with points and numbers in them."""

    class Amounts(pydantic.BaseModel):
        a: Decimal
        v: list[Decimal] = []
        s: str

    found = parse(text, Amounts).value
    assert " ".join(map(str, [found.a, *found.v])) == digits


@pytest.mark.parametrize("number", ["NaN", "Infinity", '"NaN"', "-Infinity"])
def test_a_decimal_is_a_number(number: str) -> None:
    """What JSON has no digits for is none."""
    with pytest.raises(UnreadableAnswer):
        parse(f'{{"v": [{number}]}}', Exact)


def test_no_variant_is_read_wrongly() -> None:
    """Generated answers of 22 kinds: all that have one reading are read at once, none of the others is."""
    figures: Counter[tuple[str, str]] = Counter()
    for variant in variants(40):
        try:
            found = repr(parse(variant.text, Invoice).value)
        except UnreadableAnswer:
            figures[variant.kind, "refused"] += 1
            continue
        figures[variant.kind, "right" if found == repr(variant.value) else "wrong"] += 1
    assert figures == Counter(
        {(kind, "right"): 40 for kind in ONE_READING} | {(kind, "refused"): 40 for kind in TWO_READINGS}
    )


@pytest.mark.parametrize(
    ("marked", "citations"),
    [
        ('{"Vendor": "«Acme»", "Total": «1,200.00|x»}'.replace("1,200.00", "1200.00"),
         {"vendor": ["Acme"], "total": ["x"]}),
        ('{"order": {"Vendor": "«Acme»", "total": "«$1,200.00|x»"}}', {"vendor": ["Acme"], "total": ["x"]}),
        ('[{"date": "«31 December 2024|d»", "vendor": «12|n»}]', {"date": ["d"], "vendor": ["n"]}),
        ('{"vendor": "\\% «50 \\%|p»", "vendor": "\\% 50 \\%"}', {"vendor": ["p"]}),
        ('{"o": "{\\"vendor\\": \\"«Acme»\\", \\"total\\": «5|t»}"}', {"vendor": ["Acme"], "total": ["t"]}),
    ],
)  # fmt: skip
def test_citations_follow_a_value_however_it_is_written(marked: str, citations: dict[str, list[str]]) -> None:
    """Under the field's own name, by the place of the characters."""
    assert supported(marked, Order) == citations
