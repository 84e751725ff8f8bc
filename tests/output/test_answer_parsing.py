"""The reader finds the one JSON value that fits, or says why there is none; it never takes a wrong one."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchata.output.parsing import UnreadableAnswer, parse


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
    """Cut off, broken, many or none, or a list: no model made of any of the keys in the text fits."""
    refused = [case for case in cases(shared) if not isinstance(case["expected"], dict)]
    assert len(refused) > 7
    for case in refused:
        keys = sorted(set(re.findall(r"[\"'](\w+)[\"']\s*:", case["text"]))) or ["anything"]
        for wanted in ([key] for key in keys):
            with pytest.raises(UnreadableAnswer):
                print(case["id"], parse(case["text"], with_keys(wanted)))  # noqa: T201 - told on failure


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
        f"[{ANN_JSON}]",
        f'[{ANN_JSON}, {{"name": "Bob", "age": 4}}]',
        f"Both people: [{ANN_JSON}, {ANN_JSON}] as asked.",
        f"```json\n[{ANN_JSON}]\n```",
        f'{{"people": [{ANN_JSON}]}}',
        f'{{"person": {ANN_JSON}}}',
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


def test_a_loose_model_does_not_take_the_first_object_it_meets() -> None:
    """When every field is optional any object fits: it must not hide the one with the values."""
    with pytest.raises(UnreadableAnswer, match="several different values"):
        parse('I looked up {"query": "Ann"}. {"name": "Ann", "city": "Bonn"}', Loose)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the answer is empty"),
        ("   \n", "the answer is empty"),
        ("I cannot help with that.", "Invalid JSON"),
        ('{"name": "Ann"}', "age: Field required"),
        ('{"name": "Ann", "age": "many"}', "age: Input should be a valid integer"),
        ("{'name': 'Ann', 'age': 30}", "Invalid JSON"),
        ('{"name": "Ann" "age": 30}', "Invalid JSON"),
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
