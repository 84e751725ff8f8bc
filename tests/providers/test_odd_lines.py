"""Result lines in shapes that nobody has seen yet: the answer is read, and what is unreadable is unknown."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchata.answers.answer import Citation, joined_text
from batchata.answers.citations import of_blocks
from batchata.core.values import Usage
from batchata.errors import IncompleteResultsError
from batchata.providers.anthropic.results import answer_blocks, decode_line
from batchata.providers.exchange import Outcome

DEEP = b"[" * 10_000 + b"]" * 10_000
USED = {"input_tokens": 12, "output_tokens": 3}
KNOWN = Usage(input_tokens=12, output_tokens=3)


def line(usage: Any = USED, **message: Any) -> bytes:
    """A succeeded line; `message` changes or adds to its message."""
    told = {"content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn", "usage": usage, **message}
    return json.dumps({"custom_id": "r-1", "result": {"type": "succeeded", "message": told}}).encode()


def read(raw: bytes) -> Outcome:
    """The outcome of a line whose answer is read, by both ways of reading it."""
    outcome = decode_line(raw)
    assert joined_text(outcome.blocks) == joined_text(answer_blocks(raw)) == "hi"
    assert (outcome.custom_id, outcome.kind, outcome.error, outcome.line) == ("r-1", "succeeded", None, raw)
    return outcome


ODD_VALUES = [
    0, -1, 1.5, 1e300, True, "", "x", "10", [], [1], {}, {"type": 1}, "é" * 3_000, 10**30, None,
]  # fmt: skip
PLACES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "stop_reason": lambda odd: {"stop_reason": odd},
    "stop_details": lambda odd: {"stop_details": odd},
    "model": lambda odd: {"model": odd, "id": odd, "role": odd, "type": odd},
    "usage": lambda odd: {"usage": odd},
    "inference_geo": lambda odd: {"usage": {**USED, "inference_geo": odd}},
    "cache_creation": lambda odd: {"usage": {**USED, "cache_creation": odd}},
    "server_tool_use": lambda odd: {"usage": {**USED, "server_tool_use": odd}},
    "searches": lambda odd: {"usage": {**USED, "server_tool_use": {"web_search_requests": odd}}},
    "service_tier": lambda odd: {"usage": {**USED, "service_tier": odd, "new_tokens": odd}},
    "citations": lambda odd: {"content": [{"type": "text", "text": "hi", "citations": odd}]},
    "a citation": lambda odd: {"content": [{"type": "text", "text": "hi", "citations": [odd]}]},
    "its index": lambda odd: {
        "content": [{"type": "text", "text": "hi", "citations": [{"cited_text": "c", "document_index": odd}]}]
    },
    "another block": lambda odd: {"content": [odd, {"type": "text", "text": "hi"}]},
    "a block of a new type": lambda odd: {
        "content": [
            {"type": "new", "text": odd, "citations": odd, "more": odd},
            {"type": "text", "text": "hi"},
        ]
    },
    "a new field": lambda odd: {"container": odd, "context_management": odd},
}


@pytest.mark.parametrize("place", [place for place in PLACES if place != "another block"])
def test_the_answer_is_read_whatever_stands_beside_it(place: str) -> None:
    """Any value in any place of a message but in its text."""
    for odd in ODD_VALUES:
        read(line(**PLACES[place](odd)))


@pytest.mark.parametrize("odd", [0, True, None, [], {}, {"type": "new"}, {"type": None, "text": None}, "x"])
def test_an_answer_is_read_beside_blocks_of_no_known_kind(odd: Any) -> None:
    """What is no block, or has no type, is no text."""
    read(line(**PLACES["another block"](odd)))


@pytest.mark.parametrize("place", [place for place in PLACES if place != "another block"])
def test_the_answer_is_read_beside_what_is_no_json(place: str) -> None:
    """Numbers that JSON lacks, half characters, and more brackets than a decoder follows."""
    raw = line(**PLACES[place]("HERE"))
    for token in (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 6_000, DEEP, b'"\\ud800"'):
        read(raw.replace(b'"HERE"', token))


def test_the_answer_is_read_beside_deep_and_damaged_parts_of_the_line() -> None:
    """Around the message, too; of a key that comes twice the last counts, as for every reader of JSON."""
    raw = line()
    read(raw.replace(b'"custom_id"', b'"note": ' + DEEP + b', "custom_id"'))
    read(raw.replace(b'"message"', b'"note": [NaN, "\xff\xfe"], "message"'))
    read(raw.replace(b'"usage"', b'"usage": {"input_tokens": NaN}, "usage"'))
    read(raw.replace(b'"type": "text"', b'"type": "text", "deep": ' + DEEP))
    read(raw.replace(b'"type": "succeeded", ', b""))
    read(b"\xef\xbb\xbf" + raw)


@pytest.mark.parametrize(
    "content", ["hi", {"type": "text", "text": "hi"}, [{"text": "hi"}], [{"type": 7, "text": "hi"}]]
)
def test_a_content_with_one_reading_is_read(content: Any) -> None:
    """A text alone, a block alone, and a text without a type are the answer."""
    read(line(content=content))


@pytest.mark.parametrize("ten", [10, 10.0, "10", "10.0"])
def test_a_number_of_tokens_has_one_reading_in_these_notations(ten: Any) -> None:
    """Ten is ten, as a whole number, with a point behind it, or as a text."""
    usage = {"input_tokens": ten, "output_tokens": 3, "server_tool_use": {"web_search_requests": 0.0}}
    assert read(line(usage)).usage == Usage(input_tokens=10, output_tokens=3)


@pytest.mark.parametrize("name", ["input_tokens", "output_tokens"])
@pytest.mark.parametrize(
    "odd",
    [-1, 1.5, "1,000", "ten", " 10", "1e1", True, None, [], {}, 10_000_001, 1e300, 10**30, "9" * 40, ""],
)
def test_an_impossible_number_of_tokens_makes_the_cost_unknown(name: str, odd: Any) -> None:
    """No price can be asked for it: neither nothing, nor less than nothing, nor half a million dollars."""
    assert read(line({**USED, name: odd})).usage is None


@pytest.mark.parametrize("name", ["cache_creation_input_tokens", "cache_read_input_tokens"])
def test_an_unreadable_number_of_cached_tokens_makes_the_cost_unknown(name: str) -> None:
    """Null is none of them, as where no cache was used."""
    assert read(line({**USED, name: None})).usage == KNOWN
    for odd in (-5, "many", 1.5, {}, 10**12):
        assert read(line({**USED, name: odd})).usage is None


def test_an_unreadable_split_by_lifetime_matters_only_where_something_was_written() -> None:
    """Without cached tokens nothing is split; with some, the prices of the lifetimes differ."""
    for odd in (0, [], "x", False):
        assert read(line({**USED, "cache_creation": odd})).usage == KNOWN
        written = {**USED, "cache_creation": odd, "cache_creation_input_tokens": 5}
        assert read(line(written)).usage is None
    split = {"ephemeral_1h_input_tokens": 2.0, "ephemeral_5m_input_tokens": "3"}
    told = read(line({**USED, "cache_creation": split, "cache_creation_input_tokens": 5})).usage
    assert told == Usage(input_tokens=12, output_tokens=3, cache_write_5m_tokens=3, cache_write_1h_tokens=2)


@pytest.mark.parametrize("usage", [None, {}, [], 5, "none", {"input_tokens": 12}, {"output_tokens": 3}])
def test_an_answer_without_a_usage_cost_something_unknown(usage: Any) -> None:
    """It was no free answer."""
    assert read(line(usage)).usage is None


def test_an_unknown_place_of_inference_is_no_known_one() -> None:
    """The price depends on the place: an unreadable one is not that of everywhere."""
    assert read(line({**USED, "inference_geo": None})).inference_geo is None
    for odd in ({"country": "us"}, 5, ["us"]):
        assert read(line({**USED, "inference_geo": odd})).inference_geo == "in an unknown shape"


def test_of_odd_citations_the_readable_ones_are_kept() -> None:
    """One that has lost its place still says what it cites."""
    good = {"type": "page_location", "cited_text": "a", "document_index": 1, "start_page_number": 2}
    odd = [good, 5, {"cited_text": "b", "document_index": 1.0, "start_page_number": {}}, {"cited_text": 4}]
    outcome = read(line(content=[{"type": "text", "text": "hi", "citations": odd}]))
    assert of_blocks(outcome.blocks) == [
        Citation(type="page_location", cited_text="a", document_index=1, start_page_number=2),
        Citation(cited_text="b", document_index=1),
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, JSON, JSON)
def test_any_json_beside_an_answer_is_no_obstacle(usage: Any, stop_reason: Any, more: Any) -> None:
    """NaN and Infinity, which Python writes as such, included."""
    read(line(usage, stop_reason=stop_reason, more=more))


def test_what_an_error_says_is_kept_in_bounds_and_escaped() -> None:
    """Twenty megabytes of it would be in the log and in every message, and escapes would be live there."""
    error = {"type": "x" * 10_000, "message": "\x1b[31m\u202e" + "y" * 20_000_000}
    raw = json.dumps({"custom_id": "r", "result": {"type": "errored", "error": error}}).encode()
    outcome = decode_line(raw)
    assert outcome.error is not None
    assert outcome.error.message.startswith("\\x1b[31m\u202eyyy")
    assert len(outcome.error.message) < 3_000
    assert len(outcome.error.kind) <= 200


def test_names_in_a_line_are_kept_in_bounds() -> None:
    """Kinds, ids, stop reasons and places go into events; those of the API are short words."""
    long = "\x1b" * 100_000
    told = {"stop_reason": long, "content": [], "usage": {**USED, "inference_geo": long}}
    result = {"type": long, "message": told}
    outcome = decode_line(json.dumps({"custom_id": long, "result": result}).encode())
    for name in (outcome.custom_id, outcome.kind, outcome.stop_reason, outcome.inference_geo):
        assert name is not None
        assert len(name) <= 1_000
        assert name.isprintable()


@pytest.mark.parametrize(
    "cut", [b'"', b"}", b"}}", b'{"custom_id": "r"}', b"{" * 10_000, b'{"a" "b"}', b"{1: 2}"]
)
def test_what_is_no_whole_line_is_no_result(cut: bytes) -> None:
    """A download that broke off can be repeated."""
    with pytest.raises(IncompleteResultsError, match="not a whole result"):
        decode_line(cut)


ODD_PARTS: dict[str, Callable[[int], bytes]] = {
    "text": lambda n: b'"usage": NaN, "content": [{"type": "text", "text": "%s"}]' % (b'word \\"q\\" ' * n),
    "blocks": lambda n: (
        b'"usage": NaN, "content": [%s{"text": "hi"}]' % (b'{"type": "new", "a": [1]},' * (n // 4))
    ),
    "brackets": lambda n: b'"more": %s, "content": "hi"' % (b"[" * n * 8 + b"]" * n * 8),
    "half characters": lambda n: b'"usage": NaN, "content": "%s"' % (b"\\ud800" * n),
    "cited": lambda n: (
        b'"content": [%s{}]' % (b'{"text": "a", "citations": [{"cited_text": "a"}]},' * (n // 8))
    ),
}


def _seconds(part: bytes) -> float:
    raw = b'{"custom_id": "r", "result": {"type": "succeeded", "message": {%s}}}' % part
    began = time.process_time()
    decode_line(raw)
    return time.process_time() - began


@pytest.mark.parametrize("part", ODD_PARTS.values(), ids=ODD_PARTS)
def test_an_odd_line_is_read_in_linear_time(part: Callable[[int], bytes]) -> None:
    """Eight times as much takes about eight times as long, and not 64 times."""
    few, many = (min(_seconds(part(count)) for _ in range(2)) for count in (8_000, 64_000))
    assert many < 24 * few + 0.05
