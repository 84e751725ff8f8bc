"""The HTTP side: what is refused at once, how bodies are read, keys, ids, hosts."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
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
def test_bad_custom_ids_are_refused_at_once(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
    ids: Any,
    text: Any,
) -> None:
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
def test_a_malformed_envelope_is_a_400_that_names_the_place(
    serve: Callable[..., Sandbox], body: Any, text: Any
) -> None:
    """The texts name the path, as the service's do."""
    answer = raw(serve("fine"), "POST", "/v1/messages/batches", content=body)
    assert answer.status_code == 400
    assert text in answer.json()["error"]["message"]


def test_a_body_over_the_limit_is_an_html_413(
    serve: Callable[..., Sandbox],
    connect: Callable[..., Any],
    request_of: Callable[..., dict[str, Any]],
) -> None:
    """The 413 comes from a proxy: no JSON, so no error type; the connection stays usable after it."""
    client = connect(serve("fine", max_body=10_000))
    with pytest.raises(anthropic.RequestTooLargeError) as caught:
        client.messages.batches.create(requests=[request_of("a", "x" * 3_000_000)])
    assert isinstance(caught.value.body, str)
    assert caught.value.type is None
    assert client.messages.batches.list().data == []


def test_a_chunked_body_is_read(
    serve: Callable[..., Sandbox], request_of: Callable[..., dict[str, Any]]
) -> None:
    """A client may stream its body without a length."""
    body = json.dumps({"requests": many(request_of, 5)}).encode()
    pieces = (body[n : n + 100] for n in range(0, len(body), 100))
    answer = raw(serve("fine"), "POST", "/v1/messages/batches", content=pieces)
    assert answer.json()["request_counts"]["processing"] == 5


def test_a_key_is_needed_in_either_header(serve: Callable[..., Sandbox]) -> None:
    """401 without a key; Bearer and x-api-key are both accepted."""
    sandbox = serve("fine")
    refused = raw(sandbox, "GET", "/v1/messages/batches", headers={})
    assert refused.status_code == 401
    assert refused.json()["error"]["type"] == "authentication_error"
    for headers in ({"authorization": "Bearer k"}, {"x-api-key": "k"}):
        assert raw(sandbox, "GET", "/v1/messages/batches", headers=headers).status_code == 200


def test_every_answer_has_a_request_id_and_says_it_is_a_simulation(
    serve: Callable[..., Sandbox], connect: Callable[..., Any]
) -> None:
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


def test_it_listens_on_loopback_only() -> None:
    """Beyond loopback only when asked for by name."""
    with pytest.raises(InvalidInputError, match="loopback"):
        Sandbox("fine", host="0.0.0.0")


@pytest.mark.parametrize(
    ("headers", "answered"),
    [
        ({}, True),
        ({"host": "localhost:8080"}, True),  # a port that was forwarded
        ({"host": "LOCALHOST"}, True),
        ({"host": "[::1]:80"}, True),
        ({"host": "127.8.8.8"}, True),
        ({"host": "rebound.example"}, False),
        ({"host": "rebound.example:80"}, False),
        ({"host": "localhost.example"}, False),
        ({"host": "127.0.0.1.example"}, False),
        ({"host": "10.0.0.7"}, False),
        ({"host": "[::1"}, False),
        ({"host": ""}, False),
        ({"host": "localhost", "origin": "http://localhost"}, True),
        ({"host": "localhost", "origin": "http://evil.example"}, False),
        ({"host": "localhost", "origin": "http://localhost:81"}, False),
        ({"host": "localhost", "origin": "null"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "none"}, True),
    ],
)
@pytest.mark.parametrize("path", ["/sandbox", "/v1/messages/batches"])
def test_a_web_page_of_another_origin_gets_nothing(
    serve: Callable[..., Sandbox], headers: Any, answered: Any, path: Any
) -> None:
    """Neither with its own name nor with one that it has bound to this machine, whatever it asks for."""
    sandbox = serve("fine")
    reply = raw(sandbox, "GET", path, headers={"x-api-key": "k", **headers})
    assert reply.status_code == (200 if answered else 403)
    posted = raw(sandbox, "POST", "/sandbox/faults", headers=headers, content=b'{"spend_limit": true}')
    assert sandbox.faults.spend_limit is (posted.status_code == 200) is answered


