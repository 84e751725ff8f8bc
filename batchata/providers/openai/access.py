"""Decide with which key and to which address calls go: the arguments, else the service's variables."""

from __future__ import annotations

import os
import re
from typing import Final

from batchata.errors import ConfigurationError
from batchata.providers.address import read_address
from batchata.providers.openai.services import SERVICES, Service
from batchata.providers.rest.access import Access, Key, check_headers, checked

__all__ = ["headers_of", "no_key", "read_access", "whose"]

_WHOSE: Final = {"OPENAI_ORG_ID": "OpenAI-Organization", "OPENAI_PROJECT_ID": "OpenAI-Project"}
_ENDPOINT: Final = re.compile(r"/+(batches|files|responses|chat(/+completions)?|models)/*$", re.IGNORECASE)


def read_access(service: Service, api_key: str | None, base_url: str | None) -> Access:
    """Find the key and the address; raise ConfigurationError for a key or address that cannot be one."""
    variable = service.address
    given, name = (base_url, "base_url") if base_url is not None else (os.environ.get(variable), variable)
    if given is None and service.base_url is None:
        raise ConfigurationError(
            f"{service.title} has no address of its own: give base_url, or set {variable}, such as "
            f"{service.example}"
        )
    address = (
        None if given is None else read_address(given, name, service.base_url or service.example, _ENDPOINT)
    )
    if address is not None and address.login is not None:
        raise ConfigurationError(
            f"{name} holds a user and a password, which would take the place of the key in the Authorization "
            "header; remove them"
        )
    if api_key is not None:
        return Access(checked(Key("api_key", api_key)), address, variable)
    value = os.environ.get(service.key)
    return Access(checked(Key(service.key, value)) if value else None, address, variable)


def no_key(service: Service) -> ConfigurationError:
    """Say what to do when there is none."""
    is_blank = f" ({service.key} is blank)" if os.environ.get(service.key) == "" else ""
    return ConfigurationError(
        f"no {service.title} API key{is_blank}: set the environment variable {service.key} or give api_key "
        "(or run against the sandbox: python -m batchata.sandbox)"
    )


def headers_of(service: Service, access: Access) -> dict[str, str]:
    """Return the headers of every call: the key, and OpenAI's organisation and project by the environment."""
    headers = whose(service)
    check_headers(headers, "OPENAI_ORG_ID or OPENAI_PROJECT_ID")
    if access.key is not None:
        headers["Authorization"] = f"Bearer {access.key.value}"
    return headers


def whose(service: Service) -> dict[str, str]:
    """Return the headers that name OpenAI's organisation and project, as the environment has them."""
    if service is not SERVICES["openai"]:
        return {}
    return {header: os.environ[name] for name, header in _WHOSE.items() if os.environ.get(name)}
