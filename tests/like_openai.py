"""The services of OpenAI's shape that tests go through, from the table of services: none has to be added."""

from __future__ import annotations

from typing import Final

from batchata.providers.openai.services import SERVICES
from batchata.providers.openai.wires import Wire

# Those in words of their own; the sandbox speaks them.
OWN_WORDS: Final = [name for name, service in SERVICES.items() if type(service.wire) is not Wire]


def model_of(service: str) -> str:
    """The name of a model that leads to the service."""
    return SERVICES[service].one_of_them or f"{service}/meta/llama-4"
