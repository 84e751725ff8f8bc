"""The reader finds the one JSON value that fits, or says why there is none; it never takes a wrong one."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchata.answers.parsing import UnreadableAnswer, parse


class Person(pydantic.BaseModel):
    name: str
    age: int


class Loose(pydantic.BaseModel):
    name: str | None = None
    city: str | None = None


class Tree(pydantic.BaseModel):
    name: str
    children: list[Tree] = []


ANN = Person(name="Ann", age=30)
ANN_JSON = '{"name": "Ann", "age": 30}'


def with_keys(keys: list[str]) -> type[pydantic.BaseModel]:
    """A model that takes any object with these keys."""
    fields: dict[str, Any] = {f"f{n}": (Any, pydantic.Field(alias=key)) for n, key in enumerate(keys)}
    return pydantic.create_model("Wanted", **fields)


def cases(shared: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((shared / "json_wild/cases.json").read_text(encoding="utf-8"))
    return found


def test_objects_in_the_wild_are_found(shared: Path) -> None:
    """Fences, prose before and behind, JSON in strings: each gives exactly the value that is there.

    Where several values fit and differ, failing is right as well: which one is meant is a guess.
    """
    wanted = [case for case in cases(shared) if isinstance(case["expected"], dict)]
    assert len(wanted) > 20
    for case in wanted:
        model = with_keys(list(case["expected"]))
        if case.get("ambiguous"):
            with pytest.raises(UnreadableAnswer, match="several different values"):
                parse(case["text"], model)
        else:
            assert parse(case["text"], model).value.model_dump(by_alias=True) == case["expected"], case["id"]


def test_what_is_not_a_whole_object_is_never_taken(shared: Path) -> None:
    """Cut off, many or none, or a list: no model made of any of the keys in the text fits.

    What is nearly JSON may be read, as the parser it was written for reads it, unless it is cut off; and a
    list of one object is that object.
    """
    refused = [c for c in cases(shared) if not isinstance(c["expected"], dict) and c["id"] != "dev-15"]
    assert len(refused) > 7
    repaired = []
    for case in refused:
        keys = sorted(set(re.findall(r"[\"'](\w+)[\"']\s*:", case["text"]))) or ["anything"]
        for wanted in ([key] for key in keys):
            try:
                found = parse(case["text"], with_keys(wanted)).value.model_dump(by_alias=True)
            except UnreadableAnswer:
                continue
            assert found.items() <= case["repaired_upstream"].items(), case["id"]
            repaired.append(case["id"])
    assert set(repaired) == {"dev-30", "dev-32"}, "single quotes, and a comma that lacks"


@pytest.mark.parametrize(
    "text",
    [
        ANN_JSON,
        f"\n  {ANN_JSON}\n",
        f"```json\n{ANN_JSON}\n```",
        f"```\n{ANN_JSON}\n```",
        f"Sure! Here it is:\n\n{ANN_JSON}\n\nAnything else?",
        f"Use {{placeholders}} and sets {{1, 2}} [see note] as in [1]: {ANN_JSON}",
        f'The type is {{"type": "object"}}. {ANN_JSON}',
        f"```json\n{ANN_JSON}\n```\nThat is, {ANN_JSON}",
        f"\ufeff{ANN_JSON}",
        '{"age": 30, "name": "Ann", "more": {"name": "Bob", "age": 4}}',
    ],
)
def test_the_value_is_found_in_what_surrounds_it(text: str) -> None:
    """Prose, fences, other objects and a repetition of the same value do not matter."""
    assert parse(text, Person).value == ANN


@pytest.mark.parametrize(
    "text",
    [
        f'[{ANN_JSON}, {{"name": "Bob", "age": 4}}]',
        f"Both people: [{ANN_JSON}, {ANN_JSON}] as asked.",
        f'{{"people": [{ANN_JSON}, {ANN_JSON}]}}',
        f'{{"person": {ANN_JSON}, "place": "Bonn"}}',
        f'{{"person": {ANN_JSON} "count": 1}}',
        f'{{"person": {ANN_JSON}, "count": ',
        f"[{ANN_JSON}, ",
    ],
)
def test_a_part_of_another_value_is_not_the_answer(text: str) -> None:
    """An element of a list or a field of a whole, broken or unfinished object is not taken for all of it."""
    with pytest.raises(UnreadableAnswer):
        parse(text, Person)


@pytest.mark.parametrize("end", range(1, len(ANN_JSON)))
@pytest.mark.parametrize("lead", ["", "Here: ", "```json\n"])
def test_an_answer_cut_anywhere_is_no_answer(lead: str, end: int) -> None:
    """Whatever is missing at the end, even the last brace."""
    with pytest.raises(UnreadableAnswer):
        parse(lead + ANN_JSON[:end], Person)


def test_a_cut_tree_is_not_its_own_branch() -> None:
    """A model that contains itself would fit a part of the cut answer."""
    with pytest.raises(UnreadableAnswer):
        parse('{"name": "root", "children": [{"name": "leaf", "children": []}', Tree)


def test_what_stands_in_a_cut_string_is_text() -> None:
    """An empty object would fit, if it were one."""
    with pytest.raises(UnreadableAnswer):
        parse('{"city": "Bonn", "name": "a pair of {} or', Loose)


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Ann", "age": 30} or rather {"name": "Ann", "age": 31}',
        '```json\n{"name": "Ann", "age": 30}\n```\nCorrection:\n```json\n{"name": "Ann", "age": 31}\n```',
    ],
)
def test_several_values_that_differ_are_no_answer(text: str) -> None:
    """A draft and its correction: which one counts is not for us to guess."""
    with pytest.raises(UnreadableAnswer, match="several different values"):
        parse(text, Person)


def test_a_loose_model_does_not_take_just_any_object() -> None:
    """When every field is optional any object would fit, and one that has none of the fields is no answer."""
    text = 'I looked up {"query": "Ann"} and {}. {"name": "Ann", "city": "Bonn"}'
    assert parse(text, Loose).value == Loose(name="Ann", city="Bonn")
    for text in (
        '{"query": "Ann"}',
        'Nothing found for {"query": "Ann"}.',
        "Replace the {} in the template.",
    ):
        with pytest.raises(UnreadableAnswer, match="none of the fields"):
            parse(text, Loose)


@pytest.mark.parametrize("text", ["{}", " {} ", "```json\n{}\n```"])
def test_an_empty_object_alone_is_an_answer(text: str) -> None:
    """Where every field is optional, nothing found is something said."""
    assert parse(text, Loose).value == Loose()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the answer is empty"),
        ("   \n", "the answer is empty"),
        ("I cannot help with that.", "no JSON object"),
        ('{"name": "Ann"}', "age: Field required"),
        ('{"name": "Ann", "age": "many"}', "age: Input should be a valid integer"),
        ('{"name": "Ann", "age": 30,000}', "not valid JSON"),
        ('{"name": "Ann", "age": NaN}', "age: Input should be a finite number"),
        ('{"name": "Ann", "age": 3', "cut off"),
        ("null", "Input should be an object"),
    ],
)
def test_a_failure_says_what_does_not_fit(text: str, reason: str) -> None:
    """One readable line, by field where there is one."""
    with pytest.raises(UnreadableAnswer, match=reason) as caught:
        parse(text, Person)
    assert "\n" not in str(caught.value)


def test_a_failure_does_not_repeat_the_answer() -> None:
    """The text may be anyone's data; it stays in the stored body."""
    with pytest.raises(UnreadableAnswer) as caught:
        parse('{"name": "Ann", "age": "secret-value"}', Person)
    assert "secret-value" not in str(caught.value)


