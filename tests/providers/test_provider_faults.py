"""Every error of the SDK and its transport over real sockets: what it leaves open, and whether it passes."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from provider_given import body, closed_port, creates, results

from batchata.errors import (
    AuthenticationFailedError,
    BatchataError,
    BatchNotFoundError,
    ConfigurationError,
    ProviderUnavailableError,
    RateLimitedError,
    RequestRefusedError,
    SpendLimitError,
    UnknownSubmissionError,
    UnreadableReplyError,
)
from batchata.providers.anthropic.errors import _NO_REPLY
from batchata.providers.rest.replies import asked_pause
from batchata.sandbox import Faults

HTML = "<html><body>Access denied</body></html>"
# What creating answers with a status means; every status that is not here is a definite refusal.
MEANINGS = {
    300: UnknownSubmissionError,
    301: UnknownSubmissionError,
    302: UnknownSubmissionError,
    303: UnknownSubmissionError,
    304: UnknownSubmissionError,
    307: UnknownSubmissionError,
    308: UnknownSubmissionError,
    401: AuthenticationFailedError,
    402: SpendLimitError,
    403: AuthenticationFailedError,
    408: UnknownSubmissionError,
    409: UnknownSubmissionError,
    425: ProviderUnavailableError,
    429: RateLimitedError,
    460: UnknownSubmissionError,
    499: UnknownSubmissionError,
    500: UnknownSubmissionError,
    502: UnknownSubmissionError,
    503: UnknownSubmissionError,
    504: UnknownSubmissionError,
    507: UnknownSubmissionError,
    520: UnknownSubmissionError,
    524: UnknownSubmissionError,
    529: UnknownSubmissionError,
    599: UnknownSubmissionError,
    600: UnknownSubmissionError,
    999: UnknownSubmissionError,
} | dict.fromkeys(
    (400, 404, 405, 406, 407, 410, 411, 412, 413, 414, 415, 421, 422, 423, 424, 426, 428, 431, 444, 451),
    RequestRefusedError,
) | dict.fromkeys((501, 505, 506, 508, 510, 511), RequestRefusedError)  # fmt: skip
PASSES = (ProviderUnavailableError, UnknownSubmissionError)


@pytest.fixture
def talk() -> Iterator[Callable[..., str]]:
    """Starts servers that do with a connection, once a request's head has come, what they are told to."""
    listening: list[socket.socket] = []

    def start(does: bytes | Callable[[socket.socket], object]) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        listening.append(server)
        threading.Thread(target=_accept, args=(server, does), daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}"

    yield start
    for server in listening:
        server.shutdown(socket.SHUT_RDWR)  # or its thread might go on with the next server's descriptor
        server.close()


def _accept(server: socket.socket, does: Any) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(5)
            try:
                _read_head(connection)
                does(connection) if callable(does) else connection.sendall(does)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65_536):  # or what it did not read would reset the connection
                    pass
            except OSError:
                continue


