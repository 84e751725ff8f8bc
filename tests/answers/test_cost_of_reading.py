"""Reading costs in proportion to what is read: four times as much takes about four times as long."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pydantic
import pytest

from batchata.answers.answer import Block, Citation
from batchata.answers.reader import Reader
from batchata.answers.supports import supports


class Order(pydantic.BaseModel):
    name: str
    total: Decimal | None = None
    rows: list[dict[str, Decimal]] = []
    tags: list[str] = []


ORDER = Block("text", '{"name": "Ann", "total": 12.50}')


def said(text: str, *cited: str) -> Block:
    return Block("text", text, [Citation("char_location", cites) for cites in cited] or None)


def equal_sentences(n: int) -> list[Block]:
    return [*[said("The total is 12.50 for Ann. ", f"Total 12.50, said {k}") for k in range(n)], ORDER]


def sentences_about_nothing(n: int) -> list[Block]:
    return [*[said("Nothing here. ", f"another thing {k}") for k in range(n)], ORDER]


def citations_of_one_value(n: int) -> list[Block]:
    return [said('{"name": "'), *[said("A", f"x{k}") for k in range(n)], said('", "total": 1}')]


def one_long_cited_text(n: int) -> list[Block]:
    return [said("It is so. ", "The total is 12.50 for Ann, as of 12 May 2021. " * n), ORDER]


def long_prose(n: int) -> list[Block]:
    return [said("The total is 12.50 for Ann, as of 12 May 2021. " * n, "x"), ORDER]


def one_word_again_and_again(n: int) -> list[Block]:
    names = {f"k{k}": Decimal(k) for k in range(n)}
    return [said("no " * n, "x"), said(json.dumps({"name": "no", "rows": [names]}, default=str))]


def rows_in_another_way(n: int) -> list[Block]:
    return [said(json.dumps({"Name": "x", "Rows": [{"price": "$1,200.00"}] * n}))]


def nearly_json(n: int) -> list[Block]:
    return [said("{'name': 'x', 'rows': [" + "{'a': 1.50}, " * n + "]}")]


def the_same_key_again(n: int) -> list[Block]:
    return [said('{"name": "x", "rows": [{' + ", ".join(['"a": 1'] * n) + "}]}")]


def unknown_keys(n: int) -> list[Block]:
    return [said(json.dumps({"name": "x", **{f"k{k}": k for k in range(n)}}))]


def escapes(n: int) -> list[Block]:
    return [said('{"name": "' + "\\% \\ud83d \\alpha" * n + '", "total": 1.5}')]


def open_braces(n: int) -> list[Block]:
    return [said("{ x " * n), said('{"name": "x", "total": 1}')]


def fences(n: int) -> list[Block]:
    return [said("```json\n{'a': b}\n```\n" * n)]


def a_string_without_end(n: int) -> list[Block]:
    return [said('{"name": "' + '\\"' * n)]


def a_long_amount(n: int) -> list[Block]:
    return [said('{"name": "x", "total": "1,234' + ",567" * n + '"}')]


def equal_values_and_their_citations(n: int) -> list[Block]:
    prose = [said("Said value. ", f"words value words {k}") for k in range(n)]
    return [*prose, said(json.dumps({"name": "x", "tags": ["value"] * n}))]


def prose_in_chinese(n: int) -> list[Block]:
    return [said("这是一个没有任何数值的句子。" * n, "x"), ORDER]


def prose_in_full_width(n: int) -> list[Block]:
    return [said("\uff11\uff12.\uff15\uff10 " * n, "x"), ORDER]


def accents_without_letters(n: int) -> list[Block]:
    return [said("a" + "\u0301" * n, "x"), ORDER]


def lists_of_nothing(n: int) -> list[Block]:
    return [said('{"name": "x", "tags": [' + "[], {}, " * n + "[]]}")]


def lists_in_lists(n: int) -> list[Block]:
    return [said('{"name": "x", "tags": [' + ("[" * 100 + "]" * 100 + ", ") * n + "[]]}")]


def json_in_a_string(n: int) -> list[Block]:
    return [said(json.dumps({"name": "x", "rows": "[" + ", ".join(['{"a": 1.50}'] * n) + "]"}))]


def words_where_amounts_belong(n: int) -> list[Block]:
    return [said(json.dumps({"name": "x", "rows": [{"a": "about ten"}] * n}))]


READER = Reader(Order, enable_citations=True)


def seconds(blocks: list[Block]) -> float:
    """CPU time of one reading."""
    began = time.process_time()
    READER.read(blocks, "end_turn")
    return time.process_time() - began


@pytest.mark.parametrize(
    ("build", "size"),
    [
        (equal_sentences, 400),
        (sentences_about_nothing, 600),
        (citations_of_one_value, 2_000),
        (one_long_cited_text, 400),
        (long_prose, 300),
        (one_word_again_and_again, 500),
        (rows_in_another_way, 1_000),
        (nearly_json, 1_500),
        (the_same_key_again, 3_000),
        (unknown_keys, 3_000),
        (escapes, 4_000),
        (open_braces, 10_000),
        (fences, 3_000),
        (a_string_without_end, 20_000),
        (a_long_amount, 10_000),
        (equal_values_and_their_citations, 500),
        (prose_in_chinese, 4_000),
        (prose_in_full_width, 2_000),
        (accents_without_letters, 10_000),
        (lists_of_nothing, 1_000),
        (lists_in_lists, 10),
        (json_in_a_string, 1_000),
        (words_where_amounts_belong, 500),
    ],
)
def test_the_time_grows_no_faster_than_the_answer(build: Callable[[int], list[Block]], size: int) -> None:
    """What grows with the square would take sixteen times as long."""
    small, large = build(size), build(4 * size)
    ratios = (seconds(large) / max(seconds(small), 0.004) for _ in range(5))
    assert any(ratio < 9 for ratio in ratios)  # once is enough: other processes only make it slower


def dense_numbers(n: int) -> list[Block]:
    numbers = " ".join(f"{k % 977}.{k % 100:02d}" for k in range(n))
    return [said("It is so. ", numbers), ORDER]


def values_at_every_word(n: int) -> list[Block]:
    return [said("It is so. ", "Ann 12.50 " * n), ORDER]


@pytest.mark.parametrize(
    ("build", "size"),
    [(dense_numbers, 100_000), (values_at_every_word, 60_000), (rows_in_another_way, 25_000)],
)
def test_a_megabyte_takes_a_few_seconds_at_most(build: Callable[[int], list[Block]], size: int) -> None:
    """It takes less than one on a machine that does nothing else; looked at one by one, up to eleven."""
    blocks = build(size)
    characters = sum(len(b.text or "") + sum(len(c.cited_text) for c in b.citations or []) for b in blocks)
    began = time.process_time()
    assert READER.read(blocks, "end_turn").error is None
    assert (time.process_time() - began) / (characters / 1e6) < 3


def test_the_first_mentions_of_a_text_full_of_them_count() -> None:
    """What cannot all be looked at still says what it says at its beginning."""
    blocks = [said("It is so. ", "Name: Ann. " + "12.50 13.60 " * 50_000), ORDER]
    found = READER.read(blocks, "end_turn").citations
    assert isinstance(found, dict)
    assert "name" in found


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (7, "1 "), (-7, "(12.50) -8.00 "), (-7, "credit 7 "), (Decimal("1234.56"), "a1b2 "),
        (date(2025, 3, 4), "3/4/25 "), (date(2025, 3, 4), "2025-03-05 "), ("Ann Lee", "Ann Lees "),
        ("Ann Lee", "Ann 1 "), ("a", "not a "), ("1212", "12 1 "),
    ],
)  # fmt: skip
def test_a_verdict_takes_no_longer_than_its_passage_is_long(value: Any, unit: str) -> None:
    """Many numbers, dates or words that are nearly the value are not compared with each other."""
    choices = ("a", "ab", "c") if value == "a" else ()
    size = 500

    def told(n: int) -> float:
        began = time.process_time()
        supports(value, unit * n + str(time.perf_counter_ns()), choices)
        return time.process_time() - began

    ratios = (told(4 * size) / max(told(size), 0.004) for _ in range(5))
    assert any(ratio < 9 for ratio in ratios)


def test_of_a_passage_as_long_as_a_chapter_only_the_usual_print_is_looked_for() -> None:
    """What is not seen at once in so long a text stays open."""
    long = "All of this is said elsewhere. " * 2_000
    assert supports(1200.5, f"{long}1,200.50 EUR") is True
    assert supports(1200.5, f"{long}1.200,50 EUR") is None
    assert supports(1200.5, "9.99 EUR") is False
