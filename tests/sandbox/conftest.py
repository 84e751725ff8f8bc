"""A sandbox per test, clients of the real SDK, and small builders of requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import anthropic
import pytest

from batchata.sandbox import Sandbox


@pytest.fixture
def serve() -> Iterator[Callable[..., Sandbox]]:
    """Starts sandboxes that end with the test."""
    with ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(Sandbox(*args, **options))


@pytest.fixture(scope="session")
def transport() -> Iterator[anthropic.DefaultHttpxClient]:
    """One connection pool for all clients: each new one loads all certificates, 50 ms."""
    with anthropic.DefaultHttpxClient() as client:
        yield client


@pytest.fixture
def connect(transport: anthropic.DefaultHttpxClient) -> Callable[..., anthropic.Anthropic]:
    """A client of the real SDK, without its own retries unless asked for."""

    def client(sandbox: Sandbox | str, **options: Any) -> anthropic.Anthropic:
        url = sandbox if isinstance(sandbox, str) else sandbox.url
        return anthropic.Anthropic(
            api_key="k", base_url=url, http_client=transport, **{"max_retries": 0, **options}
        )

    return client


@pytest.fixture
def request_of() -> Callable[..., dict[str, Any]]:
    """One entry of a create call."""

    def entry(custom_id: str, content: Any = "hello", **params: Any) -> dict[str, Any]:
        base = {
            "model": "claude-haiku-4-5",
            "max_tokens": 1000,
            "messages": [{"role": "user", "content": content}],
        }
        return {"custom_id": custom_id, "params": {**base, **params}}

    return entry