def _read_head(connection: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(65_536)
        if not piece:
            return
        head += piece


def failing(call: Callable[[], object]) -> BatchataError:
    with pytest.raises(BatchataError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("page", [HTML, json.dumps({"message": "no", "code": 7})], ids=["html", "json"])
def test_a_status_has_one_meaning_whoever_says_it(script: Any, connect: Any, page: str) -> None:
    """Of a create it is refused, open or passing; it is asked once, and the address is named."""
    client = connect(script)
    for asked, (status, meaning) in enumerate(MEANINGS.items()):
        script.replies.clear()
        script.says(status, "" if status == 304 else page, content_type="text/html")
        error = failing(lambda: client.submit(body()))
        assert type(error) is meaning, status
        assert len(script.asked) == asked + 1
        assert f"HTTP {status}" in str(error)
        assert status == 413 or script.url in str(error)
        assert "Access denied" not in str(error)


def test_of_a_question_no_status_leaves_anything_open(script: Any, connect: Any) -> None:
    """It may be asked again where the same status says of a create that it is open or passing."""
    client = connect(script)
    for status, meaning in MEANINGS.items():
        script.replies.clear()
        script.says(status, "" if status == 304 else HTML)
        error = failing(lambda: client.poll(["msgbatch_1"], 0))
        passes = issubclass(meaning, PASSES) and status // 100 != 3
        assert isinstance(error, ProviderUnavailableError) is passes, status
        assert not isinstance(error, UnknownSubmissionError)


@pytest.mark.parametrize("page", [HTML, json.dumps({"detail": "Not Found"})])
def test_a_404_of_somebody_else_says_nothing_about_a_batch(script: Any, connect: Any, page: str) -> None:
    """Only the API's own one may lead to the advice to give a batch up."""
    script.says(404, page)
    provider = connect(script)
    assert isinstance(failing(lambda: provider.poll(["msgbatch_1"], 0)), UnreadableReplyError)
    assert not isinstance(failing(lambda: results(provider, "msgbatch_1")), BatchNotFoundError)


def reply(status: bytes, *lines: bytes, content: bytes = b"") -> bytes:
    head = [b"HTTP/1.1 " + status, b"content-length: %d" % len(content), *lines]
    return b"\r\n".join(head) + b"\r\n\r\n" + content


# What comes of a create, and whether a question may be asked again.
BROKEN: dict[str, tuple[Any, bool, bool]] = {
    "closed at once": (lambda connection: None, False, True),
    "half a head": (b"HTTP/1.1 200 OK\r\ncont", False, True),
    "half a body": (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{}", False, True),
    "no such chunk": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", True, False),
    "another protocol": (b"SMTP ready\r\n\r\n", True, False),
    "an endless header": (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000 + b"\r\n\r\n", True, False),
    "not gzip": (reply(b"200 OK", b"content-encoding: gzip", content=b"hello"), True, False),
    "packed six times": (
        reply(b"200 OK", b"content-encoding: " + b",".join([b"gzip"] * 6), content=b"x"),
        True,
        False,
    ),
    "a protocol switched": (b"HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n", True, False),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_reply_that_breaks_leaves_a_create_open(talk: Any, connect: Any, kind: str) -> None:
    """What no other attempt would change ends the sending too, and is not asked again."""
    does, final, passes = BROKEN[kind]
    provider = connect(talk(does))
    error = failing(lambda: provider.submit(body()))
    assert isinstance(error, UnknownSubmissionError)
    assert error.final is final
    asked = failing(lambda: provider.poll(["msgbatch_1"], 0))
    assert type(asked) is (ProviderUnavailableError if passes else UnreadableReplyError)


@pytest.mark.parametrize(
    ("status", "expected"), [(b"500 No", UnknownSubmissionError), (b"400 No", RequestRefusedError)]
)
@pytest.mark.parametrize("how", ["not gzip", "cut"])
def test_an_error_that_cannot_be_read_has_its_status(
    talk: Any, connect: Any, status: bytes, expected: type, how: str
) -> None:
    """A body that is damaged or breaks off takes nothing from it."""
    head = b"content-encoding: gzip" if how == "not gzip" else b"x: y"
    said = reply(status, head, content=b"hello")
    error = failing(lambda: connect(talk(said if how == "not gzip" else said[:-2])).submit(body()))
    assert type(error) is expected
    assert vars(error)["status"] == int(status[:3])


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("http://127.0.0.1:{closed}", ProviderUnavailableError),
        ("http://no-such-host.invalid", ProviderUnavailableError),
        ("http://" + "a" * 70 + ".invalid", ConfigurationError),
        ("http://a..invalid", ConfigurationError),
    ],
)
def test_what_never_left_this_machine_was_never_sent(connect: Any, host: str, expected: type) -> None:
    """Without a connection a create is a failure and no riddle; a name that is none does not pass either."""
    provider = connect(host.format(closed=closed_port()))
    assert type(failing(lambda: provider.submit(body()))) is expected


def test_a_server_without_tls_is_a_mistake_in_the_address(serve: Any, connect: Any) -> None:
    """https:// where http:// is spoken: never sent, never waited for, and the address is named."""
    sandbox = serve("fine")
    url = sandbox.url.replace("http:", "https:")
    for call in (lambda: connect(url).submit(body()), lambda: connect(url).poll(["msgbatch_1"], 0)):
        error = failing(call)
        assert type(error) is ConfigurationError
        assert (
            f"{url} has a certificate that is not trusted, or does not speak TLS: is ANTHROPIC_BASE_URL right"
            in str(error)
        )
    assert sandbox.exchanges == []


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that nobody vouches for, with its key."""
    path = tmp_path_factory.mktemp("tls") / "own.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    try:
        subprocess.run([*command, "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl, which makes the certificate, is not here")
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


def test_a_certificate_that_nobody_vouches_for_is_told(connect: Any, certificate: Path) -> None:
    """Never sent and never waited for; what to look at is said."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_shake_hands, args=(server, context), daemon=True).start()
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        error = failing(lambda: connect(url).submit(body()))
    assert type(error) is ConfigurationError
    assert "SSL_CERT_FILE" in str(error)
    assert "certificate verify failed" in str(error)


def _shake_hands(server: socket.socket, context: Any) -> None:
    connection, _ = server.accept()
    with connection:
        try:
            context.wrap_socket(connection, server_side=True).close()
        except OSError:
            return


@pytest.mark.parametrize(
    ("said", "expected", "words"),
    [
        (b"407 Proxy Authentication Required", ConfigurationError, "check the proxy that HTTPS_PROXY"),
        (b"403 Forbidden", ConfigurationError, "check the proxy that HTTPS_PROXY"),
        (b"502 Bad Gateway", ProviderUnavailableError, "502 Bad Gateway"),
        (b"503 Busy", ProviderUnavailableError, "503 Busy"),
    ],
)
def test_a_proxy_that_does_not_connect_is_told_apart(
    talk: Any, connect: Any, monkeypatch: pytest.MonkeyPatch, said: bytes, expected: type, words: str
) -> None:
    """What it refuses stays refused; its password is not said. Nothing was sent in either case."""
    proxy = talk(reply(said)).replace("//", "//user:hush@")
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, proxy)
    error = failing(lambda: connect("https://api.invalid").submit(body()))
    assert type(error) is expected
    assert words in str(error)
    assert "hush" not in str(error)


@pytest.mark.parametrize(
    "proxy", ["foo://u:hush@127.0.0.1:1", "http://u:hush@[::1", "socks5://u:hush@127.0.0.1:1"]
)
def test_a_proxy_that_is_none_is_told_before_anything_is_sent(
    connect: Any, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """The variables are named, not what stands in them; the base URL is not blamed."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    error = failing(connect("http://127.0.0.1:1").check)
    assert type(error) is ConfigurationError
    assert "HTTPS_PROXY" in str(error)
    assert "hush" not in str(error)
    assert "ANTHROPIC_BASE_URL" not in str(error)


def test_certificates_that_cannot_be_read_are_told(connect: Any, monkeypatch: Any, tmp_path: Path) -> None:
    """The variable is named."""
    provider = connect("http://127.0.0.1:1")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    assert "SSL_CERT_FILE" in str(failing(provider.check))


def test_certificates_are_read_once_until_others_are_there(monkeypatch: Any, tmp_path: Path) -> None:
    """One client after another shares them; another file, or another content of it, is read anew."""
    from batchata.providers.rest.connections import trusted

    bundle = tmp_path / "mine.pem"
    bundle.write_bytes(Path(os.environ["SSL_CERT_FILE"]).read_bytes())
    first = trusted()
    assert trusted() is first
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    mine = trusted()
    assert mine is not first
    assert trusted() is mine
    os.utime(bundle, (1, 1))
    assert trusted() is not mine


@pytest.mark.parametrize("token", ["sk-ant-oat-hush\n", "sk-ant-oat-\0hush", "sk-\u0416-hush"])
def test_a_token_of_a_profile_that_no_header_can_carry_was_never_sent(
    script: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, token: str
) -> None:
    """The SDK finds it only when it calls; the error does not quote it, though the SDK's does."""
    from batchata.providers.anthropic.client import AnthropicClient

    for folder, said in (
        ("configs", {"authentication": {"type": "user_oauth"}}),
        ("credentials", {"type": "oauth_token", "access_token": token, "expires_at": 4_000_000_000}),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "default.json").write_text(json.dumps(said))
        (tmp_path / folder / "default.json").chmod(0o600)
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path))
    error = failing(lambda: AnthropicClient(base_url=script.url).submit(body()))
    assert type(error) is ConfigurationError
    assert "hush" not in str(error)
    assert script.asked == []