def test_a_second_host_header_hides_nothing(serve: Callable[..., Sandbox]) -> None:
    """A call with two names is no HTTP and gets nothing, in whichever place the foreign one stands."""
    sandbox = serve("fine")
    with socket.create_connection(("127.0.0.1", int(sandbox.url.rpartition(":")[2])), timeout=5) as line:
        line.sendall(b"GET /sandbox HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n\r\n")
        assert line.recv(100).startswith(b"HTTP/1.1 400 ")


def test_a_sandbox_that_may_be_called_from_afar_answers_to_any_name() -> None:
    """Whoever lets it listen beyond this machine has names for it that it cannot know."""
    with Sandbox("fine", host="0.0.0.0", allow_remote=True) as sandbox:
        url = sandbox.url.replace("0.0.0.0", "127.0.0.1")
        assert httpx2.get(f"{url}/sandbox", headers={"host": "box.example"}).status_code == 200


def multipart(**fields: tuple[str, bytes] | str) -> dict[str, Any]:
    """The body of a form, and its header."""
    made = b""
    for name, value in fields.items():
        file, content = value if isinstance(value, tuple) else (None, value.encode())
        where = f'form-data; name="{name}"' + ("" if file is None else f'; filename="{file}"')
        made += f"--x\r\nContent-Disposition: {where}\r\n\r\n".encode() + content + b"\r\n"
    return {
        "content": made + b"--x--\r\n",
        "headers": BEARER | {"content-type": "multipart/form-data; boundary=x"},
    }


BEARER = {"authorization": "Bearer k"}
KEY = {"x-goog-api-key": "k"}
BATCH = {"input_file_id": "file-0", "endpoint": "/v1/responses", "completion_window": "24h"}
FINISH = {"x-goog-upload-command": "upload, finalize"}


@pytest.mark.parametrize(
    ("method", "path", "given", "status"),
    [
        ("GET", "/v1/files", {"headers": {}}, 401),
        ("GET", "/v1/files", {}, 200),
        ("GET", "/v1/files/file-0", {}, 404),
        ("GET", "/v1/files/file-0/content", {}, 404),
        ("POST", "/v1/files", multipart(purpose="batch"), 400),
        ("POST", "/v1/files", multipart(purpose="fine-tune", file=("a.jsonl", b"{}")), 400),
        ("POST", "/v1/files", multipart(purpose="batch", file=("a.txt", b"{}")), 400),
        ("POST", "/v1/files", {"content": b"x"}, 400),
        ("POST", "/v1/files", multipart(purpose="batch", file=("a.jsonl", b"{}")), 200),
        ("POST", "/v1/batches", {"json": BATCH}, 400),
        ("GET", "/v1/batches?limit=0", {}, 400),
        ("GET", "/v1/batches/batch_0", {}, 404),
        ("PUT", "/v1/batches", {}, 404),
        ("GET", "/v1/models", {}, 404),
        ("POST", "/v1/responses/input_tokens", {"json": {"model": "gpt-5", "input": "hello"}}, 200),
        ("POST", "/v1/responses", {"json": {"model": "gpt-5"}}, 400),
        ("GET", "/v1beta/batches", {"headers": {}}, 403),
        ("GET", "/v1beta/batches?pageSize=0", {"headers": KEY}, 400),
        ("GET", "/v1beta/batches/b", {"headers": KEY}, 404),
        ("GET", "/v1beta/files/none:download", {"headers": KEY}, 403),
        ("GET", "/v1beta/models", {"headers": KEY}, 404),
        ("POST", "/v1beta/models/m:embed", {"headers": KEY, "json": {}}, 404),
        ("POST", "/v1beta/models/m:generateContent", {"headers": KEY, "json": {}}, 400),
        ("POST", "/upload/v1beta/files", {"headers": KEY | {"x-goog-upload-command": "query"}}, 400),
        ("POST", "/upload/v1beta/files?upload_id=u", {"headers": FINISH, "content": b"x"}, 404),
    ],
)
def test_the_other_protocols_refuse_in_their_own_words(
    serve: Callable[..., Sandbox], method: str, path: str, given: dict[str, Any], status: int
) -> None:
    """What is not there, not whole or not allowed has the service's status and an error that is JSON."""
    answer = raw(serve("ok"), method, path, **{"headers": BEARER, **given})
    assert answer.status_code == status, answer.text
    assert ("error" in answer.json()) == (status != 200)
