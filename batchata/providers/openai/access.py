"""With which key and to which address OpenAI is called: the arguments, else what its SDK reads, too."""

from __future__ import annotations

import os
import re
from typing import Final

from batchata.errors import ConfigurationError
from batchata.providers.address import read_address
from batchata.providers.rest.access import Access, Key, check_headers, checked

__all__ = ["BASE_URL", "headers_of", "read_access"]

BASE_URL: Final = "https://api.openai.com/v1"
_ADDRESS: Final = "OPENAI_BASE_URL"
_KEY: Final = "OPENAI_API_KEY"
_WHOSE: Final = {"OPENAI_ORG_ID": "OpenAI-Organization", "OPENAI_PROJECT_ID": "OpenAI-Project"}
_ENDPOINT: Final = re.compile(r"/+(batches|files|responses|chat(/+completions)?|models)/*$", re.IGNORECASE)


def read_access(api_key: str | None, base_url: str | None) -> Access:
    """Find the key and the address; raise ConfigurationError for what cannot be one."""
    given, name = (base_url, "base_url") if base_url is not None else (os.environ.get(_ADDRESS), _ADDRESS)
    address = None if given is None else read_address(given, name, BASE_URL, _ENDPOINT)
    if address is not None and address.login is not None:
        raise ConfigurationError(
            f"{name} holds a user and a password, which would take the place of the key in the Authorization "
            "header; take them out"
        )
    if api_key is not None:
        return Access(checked(Key("api_key", api_key)), address, _ADDRESS)
    value = os.environ.get(_KEY)
    return Access(checked(Key(_KEY, value)) if value else None, address, _ADDRESS)


def no_key() -> ConfigurationError:
    """Say what to do when there is none."""
    is_blank = f" ({_KEY} is blank)" if os.environ.get(_KEY) == "" else ""
    return ConfigurationError(
        f"no OpenAI API key{is_blank}: set the environment variable {_KEY} or give api_key "
        "(or run against the sandbox: python -m batchata.sandbox)"
    )


def headers_of(access: Access) -> dict[str, str]:
    """Return the headers of every call: the key, and the organisation and project of the environment."""
    headers = {header: os.environ[name] for name, header in _WHOSE.items() if os.environ.get(name)}
    check_headers(headers, "OPENAI_ORG_ID or OPENAI_PROJECT_ID")
    if access.key is not None:
        headers["Authorization"] = f"Bearer {access.key.value}"
    return headers