def test_many_problems_are_shortened() -> None:
    """Five are told, the rest is counted."""
    with pytest.raises(UnreadableAnswer, match="and 2 more"):
        parse("{}", with_keys(list("abcdefg")))


def test_raw_newlines_in_strings_are_read() -> None:
    """Models write them now and then, though JSON forbids it."""
    assert parse('Here: {"name": "Ann\nLee", "age": 30}', Person).value.name == "Ann\nLee"


NEARLY = [
    "{'name': 'Ann', 'age': 30}",
    '{name: "Ann", age: 30}',
    '{"name": "Ann" "age": 30}',
    '{"name": "Ann", "age": 30,}',
    "Here: {'age': 30, 'name': 'Ann', 'tags': [None, True, 'x\\'y',],}.",
    '{"name": "Ann", "age": 30, "note": "two\nlines\tand a tab"}',
]


@pytest.mark.parametrize("text", NEARLY)
def test_nearly_json_is_read_when_it_can_be_read_in_one_way_only(text: str) -> None:
    """Other quotes, bare keys, a comma too many or too few, Python's words, raw control characters."""
    assert parse(text, Person).value == ANN


@pytest.mark.parametrize("text", NEARLY)
def test_nearly_json_that_is_cut_off_is_no_answer(text: str) -> None:
    """Wherever it ends before its last bracket."""
    for end in range(text.index("{") + 1, text.rindex("}")):
        with pytest.raises(UnreadableAnswer):
            print(text[:end], parse(text[:end], Person))  # noqa: T201 - told on failure


