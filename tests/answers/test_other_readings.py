"""What pydantic would take for something else: a value with two readings, or of another kind, is none."""

from __future__ import annotations

import datetime
import json
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pydantic
import pytest

from batchata.answers.parsing import UnreadableAnswer, parse

README = Path(__file__).resolve().parents[2] / "README.md"


class Cat(pydantic.BaseModel):
    lives: int


class Dog(pydantic.BaseModel):
    bark: str


class Doubled(pydantic.BaseModel):
    seen: Decimal

    @pydantic.field_validator("seen", mode="before")
    @classmethod
    def _seen(cls, given: Any) -> Any:
        return given


class Everything(pydantic.BaseModel):
    vendor: str | None = None
    total: Decimal | None = None
    share: float | None = None
    count: int | None = None
    paid: bool | None = None
    flags: list[bool] = []
    day: datetime.date | None = None
    moment: datetime.datetime | None = None
    moments: list[datetime.datetime] = []
    time: datetime.time | None = None
    length: datetime.timedelta | None = None
    pet: Cat | Dog | None = None


def read(**given: str) -> dict[str, Any]:
    """The fields that a text of these JSON values gives."""
    text = "{" + ", ".join(f'"{key}": {value}' for key, value in given.items()) + "}"
    return parse(text, Everything).value.model_dump(exclude_unset=True)


@pytest.mark.parametrize(
    ("field", "written"),
    [
        ("count", "true"), ("share", "true"), ("total", "false"), ("total", '"50¢"'),
        ("day", "0"), ("day", "-86400"), ("day", '"-86400"'), ("day", "45657"), ("day", '"6 listopada 2024"'),
        ("moment", "0"), ("moment", "45657"), ("moment", '"45657.5"'), ("moment", '"-1"'), ("moment", "2024"),
        ("moment", '"20241231103000"'), ("moment", "202412311030"), ("moment", '"1999123110"'),
        ("moments", "[45657]"), ("moments", '["2024-12-31T10:00:00", 20241231103000]'),
        ("time", "2230"), ("time", "0"), ("length", "90"), ("length", "1.5"),
        ("pet", '{"lives": 9, "bark": "w"}'),
    ],
)  # fmt: skip
def test_what_is_of_another_kind_or_has_two_readings_is_refused(field: str, written: str) -> None:
    """Neither alone, nor beside other fields that are right."""
    for beside in ({}, {"vendor": '"A"', "paid": "true", "flags": "[true, false]"}):
        with pytest.raises(UnreadableAnswer):
            read(**beside, **{field: written})


@pytest.mark.parametrize(
    ("field", "written", "value"),
    [
        ("paid", "true", True), ("flags", "[true, false]", [True, False]), ("count", "1", 1),
        ("vendor", '"it is true: false, true"', "it is true: false, true"),
        ("total", '"\u200e$1,200.00\u200e"', Decimal("1200.00")),
        ("day", '"1970-01-01"', datetime.date(1970, 1, 1)),
        ("day", '"2031-05-06"', datetime.date(2031, 5, 6)),
        ("day", "1735603200", datetime.date(2024, 12, 31)),
        ("day", '"7 srpnja 2024"', datetime.date(2024, 7, 7)),
        ("day", '"7 srpna 2024"', datetime.date(2024, 8, 7)),
        ("day", '"3 lipnja 2024"', datetime.date(2024, 6, 3)),
        ("day", '"3 lipca 2024"', datetime.date(2024, 7, 3)),
        ("day", '"3. červen 2024"', datetime.date(2024, 6, 3)),
        ("day", '"3. července 2024"', datetime.date(2024, 7, 3)),
        ("moment", '"1970-01-01T00:00:05Z"', datetime.datetime(1970, 1, 1, 0, 0, 5, tzinfo=datetime.UTC)),
        ("moment", '"March 4, 2025 at 10:11 AM"', datetime.datetime(2025, 3, 4, 10, 11)),  # noqa: DTZ001 - without a zone, as the field has it
        ("moment", '"4. März 2025 um 22:30 Uhr"', datetime.datetime(2025, 3, 4, 22, 30)),  # noqa: DTZ001 - without a zone, as the field has it
        ("time", '"22:30"', datetime.time(22, 30)), ("length", '"PT2H"', datetime.timedelta(hours=2)),
        ("pet", '{"lives": 9}', {"lives": 9}),
    ],
)  # fmt: skip
def test_what_looks_alike_and_has_one_reading_is_read(field: str, written: str, value: Any) -> None:
    """A day around 1970, a flag, a time as the schema's format has it."""
    assert read(**{field: written}) == {field: value}
    assert read(paid="true", **({} if field == "paid" else {field: written})) == {"paid": True, field: value}


