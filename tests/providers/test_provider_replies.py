"""Replies that say yes and then odd things: an error of ours, and nothing that can be read is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from provider_given import body, results

from batchata.core.values import Counts
from batchata.errors import (
    BatchataError,
    IncompleteResultsError,
    UnknownSubmissionError,
    UnreadableReplyError,
)

GOOD = {
    "id": "msgbatch_1",
    "processing_status": "ended",
    "request_counts": {"processing": 0, "succeeded": 3, "errored": 0, "canceled": 0, "expired": 0},
    "created_at": "2026-09-24T18:37:24.100435Z",
    "expires_at": "2026-09-25T18:37:24.100435Z",
}
NO_DESCRIPTIONS = {
    "nothing": b"",
    "a page": b"<html>",
    "cut": b'{"id": "msgbatch_1", "processing_st',
    "null": b"null",
    "a list": b"[]",
    "a number": b"7",
    "a text": b'"msgbatch_1"',
    "an empty object": b"{}",
    "deep": b"[" * 200_000 + b"]" * 200_000,
    "deep inside": b'{"id":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
    "not UTF-8": b'{"id": "\xff"}',
    "NaN": b'{"id": "msgbatch_1", "processing_status": NaN}',
    "no id": json.dumps(GOOD | {"id": None}).encode(),
    "id a number": json.dumps(GOOD | {"id": 7}).encode(),
    "id blank": json.dumps(GOOD | {"id": ""}).encode(),
    "id with a blank": json.dumps(GOOD | {"id": "msgbatch 1"}).encode(),
    "id with slashes": json.dumps(GOOD | {"id": "../../v1/messages"}).encode(),
    "id of dots": json.dumps(GOOD | {"id": ".."}).encode(),
    "id with a line break": json.dumps(GOOD | {"id": "msgbatch_1\n"}).encode(),
    "id with a query": json.dumps(GOOD | {"id": "msgbatch_1?x=1"}).encode(),
    "id of 100 KB": json.dumps(GOOD | {"id": "m" * 100_000}).encode(),
}
NO_STATUS = {
    "no status": {k: v for k, v in GOOD.items() if k != "processing_status"},
    "status null": GOOD | {"processing_status": None},
    "status a list": GOOD | {"processing_status": ["ended"]},
}


def failing(call: Any, *given: Any) -> BatchataError:
    with pytest.raises(BatchataError) as caught:
        call(*given)
    return caught.value


@pytest.mark.parametrize("kind", [*NO_DESCRIPTIONS, *NO_STATUS])
def test_what_describes_no_batch_is_an_error_of_ours(script: Any, connect: Any, kind: str) -> None:
    """It is not taken for an unknown batch, and not waited for."""
    said = NO_DESCRIPTIONS.get(kind) or json.dumps(NO_STATUS.get(kind, "")).encode()
    script.says(200, b"" if kind == "nothing" else said)
    assert type(failing(connect(script).poll, ["msgbatch_1"], 0)) is UnreadableReplyError


@pytest.mark.parametrize("kind", NO_DESCRIPTIONS)
def test_a_create_whose_answer_cannot_be_read_may_have_made_a_batch(
    script: Any, connect: Any, kind: str
) -> None:
    """The first time it may be an accident; the second time nothing more is to be sent."""
    script.says(200, NO_DESCRIPTIONS[kind])
    provider = connect(script)
    for final in (False, True):
        error = failing(provider.submit, body())
        assert isinstance(error, UnknownSubmissionError)
        assert error.final is final


ODD_COUNTS = {
    "a list": [3, 0],
    "a text": "many",
    "a number": 3,
    "null": None,
    "nothing": {},
    "lists": {"succeeded": [3]},
    "text": {"succeeded": "three"},
    "negative": {"succeeded": -3},
    "a part": {"succeeded": 2.5},
    "beyond all": {"succeeded": 10**300},
    "true": {"succeeded": True},
}


@pytest.mark.parametrize("kind", ODD_COUNTS)
def test_counts_that_cannot_be_read_are_no_counts(script: Any, connect: Any, kind: str) -> None:
    """All of them are 0, as none can be trusted; the rest of the description holds."""
    script.says(200, json.dumps(GOOD | {"request_counts": ODD_COUNTS[kind]}))
    batch = connect(script).poll(["msgbatch_1"], 0)["msgbatch_1"]
    assert (batch.size, batch.ended) == (0, True)


@pytest.mark.parametrize("given", ["3", 3.0, "003"])
def test_a_count_in_another_notation_is_read(script: Any, connect: Any, given: Any) -> None:
    """It has one reading."""
    script.says(200, json.dumps(GOOD | {"request_counts": {"succeeded": given, "errored": None}}))
    counts = connect(script).poll(["msgbatch_1"], 0)["msgbatch_1"].counts
    assert counts == Counts(processing=0, succeeded=3, errored=0, canceled=0, expired=0)


@pytest.mark.parametrize(
    "given",
    [
        None,
        1790000000,
        "soon",
        "",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        ["2026"],
        "1969-01-01",
    ],
)
def test_a_time_that_cannot_be_is_no_time(script: Any, connect: Any, given: Any) -> None:
    """What it would be compared with must not go wrong."""
    script.says(200, json.dumps(GOOD | {"created_at": given, "expires_at": given}))
    batch = connect(script).poll(["msgbatch_1"], 0)["msgbatch_1"]
    assert (batch.created_at, batch.expires_at) == (0, None)


def page(*entries: Any, **more: Any) -> bytes:
    """A page of the list."""
    ids = [entry["id"] for entry in entries if isinstance(entry, dict) and "id" in entry]
    said = {"data": list(entries), "has_more": False, "last_id": ids[-1] if ids else None}
    return json.dumps(said | more).encode()


ODD_ENTRIES = [
    None,
    [],
    7,
    "msgbatch_9",
    {},
    {"id": "a b", "processing_status": "ended"},
    {"id": "msgbatch_9"},
]


@pytest.mark.parametrize("entry", ODD_ENTRIES, ids=repr)
def test_a_page_is_read_before_what_is_odd_on_it_is_doubted(script: Any, connect: Any, entry: Any) -> None:
    """The batches beside it are handed over; that there are no others cannot be said."""
    script.says(200, page(entry, GOOD, entry))
    found = connect(script).find(0, 3)
    assert next(found).batch_id == "msgbatch_1"
    with pytest.raises(UnreadableReplyError):
        next(found)


@pytest.mark.parametrize(
    "more",
    [
        {"has_more": "no"},
        {"has_more": 1},
        {"has_more": True, "last_id": None, "data": []},
        {"has_more": True, "last_id": "x y", "data": []},
        {"data": None},
        {"data": {"0": GOOD}},
        {"data": "msgbatch_1"},
    ],
    ids=repr,
)
def test_a_list_that_does_not_say_where_it_ends_is_doubted(script: Any, connect: Any, more: Any) -> None:
    """Absence is never concluded from it."""
    script.says(200, page(GOOD, **more))
    with pytest.raises(UnreadableReplyError):
        list(connect(script).find(0, 9))


@pytest.mark.parametrize(
    "cursors", [["msgbatch_1"], ["msgbatch_1", "msgbatch_2"], ["m" * 100_000], ["a/b"], [None]]
)
def test_a_list_without_end_is_left_at_its_second_round(
    script: Any, connect: Any, cursors: list[Any]
) -> None:
    """The same cursor again and again, two that take turns, or none at all: some calls, then an error."""
    for _ in range(3):
        for cursor in cursors:
            script.says(200, page(GOOD, has_more=True, last_id=cursor))
    found = connect(script).find(0, 3)
    assert type(failing(lambda: [next(found) for _ in range(20)])) is UnreadableReplyError
    assert len(script.asked) <= 3


def test_a_page_that_says_nothing_of_more_ends_where_it_is_short(script: Any, connect: Any) -> None:
    """Gateways leave `has_more` out."""
    said = json.loads(page(GOOD))
    del said["has_more"]
    script.says(200, json.dumps(said))
    assert [batch.batch_id for batch in connect(script).find(0, 3)] == ["msgbatch_1"]


def test_a_batch_of_unknown_size_may_be_the_one_that_is_looked_for(script: Any, connect: Any) -> None:
    """Its custom ids will tell; that it is absent must not be concluded from counts that cannot be true."""
    runs = GOOD | {"processing_status": "in_progress"}
    of_four = {"request_counts": {"processing": 4, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}}
    unlike = runs | {"id": "msgbatch_2"}  # some have succeeded while none is in processing
    script.says(200, page(runs | {"request_counts": "many"}, unlike, runs | {"id": "msgbatch_3"} | of_four))
    assert [batch.batch_id for batch in connect(script).find(0, 5)] == ["msgbatch_1", "msgbatch_2"]


def test_an_odd_description_stops_no_other_batch(script: Any, connect: Any) -> None:
    """As long as one can be read, the others count as going on."""
    script.says(200, b"null")
    script.says(200, json.dumps(GOOD | {"id": "msgbatch_2"}))
    found = connect(script).poll(["msgbatch_1", "msgbatch_2"], 0)
    assert [(b.status, b.ended, b.size) for b in found.values()] == [
        ("unreadable", False, 0),
        ("ended", True, 3),
    ]


def test_of_an_odd_list_each_batch_is_asked_for(script: Any, connect: Any) -> None:
    """A list that somebody else's batch makes unreadable does not end a poll of ours."""
    ids = ["msgbatch_1", "msgbatch_2", "msgbatch_3"]
    script.says(200, page(None, GOOD))
    for name in ids[1:]:
        script.says(200, json.dumps(GOOD | {"id": name}))
    assert list(connect(script).poll(ids, 0)) == ids
    assert len(script.asked) == 3