def test_every_error_of_the_transport_is_decided() -> None:
    """A class that the HTTP client adds some day is found here, not in the middle of a run."""
    import httpx2

    every = {
        each
        for each in vars(httpx2).values()
        if isinstance(each, type) and issubclass(each, Exception) and not issubclass(each, Warning)
    }
    assert len(every) > 20
    known = {httpx2.ConnectError, httpx2.ReadError, httpx2.WriteError, httpx2.CloseError} | set(_NO_REPLY)
    for each in every:
        nearest = next(c for c in each.__mro__ if c in _NO_REPLY)
        assert nearest is not Exception, each
        assert each in known or nearest in known


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("far", [False, True])
def test_a_redirect_of_a_create_is_not_followed(
    serve: Any, script: Any, connect: Any, status: int, far: bool
) -> None:
    """One call, one place, which the error names: prompts go nowhere else. A batch may exist all the same."""
    sandbox = serve("fine")
    place = f"{sandbox.url if far else script.url}/v1/messages/batches"
    script.says(status, "", location=place)
    error = failing(lambda: connect(script).submit(body()))
    assert f"HTTP {status}: redirected to {place}, which is not followed" in str(error)
    assert isinstance(error, UnknownSubmissionError)
    assert error.final
    assert (len(script.asked), sandbox.exchanges) == (1, [])


