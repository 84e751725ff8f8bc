"""Watch the sockets of an HTTP client: how far a call has come, and how to break calls off."""

from __future__ import annotations

import socket
import threading
import weakref
from contextlib import suppress
from typing import Any

import httpx2

# Closing a client closes its sockets, but a thread that waits in recv() on one would go on waiting: only
# shutdown() wakes it. The sockets are known through the client's documented "trace" request extension.
_CONNECTED = ("connection.connect_tcp.complete", "connection.start_tls.complete")
_NO_CONNECTION = ("connect_tcp.failed", "start_tls.failed", "setup_socks5_connection.failed")
_HEADERS_STARTED = "send_request_headers.started"
_HEADERS_FAILED = "send_request_headers.failed"


class Sockets:
    """Remembers the sockets that a client opens, from the moment its `watch` is a request hook of it.

    It also knows how far the call of the present thread has come, by what was seen of it.
    """

    def __init__(self) -> None:
        self._open: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._call = threading.local()

    def begin(self) -> None:
        """Note that the present thread is about to make a call, not yet handed to the client."""
        self._call.stage = "begun"

    @property
    def was_handed_over(self) -> bool:
        """Whether the call of this thread has reached the client, or may have."""
        return getattr(self._call, "stage", None) != "begun"

    @property
    def never_left(self) -> bool:
        """Whether the call of this thread certainly failed before a byte of it was sent."""
        return getattr(self._call, "stage", None) == "failed before"

    def watch(self, request: httpx2.Request) -> None:
        """Learn of the connection that this request opens, if it does: a request hook."""
        self._call.stage = "handed over"
        request.extensions = {**request.extensions, "trace": self._trace}

    def shut_down(self) -> None:
        """End every connection: reads and writes under way fail at once."""
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _trace(self, event: str, info: dict[str, Any]) -> None:
        if event in _CONNECTED:
            opened = info["return_value"].get_extra_info("socket")
            if isinstance(opened, socket.socket):
                self._open.add(opened)
        elif event.endswith(_NO_CONNECTION):
            self._call.stage = "failed before"
        elif event.endswith(_HEADERS_STARTED):
            self._call.stage = "on its way"
        elif event.endswith(_HEADERS_FAILED) and type(info["exception"]).__name__ == "LocalProtocolError":
            self._call.stage = "failed before"  # a header that cannot be sent
