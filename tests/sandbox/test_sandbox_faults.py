"""Faults on demand, as the real SDK meets them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import pytest

from batchata.errors import InvalidInputError
from batchata.sandbox import Faults, Sandbox

STATUSES = {
    400: (anthropic.BadRequestError, "invalid_request_error"),
    401: (anthropic.AuthenticationError, "authentication_error"),
    402: (anthropic.PaymentRequiredError, "billing_error"),
    403: (anthropic.PermissionDeniedError, "permission_error"),
    408: (anthropic.RequestTimeoutError, "timeout_error"),
    409: (anthropic.ConflictError, "conflict_error"),
    413: (anthropic.RequestTooLargeError, None),
    429: (anthropic.RateLimitError, "rate_limit_error"),
    500: (anthropic.InternalServerError, "api_error"),
    503: (anthropic.ServiceUnavailableError, "api_error"),
    529: (anthropic.OverloadedError, "overloaded_error"),
}


def batch_of(client: anthropic.Anthropic, request_of: Any, count: int = 6) -> Any:
    return client.messages.batches.create(requests=[request_of(f"r-{n}") for n in range(count)])


def lines_of(client: anthropic.Anthropic, batch_id: str) -> list[Any]:
    return list(client.messages.batches.results(batch_id))


@pytest.mark.parametrize("status", STATUSES)
def test_create_status_answers_instead_of_creating(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
    status: Any,
) -> None:
    """Each status is the right exception of the SDK with the right error type; no batch exists."""
    sandbox = serve("fine", faults=Faults(create_status=[status]))
    expected, kind = STATUSES[status]
    with pytest.raises(expected) as caught:
        batch_of(connect(sandbox), request_of)
    assert caught.value.type == kind
    assert sandbox.batches == []
    assert batch_of(connect(sandbox), request_of).id == sandbox.batches[0].id


def test_zero_in_a_list_lets_a_call_through(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
) -> None:
    """So the n-th call can be hit."""
    client = connect(serve("fine", faults=Faults(create_status=[0, 500])))
    assert batch_of(client, request_of)
    with pytest.raises(anthropic.InternalServerError):
        batch_of(client, request_of)


def test_create_status_after_creates_and_then_fails(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
) -> None:
    """The SDK's own retries then make one batch per attempt: what the library must prevent."""
    sandbox = serve("fine", faults=Faults(create_status_after=[529]))
    batch_of(connect(sandbox, max_retries=1), request_of)
    assert len(sandbox.batches) == 2
    assert sandbox.billed()["r-0"] == 2


def test_a_lost_create_response_leaves_a_batch(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
) -> None:
    """The connection breaks without an answer, but the batch exists."""
    sandbox = serve("fine", faults=Faults(lost_create_responses=1))
    with pytest.raises(anthropic.APIConnectionError) as caught:
        batch_of(connect(sandbox), request_of)
    assert isinstance(caught.value.__cause__, httpx2.RemoteProtocolError | httpx2.ReadError)
    assert len(sandbox.batches) == 1
    assert sandbox.exchanges[0] == ("POST", "/v1/messages/batches", 0)
    assert batch_of(connect(sandbox), request_of)


def test_a_hanging_create_times_out_with_a_batch_made(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
) -> None:
    """A client that gives up waiting cannot know that its batch exists."""
    sandbox = serve("fine", faults=Faults(create_hang=5.0))
    with pytest.raises(anthropic.APITimeoutError):
        batch_of(connect(sandbox, timeout=0.2), request_of)
    assert len(sandbox.batches) == 1


def test_the_two_429s(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
) -> None:
    """A rate limit says when to come back, a used-up spend limit does not."""
    sandbox = serve("fine", faults=Faults(create_status=[429], retry_after=7))
    with pytest.raises(anthropic.RateLimitError) as limited:
        batch_of(connect(sandbox), request_of)
    assert limited.value.response.headers["retry-after"] == "7"
    sandbox.faults.spend_limit = True
    with pytest.raises(anthropic.RateLimitError) as spent:
        batch_of(connect(sandbox), request_of)
    assert spent.value.error_code == "enforced_spend_limit_reached"
    assert "retry-after" not in spent.value.response.headers


