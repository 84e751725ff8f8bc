"""Decide with which key and to which address calls go: the arguments, else the variables of Google's SDK."""

from __future__ import annotations

import os
import re
from typing import Final

from batchata.errors import ConfigurationError
from batchata.providers.address import read_address
from batchata.providers.rest.access import Access, Key, checked

__all__ = ["ADDRESS", "headers_of", "no_key", "read_access"]

ADDRESS: Final = "https://generativelanguage.googleapis.com"
_VARIABLE: Final = "GOOGLE_GEMINI_BASE_URL"
_KEYS: Final = ("GOOGLE_API_KEY", "GEMINI_API_KEY")  # the SDK takes the first one, where both are set
_ENDPOINT: Final = re.compile(r"/+v1(beta|alpha)?(/+(models|batches|files))?/*$", re.IGNORECASE)


def read_access(api_key: str | None, base_url: str | None) -> Access:
    """Find the key and the address; raise ConfigurationError for what cannot be one."""
    given, name = (base_url, "base_url") if base_url is not None else (os.environ.get(_VARIABLE), _VARIABLE)
    address = None if given is None else read_address(given, name, ADDRESS, _ENDPOINT)
    if api_key is not None:
        return Access(checked(Key("api_key", api_key)), address, _VARIABLE)
    found = next((name for name in _KEYS if os.environ.get(name)), None)
    return Access(None if found is None else checked(Key(found, os.environ[found])), address, _VARIABLE)


def no_key() -> ConfigurationError:
    """Say what to do when there is none."""
    return ConfigurationError(
        "no Gemini API key: set the environment variable GEMINI_API_KEY or GOOGLE_API_KEY, or give api_key "
        "(or run against the sandbox: python -m batchata.sandbox)"
    )


def headers_of(access: Access) -> dict[str, str]:
    """Return the headers of every call."""
    return {} if access.key is None else {"x-goog-api-key": access.key.value}
