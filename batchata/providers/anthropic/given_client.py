"""Call through a client of the SDK that the user made, with its key, address, headers and proxies."""

from __future__ import annotations

import anthropic
import httpx2

from batchata.errors import ConfigurationError, InvalidInputError
from batchata.providers.anthropic.access import read_address
from batchata.providers.rest.access import Access, Key
from batchata.text import type_of

__all__ = ["check_given", "check_open", "read_given", "through"]

_PLATFORMS = {"anthropic-aws": anthropic.AnthropicAWS, "anthropic-google": anthropic.AnthropicGoogleCloud}
_WITHOUT_BATCHES = (anthropic.AnthropicBedrock, anthropic.AnthropicVertex, anthropic.AnthropicFoundry)
_ADDRESS = "the client's base_url"


def check_given(client: object, platform: str) -> None:
    """Raise InvalidInputError unless it is a synchronous client for that platform."""
    if isinstance(client, _WITHOUT_BATCHES):
        raise InvalidInputError(
            f"client is {type_of(client)}, which has no batches: give anthropic.Anthropic()"
        )
    if not isinstance(client, anthropic.Anthropic):
        raise InvalidInputError(f"client must be an anthropic.Anthropic(), not {type_of(client)}")
    is_for = next((name for name, of in _PLATFORMS.items() if isinstance(client, of)), "anthropic")
    if is_for != platform:
        name = "claude-…" if is_for == "anthropic" else f"{is_for}/claude-…"
        raise InvalidInputError(
            f"client is {type_of(client)}, and the model is one of {platform}: give that platform's client, "
            f"or name the model {name}"
        )


def check_open(client: anthropic.Anthropic) -> None:
    """Raise ConfigurationError for a client that has been closed."""
    if client.is_closed():
        raise ConfigurationError("client has been closed: make it anew, and close it after the run")


def read_given(client: anthropic.Anthropic) -> Access:
    """Return the key of a client, for messages without it; its address stays in the client.

    Raises ConfigurationError for an address that holds a user or a password.
    """
    if read_address(str(client.base_url), _ADDRESS).login is not None:
        raise ConfigurationError(f"{_ADDRESS} holds a user or a password; remove it")
    key = client.api_key or client.auth_token
    return Access(Key("client", key) if key else None, None, _ADDRESS)


def through(client: anthropic.Anthropic) -> httpx2.BaseTransport:
    """Return a transport that sends through the client's own HTTP client, and leaves it open."""
    return _Through(client._client)  # noqa: SLF001 - the SDK shows the HTTP client that it was given nowhere else


class _Through(httpx2.BaseTransport):
    """A transport without redirects: a POST that follows one may create a second batch."""

    def __init__(self, http: httpx2.Client) -> None:
        self._http = http

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return self._http.send(request, stream=True, follow_redirects=False)