class Rows(pydantic.BaseModel):
    rows: list[dict[str, Decimal]]
    flags: list[bool] = []


ROWS = Rows(rows=[{"a": Decimal("1.50")}, {}, {"a": Decimal("2.00"), "b": Decimal(3)}])


@pytest.mark.parametrize(
    "rows",
    [
        "[{'a': 1.50}, {}, {'a': 2.00, 'b': 3}]",
        "[{'a': 1.50,}, { } , {'a': 2.00, 'b': 3,} ,]",
        "[{'a': 1.50},{},\n{a: 2.00, 'b': 3}\n]",
        "[{'a': '1.50'}, {}, {'a': 2.00 'b': '3'}]".replace(" 'b'", ' "b"'),
        "[\u00a0{'a': 1.50}\u00a0,\u00a0{},\u00a0{'a': 2.00,\u00a0'b': 3}\u00a0]",
    ],
)
def test_rows_of_nearly_json_are_read_to_the_last_digit(rows: str) -> None:
    """However each is written, and with the place of every value."""
    read = parse(f"{{'rows': {rows}}}", Rows)
    assert read.value == ROWS
    assert repr(read.value.rows) == repr(ROWS.rows)
    assert read.mended is not None
    written = [f"{{'rows': {rows}}}"[first:last] for first, last in read.mended.places.values()]
    assert written == ["1.50", "2.00", "3"]


@pytest.mark.parametrize(
    "rows", ["[{'a': 1} {'a': 2}]", "[{'a': 1},, {'a': 2}]", "[{'a': 1, , 'b': 2}]", "[{,}]"]
)
def test_rows_with_something_between_are_not_read(rows: str) -> None:
    """What was left out there is not known."""
    with pytest.raises(UnreadableAnswer):
        parse(f"{{'rows': {rows}}}", Rows)


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Ann "the Boss" Lee", "age": 30}',
        '{"name": "Ann", "note", "age": 30}',
        '{"name": "Ann", /* more follow */ "age": 30}',
        '{"name": "Ann", "age": 30, ...}',
        '{"name": "Ann", "age": 1 000}',
        '{"name": "Ann", "age": 007}',
        '{"name": "Ann",, "age": 30}',
        '["Ann", {"name": "Ann", "age": 30} "Bob"]',
        '{"person": {"name": "Ann", "age": 30}, "total": 1,000}',
        '{"name": "Ann", "age": 30}\nCorrection: {"name": "Ann", "age": 3,000}',
        '{"name": "Ann", "age": 30}\nCorrection: {"name": "Ann", "age": ',
    ],
)
def test_what_could_be_read_in_two_ways_is_not_read(text: str) -> None:
    """A failure costs another attempt; a wrong value costs trust."""
    with pytest.raises(UnreadableAnswer):
        parse(text, Person)


class Size(StrEnum):
    SMALL = "Small"
    XL = "XL"
    LOWER_XL = "xl"


class Garment(pydantic.BaseModel):
    size: Size
    fit: Literal["slim", "regular"] | None = None
    colours: list[Literal["Red", "BLUE"]] = []
    note: Literal["none"] | str = ""  # noqa: PYI051 - for pydantic the literal is a word of its own
    stock: dict[Size, int] = {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"size": "SMALL"}', Garment(size=Size.SMALL)),
        ('{"size": "xl"}', Garment(size=Size.LOWER_XL)),
        ('{"size": "small", "fit": "Slim", "colours": ["red", "Blue"]}',
         Garment(size=Size.SMALL, fit="slim", colours=["Red", "BLUE"])),
        ('Sure: {"size": "small", "note": "None"}', Garment(size=Size.SMALL, note="None")),
        ('{"size": "Small", "stock": {"SMALL": 3}}', Garment(size=Size.SMALL, stock={Size.SMALL: 3})),
    ],
)  # fmt: skip
def test_the_case_of_enumerated_values_does_not_matter(text: str, value: Garment) -> None:
    """The native format promises the value, not its case; where any string may stand it stays as it is."""
    assert parse(text, Garment).value == value