@pytest.mark.parametrize(
    "written", ["2024-12-31T22:30:05", "2024-12-31 22:30:05", "2024-12-31T22:30:05+00:00"]
)
def test_a_moment_keeps_its_time_however_its_key_is_written(written: str) -> None:
    """What makes the rest of an answer unusual does not touch it."""
    moment = parse(json.dumps({"Moment": written}), Everything).value.moment
    assert moment is not None
    assert moment.isoformat().startswith("2024-12-31T22:30:05")


@pytest.mark.parametrize("key", ["invoice\\_number", "**Invoice Number**", "invoice_number\u200b"])
def test_signs_of_markdown_in_a_key_say_nothing(key: str) -> None:
    """Models write keys as they would show them."""

    class Named(pydantic.BaseModel):
        invoice_number: str | None = None

    assert parse(json.dumps({key: "7"}), Named).value == Named(invoice_number="7")
    assert parse(f'{{"{key}": "7"}}', Named).value == Named(invoice_number="7")


@pytest.mark.parametrize(
    "answer",
    [
        {"vendor": None, "vendor_name": "Acme"},
        {"vendor": "", "nameOfVendor": "Acme"},
        {"total": None, "grand total": "7"},
        {"moments": [], "moment_list": ["2024-12-31"]},
    ],
)
def test_a_null_beside_a_key_of_nearly_that_name_is_a_misfit(answer: dict[str, Any]) -> None:
    """The value is there, under another name."""
    others = {name: None for name in Everything.model_fields if name not in ("flags", "moments")}
    with pytest.raises(UnreadableAnswer, match="which the schema does not know"):
        parse(json.dumps({**others, "flags": [], "moments": [], **answer}), Everything)


def test_a_null_beside_a_key_of_another_name_is_a_value() -> None:
    """Models add notes of their own to whole answers."""
    others = {name: None for name in Everything.model_fields if name not in ("flags", "moments")}
    text = json.dumps({**others, "flags": [], "moments": [], "vendor": "A", "confidence": 0.9})
    assert parse(text, Everything).value.vendor == "A"


def test_code_of_the_users_gets_every_digit() -> None:
    """A number that a float would change is given to it as a text; any other as a number."""
    assert parse('{"seen": 12345678901234567.89}', Doubled).value.seen == Decimal("12345678901234567.89")
    assert parse('{"seen": 1.5}', Doubled).value.seen == Decimal("1.5")


@pytest.mark.parametrize(
    "written",
    [
        '{\u2003"vendor":\u200b"A \u201cB\u201d",\u202f"count": 3\u3000}',
        "{\u201cvendor\u201d: \u201cA 'B'\u201d, \u201ccount\u201d: 3}",
        '{"type": "object", "properties": {"vendor": "A", "count": 3}, "required": ["vendor"]}',
    ],
)
def test_what_typesetters_and_schemas_put_around_values_says_nothing(written: str) -> None:
    """Spaces of any width, typographic quotes around texts, and the frame of a schema."""
    found = parse(written, Everything).value
    assert (found.vendor or "")[0] == "A"
    assert found.count == 3


class Keyed(pydantic.BaseModel):
    amounts: dict[int, float] = {}
    days: dict[datetime.date, int] = {}
    flags: dict[bool, int] = {}
    ids: dict[uuid.UUID, int] = {}
    exact: Decimal | str | None = None


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("amounts", "1", "01"), ("amounts", "7", " 7"), ("days", "2025-03-04", "2025-03-04T00:00:00"),
        ("flags", "true", "1"),
        ("ids", "6F9619FF-8B86-D011-B42D-00CF4FC964FF", "6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
    ],
)  # fmt: skip
def test_two_keys_that_are_one_to_python_lose_no_value(field: str, one: str, other: str) -> None:
    """Where they have the same value, nothing is lost."""
    with pytest.raises(UnreadableAnswer, match="comes twice"):
        parse(json.dumps({field: {one: 1, other: 2}}), Keyed)
    assert list(getattr(parse(json.dumps({field: {one: 3, other: 3}}), Keyed).value, field).values()) == [3]


def test_a_decimal_that_may_be_a_text_keeps_its_digits() -> None:
    """A float would lose them."""
    assert str(parse('{"exact": 0.1000000000000000000001}', Keyed).value.exact) == "0.1000000000000000000001"


