"""Objects and lists that a model wrote as JSON in a string are read as they would be without the string."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pydantic
import pytest

from batchata.answers.answer import Block, Citation
from batchata.answers.parsing import UnreadableAnswer, parse, parse_taken
from batchata.answers.reader import Reader


class Party(pydantic.BaseModel):
    name: str
    since: date | None = None


class Order(pydantic.BaseModel):
    note: str = ""
    rows: list[dict[str, Decimal]] = []
    tags: list[str] = []
    party: Party | None = None


class Either(pydantic.BaseModel):
    said: str | list[int]
    rows: list[dict[str, Decimal]] = []


def in_a_string(value: str, note: str = "x") -> str:
    return f'{{"note": "{note}", "rows": {json.dumps(value)}, "tags": ["t"]}}'


ROWS = [
    '[{"a": 1.50}, {"a": 2.00, "b": 3}]',
    ' [ {"a" : 1.50} ,\n{"a": "2.00", "b": 3.0} ] ',
    '[{"a": 12345678901234567890.10}]',
    "[]",
    '{"a": 1.50}',  # a list of one
    "[{'a': 1.50}]",  # nearly JSON
    '[{"a": "1.200,50 EUR"}]',
]


@pytest.mark.parametrize("rows", ROWS)
def test_a_string_of_json_is_read_as_what_it_holds(rows: str) -> None:
    """To the last digit, and the same where the answer was accepted before."""
    there = in_a_string(rows)
    wanted = parse(f'{{"note": "x", "rows": {rows}, "tags": ["t"]}}', Order).value
    for read in (parse(there, Order), parse_taken(there, Order)):
        assert repr(read.value.rows) == repr(wanted.rows)
        assert (read.value.note, read.value.tags) == ("x", ["t"])


@pytest.mark.parametrize(
    "rows",
    [
        '[{"a": "1.200"}]',  # two readings
        '[{"a": 1}], "party": {"name": "B"}',  # more than a value
        '[{"a": 1}',
        '[{"a": 1, "a": 2}]',
        '[{"a": true}]',
    ],
)
def test_what_is_refused_without_the_string_is_refused_in_it(rows: str) -> None:
    """A string makes nothing certain that is not."""
    with pytest.raises(UnreadableAnswer):
        parse(in_a_string(rows), Order)


def test_texts_stay_texts() -> None:
    """Where a text may stand, what looks like JSON in it is not opened."""
    text = json.dumps({"note": '{"a": 1}', "tags": ['["b"]'], "party": '{"name": "[1]", "since": null}'})
    read = parse(text, Order).value
    assert (read.note, read.tags, read.party) == ('{"a": 1}', ['["b"]'], Party(name="[1]"))
    either = json.dumps({"said": "[1]", "rows": '[{"a": 1.50}]'})
    assert parse(either, Either).value == Either(said="[1]", rows=[{"a": Decimal("1.50")}])


def test_citations_find_the_values_inside_of_a_string() -> None:
    """Each block is of the values that its characters are of, before the string, in it and behind."""
    inner = '[{"a": 1.50}, {"a": 2.00}]'
    party = '{"name": "A\\u00fc B", "since": "2025-03-04"}'
    text = json.dumps({"note": "é", "rows": inner, "party": party, "tags": ["behind"]})
    cuts = [
        (part, f"of {part}") for part in ("\\u00e9", "1.50", "2.00", "A\\\\u00fc", "2025-03-04", "behind")
    ]
    blocks, at = list[Block](), 0
    for part, said in cuts:
        start = text.index(part, at)
        blocks += [
            Block("text", text[at:start]),
            Block("text", part, [Citation("char_location", said)]),
        ]
        at = start + len(part)
    found = Reader(Order, enable_citations=True).read([*blocks, Block("text", text[at:])], "end_turn")
    assert found.error is None
    assert isinstance(found.citations, dict)
    assert {path: [c.cited_text for c in cited] for path, cited in found.citations.items()} == {
        "note": ["of \\u00e9"],
        "rows[0].a": ["of 1.50"],
        "rows[1].a": ["of 2.00"],
        "party.name": ["of A\\\\u00fc"],
        "party.since": ["of 2025-03-04"],
        "tags[0]": ["of behind"],
    }
