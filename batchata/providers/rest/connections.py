"""Reach a service, and set up the HTTP client of its calls from the environment."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.request import getproxies, proxy_bypass

import httpx2

from batchata.errors import ConfigurationError, ProviderUnavailableError

__all__ = ["CONNECT_SECONDS", "reach", "setting_up", "trusted"]

CONNECT_SECONDS: Final = 5.0
_CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")


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


def trusted() -> ssl.SSLContext:
    """Return the authorities that the environment names, or the system's, shared by all HTTP clients.

    Reading some hundred of them takes 25 ms: more than the rest of a small run.
    """
    given = tuple(os.environ.get(name) for name in _CERTIFICATES)
    default = ssl.get_default_verify_paths()
    return _read(given, tuple(map(_stamp, (*given, default.openssl_cafile, default.openssl_capath))))


@lru_cache(maxsize=4)
def _read(given: tuple[str | None, ...], stamps: tuple[int | None, ...]) -> ssl.SSLContext:  # noqa: ARG001 - the key
    return httpx2.create_ssl_context()


def _stamp(path: str | None) -> int | None:
    """Return when the file at the path was last changed; None without one."""
    with suppress(OSError, TypeError, ValueError):  # is missing, was not given, is no path
        return Path(path or "").stat().st_mtime_ns
    return None


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