def test_polls_lists_cancels_and_downloads_can_fail(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
) -> None:
    """Each kind of call has its own list of statuses."""
    sandbox = serve("fine", faults=Faults(not_found_after_create=1, poll_status=[500], list_status=[503]))
    client = connect(sandbox)
    batch = batch_of(client, request_of)
    for expected in (anthropic.NotFoundError, anthropic.InternalServerError):
        with pytest.raises(expected):
            client.messages.batches.retrieve(batch.id)
    with pytest.raises(anthropic.ServiceUnavailableError):
        client.messages.batches.list()
    sandbox.faults.results_status.append(529)
    with pytest.raises(anthropic.OverloadedError):
        lines_of(client, batch.id)
    sandbox.faults.cancel_status.append(500)
    with pytest.raises(anthropic.InternalServerError):
        client.messages.batches.cancel(batch.id)
    assert len(lines_of(client, batch.id)) == 6


def test_a_download_breaks_off_after_some_lines_once(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
) -> None:
    """The first download loses its connection; the next one is whole."""
    client = connect(serve("fine", faults=Faults(drop_results_after=[2])))
    batch = batch_of(client, request_of)
    seen = []
    with pytest.raises(httpx2.RemoteProtocolError):
        seen.extend(line.custom_id for line in client.messages.batches.results(batch.id))
    assert len(lines_of(client, batch.id)) == 6


def test_a_truncated_download_ends_cleanly_with_fewer_lines(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
) -> None:
    """Nothing but the counters tells that lines are missing."""
    client = connect(serve("fine", faults=Faults(truncate_results=[4])))
    batch = batch_of(client, request_of)
    assert len(lines_of(client, batch.id)) == 4
    assert client.messages.batches.retrieve(batch.id).request_counts.succeeded == 6
    assert len(lines_of(client, batch.id)) == 6


def test_a_cut_last_line_is_no_json(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
) -> None:
    """The SDK raises a bare JSONDecodeError for it."""
    client = connect(serve("fine", faults=Faults(cut_last_line=1)))
    batch = batch_of(client, request_of)
    with pytest.raises(json.JSONDecodeError):
        lines_of(client, batch.id)
    assert len(lines_of(client, batch.id)) == 6


def test_slow_results_take_time_per_line(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
) -> None:
    """Seconds per line, so that a reader can be interrupted in the middle."""
    client = connect(serve("fine", faults=Faults(slow_results=0.03)))
    batch = batch_of(client, request_of)
    started = time.monotonic()
    assert len(lines_of(client, batch.id)) == 6
    assert time.monotonic() - started >= 0.18


def test_lines_can_be_missing_doubled_foreign_or_of_another_kind(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
) -> None:
    """Selectors are positions, custom ids or a predicate; missing lines were billed all the same."""
    faults = Faults(
        missing={0},
        duplicated={"r-1"},
        expired=lambda custom_id, number: number == 2,
        errored=[3],
        error_type="api_error",
        unknown_kind={4},
        foreign=1,
    )
    sandbox = serve("fine", faults=faults)
    client = connect(sandbox)
    batch = batch_of(client, request_of)
    lines = lines_of(client, batch.id)
    ids = [line.custom_id for line in lines]
    kinds = {line.custom_id: line.result.type for line in lines}
    assert "r-0" not in ids
    assert ids.count("r-1") == 2
    assert "sandbox-foreign-0" in ids
    assert kinds["r-2"] == "expired"
    assert kinds["r-3"] == "errored"
    assert kinds["r-4"] not in ("succeeded", "errored", "expired", "canceled")
    assert kinds["r-5"] == "succeeded"
    assert sandbox.billed() == {"r-0": 1, "r-1": 1, "r-5": 1}
    assert sum(client.messages.batches.retrieve(batch.id).request_counts.to_dict().values()) == 6


