"""Counting the tokens of a request: what is sent to the counting endpoint, and what comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batchata.errors import ProviderUnavailableError, RequestRefusedError
from batchata.providers.anthropic.requests import RequestTemplate

REQUEST = RequestTemplate(
    {"model": "claude-sonnet-5-5", "max_tokens": 50, "system": "Be brief.", "metadata": {"user_id": "u"}}
).encode("an-id", [{"role": "user", "content": "Hello"}])


def test_only_what_makes_input_tokens_is_sent(script: Any, connect: Any) -> None:
    """The endpoint refuses max_tokens and the like; the rest goes as it would in the batch."""
    script.says(200, '{"input_tokens": 17}')
    assert connect(script).count_tokens(REQUEST) == 17
    ((method, path, _, body),) = script.asked
    assert (method, path) == ("POST", "/v1/messages/count_tokens")
    assert json.loads(body) == {
        "model": "claude-sonnet-5-5",
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Hello"}],
    }


def test_the_sandbox_counts_what_it_will_use(serve: Any, connect: Any) -> None:
    """The count of a request is what its answer's usage says."""
    sandbox = serve("fine")
    provider = connect(sandbox)
    counted = provider.count_tokens(REQUEST)
    provider.submit(b'{"requests":[' + REQUEST + b"]}")
    sandbox.end_all()
    assert sandbox.usage()["input_tokens"] == counted > 0


def test_refusals_and_nonsense_are_told(script: Any, connect: Any) -> None:
    """A refusal is the provider's own; an answer without a count is none."""
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "messages: too long"}}
    script.says(400, json.dumps(error))
    with pytest.raises(RequestRefusedError, match="too long"):
        connect(script).count_tokens(REQUEST)
    script.replies.clear()
    script.says(200, '{"tokens": 3}')
    with pytest.raises(ProviderUnavailableError, match="no count"):
        connect(script).count_tokens(REQUEST)