@pytest.mark.parametrize("status", [301, 302, 307])
@pytest.mark.parametrize("what", ["poll", "list", "results", "cancel", "count"])
def test_a_key_goes_to_no_other_place(serve: Any, script: Any, connect: Any, status: int, what: str) -> None:
    """No question is redirected either; a secret in the place is not said."""
    sandbox = serve("fine")
    script.says(status, "", location=f"{sandbox.url.replace('//', '//u:hush@')}/x?token=hush")
    provider = connect(script)
    calls: dict[str, Callable[[], object]] = {
        "poll": lambda: provider.poll(["msgbatch_1"], 0),
        "list": lambda: list(provider.find(0, 1)),
        "results": lambda: results(provider, "msgbatch_1"),
        "cancel": lambda: provider.cancel("msgbatch_1"),
        "count": lambda: provider.count_tokens(b'{"custom_id":"a","params":{"model":"m"}}'),
    }
    error = failing(calls[what])
    assert isinstance(error, RequestRefusedError)
    assert sandbox.url in str(error)
    assert "hush" not in str(error)
    assert (len(script.asked), sandbox.exchanges) == (1, [])


def test_a_results_url_of_another_host_gets_no_key(serve: Any, script: Any, connect: Any) -> None:
    """Results are fetched from the address given, whatever a description says."""
    thief = serve("fine")
    said = {"id": "msgbatch_1", "processing_status": "ended", "results_url": f"{thief.url}/v1/results"}
    script.says(200, json.dumps(said))
    script.says(200, b'{"custom_id":"r-0","result":{"type":"expired"}}\n')
    provider = connect(script)
    assert provider.poll(["msgbatch_1"], 0)["msgbatch_1"].ended
    assert len(results(provider, "msgbatch_1")) == 1
    assert thief.exchanges == []


def test_a_reply_is_not_kept_beyond_its_bound_whatever_it_says_of_its_length(
    script: Any, connect: Any
) -> None:
    """A page of a hundred batches has 60 KB; a stranger's reply could fill the memory."""
    script.says(200, b" " * 16_000_001)
    error = failing(lambda: connect(script).poll(["msgbatch_1"], 0))
    assert "more than 16,000,000 bytes" in str(error)


def test_what_the_other_side_says_is_printable_bounded_and_without_the_key(script: Any, connect: Any) -> None:
    """A message that echoes the key, moves the cursor or goes on for megabytes."""
    message = "bad key sandbox-key\x1b[2J\r\n" + "x" * 100_000
    error = {"type": "invalid_request_error", "message": message}
    script.says(400, json.dumps({"type": "error", "error": error}))
    said = str(failing(lambda: connect(script).submit(body())))
    assert "bad key …" in said
    assert said.isprintable()
    assert "sandbox-key" not in said
    assert len(said) < 3000


def test_an_error_of_odd_parts_is_an_error_of_ours(script: Any, connect: Any) -> None:
    """Type and message may be anything; the status decides."""
    for error in ({"type": ["x"], "message": {"a": 1}}, {"type": 7, "details": [1]}, [], "no", None):
        script.replies = [(400, {}, json.dumps({"error": error}).encode())]
        assert type(failing(lambda: connect(script).submit(body()))) is RequestRefusedError
    for odd in (b"[]", b"null", b"7", b"", b"\xff\xfe", b"[" * 100_000):
        script.replies = [(400, {"content-type": "text/html; charset=klingon"}, odd)]
        assert type(failing(lambda: connect(script).submit(body()))) is RequestRefusedError


@pytest.mark.parametrize("should", ["true", "false"])
def test_what_the_server_says_about_trying_again_is_heard(script: Any, connect: Any, should: str) -> None:
    """`x-should-retry` lets a refusal pass, and ends a limit that gives no time; not an open create."""
    provider = connect(script)
    for status, heard in ((400, "true"), (422, "true"), (429, "false"), (500, None)):
        script.replies = [(status, {"x-should-retry": should}, b"{}")]
        error = failing(lambda: provider.submit(body()))
        expected = MEANINGS[status]
        if heard == should:
            expected = ProviderUnavailableError if should == "true" else RequestRefusedError
        assert type(error) is expected, status
    script.replies = [(429, {"x-should-retry": "false", "retry-after": "20"}, b"{}")]
    assert type(failing(lambda: provider.submit(body()))) is RateLimitedError


