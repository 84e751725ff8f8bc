"""A provider whose answers are ready before they are asked for, so that a benchmark measures its clients.

It speaks as much of the Message Batches protocol as runs without faults need. What stands behind the custom
id of a result line was rendered when the server started, by the sandbox's own renderer; a batch has ended
`--seconds` after its creation, and its lines come in an order of their own.

    python tests/benchmarks/ready_server.py READY_FILE [--seconds S]
"""

from __future__ import annotations

import argparse
import json
import re
import socketserver
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from http.client import responses
from itertools import count
from pathlib import Path
from random import Random
from urllib.parse import parse_qs, urlsplit

from batchata.sandbox.anthropic.messages import message_of
from batchata.sandbox.anthropic.tokens import CacheUsage
from batchata.sandbox.values import Answer

PATH = "/v1/messages/batches"
_ANSWERS = 1_000  # different ones
_LINES = 500  # sent at a time
_CUSTOM_ID = re.compile(rb'"custom_id":\s*"([^"]+)"')
_WORDS = ["fast", "delivery", "works", "as", "described", "arrived", "late", "damaged", "friendly", "support"]


def _rest_of_line(number: int) -> bytes:
    """What follows the custom id in a result line: a message whose text is a review as JSON."""
    random = Random(number)
    review = {
        "sentiment": random.choice(["positive", "negative", "mixed"]),
        "score": round(random.random(), 2),
        "summary": " ".join(random.choices(_WORDS, k=6)),
        "is_complaint": random.random() < 0.3,
    }
    params = {"model": "claude-sonnet-5-5", "max_tokens": 1024}
    used = CacheUsage(random.randrange(280, 420), 0, 0, 0)
    message = message_of(Answer(json.dumps(review)), params, f"msg_ready_{number:08d}", used)
    result = json.dumps({"type": "succeeded", "message": message}, separators=(",", ":"))
    return b'","result":' + result.encode() + b"}\n"


_READY = [_rest_of_line(number) for number in range(_ANSWERS)]


@dataclass
class Batch:
    """One batch, and how it is described."""

    id: str
    custom_ids: list[bytes]
    created: datetime
    ends: float  # monotonic

    def describe(self, base: str) -> dict[str, object]:
        """The object that the API has for it."""
        ended, size = time.monotonic() >= self.ends, len(self.custom_ids)
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        counts["succeeded" if ended else "processing"] = size
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": "ended" if ended else "in_progress",
            "request_counts": counts,
            "created_at": self.created.isoformat(),
            "expires_at": (self.created + timedelta(days=1)).isoformat(),
            "ended_at": self.created.isoformat() if ended else None,
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": f"{base}{PATH}/{self.id}/results" if ended else None,
        }


class Server(socketserver.ThreadingTCPServer):
    """Holds the batches, newest last."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, seconds: float) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.seconds = seconds
        self.batches: dict[str, Batch] = {}
        self._numbers = count()  # two calls at the same moment get two
        self.calls: dict[str, int] = {}  # by method and last part of the path
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def create(self, body: bytes) -> Batch:
        """A new batch of the requests in the body."""
        ids = _CUSTOM_ID.findall(body)
        number = next(self._numbers)
        Random(number).shuffle(ids)
        batch = Batch(f"msgbatch_{number:08d}", ids, datetime.now(UTC), 0.0)
        batch.ends = time.monotonic() + self.seconds
        self.batches[batch.id] = batch
        return batch

    def page(self, query: str) -> dict[str, object]:
        """A page of the list, newest first."""
        asked = parse_qs(query)
        limit, after = int(asked.get("limit", ["20"])[0]), asked.get("after_id", [""])[0]
        newest = list(reversed(self.batches))
        start = newest.index(after) + 1 if after else 0
        ids = newest[start : start + limit]
        return {
            "data": [self.batches[name].describe(self.url) for name in ids],
            "has_more": len(newest) > start + limit,
            "first_id": ids[0] if ids else None,
            "last_id": ids[-1] if ids else None,
        }


class Connection(socketserver.StreamRequestHandler):
    """One connection: call after call until the client hangs up."""

    disable_nagle_algorithm = True
    server: Server

    def handle(self) -> None:
        """Answer until there is nothing more."""
        while first := self.rfile.readline():
            method, target, _ = first.decode().split(" ", 2)
            size = 0
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                size = int(value) if name.lower() == b"content-length" else size
            self._answer(method, target, self.rfile.read(size))

    def _answer(self, method: str, target: str, body: bytes) -> None:
        parts, server = urlsplit(target), self.server
        rest = parts.path.removeprefix(PATH).strip("/").split("/")
        told = f"{method} {rest[1] if len(rest) > 1 else 'one' if rest[0] else 'list'}"
        server.calls[told] = server.calls.get(told, 0) + 1
        if parts.path == "/calls":
            self._object(dict(server.calls))
        elif method == "POST":
            self._object(server.create(body).describe(server.url))
        elif not rest[0]:
            self._object(server.page(parts.query))
        elif rest[-1] == "results":
            self._results(server.batches[rest[0]])
        else:
            self._object(server.batches[rest[0]].describe(server.url))

    def _object(self, value: dict[str, object]) -> None:
        body = json.dumps(value).encode()
        self.wfile.write(_head(200, "application/json", len(body)) + body)

    def _results(self, batch: Batch) -> None:
        rests = [_READY[number % _ANSWERS] for number in range(len(batch.custom_ids))]
        begin = b'{"custom_id":"'
        size = sum(map(len, rests)) + sum(map(len, batch.custom_ids)) + len(begin) * len(rests)
        self.wfile.write(_head(200, "application/x-jsonl", size))
        for first in range(0, len(rests), _LINES):
            pairs = zip(batch.custom_ids[first : first + _LINES], rests[first : first + _LINES], strict=True)
            self.wfile.write(b"".join([begin + name + rest for name, rest in pairs]))


def _head(status: int, kind: str, size: int) -> bytes:
    date = formatdate(usegmt=True)
    return (
        f"HTTP/1.1 {status} {responses[status]}\r\ndate: {date}\r\ncontent-type: {kind}\r\n"
        f"content-length: {size}\r\n\r\n"
    ).encode()


def main() -> None:
    """Write the URL to a file and serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ready_file", type=Path)
    parser.add_argument("--seconds", type=float, default=0.0)
    options = parser.parse_args()
    server = Server(options.seconds)
    options.ready_file.write_text(server.url)
    server.serve_forever()


if __name__ == "__main__":
    main()
