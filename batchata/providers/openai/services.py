"""List the services that speak OpenAI's Batch API, and how each differs from it.

What a row says is from the services' guides (2026); none was run live. Prices of the others are not in the
tables for batches, so theirs are unknown unless they are given, as they are billed in a batch.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from batchata.core.values import Limits

__all__ = ["SERVICES", "Service"]

_FINAL: Final = ("invalid_request_error",)


class Service(NamedTuple):
    """One service: where it is, what its variables are called, and what it takes."""

    title: str
    key: str  # the variable of the API key
    address: str  # the variable of the base URL
    base_url: str | None  # None: it must be given
    limits: Limits
    needs_key: bool = True
    chat_only: bool = False  # else the Responses API, too
    strict: bool = False  # whether strict schemas are known to be taken
    most_tokens: str = "max_completion_tokens"  # what chat completions call the limit of an answer
    create_endpoint: str | None = None  # what a create call names, whatever the lines are for


def _limits(batch_bytes: int, days: int = 30, factor: str = "1") -> Limits:
    return Limits(
        batch_requests=50_000,
        batch_bytes=batch_bytes,
        results_days=days,
        batch_factor=factor,
        final_errors=_FINAL,
    )


# By OpenAI's guide (2026): 50,000 lines, 200 MB to the byte, files kept for 30 days, half of the list prices.
SERVICES: Final = {
    "openai": Service(
        title="OpenAI",
        key="OPENAI_API_KEY",
        address="OPENAI_BASE_URL",
        base_url="https://api.openai.com/v1",
        limits=_limits(209_715_200, factor="0.5"),
        strict=True,
    ),
    "azure": Service(
        title="Azure OpenAI",
        key="AZURE_OPENAI_API_KEY",
        address="AZURE_OPENAI_BASE_URL",  # https://NAME.openai.azure.com/openai/v1
        base_url=None,
        limits=_limits(200_000_000),
        chat_only=True,
        strict=True,
        create_endpoint="/v1/chat/completions",
    ),
    "groq": Service(
        title="Groq",
        key="GROQ_API_KEY",
        address="GROQ_BASE_URL",
        base_url="https://api.groq.com/openai/v1",
        limits=_limits(100_000_000),
        chat_only=True,
    ),
    "doubleword": Service(
        title="Doubleword",
        key="DOUBLEWORD_API_KEY",
        address="DOUBLEWORD_BASE_URL",
        base_url="https://api.doubleword.ai/v1",
        limits=_limits(100_000_000),
        chat_only=True,
        most_tokens="max_tokens",
    ),
    "openai-compatible": Service(
        title="the OpenAI-compatible service",
        key="OPENAI_COMPATIBLE_API_KEY",
        address="OPENAI_COMPATIBLE_BASE_URL",
        base_url=None,
        limits=_limits(100_000_000),
        needs_key=False,
        chat_only=True,
        most_tokens="max_tokens",
    ),
}
