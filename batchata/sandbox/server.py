"""The HTTP side of the sandbox: a thread per connection, kept alive between calls."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from ipaddress import ip_address
from threading import Event, Lock
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import msgspec

from batchata.sandbox.anthropic.protocol import Refusal, injected, new_id
from batchata.sandbox.anthropic.results import Dropped

__all__ = ["BodyTooLarge", "read_body"]

_CHUNK = 1 << 18


class BodyTooLarge(Exception):
    """The body is larger than allowed; it was read to its end and thrown away."""


def read_body(headers: Message, stream: BufferedIOBase, limit: int) -> bytes:
    """The body. Raises BodyTooLarge, or ConnectionError when the client goes away in its middle."""
    if "chunked" in (headers.get("transfer-encoding") or "").lower():
        return _chunked(stream, limit)
    length = int(headers.get("content-length") or 0)
    if length > limit:
        # Read to the end: a client that is still writing would see a broken pipe instead of the 413.
        _skip(stream, length)
        raise BodyTooLarge
    body = stream.read(length) if length else b""
    if len(body) < length:
        raise ConnectionError("the body ended early")
    return body


def _chunked(stream: BufferedIOBase, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while length := int(stream.readline(1024).split(b";")[0].strip() or b"0", 16):
        part = stream.read(length)
        stream.readline(8)
        if len(part) < length:
            raise ConnectionError("the body ended early")
        size += length
        if size > limit:
            parts.clear()
        else:
            parts.append(part)
    while stream.readline(65_536).strip():
        pass  # trailers
    if size > limit:
        raise BodyTooLarge
    return b"".join(parts)


def _skip(stream: BufferedIOBase, length: int) -> None:
    while length > 0 and (part := stream.read(min(length, _CHUNK))):
        length -= len(part)


__all__ = ["Call", "Lines", "Reply", "Server", "is_loopback"]

logger = logging.getLogger("batchata.sandbox")

_TOO_LARGE = (
    b"<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body>\r\n"
    b"<center><h1>413 Request Entity Too Large</h1></center>\r\n<hr><center>cloudflare</center>\r\n"
    b"</body>\r\n</html>\r\n"
)


class Call(msgspec.Struct):
    """One HTTP request; `base_url` is how the caller names this server."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    base_url: str


class Lines(msgspec.Struct):
    """A JSONL answer, sent piece by piece."""

    pieces: Iterable[bytes]


type Reply = dict[str, Any] | bytes | Lines


class Application(Protocol):
    """Answers calls; raises Refusal for an error answer, Dropped for none at all."""

    def reply(self, call: Call) -> Reply: ...
    def note(self, method: str, path: str, status: int) -> None: ...
    def now(self) -> float: ...


class Server(ThreadingHTTPServer):
    """The listening socket and its open connections."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], application: Application, max_body: int) -> None:
        self.application = application
        self.max_body = max_body
        self.host = address[0]
        self.stopping = Event()
        self._open: set[socket.socket] = set()
        self._open_lock = Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own asks the resolver for this machine's name, which can take seconds offline.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.debug("connection_lost client=%s", client_address, exc_info=True)

    def close(self) -> None:
        """Stop listening and break every kept-alive connection, as a process that ends does."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        with self._open_lock:
            connections = list(self._open)
        for connection in connections:
            break_off(connection)


def break_off(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        logger.debug("connection_already_closed")


def is_loopback(host: str) -> bool:
    """Whether this is a name or an address of this machine, seen from itself."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _name_in(host: str) -> str:
    """What a Host header names, without its port; nothing when it cannot be read."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "batchata-sandbox"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        self._request_id = new_id("req")
        try:
            self._answer(parts.path, self._reply(parts.path, parts.query))
        except Refusal as refusal:
            self._refuse(parts.path, refusal)
        except BodyTooLarge:
            self._refuse(parts.path, injected(413, None))
        except Dropped:
            self._note(parts.path, 0)
            self.close_connection = True
            break_off(self.connection)
        except OSError:
            raise  # the client is gone
        except Exception as exc:
            logger.exception("call_failed path=%s", parts.path)
            self._refuse(parts.path, Refusal(500, f"Internal server error of the sandbox: {exc!r}"))

    def _reply(self, path: str, query: str) -> Reply:
        body = read_body(self.headers, self.rfile, self.server.max_body)
        self._check_caller()
        if not path.startswith("/sandbox"):
            self._check_key()
        values = {name: value[-1] for name, value in parse_qs(query).items()}
        host = self.headers.get("host") or f"{self.server.host}:{self.server.server_port}"
        call = Call(self.command, path, values, body, f"http://{host}")
        return self.server.application.reply(call)

    def _check_caller(self) -> None:
        """A web page of another origin gets nothing, nor one that has bound its name to this machine."""
        hosts = self.headers.get_all("host") or []
        if is_loopback(self.server.host) and not all(is_loopback(_name_in(host)) for host in hosts):
            raise Refusal(403, "the sandbox answers to the names of this machine only, not to this Host")
        origin = self.headers.get("origin")
        same = origin is None or [origin] == [f"http://{host}" for host in hosts]
        if not same or self.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise Refusal(403, "the sandbox does not answer to web pages of another origin")

    def _check_key(self) -> None:
        bearer = (self.headers.get("authorization") or "").lower().startswith("bearer ")
        if not bearer and not self.headers.get("x-api-key"):
            raise Refusal(401, "x-api-key header is required")

    def _answer(self, path: str, reply: Reply) -> None:
        self._note(path, 200)
        if isinstance(reply, Lines):
            self._stream(path, reply)
            return
        body = reply if isinstance(reply, bytes) else msgspec.json.encode(reply)
        self._send(200, "application/json", body)

    def _refuse(self, path: str, refusal: Refusal) -> None:
        self._note(path, refusal.status)
        if refusal.status == 413:
            # The real 413 comes from the proxy in front of the service, which speaks HTML.
            self._send(413, "text/html", _TOO_LARGE, refusal.headers)
            return
        envelope = msgspec.json.encode(refusal.envelope(self._request_id))
        self._send(refusal.status, "application/json", envelope, refusal.headers)

    def _send(self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        self._head(status, kind, {"content-length": str(len(body)), **(headers or {})})
        self.wfile.write(body)

    def _head(self, status: int, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        always = {
            "content-type": kind,
            "request-id": self._request_id,
            "x-batchata-sandbox": "simulation",
        }
        for name, value in {**always, **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _stream(self, path: str, lines: Lines) -> None:
        self._head(200, "application/x-jsonl", {"transfer-encoding": "chunked"})
        try:
            for piece in lines.pieces:
                if piece:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        except Dropped:
            self.wfile.flush()
            self.close_connection = True
            break_off(self.connection)
            return
        self.wfile.write(b"0\r\n\r\n")

    def _note(self, path: str, status: int) -> None:
        self.server.application.note(self.command, path, status)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(self.server.application.now() if timestamp is None else timestamp)

    def log_message(self, format: str, *args: Any) -> None:
        logger.debug("%s simulation=true", format % args)
