"""How a line of batch results becomes an outcome: recorded lines, and lines nobody has seen yet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchata.answers.answer import joined_text
from batchata.core.values import RequestError, Usage
from batchata.errors import IncompleteResultsError
from batchata.providers.anthropic.results import answer_blocks, decode_line

MESSAGE = {"content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn", "usage": {}}


def line(**result: Any) -> bytes:
    return json.dumps({"custom_id": "r-1", "result": result}).encode()


def recorded_lines(recorded: Path) -> Iterator[bytes]:
    """Every result line that was recorded, from downloads and from result files."""
    for path in sorted((recorded / "batches").iterdir()):
        text = path.read_text(encoding="utf-8")
        bodies = (
            [text] if path.suffix == ".jsonl" else [i["raw_body"] for i in json.loads(text)["interactions"]]
        )
        for body in bodies:
            yield from (row.encode() for row in (body or "").split("\n") if row.startswith('{"custom_id"'))


def test_recorded_lines_say_what_they_say(recorded: Path) -> None:
    """Id, kind, text, stop reason and error of every recorded line, and the line itself untouched."""
    found = list(recorded_lines(recorded))
    assert len(found) >= 9
    for raw in found:
        outcome, said = decode_line(raw), json.loads(raw)
        result = said["result"]
        message = result.get("message") or {}
        assert (outcome.custom_id, outcome.kind, outcome.line) == (said["custom_id"], result["type"], raw)
        assert outcome.stop_reason == message.get("stop_reason")
        texts = [block["text"] for block in message.get("content", []) if block["type"] == "text"]
        assert joined_text(outcome.blocks) == joined_text(answer_blocks(raw)) == "".join(texts)
        assert (outcome.error is None) == (outcome.kind == "succeeded")
        assert (outcome.usage is None) == (outcome.kind != "succeeded")


def test_recorded_lines_are_of_every_kind(recorded: Path) -> None:
    """Errored, canceled and expired requests have the error that the provider gave, or one of their own."""
    errors = {outcome.kind: outcome.error for outcome in map(decode_line, recorded_lines(recorded))}
    assert errors.keys() >= {"succeeded", "errored"}
    assert errors["errored"] is not None
    assert errors["errored"].kind == "billing_error"  # as the sentence says; the type is another


def test_recorded_usage_counts_every_token_once(recorded: Path) -> None:
    """Input and output as given; the cache writes of both lifetimes together are the total given."""
    rows = (recorded / "usage/usage.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(rows) > 100
    for row in rows:
        given_ = json.loads(row)["usage"]
        usage = decode_line(line(type="succeeded", message={**MESSAGE, "usage": given_})).usage
        assert usage is not None
        assert usage.input_tokens == given_["input_tokens"]
        assert usage.output_tokens == given_["output_tokens"]
        assert usage.cache_read_tokens == (given_.get("cache_read_input_tokens") or 0)
        written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        assert written == (given_.get("cache_creation_input_tokens") or 0)
        split = given_.get("cache_creation") or {}
        assert usage.cache_write_1h_tokens == (split.get("ephemeral_1h_input_tokens") or 0)


TOKENS = st.integers(0, 10**6)


@given(TOKENS, TOKENS, TOKENS)
def test_cache_writes_are_split_by_lifetime(five: int, hour: int, unsplit: int) -> None:
    """What the split leaves out of the total is counted as five-minute writes, the API's default."""
    usage = {
        "input_tokens": 0,
        "output_tokens": 0,
        "cache_creation_input_tokens": five + hour + unsplit,
        "cache_creation": {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour},
    }
    outcome = decode_line(line(type="succeeded", message={**MESSAGE, "usage": usage}))
    assert outcome.usage == Usage(cache_write_5m_tokens=five + unsplit, cache_write_1h_tokens=hour)


def test_null_counts_are_zero() -> None:
    """The API gives null where a feature was not used."""
    usage = {"input_tokens": 3, "output_tokens": 4, "cache_creation": None, "cache_read_input_tokens": None}
    outcome = decode_line(line(type="succeeded", message={**MESSAGE, "usage": usage}))
    assert outcome.usage == Usage(input_tokens=3, output_tokens=4)


