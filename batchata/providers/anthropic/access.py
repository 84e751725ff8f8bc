"""Decide with which key and to which address calls go; messages show no secret.

The names of the variables and their order are the SDK's (`Anthropic.__init__` of anthropic 2.14): the
argument, ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN, then profiles and workload identity;
ANTHROPIC_CUSTOM_HEADERS come on top of each.
"""

from __future__ import annotations

import os
import re

from batchata.errors import ConfigurationError
from batchata.providers.address import Address
from batchata.providers.address import read_address as read_any_address
from batchata.providers.rest.access import Access, Key, check_headers, checked

__all__ = [
    "BASE_URL",
    "CUSTOM_HEADERS",
    "PLATFORMS",
    "VARIABLES",
    "custom_headers",
    "find_key",
    "read_access",
    "read_address",
    "read_platform",
]


CUSTOM_HEADERS = "ANTHROPIC_CUSTOM_HEADERS"
VARIABLES = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CREDENTIALS = ("x-api-key", "authorization")


BASE_URL = "ANTHROPIC_BASE_URL"
_ADDRESS = "https://api.anthropic.com"
_ENDPOINT = re.compile(r"/+v1(/+(messages(/+(batches|count_tokens))?|models|complete))?/*$", re.IGNORECASE)
_AWS = "anthropic-aws"
_AWS_KEY = "ANTHROPIC_AWS_API_KEY"
PLATFORMS = {_AWS: "AWS", "anthropic-google": "GOOGLE_CLOUD"}  # and what their variables are called by


def read_address(text: str, name: str) -> Address:
    """Read the base URL in the variable or argument of this name, as `providers.address` does."""
    return read_any_address(text, name, _ADDRESS, _ENDPOINT, CUSTOM_HEADERS)


def find_key(api_key: str | None) -> Key | None:
    """Return the key that will be sent; None when it comes from a profile of the SDK, or is missing.

    Raises ConfigurationError for one that no header can carry.
    """
    headers = custom_headers()
    for name in _CREDENTIALS:
        if name in headers and api_key is not None:
            raise ConfigurationError(
                f"{CUSTOM_HEADERS} holds a header {name}, which would be used instead of api_key"
            )
    if api_key is not None:
        return checked(Key("api_key", api_key))
    for name in _CREDENTIALS:
        if headers.get(name):  # "Basic …" is one too
            return Key(CUSTOM_HEADERS, headers[name].removeprefix("Bearer "))
    for variable in VARIABLES:
        if value := os.environ.get(variable):
            return checked(Key(variable, value))
    return None


def custom_headers() -> dict[str, str]:
    """Return the headers that the environment adds, by lower-case name, read as the SDK reads them.

    Raises ConfigurationError for lines that are no header.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(os.environ.get(CUSTOM_HEADERS, "").split("\n"), 1):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise ConfigurationError(f"line {number} of {CUSTOM_HEADERS} has no colon; write 'Name: value'")
        if not _HEADER_NAME.fullmatch(name.strip()):
            raise ConfigurationError(f"line {number} of {CUSTOM_HEADERS} does not begin with a header's name")
        found[name.strip().lower()] = value.strip()
    check_headers(found, CUSTOM_HEADERS)
    return found


def read_access(api_key: str | None, base_url: str | None) -> Access:
    """Read key and URL from the arguments, else from the SDK's environment variables.

    Raises ConfigurationError for a key that no header can carry and a URL that cannot be a base URL.
    """
    key = find_key(api_key)
    access = Access(key, _find_address(base_url), BASE_URL)
    if access.address is not None and access.address.login is not None:
        _check_login(access.address, key)
    return access


def read_platform(platform: str, api_key: str | None, base_url: str | None) -> Access:
    """Return key and address of a cloud that serves the same API, found as its client in the SDK finds them.

    Raises ConfigurationError as `read_access` does, and for a key where the cloud takes none.
    """
    variable = f"ANTHROPIC_{PLATFORMS[platform]}_BASE_URL"
    given, name = (base_url, "base_url") if base_url is not None else (os.environ.get(variable), variable)
    address = None if given is None else read_address(given, name)
    if address is not None and address.login is not None:
        raise ConfigurationError(f"{name} holds a user and a password, which {platform} does not take")
    if platform != _AWS:
        if api_key is not None:
            raise ConfigurationError(
                f"{platform} takes no API key: calls go with Google's application default credentials "
                "(gcloud auth application-default login); leave api_key out"
            )
        return Access(None, address, variable)
    if api_key is not None:
        return Access(checked(Key("api_key", api_key)), address, variable)
    value = os.environ.get(_AWS_KEY)
    return Access(checked(Key(_AWS_KEY, value)) if value else None, address, variable)


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
            "Authorization header; remove them, or give an API key (ANTHROPIC_API_KEY or api_key)"
        )
