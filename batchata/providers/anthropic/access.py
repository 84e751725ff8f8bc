"""Decide with which key and to which address calls go, and how messages name both without a secret."""

from __future__ import annotations

import os
from dataclasses import dataclass

from batchata.errors import ConfigurationError
from batchata.providers.address import Address, read_address
from batchata.providers.anthropic.keys import Key, custom_headers, find_key

__all__ = ["BASE_URL", "Access", "read_access"]

BASE_URL = "ANTHROPIC_BASE_URL"
_HIDDEN = "…"
_SHORTEST_SECRET = 4  # what is shorter would stand in any text
_LONGEST_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class Access:
    """A key and an address that can be used; None where the SDK finds them in ways of its own."""

    key: Key | None
    address: Address | None

    @property
    def address_name(self) -> str:
        """What the user sets to move the address."""
        return BASE_URL if self.address is None else self.address.name

    def said(self, text: object) -> str:
        """Return what another party said, for a message: printable, cut, and without secrets it may echo."""
        shown = str(text)
        for secret in self._secrets():
            shown = shown.replace(secret, _HIDDEN)
        shown = "".join(c if c.isprintable() else " " for c in shown[: 2 * _LONGEST_TEXT])
        return shown if len(shown) <= _LONGEST_TEXT else f"{shown[:_LONGEST_TEXT]}…"

    def _secrets(self) -> list[str]:
        login = None if self.address is None else self.address.login
        secrets = [*(login or ()), *([self.key.value] if self.key else [])]
        return [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]


def read_access(api_key: str | None, base_url: str | None) -> Access:
    """Read key and URL from the arguments, else from the SDK's environment variables.

    Raises ConfigurationError for a key that no header can carry and a URL that cannot be a base URL.
    """
    key = find_key(api_key)
    access = Access(key, _find_address(base_url))
    if access.address is not None and access.address.login is not None:
        _check_login(access.address, key)
    return access


def _find_address(base_url: str | None) -> Address | None:
    if base_url is not None:
        return read_address(base_url, "base_url")
    given = os.environ.get(BASE_URL)
    return None if given is None else read_address(given, BASE_URL)


def _check_login(address: Address, key: Key | None) -> None:
    """Refuse user and password in the URL unless an API key is used: both need the Authorization header."""
    if key is None or key.name == "ANTHROPIC_AUTH_TOKEN" or "authorization" in custom_headers():
        other = "a profile of the SDK" if key is None else key.name
        raise ConfigurationError(
            f"{address.name} holds a user and a password, which would take the place of {other} in the "
            "Authorization header; take them out of it, or give an API key (ANTHROPIC_API_KEY or api_key)"
        )