def test_line_faults_can_be_limited_to_some_batches(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
) -> None:
    """So that a retry in a later batch succeeds."""
    client = connect(serve("fine", faults=Faults(errored={0}, only_batches={0})))
    first, second = batch_of(client, request_of, 1), batch_of(client, request_of, 1)
    assert lines_of(client, first.id)[0].result.type == "errored"
    assert lines_of(client, second.id)[0].result.type == "succeeded"


def test_line_separators_stand_raw_inside_strings(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
) -> None:
    """U+2028 is legal inside a JSON string; only a newline ends a line."""
    client = connect(serve("fine", faults=Faults(line_separators=True)))
    batch = batch_of(client, request_of)
    url = client.messages.batches.retrieve(batch.id).results_url
    raw = httpx2.get(url, headers={"x-api-key": "k"}).content
    assert raw.count("\u2028".encode()) == 6
    assert len(raw.strip().split(b"\n")) == 6
    assert len(lines_of(client, batch.id)) == 6


def test_a_share_is_processed_before_a_cancel_or_an_expiry(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
) -> None:
    """`processed` fixes the share that time would decide."""
    sandbox = serve("fine", delay=1000.0, faults=Faults(processed=0.5))
    client = connect(sandbox)
    cancelled, expired = batch_of(client, request_of), batch_of(client, request_of)
    client.messages.batches.cancel(cancelled.id)
    sandbox.expire(expired.id)
    first = client.messages.batches.retrieve(cancelled.id).request_counts
    second = client.messages.batches.retrieve(expired.id).request_counts
    assert (first.succeeded, first.canceled) == (3, 3)
    assert (second.succeeded, second.expired) == (3, 3)


def test_faults_can_be_set_over_http(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
) -> None:
    """A test of another process sets them by name; a wrong name is a 400."""
    sandbox = serve("fine")
    answer = httpx2.post(f"{sandbox.url}/sandbox/faults", json={"create_status": [529]})
    assert answer.status_code == 200
    with pytest.raises(anthropic.OverloadedError):
        batch_of(connect(sandbox), request_of)
    assert httpx2.post(f"{sandbox.url}/sandbox/faults", json={"nonsense": 1}).status_code == 400


def test_given_faults_are_not_used_up_for_others(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
) -> None:
    """The same Faults value serves two sandboxes."""
    faults = Faults(create_status=[500])
    for _ in range(2):
        with pytest.raises(anthropic.InternalServerError):
            batch_of(connect(serve("fine", faults=faults)), request_of)


@pytest.mark.parametrize("wrong", [{"only_batches": 1}, {"errored": 3}, {"create_status": 529}])
def test_a_fault_of_the_wrong_shape_is_refused_where_it_is_made(wrong: dict[str, Any]) -> None:
    """Else every call that meets it would fail inside the server, and a client would wait for ever."""
    with pytest.raises(InvalidInputError, match="such as"):
        Faults(**wrong)


def test_schemas_are_refused_where_they_stand_in_the_format(
    serve: Callable[..., Sandbox], connect: Callable[..., Any], request_of: Callable[..., dict[str, Any]]
) -> None:
    """As the service does with grammars that are too large; what asks without a format is answered."""
    client = connect(serve("{}", faults=Faults(schemas_refused=True)))
    schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    native = {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
    entries = [request_of("native", **native), request_of("prompt", system=json.dumps(schema))]
    batch = client.messages.batches.create(requests=entries)
    results = {line.custom_id: line.result for line in client.messages.batches.results(batch.id)}
    assert results["prompt"].type == "succeeded"
    refused = results["native"].error.error
    assert refused.type == "invalid_request_error"
    assert refused.message.startswith("The compiled grammar is too large")
