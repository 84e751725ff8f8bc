"""A line to a PostgreSQL server on which connections are lost at the messages that a test names."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress


@contextmanager
def lossy(url: str) -> Iterator[LossyLine]:
    """A line to the server of this address."""
    line = LossyLine(url)
    threading.Thread(target=line.accept, daemon=True).start()
    try:
        yield line
    finally:
        line.close()


class LossyLine:
    """Passes on what either side sends, until it loses a connection."""

    def __init__(self, url: str) -> None:
        found = re.search(r"127\.0\.0\.1:(\d+)", url)
        assert found
        self._server = ("127.0.0.1", int(found[1]))
        self._listens = socket.create_server(("127.0.0.1", 0))
        self.url = url.replace(found[1], str(self._listens.getsockname()[1]))
        self.lost = 0
        self._steps: list[int] = []
        self._acts = False

    def lose(self, message: int, again: Sequence[int], *, acts: bool) -> None:
        """Lose the connection at the client's message of this number from now on, and again after these.

        The server acts on that message, and the answer is lost, or it does not get it at all.
        """
        self._acts = acts
        self._steps = [message, *again]

    def close(self) -> None:
        """Take no more connections."""
        self._listens.close()

    def accept(self) -> None:
        """Pass on each connection, in two threads."""
        with suppress(OSError):
            while True:
                ends = self._listens.accept()[0], socket.create_connection(self._server)
                silent = threading.Event()
                for way in (self._to_server, self._to_client):
                    threading.Thread(target=way, args=(*ends, silent), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, silent: threading.Event) -> None:
        with suppress(OSError):
            while sent := client.recv(1 << 20):
                if self._is_lost():
                    if self._acts:
                        silent.set()
                        server.sendall(sent)
                        time.sleep(0.05)  # some messages have no answer by which to see that it has acted
                    break
                server.sendall(sent)
        _end(server)

    def _to_client(self, client: socket.socket, server: socket.socket, silent: threading.Event) -> None:
        with suppress(OSError):
            while (told := server.recv(1 << 20)) and not silent.is_set():
                client.sendall(told)
        _end(server)
        _end(client)

    def _is_lost(self) -> bool:
        if not self._steps:
            return False
        self._steps[0] -= 1
        if self._steps[0]:
            return False
        self._steps.pop(0)
        self.lost += 1
        return True


def _end(line: socket.socket) -> None:
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
    line.close()
