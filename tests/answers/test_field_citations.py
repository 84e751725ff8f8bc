"""A citation supports exactly the values whose characters its block overlaps."""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple, TypedDict

import pydantic
from citing import answer, cited, supported
from hypothesis import given
from hypothesis import strategies as st
from json_printing import printed, values

from batchata.answers.answer import Block, Citation
from batchata.answers.citations import UNMATCHED, value_spans
from batchata.answers.field_paths import ANYTHING
from batchata.answers.reader import Reader
from batchata.answers.values_by_path import uncited


class Vendor(pydantic.BaseModel):
    name: str
    city: str | None = None


class Line(pydantic.BaseModel):
    text: str
    price: float


class Invoice(pydantic.BaseModel):
    number: str
    total: float
    vendor: Vendor | None = None
    lines: list[Line] = []
    notes: dict[str, str] = {}
    from_: str = pydantic.Field("", alias="from")


class Holder(pydantic.BaseModel):
    value: Any


@pydantic.dataclasses.dataclass
class Part:
    sku: str
    price: float = pydantic.Field(0, alias="unitPrice")


class Size(NamedTuple):
    width: int
    height: int


class Place(TypedDict):
    town: Annotated[str, pydantic.Field(alias="theTown")]


@dataclasses.dataclass
class Person:
    name: str


type Listed[T] = list[T]


class Mixture(pydantic.BaseModel):
    parts: collections.deque[Part]
    size: Size
    place: Place
    people: Listed[Person]
    lines: Sequence[Line] = []


def fields(marked: str) -> dict[str, list[str]]:
    return supported(marked, Invoice)


def test_a_cited_value_has_its_citation_and_others_have_no_entry() -> None:
    """Also nested, in lists, in dicts, and by the Python name."""
    assert fields(
        '{"number": "«A-1»", "total": «5», "vendor": {"name": "«Acme»", "city": null}, '
        '"lines": [{"text": "x", "price": 2}, {"text": "«y»", "price": «3»}], '
        '"notes": {"due": "«soon»"}, "from": "«me»"}'
    ) == {
        "number": ["A-1"], "total": ["5"], "vendor.name": ["Acme"], "lines[1].text": ["y"],
        "lines[1].price": ["3"], "notes.due": ["soon"], "from_": ["me"],
    }  # fmt: skip


def test_fields_of_every_kind_of_class_have_their_citations() -> None:
    """By their Python names, whatever they are held by; and those without are found."""
    marked = (
        '{"parts": [{"sku": "«A»", "unitPrice": «5»}, {"sku": "B", "unitPrice": «6»}], '
        '"size": [«7», 8], "place": {"theTown": "«Bonn»"}, '
        '"people": [{"name": "«Eva»"}], "lines": [{"text": "«t»", "price": 9}]}'
    )
    assert supported(marked, Mixture) == {
        "parts[0].sku": ["A"], "parts[0].price": ["5"], "parts[1].price": ["6"], "size[0]": ["7"],
        "place.town": ["Bonn"], "people[0].name": ["Eva"], "lines[0].text": ["t"],
    }  # fmt: skip
    reading = Reader(Mixture, enable_citations=True).read(answer(marked), "end_turn").checked_in(None)
    assert isinstance(reading.citations, dict)
    assert all(found[0].supports for found in reading.citations.values())
    assert uncited(reading.result, reading.citations) == ["parts[1].sku", "size[1]", "lines[0].price"]


def test_keys_and_punctuation_around_a_value_do_not_count() -> None:
    """A block that covers a value with its key and quotes supports it; one of keys alone supports nothing."""
    assert fields('{«"number": "A-1", |n»«"total": |k»5}') == {"number": ["n"], UNMATCHED: ["k"]}
    assert fields('{"number": "A-1«", |q»"total": 5}') == {UNMATCHED: ["q"]}


def test_a_block_that_covers_two_values_supports_both() -> None:
    """And every citation on it is kept, in order."""
    assert fields('{"number": "A-«1", "total": 5|a|b»}') == {"number": ["a", "b"], "total": ["a", "b"]}


def test_a_value_cut_inside_is_supported_by_each_part() -> None:
    """By each citation once, though both parts have the same one."""
    assert fields('{"number": "«A-|a»«1|b»", "total": «1|t»«2|t»}') == {
        "number": ["a", "b"],
        "total": ["t"],
    }


def test_reading_leaves_the_blocks_as_they_are() -> None:
    """A second reading of them says the same, and a list of citations belongs to one field alone."""
    blocks = answer('{"number": "«A-|a»«1|b»", "total": «5|c»}')
    before = [list(block.citations or ()) for block in blocks]
    reader = Reader(Invoice, enable_citations=True)
    first, second = reader.read(blocks, "end_turn"), reader.read(blocks, "end_turn")
    assert first == second
    assert [list(block.citations or ()) for block in blocks] == before
    wide = reader.read(answer('{"number": "A«-1", "total": 5|w»}'), "end_turn").citations
    assert isinstance(wide, dict)
    assert wide["number"] == wide["total"]
    assert wide["number"] is not wide["total"]


def test_equal_values_and_values_in_values_do_not_mix() -> None:
    """The old way, by searching the text, gave "1" in "invoice 17" to the wrong field."""
    assert fields('{"number": "«17|n»", "total": «1|t», "lines": [{"text": "17", "price": «17|p»}]}') == {
        "number": ["n"], "total": ["t"], "lines[0].price": ["p"]
    }  # fmt: skip


def test_nothing_cited_is_an_empty_dict() -> None:
    """Not None: citations were asked for."""
    assert fields('{"number": "1", "total": 2}') == {}


def test_places_hold_in_fences_in_prose_and_in_nearly_json() -> None:
    """Whatever had to be done to read the JSON."""
    assert fields('Here you are:\n```json\n{"number": "«A»", "total": «5»}\n```') == {
        "number": ["A"], "total": ["5"]
    }  # fmt: skip
    assert fields("{'number': '«A»', total: «5», 'from': 'me',}") == {"number": ["A"], "total": ["5"]}
    assert fields('{"number": "A\n«B»", "total": «5»}') == {"number": ["B"], "total": ["5"]}


def test_thinking_first_moves_nothing() -> None:
    """Only text blocks count for places."""
    blocks = [Block("thinking", "{"), *answer('{"number": "«A»", "total": 5}')]
    found = Reader(Invoice, enable_citations=True).read(blocks, "end_turn").citations
    assert found == {"number": [cited("A")]}


@given(st.data(), values)
def test_any_cut_gives_each_citation_to_what_its_block_overlaps(data: st.DataObject, value: Any) -> None:
    """Any JSON value, printed in any way, cut into blocks anywhere."""
    text = data.draw(printed({"value": value}))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(text) - 1), max_size=6)))
    edges = [0, *cuts, len(text)]
    blocks = [
        Block("text", text[a:b], [cited(str(a))] if data.draw(st.booleans()) else None)
        for a, b in itertools.pairwise(edges)
    ]
    found = Reader(Holder, enable_citations=True).read(blocks, "end_turn").citations
    places = value_spans(text, 0, ANYTHING).places
    expected: dict[str, list[Citation]] = {}
    for (a, b), block in zip(itertools.pairwise(edges), blocks, strict=True):
        over = [path for path, (start, end) in places.items() if max(a, start) < min(b, end)]
        for path in over or [UNMATCHED]:
            if block.citations:
                expected.setdefault(path, []).extend(block.citations)
    assert found == expected