NOW = 1_790_000_000
PAUSES = {
    "seconds": ({"retry-after": "7"}, 7.0),
    "parts of a second": ({"retry-after": "0.5"}, 0.5),
    "milliseconds": ({"retry-after-ms": "1500"}, 1.5),
    "milliseconds first": ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
    "odd milliseconds": ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
    "a day": ({"retry-after": "86400"}, 86400.0),
    "more than a day": ({"retry-after": "86401"}, None),
    "epoch": ({"retry-after": str(NOW + 30)}, 30.0),
    "epoch in the past": ({"retry-after": str(NOW - 30)}, None),
    "epoch in milliseconds": ({"retry-after": str(NOW * 1000)}, None),
    "date": ({"retry-after": formatdate(NOW + 40, usegmt=True)}, 40.0),
    "date in the past": ({"retry-after": formatdate(NOW - 40, usegmt=True)}, None),
    "date of next year": ({"retry-after": formatdate(NOW + 4e7, usegmt=True)}, None),
    "date without a zone": ({"retry-after": formatdate(NOW + 40, usegmt=True)[:-4]}, 40.0),
    "no date": ({"retry-after": "Fri, 99 Foo 2026 99:99:99 GMT"}, None),
    "a year beyond all": ({"retry-after": "Fri, 01 Jan 99999 00:00:00 GMT"}, None),
    "infinite": ({"retry-after": "inf"}, None),
    "NaN": ({"retry-after": "nan"}, None),
    "negative": ({"retry-after": "-5"}, None),
    "negative infinity": ({"retry-after": "-inf"}, None),
    "zero": ({"retry-after": "0"}, None),
    "huge": ({"retry-after": "1e308"}, None),
    "beyond floats": ({"retry-after": "9" * 400}, None),
    "digits of another script": ({"retry-after": "\u0667"}, None),
    "blank": ({"retry-after": ""}, None),
    "words": ({"retry-after": "soon"}, None),
    "nothing": ({}, None),
}


@pytest.mark.parametrize("kind", PAUSES)
def test_a_pause_that_is_asked_for_is_believed_within_reason(kind: str) -> None:
    """Above nothing and up to a day; all else is left to our own pause."""
    headers, pause = PAUSES[kind]
    assert asked_pause({"date": formatdate(NOW, usegmt=True)} | headers) == pause


def test_a_pause_until_a_date_is_counted_by_our_clock_without_theirs() -> None:
    """A reply has a date, but for a gateway's."""
    pause = asked_pause({"retry-after": formatdate(time.time() + 100, usegmt=True)})
    assert pause is not None
    assert 90 < pause <= 100


def test_pauses_come_from_the_headers_of_any_temporary_no(script: Any, connect: Any) -> None:
    """Not of 429 alone, and of questions as of creates."""
    for status in (429, 500, 529):
        script.replies = [(status, {"retry-after-ms": "2500"}, b"{}")]
        error = failing(lambda: connect(script).poll(["msgbatch_1"], 0))
        assert isinstance(error, ProviderUnavailableError)
        assert error.retry_after == 2.5


def test_a_bomb_is_unpacked_no_further_than_its_bound(script: Any, connect: Any) -> None:
    """150 megabytes in a few hundred kilobytes: an error of ours, in the memory of some pages."""
    import tracemalloc

    bomb = packed_zeros(150_000_000)
    for status in (200, 400):
        script.replies = [(status, {"content-encoding": "gzip"}, bomb)]
        provider = connect(script)
        provider.check()
        tracemalloc.start()
        try:
            error = failing(partial(provider.poll, ["msgbatch_1"], 0))
            assert tracemalloc.get_traced_memory()[1] < 100_000_000
        finally:
            tracemalloc.stop()
        assert isinstance(error, RequestRefusedError)
    assert re.search(r"more than 16,000,000 bytes", str(_of(script, connect, bomb)))


def packed_zeros(size: int) -> bytes:
    packer = zlib.compressobj(1, wbits=zlib.MAX_WBITS | 16)
    million = bytes(1_000_000)
    return b"".join(packer.compress(million) for _ in range(size // 1_000_000)) + packer.flush()


def _of(script: Any, connect: Any, bomb: bytes) -> BatchataError:
    script.replies = [(200, {"content-encoding": "gzip"}, bomb)]
    created = failing(lambda: connect(script).submit(body()))
    assert isinstance(created, UnknownSubmissionError)
    assert created.final
    return created


def test_a_dropped_create_is_made_once(serve: Any, connect: Any) -> None:
    """Whatever the SDK would repeat, one call is one POST."""
    sandbox = serve("fine", faults=Faults(lost_create_responses=1))
    failing(lambda: connect(sandbox).submit(body()))
    assert creates(sandbox) == 1
