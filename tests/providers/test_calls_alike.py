"""Calls made like one that the SDK made: the same requests and errors, and the SDK's own where watched."""

from __future__ import annotations

import json
import logging
import socket
import threading
from contextlib import suppress
from typing import Any

import pytest
from provider_given import body, results

from batchata.errors import BatchataError

CREATED = json.dumps({"id": "msgbatch_1", "processing_status": "in_progress"})
LINE = json.dumps({"custom_id": "r-0", "result": {"type": "expired"}}) + "\n"


def _asked(script: Any) -> list[tuple[str, str, dict[str, str], bytes]]:
    return [
        (method, path, {name: value for name, value in headers.items() if name != "content-length"}, sent)
        for method, path, headers, sent in script.asked
    ]


def test_requests_after_the_second_are_those_that_the_sdk_would_make(script: Any, connect: Any) -> None:
    """Method, path, every header and cookie: what the SDK's own two calls had."""
    script.says(200, CREATED)
    client = connect(script)
    for count in (1, 2, 3):
        client.submit(body(count))
    creates = _asked(script)
    assert [sent for *_, sent in creates] == [body(1), body(2), body(3)]
    assert creates[0][:3] == creates[1][:3] == creates[2][:3]
    script.replies, script.asked = [(200, {}, LINE.encode())], []
    for batch in ("msgbatch_1", "msgbatch_2", "msgbatch_2"):
        assert [outcome.kind for outcome in results(client, batch)] == ["expired"]
    first, second, third = _asked(script)
    assert second[1] == first[1].replace("msgbatch_1", "msgbatch_2")
    assert first[2] == second[2] == third[2]


def test_a_cookie_of_a_gateway_is_kept(script: Any, connect: Any) -> None:
    """As the SDK's own HTTP client keeps it: the newest one is sent."""
    script.says(200, CREATED, set_cookie="way=1; Path=/")
    script.says(200, CREATED, set_cookie="way=2; Path=/")
    script.says(200, CREATED, set_cookie="way=3; Path=/")
    script.says(200, CREATED)
    client = connect(script)
    for _ in range(4):
        client.submit(body())
    assert [headers.get("cookie") for _, _, headers, _ in script.asked] == [None, "way=1", "way=2", "way=3"]


def test_headers_that_are_of_one_request_are_never_sent_with_another(script: Any, connect: Any) -> None:
    """A key of idempotency, which the SDK can send: a second create with the first one's is no other."""
    script.says(200, CREATED)
    client = connect(script)
    client._client._idempotency_header = "Idempotency-Key"
    for _ in range(4):
        client.submit(body())
    assert len({headers["idempotency-key"] for _, _, headers, _ in script.asked}) == 4


ODD = {
    "not found": (404, {}, '{"type":"error","error":{"type":"not_found_error","message":"no such batch"}}'),
    "no model": (404, {}, '{"error":{"type":"not_found_error","message":"model: claude-9"}}'),
    "another's": (404, {"content-type": "text/html"}, "<html>nothing here"),
    "key": (401, {}, '{"type":"error","error":{"type":"authentication_error","message":"no"}}'),
    "spend": (400, {}, '{"error":{"message":"x","details":{"error_code":"enforced_spend_limit_reached"}}}'),
    "schema": (400, {}, '{"error":{"type":"invalid_request_error","message":"requests.0: too large"}}'),
    "busy": (429, {"retry-after": "7"}, '{"error":{"type":"rate_limit_error","message":"slow"}}'),
    "overloaded": (529, {}, '{"error":{"type":"overloaded_error","message":"later"}}'),
    "no JSON": (500, {}, "\ufeff oops "),
    "no UTF-8": (503, {}, "gr\u00fcn"),
    "deep": (400, {}, "[" * 50_000),
    "moved": (307, {"location": "https://elsewhere.invalid/"}, ""),
    "empty": (304, {}, ""),
    "odd success": (299, {}, "<html>"),
}


@pytest.mark.parametrize("what", ["create", "results"])
def test_an_error_is_the_same_whichever_call_meets_it(script: Any, connect: Any, what: str) -> None:
    """Its class, its words and all that it carries: a first call's is the SDK's own."""

    def call(client: Any) -> object:
        return client.submit(body()) if what == "create" else results(client, "msgbatch_1")

    for name, (status, headers, text) in ODD.items():
        met = []
        for is_by_sdk in (True, False):
            client = connect(script)
            if not is_by_sdk:
                script.replies = [(200, {}, (CREATED if what == "create" else LINE).encode())]
                call(client)
                call(client)
            script.replies = [(status, headers, text.encode("latin-1" if name == "no UTF-8" else "utf-8"))]
            try:
                met.append(("no error", str(call(client))))
            except BatchataError as exc:
                met.append((type(exc).__name__, str(exc), vars(exc)))
        assert met[0] == met[1], name


@pytest.mark.parametrize("cut", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{", b"hello\r\n\r\n"])
def test_a_connection_that_breaks_leaves_open_what_it_always_does(connect: Any, cut: bytes) -> None:
    """A create that was sent may have made a batch, whichever call it is."""
    head = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(CREATED)
    with socket.create_server(("127.0.0.1", 0)) as server:
        good = head + CREATED.encode()
        replies = iter([cut, good, good, cut])
        threading.Thread(target=_serve, args=(server, replies), daemon=True).start()
        client = connect(f"http://127.0.0.1:{server.getsockname()[1]}")
        met = []
        for _ in range(4):
            try:
                met.append(client.submit(body()).batch_id)
            except BatchataError as exc:
                met.append((type(exc).__name__, exc.kind, str(exc)))
    assert met[1] == met[2] == "msgbatch_1"
    assert met[0] == met[3]
    assert met[0][:2] == ("UnknownSubmissionError", "no_answer")


def _serve(server: socket.socket, replies: Any) -> None:
    for said in replies:
        with suppress(OSError):
            connection, _ = server.accept()
            with connection:
                received = connection.recv(65_536)
                while not received.endswith(b"]}"):
                    received += connection.recv(65_536)
                connection.sendall(said)


def test_a_program_that_listens_to_the_sdk_hears_of_every_call(
    script: Any, connect: Any, caplog: Any
) -> None:
    """The SDK makes them itself then."""
    script.says(200, CREATED)
    client = connect(script)
    for _ in range(3):
        client.submit(body())
    with caplog.at_level(logging.DEBUG, logger="anthropic"):
        client.submit(body())
        client.submit(body())
    heard = [record for record in caplog.records if record.getMessage().startswith("Sending HTTP Request")]
    assert len(heard) == 2


def test_a_run_that_has_ended_makes_no_call(script: Any, connect: Any) -> None:
    """Also where the call would only repeat one."""
    script.says(200, CREATED)
    client = connect(script)
    for _ in range(3):
        client.submit(body())
    client.close()
    with pytest.raises(BatchataError, match="has ended"):
        client.submit(body())
    assert len(script.asked) == 3


def test_a_connection_pool_that_is_closed_meanwhile_is_told_as_the_sdk_tells_it(
    script: Any, connect: Any
) -> None:
    """Such as by another thread: what was handed over may have been sent."""
    script.says(200, CREATED)
    met = []
    for calls_before in (0, 3):
        client = connect(script)
        for _ in range(calls_before):
            client.submit(body())
        client._http.close()
        with pytest.raises(BatchataError) as caught:
            client.submit(body())
        met.append((type(caught.value), caught.value.kind, str(caught.value)))
    assert met[0] == met[1]