@pytest.mark.parametrize("count", [None, "12", -1, 1.5, True, 10**400, [1]])
def test_a_count_of_tokens_that_is_none_is_told(script: Any, connect: Any, count: Any) -> None:
    """It becomes an amount of money."""
    script.says(200, json.dumps({"input_tokens": count}))
    request = b'{"custom_id":"a","params":{"model":"m"}}'
    assert "no count" in str(failing(connect(script).count_tokens, request))


def test_long_lines_of_results_are_read_in_linear_time(script: Any, connect: Any) -> None:
    """A line of 40 MB among others, in the pieces in which it comes."""
    import time

    line = b'{"custom_id":"r-0","result":{"type":"expired"},"x":"' + b"y" * 40_000_000 + b'"}\n'
    small = b'{"custom_id":"r-1","result":{"type":"expired"}}\n'
    script.says(200, small + line + small)
    began = time.process_time()
    found = results(connect(script), "msgbatch_1")
    assert [outcome.custom_id for outcome in found] == ["r-1", "r-0", "r-1"]
    assert [len(outcome.line) for outcome in found] == [len(small) - 1, len(line) - 1, len(small) - 1]
    assert time.process_time() - began < 8


def test_a_line_without_end_is_kept_up_to_its_bound(script: Any, connect: Any) -> None:
    """What comes behind it is read all the same, and its beginning is kept."""
    from batchata.providers.rest.lines import lines_of

    small = b'{"custom_id":"r-1","result":{"type":"expired"}}'
    pieces = [small + b"\n", *[b"x" * 1000] * 50, b"\n" + small + b"\n", small[:10]]
    read = list(lines_of(iter(pieces), most=10_000))
    assert [whole for _, whole in read] == [True, True, True, False]
    assert [len(line) for line, _ in read] == [len(small), 10_000, len(small), 10]
    script.says(200, small[:10])
    assert type(failing(results, connect(script), "msgbatch_1")) is IncompleteResultsError