def test_typographic_quotes_within_such_quotes_are_no_text() -> None:
    """Where the text ends cannot be told."""
    with pytest.raises(UnreadableAnswer):
        parse("{\u201cvendor\u201d: \u201cA \u201cB\u201d\u201d}", Everything)
    with pytest.raises(UnreadableAnswer):
        parse('{"type": "object", "properties": {"vendor": {"type": "string"}}}', Everything)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_lists_of_one_are_wrappers_at_any_depth(depth: int) -> None:
    """There is one object in them."""
    text = "[" * depth + '{"vendor": "A"}' + "]" * depth
    assert parse(text, Everything).value.vendor == "A"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"C:\temp\new", r"C:\temp\new"),
        (r"see C:\Users\bob\notes.txt", r"see C:\Users\bob\notes.txt"),
        (r"D:\b (x)\f", r"D:\b (x)\f"),
        (r"C:\\temp\\new", r"C:\temp\new"),
        (r"C:\tools and D:\new\Data", r"C:\tools and D:\new\Data"),
        (r"note:\nnext", "note:\nnext"),
        (r"Page A:\fnext", "Page A:\fnext"),
        (r"Option A:\nThe first. Option B:\n\nNone", "Option A:\nThe first. Option B:\n\nNone"),
        (r"Q:\tWhat? A:\r\nnew", "Q:\tWhat? A:\r\nnew"),
        (r"Vitamin C:\ntemp\ntests", "Vitamin C:\ntemp\ntests"),
        (r"Note B:\u00e9t\u00e9", "Note B:\u00e9t\u00e9"),
        (r"a: \tb", "a: \tb"),
        (r"C:\"x", 'C:"x'),
    ],
)
def test_a_path_with_single_backslashes_is_no_line_end(written: str, meant: str) -> None:
    """No folder has a tab in its name; behind any other word or letter and a colon JSON says what it is."""

    class Text(pydantic.BaseModel):
        path: Annotated[str, pydantic.Field(min_length=1)]

    assert parse(f'{{"path": "{written}"}}', Text).value.path == meant


def test_a_union_that_goes_by_order_takes_the_first_kind() -> None:
    """As pydantic does with the same text."""

    class Ordered(pydantic.BaseModel):
        one: int | str = pydantic.Field(union_mode="left_to_right")
        many: list[Annotated[int | str, pydantic.Field(union_mode="left_to_right")]] = []

    text = '{"one": "5", "many": ["6", "x"]}'
    assert parse(text, Ordered).value == Ordered.model_validate_json(text)
    assert parse(text, Ordered).value.one == 5


@pytest.mark.parametrize("kind", [Decimal | int, Decimal | bool, Decimal | int | None])
@pytest.mark.parametrize("key", ["seen", "Seen"])
def test_a_decimal_among_other_kinds_keeps_its_digits(kind: Any, key: str) -> None:
    """A float holds fewer of them, and none of the other kinds could be meant."""
    model = pydantic.create_model("Model", seen=(kind, ...))
    found: Any = parse(f'{{"{key}": 12345678901234567890.12}}', model).value
    assert found.seen == Decimal("12345678901234567890.12")


@pytest.mark.parametrize("key", ["pre\u0301nom", "PRÉNOM", "\uff50ré\uff4eom"])
def test_a_key_is_the_same_in_every_form_of_its_letters(key: str) -> None:
    """Composed or not, and full-width."""
    model = pydantic.create_model("Model", prénom=(str, ...))
    assert parse(f'{{"{key}": "Ann"}}', model).value == model(prénom="Ann")


def test_a_wrapper_may_be_called_as_a_field_of_what_it_holds() -> None:
    """Where no object can stand in the field; where one can, it stands there."""
    model = pydantic.create_model("Model", result=(str, ...), data=(list[Decimal], []))
    assert parse('{"result": {"result": "x", "data": [1.50]}}', model).value.model_dump() == {
        "result": "x",
        "data": [Decimal("1.50")],
    }
    assert parse('{"data": {"result": "x"}}', model).value == model(result="x")
    for other in ('{"result": {"text": "x"}}', '{"result": {"result": {"result": "x"}}}'):
        with pytest.raises(UnreadableAnswer):
            parse(other, model)


@pytest.mark.parametrize("between", ["\n", "\t", "\r\n"])
def test_behind_a_line_end_or_a_tab_any_word_is_read_as_it_is(between: str) -> None:
    """Those of the README, behind a letter and a colon, too; a fraction begins like a command of LaTeX."""

    class Text(pydantic.BaseModel):
        text: str

    words = [word for word in README.read_text(encoding="utf-8").split() if "\\" not in word]
    for text in (between.join(["a", "fraction", *words]), f" A:{between}".join(words)):
        assert parse(json.dumps({"text": text}), Text).value.text == text
