"""The HTTP side: what is refused at once, how bodies are read, keys, ids, hosts."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import httpx2
import pytest

from batchata.errors import InvalidInputError
from batchata.sandbox import Sandbox


def many(request_of: Any, count: int, **params: Any) -> list[dict[str, Any]]:
    return [request_of(f"r-{n}", f"message {n}", **params) for n in range(count)]


def raw(sandbox: Sandbox, method: str, path: str, **options: Any) -> httpx2.Response:
    headers = options.pop("headers", {"x-api-key": "k"})
    return httpx2.request(method, sandbox.url + path, headers=headers, **options)


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        ([], "requests: List should have at least 1 item"),
        (["a", "b" * 65], "requests.1.custom_id: String should have at most 64 characters"),
        ([""], "requests.0.custom_id: String should have at least 1 character"),
        (["a b"], "requests.0.custom_id: String should match pattern"),
        (["a\n"], "requests.0.custom_id: String should match pattern"),
        (["a", "a"], "requests.1.custom_id: "),
        (["a", "b", "c", "d"], "requests: List should have at most 3 items after validation, not 4"),
    ],
)
def test_bad_custom_ids_are_refused_at_once(serve, connect, request_of, ids, text):
    """The envelope is checked when the batch is created; nothing is created."""
    sandbox = serve("fine", max_requests=3)
    with pytest.raises(anthropic.BadRequestError) as caught:
        connect(sandbox).messages.batches.create(requests=[request_of(i) for i in ids])
    assert caught.value.type == "invalid_request_error"
    assert text in str(caught.value)
    assert sandbox.batches == []


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"requests": [{"params": {}}]}', "requests.0.custom_id: Field required"),
        (
            b'{"requests": [{"custom_id": 1, "params": {}}]}',
            "requests.0.custom_id: Input should be a valid str",
        ),
        (b'{"requests": [{"custom_id": "a"}]}', "requests.0.params: Field required"),
        (b'{"requests": [{"custom_id": "a", "params": 7}]}', "requests.0.params: Input should be an object"),
        (b'{"requests": [', "not valid JSON"),
        (b"{}", "requests: Field required"),
    ],
)
def test_a_malformed_envelope_is_a_400_that_names_the_place(serve, body, text):
    """The texts name the path, as the service's do."""
    answer = raw(serve("fine"), "POST", "/v1/messages/batches", content=body)
    assert answer.status_code == 400
    assert text in answer.json()["error"]["message"]


def test_a_body_over_the_limit_is_an_html_413(serve, connect, request_of):
    """The 413 comes from a proxy: no JSON, so no error type; the connection stays usable after it."""
    client = connect(serve("fine", max_body=10_000))
    with pytest.raises(anthropic.RequestTooLargeError) as caught:
        client.messages.batches.create(requests=[request_of("a", "x" * 3_000_000)])
    assert isinstance(caught.value.body, str)
    assert caught.value.type is None
    assert client.messages.batches.list().data == []


def test_a_chunked_body_is_read(serve, request_of):
    """A client may stream its body without a length."""
    body = json.dumps({"requests": many(request_of, 5)}).encode()
    pieces = (body[n : n + 100] for n in range(0, len(body), 100))
    answer = raw(serve("fine"), "POST", "/v1/messages/batches", content=pieces)
    assert answer.json()["request_counts"]["processing"] == 5


def test_a_key_is_needed_in_either_header(serve):
    """401 without a key; Bearer and x-api-key are both accepted."""
    sandbox = serve("fine")
    refused = raw(sandbox, "GET", "/v1/messages/batches", headers={})
    assert refused.status_code == 401
    assert refused.json()["error"]["type"] == "authentication_error"
    for headers in ({"authorization": "Bearer k"}, {"x-api-key": "k"}):
        assert raw(sandbox, "GET", "/v1/messages/batches", headers=headers).status_code == 200


def test_every_answer_has_a_request_id_and_says_it_is_a_simulation(serve, connect):
    """Also the error answers; the SDK shows the id."""
    sandbox = serve("fine")
    for path in ("/v1/messages/batches", "/v1/nothing"):
        headers = raw(sandbox, "GET", path).headers
        assert headers["request-id"].startswith("req_")
        assert headers["x-batchata-sandbox"] == "simulation"
    with pytest.raises(anthropic.NotFoundError) as caught:
        connect(sandbox).messages.batches.retrieve("msgbatch_nothing")
    assert caught.value.request_id
    assert caught.value.type == "not_found_error"


def test_it_listens_on_loopback_only():
    """Beyond loopback only when asked for by name."""
    with pytest.raises(InvalidInputError, match="loopback"):
        Sandbox("fine", host="0.0.0.0")