def test_case_that_would_be_a_guess_is_refused() -> None:
    """Two values differ in nothing but their case, and the answer is neither."""
    with pytest.raises(UnreadableAnswer, match="size: Input should be"):
        parse('{"size": "Xl"}', Garment)


class Measure(pydantic.BaseModel):
    value: float
    exact: Decimal = Decimal(0)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", '"nan"'])
@pytest.mark.parametrize("lead", ["", "Here: "])
def test_numbers_that_are_none_are_refused(lead: str, number: str) -> None:
    """Pydantic would take them as floats; JSON has none, and a file of results would not hold them."""
    with pytest.raises(UnreadableAnswer, match="not finite"):
        parse(f'{lead}{{"value": {number}}}', Measure)


@pytest.mark.parametrize("lead", ["", "Here: "])
def test_numbers_keep_their_digits(lead: str) -> None:
    """In prose as in JSON alone: nothing is read into a float on the way."""
    text = f'{lead}{{"value": 1e3, "exact": "12345678901234567890.12"}}'
    assert parse(text, Measure).value == Measure(value=1000, exact=Decimal("12345678901234567890.12"))


@pytest.mark.parametrize(
    "kind", [int, int | None, int | str, int | bool, Annotated[int, pydantic.Field(gt=0)]]
)
@pytest.mark.parametrize(
    ("number", "meant"),
    [
        ("9007199254740993.0", 9007199254740993),
        ("12345678901234567890.00", 12345678901234567890),
        ("90071992547409930e-1", 9007199254740993),
        ("1e23", 10**23),
        ("1.0", 1),
        ("4503599627370497.5", None),
        ("1e-400", None),
        ("3.00000000000000000001", None),
    ],
)
def test_a_whole_number_that_is_written_with_a_point_is_not_rounded(
    kind: Any, number: str, meant: int | None
) -> None:
    """Pydantic takes it by way of a float, whose last digits are others, or which has no fraction."""
    model: Any = pydantic.create_model("Numbered", number=kind, all=(list[kind], ...))
    text = f'{{"number": {number}, "all": [{number}]}}'
    if meant is not None:
        value: Any = parse(text, model).value
        assert (value.number, value.all) == (meant, [meant])
    elif kind == int | str:
        value = parse(text, model).value
        assert value.number == number
    else:
        with pytest.raises(UnreadableAnswer):
            parse(text, model)


@pytest.mark.parametrize("lead", ["", "Here: "])
@pytest.mark.parametrize("of", ["the model", "the field", "neither"])
def test_a_number_for_a_text_is_the_text_that_was_written(lead: str, of: str) -> None:
    """A version 1.10 is none 1.1, also where pydantic may make the text."""
    kind: Any = Annotated[str, pydantic.Field(coerce_numbers_to_str=True)] if of == "the field" else str
    config = pydantic.ConfigDict(coerce_numbers_to_str=of == "the model")
    model: Any = pydantic.create_model("Release", version=kind, __config__=config)
    value: Any = parse(f'{lead}{{"version": 1.10}}', model).value
    assert value.version == "1.10"


def test_an_integer_of_thousands_of_digits_is_no_crash() -> None:
    """Python itself refuses to read it."""
    with pytest.raises(UnreadableAnswer):
        parse('Here: {"name": "Ann", "age": ' + "9" * 5000 + "}", Person)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_prose_around_it_gives_the_value_or_a_failure(before: str, behind: str) -> None:
    """Never another value, whatever stands around."""
    try:
        found = parse(f"{before}{ANN_JSON}{behind}", Person).value
    except UnreadableAnswer:
        return
    assert found == ANN


@given(st.text(st.sampled_from('{}[]":,\\ na1\n`'), max_size=80))
def test_any_text_gives_a_value_or_a_failure(text: str) -> None:
    """No other error escapes."""
    with suppress(UnreadableAnswer):
        parse(text, Loose)


