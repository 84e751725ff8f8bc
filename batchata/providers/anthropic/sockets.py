"""The sockets of an HTTP client, so that calls blocked in other threads can be broken off."""

from __future__ import annotations

import socket
import weakref
from contextlib import suppress
from typing import Any

import httpx2

# Closing a client closes its sockets, but a thread that waits in recv() on one would go on waiting: only
# shutdown() wakes it. The sockets are known through the client's documented "trace" request extension.
_CONNECTED = ("connection.connect_tcp.complete", "connection.start_tls.complete")


class Sockets:
    """Remembers the sockets that a client opens, from the moment its `watch` is a request hook of it."""

    def __init__(self) -> None:
        self._open: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def watch(self, request: httpx2.Request) -> None:
        """A request hook: learn of the connection that this request opens, if it does."""
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
