"""The bill of the sandbox, worked out from its own result lines without any of the library's code."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from batchata.sandbox import Sandbox

# USD per token in a batch, by the key of the answer's usage: Claude Sonnet 5.5, as published.
SONNET = {
    "input_tokens": Decimal("0.000001"),
    "output_tokens": Decimal("0.000005"),
    "cache_read_input_tokens": Decimal("0.00000005"),
    "ephemeral_5m_input_tokens": Decimal("0.00000125"),
    "ephemeral_1h_input_tokens": Decimal("0.000002"),
}
SEARCH = Decimal("0.01")


def usages(sandbox: Sandbox) -> Iterator[dict[str, Any]]:
    """The usage of every answer in every batch of the sandbox."""
    for batch in sandbox.batches:
        request = urllib.request.Request(
            f"{sandbox.url}/v1/messages/batches/{batch.id}/results",
            headers={"Authorization": f"Bearer {sandbox.api_key}", "anthropic-version": "2026-10-21"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            lines = response.read().split(b"\n")
        for line in filter(None, lines):
            result = json.loads(line)["result"]
            if result["type"] == "succeeded":
                yield result["message"]["usage"]


def bill(sandbox: Sandbox) -> Decimal:
    """What Anthropic would ask for all of them."""
    return sum(map(price_of, usages(sandbox)), Decimal(0))


def price_of(usage: dict[str, Any]) -> Decimal:
    """What one answer costs."""
    # Recorded answers with web searches have more writes in all than by lifetime: the rest is the default's.
    hour = (usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens") or 0
    five = (usage.get("cache_creation_input_tokens") or 0) - hour
    counts = {name: usage.get(name) or 0 for name in SONNET}
    counts |= {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour}
    tokens = sum((SONNET[name] * count for name, count in counts.items()), Decimal(0))
    searches = (usage.get("server_tool_use") or {}).get("web_search_requests") or 0
    return tokens * (Decimal("1.1") if usage.get("inference_geo") == "us" else 1) + searches * SEARCH
