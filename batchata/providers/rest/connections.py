"""Reach a service, and set up the HTTP client of its calls out of what the environment gives for it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.request import getproxies, proxy_bypass

import httpx2

from batchata.errors import ConfigurationError, ProviderUnavailableError

__all__ = ["CONNECT_SECONDS", "reach", "setting_up"]

CONNECT_SECONDS: Final = 5.0


def reach(url: httpx2.URL, shown: str, variable: str) -> None:
    """Raise ProviderUnavailableError unless something listens at the URL; no byte is sent.

    It is `shown` without secrets; `variable` moves it.
    """
    if getproxies().keys() & {url.scheme, "all"} and not proxy_bypass(url.host):
        return  # the way out is the proxy's
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        socket.create_connection((url.host, port), timeout=CONNECT_SECONDS).close()
    except (OSError, UnicodeError) as exc:  # a label of a host name may be too long to be encoded
        raise ProviderUnavailableError(
            f"no answer from {shown} ({exc}); check {variable} and the network"
        ) from exc


@contextmanager
def setting_up() -> Iterator[None]:
    """Name the variables of the environment for which an HTTP client cannot be made."""
    try:
        yield
    except (httpx2.InvalidURL, ValueError, ImportError) as exc:  # may quote the proxy's password
        needed = "needs a package: pip install socksio"
        what = needed if isinstance(exc, ImportError) else "is not the URL of a proxy"
        raise ConfigurationError(
            f"the value of HTTPS_PROXY, HTTP_PROXY, ALL_PROXY or NO_PROXY {what}"
        ) from exc
    except (OSError, ssl.SSLError) as exc:
        raise ConfigurationError(
            f"the certificates of SSL_CERT_FILE or SSL_CERT_DIR cannot be read ({exc.strerror or exc})"
        ) from exc
