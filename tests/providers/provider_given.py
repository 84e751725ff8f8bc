"""Bodies, ports and counts for tests of the provider's calls."""

from __future__ import annotations

import json
import socket
from typing import Any

CREATE = ("POST", "/v1/messages/batches")


def body(count: int = 1, first: int = 0) -> bytes:
    """A create call's body."""
    message = {"role": "user", "content": "hello"}
    params = {"model": "claude-haiku-4-5", "max_tokens": 100, "messages": [message]}
    requests = [{"custom_id": f"r-{n}", "params": params} for n in range(first, first + count)]
    return json.dumps({"requests": requests}).encode()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def creates(sandbox: Any) -> int:
    return sum(exchange[:2] == CREATE for exchange in sandbox.exchanges)


def results(provider: Any, batch_id: str) -> list[Any]:
    return [outcome for chunk in provider.outcomes(batch_id) for outcome in chunk]


def json_bodies(recorded: dict[str, Any]) -> list[dict[str, Any]]:
    """The bodies of recorded replies that are JSON objects."""
    texts = [str(call["raw_body"]) for call in recorded.get("interactions", ())]
    return [json.loads(text) for text in texts if text.lstrip().startswith("{")]
