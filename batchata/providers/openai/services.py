"""List the services that speak OpenAI's Batch API, and how each differs from it.

Each row is from the service's guide (2026); none was run live. A factor other than 1 is only for a discount
that holds for every model. Where no table lists batch prices, they are unknown unless the user gives them, as
they are billed in a batch.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from batchata.core.error_kinds import INVALID
from batchata.core.values import Limits
from batchata.providers.openai.wires import MistralWire, TogetherWire, Wire, XaiWire

__all__ = ["SERVICES", "Service"]

_FINAL: Final = (INVALID,)


class Service(NamedTuple):
    """One service: where it is, what its variables are called, and what it takes."""

    title: str
    key: str  # the variable of the API key
    address: str  # the variable of the base URL
    base_url: str | None  # None: it must be given
    limits: Limits
    example: str = "http://localhost:8000/v1"  # of an address that must be given
    needs_key: bool = True
    chat_only: bool = False  # else the Responses API, too
    strict: bool = False  # whether strict schemas are known to be taken
    most_tokens: str = "max_completion_tokens"  # what chat completions call the limit of an answer
    create_endpoint: str | None = None  # what a create call names, whatever the lines are for
    wire: Wire = Wire()  # how its calls differ
    bare_lines: bool = False  # whether a line is a custom id and a body alone
    documents: bool = True  # whether PDFs are taken
    models: re.Pattern[str] | None = None  # names that lead here without the service's in front
    one_of_them: str | None = None  # such a name, for messages
    prices: str | None = None  # as genai-prices calls it; None where it lists none of batches
    always_discounted: bool = False  # whether a model without a listed price of batches has the general one


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
        models=re.compile(r"(?:gpt-|o\d|chatgpt-)[\w.-]*"),
        one_of_them="gpt-6.1-terra",
        prices="openai",
        always_discounted=True,
    ),
    "azure": Service(
        title="Azure OpenAI",
        key="AZURE_OPENAI_API_KEY",
        address="AZURE_OPENAI_BASE_URL",
        base_url=None,
        limits=_limits(200_000_000),
        example="https://NAME.openai.azure.com/openai/v1",
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
        prices="groq",
    ),
    # By its guide (2026): 512 MB a file, and results for a day after the batch has ended.
    "mistral": Service(
        title="Mistral",
        key="MISTRAL_API_KEY",
        address="MISTRAL_BASE_URL",
        base_url="https://api.mistral.ai/v1",
        limits=_limits(512_000_000, days=1, factor="0.5"),
        chat_only=True,
        most_tokens="max_tokens",
        create_endpoint="/v1/chat/completions",
        wire=MistralWire(),
        bare_lines=True,
        documents=False,
        models=re.compile(r"(?:open-)?(?:mistral|ministral|magistral|codestral|devstral|pixtral)-[\w.-]*"),
        one_of_them="mistral-large-4",
        prices="mistral",
        always_discounted=True,
    ),
    # What a file may have is not said; 25 MB is what one call may add to a batch.
    "xai": Service(
        title="xAI",
        key="XAI_API_KEY",
        address="XAI_BASE_URL",
        base_url="https://api.x.ai/v1",
        limits=_limits(25_000_000),
        chat_only=True,
        wire=XaiWire(),
        documents=False,
        models=re.compile(r"grok-[\w.-]*"),
        one_of_them="grok-4.3",
        prices="x-ai",
    ),
    "together": Service(
        title="Together",
        key="TOGETHER_API_KEY",
        address="TOGETHER_BASE_URL",
        base_url="https://api.together.ai/v1",
        limits=_limits(100_000_000),
        chat_only=True,
        most_tokens="max_tokens",
        wire=TogetherWire(),
    ),
    "deepinfra": Service(
        title="DeepInfra",
        key="DEEPINFRA_API_KEY",
        address="DEEPINFRA_BASE_URL",
        base_url="https://api.deepinfra.com/v1/openai",
        limits=_limits(100_000_000),
        chat_only=True,
        most_tokens="max_tokens",
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
    # No service: request files in a folder, which something else reads.
    "jsonl": Service(
        title="a folder of request files",
        key="",
        address="",
        base_url=None,
        limits=_limits(512_000_000, days=10_000),
        needs_key=False,
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