def test_the_error_of_an_errored_request_is_nested_twice() -> None:
    """`result.error.error` has kind and message; a flat one is read too, and none at all is named."""
    nested = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    overloaded = RequestError(kind="overloaded_error", message="Overloaded")
    assert decode_line(line(type="errored", error=nested)).error == overloaded
    assert decode_line(line(type="errored", error=nested["error"])).error == overloaded
    for nothing in ({}, {"error": {}}, {"error": None}):
        error = decode_line(line(type="errored", **nothing)).error
        assert error is not None
        assert error.kind == "api_error"


@pytest.mark.parametrize("kind", ["canceled", "expired"])
def test_a_request_that_was_not_processed_says_so(kind: str) -> None:
    """Its kind is its reason, and nothing was used."""
    outcome = decode_line(line(type=kind))
    assert outcome.error is not None
    assert (outcome.kind, outcome.error.kind, outcome.usage, outcome.blocks) == (kind, kind, None, [])


@pytest.mark.parametrize(
    "rest", [{}, {"message": None}, {"message": "slow down"}, {"message": MESSAGE}, {"error": "x"}]
)
def test_an_unknown_kind_is_an_outcome_and_no_success(rest: dict[str, Any]) -> None:
    """A kind that does not exist yet neither passes for an answer nor stops the rest."""
    outcome = decode_line(line(type="throttled", **rest))
    assert outcome.error is not None
    assert (outcome.kind, outcome.error.kind) == ("throttled", "unknown_outcome")


@pytest.mark.parametrize("message", [None, "text", {}, {"content": 5}, {"content": ["a", 1]}, [MESSAGE]])
def test_a_success_without_a_readable_answer_is_none(message: Any) -> None:
    """The line is kept and the reason given, which is none to ask again; the cost is unknown, not zero."""
    outcome = decode_line(line(type="succeeded", message=message))
    assert outcome.error is not None
    assert (outcome.kind, outcome.error.kind, outcome.usage) == ("succeeded", "unknown_shape", None)


def test_a_cut_line_is_no_result(recorded: Path) -> None:
    """A download that broke off can be repeated: wherever it was cut, the line is refused."""
    for raw in recorded_lines(recorded):
        for end in range(1, len(raw), 7):
            with pytest.raises(IncompleteResultsError, match="not a whole result"):
                decode_line(raw[:end])


@pytest.mark.parametrize("raw", [b"{}", b"[]", b"null", b'{"custom_id": 4, "result": {"type": "expired"}}'])
def test_a_line_without_an_id_or_kind_is_no_result(raw: bytes) -> None:
    """Nothing can be said about it."""
    with pytest.raises(IncompleteResultsError):
        decode_line(raw)


def test_a_cut_inside_a_character_is_no_result() -> None:
    """A line that ends there is not whole."""
    whole = '{"custom_id":"r","result":{"type":"é"}}'.encode()
    with pytest.raises(IncompleteResultsError):
        decode_line(whole[: whole.index("é".encode()) + 1])


@pytest.mark.parametrize("half", [b"\\ud83d", b"\xc3"])
def test_half_a_character_in_an_answer_costs_only_that_character(half: bytes) -> None:
    """Answers that were cut off end in one now and then; the line is kept as received."""
    message = {**MESSAGE, "content": [{"type": "text", "text": "goodX"}]}
    raw = line(type="succeeded", message=message).replace(b"X", half)
    outcome = decode_line(raw)
    assert joined_text(outcome.blocks) == joined_text(answer_blocks(raw)) == "good\ufffd"
    assert (outcome.error, outcome.line) == (None, raw)


def test_numbers_of_a_call_keep_their_digits() -> None:
    """While a run is going on as when its log is read: more digits than a float has."""
    digits = "1234567890123.45678901234567890"
    call = {"type": "tool_use", "id": "t", "name": "book", "input": {"amount": 0}}
    raw = line(type="succeeded", message={**MESSAGE, "content": [call]})
    raw = raw.replace(b'"amount": 0', f'"amount": {digits}'.encode())
    for blocks in (decode_line(raw).blocks, answer_blocks(raw)):
        assert [block.input for block in blocks] == [{"amount": Decimal(digits)}]


def test_line_separators_inside_strings_are_text() -> None:
    """U+2028 is legal in a JSON string."""
    message = {**MESSAGE, "content": [{"type": "text", "text": "a\u2028b"}]}
    raw = line(type="succeeded", message=message).replace(b"\\u2028", "\u2028".encode())
    assert "\u2028".encode() in raw
    assert joined_text(decode_line(raw).blocks) == "a\u2028b"
