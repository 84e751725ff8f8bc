"""Serve HTTP: a thread per connection, kept alive between calls; h11 reads and writes."""

from __future__ import annotations

import logging
import selectors
import socket
from contextlib import suppress
from email.utils import formatdate
from http.client import responses
from ipaddress import ip_address
from queue import SimpleQueue
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

import h11
import msgspec

from batchata.sandbox.protocol import Application, Call, Dropped, Headed, Lines, Refusal, Reply, new_id

__all__ = ["Server", "is_loopback"]

logger = logging.getLogger("batchata.sandbox")
_RECEIVED = 1 << 18
_LARGEST_HEAD = 1 << 16


class Server(ThreadingTCPServer):
    """The listening socket and its open connections."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], application: Application, max_body: int) -> None:
        self.application = application
        self.max_body = max_body
        self.host = address[0]
        self.stopping = Event()
        self._open: set[socket.socket] = set()
        self._accepted: SimpleQueue[tuple[socket.socket, Any] | None] = SimpleQueue()
        self._started = self._idle = 0  # threads that serve connections, and those that wait for one
        self._open_lock = Lock()
        super().__init__(address, _Connection)
        self._waking, self._woken = socket.socketpair()
        self._ready = selectors.DefaultSelector()
        for each in (self, self._woken):
            self._ready.register(each, selectors.EVENT_READ)

    @property
    def server_port(self) -> int:
        return int(self.server_address[1])

    def serve(self) -> None:
        """Accept connections until the server is closed, which it notices at once."""
        with self._ready, self._woken:
            while not self.stopping.is_set():
                if any(key.fileobj is self for key, _ in self._ready.select()):
                    self._accept()

    def _accept(self) -> None:
        with suppress(OSError):  # the caller is gone, or the server is just being closed
            request, address = self.get_request()
            self.process_request(request, address)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Hand a connection to a thread that waits for one, or to a new one: most connections are short."""
        with self._open_lock:
            if self.stopping.is_set():
                super().shutdown_request(request)
                return
            self._open.add(request)
            self._accepted.put((request, client_address))
            is_waited_for = self._idle > 0
            self._idle -= is_waited_for
            self._started += not is_waited_for
        if not is_waited_for:
            Thread(target=self._serve_connections, name="sandbox-connection", daemon=True).start()

    def _serve_connections(self) -> None:
        while (accepted := self._accepted.get()) is not None:
            self.process_request_thread(*accepted)
            with self._open_lock:
                self._idle += 1

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver's
        logger.debug("connection_lost client=%s", client_address, exc_info=True)  # noqa: LOG014 - socketserver calls this while it handles one

    def close(self) -> None:
        """Stop listening and break every kept-alive connection, as a process that ends does."""
        self.stopping.set()
        self._waking.close()
        self.server_close()
        with self._open_lock:
            connections = list(self._open)
            for _ in range(self._started):
                self._accepted.put(None)
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
    """Return the name in a Host header, without its port; nothing when it cannot be read."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


class _Connection(BaseRequestHandler):
    """One connection: a call is read to its end, answered, and the next one is waited for."""

    server: Server
    request: socket.socket

    def setup(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST_HEAD)

    def handle(self) -> None:
        """Answer calls until one side closes."""
        try:
            while isinstance(head := self._next_event(), h11.Request):
                self._serve(head)
                if not self._http.our_state is self._http.their_state is h11.DONE:
                    return
                self._http.start_next_cycle()
        except h11.RemoteProtocolError as exc:
            logger.debug("not_http client=%s: %s", self.client_address, exc)
            self._send_error("GET", Refusal(exc.error_status_hint, str(exc)))

    def _next_event(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                self._write(h11.InformationalResponse(status_code=100, headers=[]))
            self._http.receive_data(self.request.recv(_RECEIVED))
        return event

    def _serve(self, head: h11.Request) -> None:
        method, target = head.method.decode("ascii"), urlsplit(head.target.decode("latin-1"))
        path = target.path
        try:
            self._answer(method, path, self._reply(method, target, head))
        except Refusal as refusal:
            self._refuse(method, path, refusal)
        except Dropped:
            self.server.application.note(method, path, 0)
            break_off(self.request)
        except (OSError, h11.ProtocolError):
            raise  # the client is gone, or speaks something else
        except Exception as exc:
            logger.exception("call_failed path=%s", path)
            self._refuse(method, path, Refusal(500, f"Internal server error of the sandbox: {exc!r}"))

    def _reply(self, method: str, target: SplitResult, head: h11.Request) -> Reply:
        body = self._body()
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
        self._check_caller(headers)
        query = {name: value[-1] for name, value in parse_qs(target.query).items()}
        host = headers.get("host") or f"{self.server.host}:{self.server.server_port}"
        call = Call(method, target.path, query, headers, body, f"http://{host}")
        return self.server.application.reply(call)

    def _body(self) -> bytes:
        """Read the body to its end also where it is too large.

        A client that is still writing would see a broken pipe instead of the 413.
        """
        parts: list[bytes] = []
        size = 0
        while isinstance(event := self._next_event(), h11.Data):
            size += len(event.data)
            if size > self.server.max_body:
                parts.clear()
            else:
                parts.append(event.data)
        if size > self.server.max_body:
            raise Refusal(413)
        return b"".join(parts)

    def _check_caller(self, headers: dict[str, str]) -> None:
        """Refuse a web page of another origin, and one that has bound its name to this machine."""
        host = headers.get("host")
        if host is not None and is_loopback(self.server.host) and not is_loopback(_name_in(host)):
            raise Refusal(403, "the sandbox answers to the names of this machine only, not to this Host")
        origin = headers.get("origin")
        same = origin is None or origin == f"http://{host}"
        if not same or headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise Refusal(403, "the sandbox does not answer to web pages of another origin")

    def _answer(self, method: str, path: str, reply: Reply) -> None:
        self.server.application.note(method, path, 200)
        if isinstance(reply, Lines):
            self._stream(reply)
            return
        headers = reply.headers if isinstance(reply, Headed) else {}
        value = reply.value if isinstance(reply, Headed) else reply
        body = value if isinstance(value, bytes) else msgspec.json.encode(value)
        sized = {"content-length": str(len(body)), **headers}
        head = self._head(200, new_id("req"), "application/json", sized)
        self._send(head, body)

    def _refuse(self, method: str, path: str, refusal: Refusal) -> None:
        self.server.application.note(method, path, refusal.status)
        self._send_error(method, refusal)

    def _send_error(self, method: str, refusal: Refusal) -> None:
        request_id = new_id("req")
        page = self.server.application.error_page(refusal, request_id)
        headers = {"content-length": str(len(page.body)), **refusal.headers}
        head = self._head(refusal.status, request_id, page.media_type, headers)
        self._send(head, b"" if method == "HEAD" else page.body)

    def _send(self, head: h11.Response, body: bytes) -> None:
        self._write(head, h11.Data(data=body), h11.EndOfMessage())

    def _stream(self, lines: Lines) -> None:
        self._write(self._head(200, new_id("req"), "application/x-jsonl", {"transfer-encoding": "chunked"}))
        try:
            for piece in lines.pieces:
                if piece:
                    self._write(h11.Data(data=piece))
        except Dropped:
            break_off(self.request)
            return
        self._write(h11.EndOfMessage())

    def _head(self, status: int, request_id: str, media_type: str, headers: dict[str, str]) -> h11.Response:
        always = {
            "date": formatdate(self.server.application.now(), usegmt=True),
            "server": "batchata-sandbox",
            "content-type": media_type,
            "request-id": request_id,
            "x-batchata-sandbox": "simulation",
        }
        return h11.Response(
            status_code=status, headers=list({**always, **headers}.items()), reason=responses.get(status, "")
        )

    def _write(self, *events: Any) -> None:
        self.request.sendall(b"".join(self._http.send(event) or b"" for event in events))