@pytest.mark.parametrize(
    "text", ['{"a":' * 20_000, "[" * 200_000, "{" * 100_000, "[1 " * 100_000, "```\n{" * 20_000]
)
def test_hostile_text_costs_no_time_and_no_crash(text: str) -> None:
    """Documents can make a model repeat things: depth and number are bounded."""
    began = time.perf_counter()
    with pytest.raises(UnreadableAnswer):
        parse(text, Person)
    assert time.perf_counter() - began < 2


@given(
    st.sampled_from(["", "Look: ", "```json\n"]),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)
def test_the_place_of_the_value_is_told(lead: str, extra: dict[str, int]) -> None:
    """Where its JSON begins, so that citations can be placed."""
    value = json.dumps({**extra, "name": "Ann", "age": 30})
    parsed = parse(lead + value, Person)
    assert (lead + value)[parsed.start :].lstrip() == value


class Holding(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    names: list[str] = []
    figures: dict[str, list[float]] = {}
    inner: Holding | None = None
    anything: Any = None


@pytest.mark.parametrize(
    "where",
    [
        '"figures": {"a": [1, #]}',
        '"inner": {"figures": {"a": [#]}}',
        '"anything": [#]',
        '"more": #',
        '"inner": {"more": [#]}',
    ],
)
def test_a_number_that_is_not_finite_is_found_wherever_it_is(where: str) -> None:
    """In lists, dicts, models, in what the model lets pass, and beside fields that hold no numbers."""
    whole = '{"names": ["x"], ' + where + "}"
    assert parse(whole.replace("#", "1.5"), Holding).value.names == ["x"]
    for number in ("NaN", "-Infinity", "1e999"):
        with pytest.raises(UnreadableAnswer, match="not finite"):
            parse(whole.replace("#", number), Holding)


class Priced(pydantic.BaseModel):
    note: str = ""
    price: Decimal
    more: list[Decimal] = []


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ('{"price": 12.50}', "12.50"),
        ('{"price":-0.10}', "-0.10"),
        ('{"price": 0.30000000000000000004 }', "0.30000000000000000004"),
        ('{"price": 12.50, "note": "x 2.50, y"}', "12.50"),
        ('{"note": ": 2.50,", "price": 12.50}', "12.50"),
        ('{"note": "at 10:11:12.500, ", "price": 1.10, "more": [2.50,-3.50]}', "1.10"),
        ('{"price" : 1.5e3}', "1500"),
        ('{"price": "1.5"}', "1.5"),
    ],
)
def test_decimals_keep_their_digits_whatever_stands_in_the_texts(text: str, price: str) -> None:
    """Numbers inside texts stay as they are, and those outside keep every digit."""
    found = parse(text, Priced).value
    assert found.price == Decimal(price)
    assert "e" in text or str(found.price) == price
    assert found.note == json.loads(text).get("note", "")
    assert [str(number) for number in found.more] == (["2.50", "-3.50"] if found.more else [])


@pytest.mark.parametrize(
    "number", ["01.5", "-.5", "1.", "--1.5", "1.5.5", "1.234.567,8", '"1.234", "more": [1e5]']
)
def test_what_json_writes_otherwise_is_no_number(number: str) -> None:
    """In quotes it might pass as a Decimal, and as it stands it is none."""
    with pytest.raises(UnreadableAnswer):
        parse(f'{{"price": {number}}}', Priced)


def test_a_model_that_reads_json_in_its_own_way_does_so() -> None:
    """The short way to pydantic's validator is for models that have no way of their own."""

    class Own(pydantic.BaseModel):
        name: str

        @classmethod
        def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Own:
            return cls(name="by its own way")

    assert parse('{"name": "Ann"}', Own).value.name == "by its own way"
    long = json.dumps({"name": ["x" * 30_000, [[[[[[[[]]]]]]]]]})
    assert parse(long, Own).value.name == "by its own way", "its fields say nothing of what it takes"


@pytest.mark.parametrize(
    "text", ['{"name": "Ann", "age" : 30, "age": 31}', '{"name": "a:b", "age"\t:1, "age":2}']
)
def test_a_key_that_comes_twice_with_white_space_before_its_colon_is_seen(text: str) -> None:
    """Which value is meant cannot be told, however the keys are set."""
    with pytest.raises(UnreadableAnswer, match="twice"):
        parse(text, Person)
