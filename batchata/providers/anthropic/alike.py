"""Make calls like one that the SDK has made: with its headers, through the same HTTP client.

Requests of one kind differ only in path and body, and building each of them anew takes the SDK a third of a
call's time. The SDK makes every call where two of its own also differ in a header, as an idempotency key
would have them, and where a program listens to the SDK, which logs its calls.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, Any

import anthropic
import httpx2
import msgspec

__all__ = ["Alike"]

type Content = bytes | IO[bytes] | None

_OF_ONE_REQUEST = frozenset({b"content-length", b"transfer-encoding", b"cookie"})
_url = lru_cache(maxsize=8)(httpx2.URL)  # batches are created at the same one
_sdk_logger = logging.getLogger("anthropic")


@dataclass(slots=True)
class Alike:
    """One kind of call. `by_sdk` makes it by the SDK; `http` is None where the SDK makes all of them."""

    by_sdk: Callable[[str, Content], httpx2.Response]
    http: httpx2.Client | None
    is_stream: bool = False
    _last: _Like | None = None  # the latest that the SDK made
    _like: _Like | None = None  # the same, where the one before it was no other

    def __call__(self, path: str, content: Content = None) -> httpx2.Response:
        """Make a call. Raises what the SDK raises."""
        is_readable = content is None or isinstance(content, bytes)
        if (
            self._like is None
            or self.http is None
            or not is_readable
            or _sdk_logger.isEnabledFor(logging.DEBUG)
        ):
            response = self.by_sdk(path, content)
            like = _Like.of(response.request, path)
            self._like = like if like is not None and like == self._last else None
            self._last = like
            return response
        return self._sent(self.http, self._like.request(path, content, self.http.cookies))

    def _sent(self, http: httpx2.Client, request: httpx2.Request) -> httpx2.Response:
        try:
            response = http.send(request, stream=self.is_stream)
        except Exception as exc:
            raise anthropic.APIConnectionError(request=request) from exc
        if response.is_success:
            return response
        try:
            raise _refused(response)
        finally:
            response.close()


@dataclass(frozen=True, slots=True)
class _Like:
    """What one request has in common with the others of its kind."""

    method: str
    base: str
    headers: list[tuple[bytes, bytes]]
    extensions: dict[str, Any]

    @classmethod
    def of(cls, request: httpx2.Request, path: str) -> _Like | None:
        """Take it from a request that was sent to this path; None where its URL ends differently."""
        url = str(request.url)
        if not url.endswith(path):
            return None
        return cls(
            request.method,
            url.removesuffix(path),
            [(name, value) for name, value in request.headers.raw if name.lower() not in _OF_ONE_REQUEST],
            {name: value for name, value in request.extensions.items() if name != "trace"},
        )

    def request(self, path: str, content: Content, cookies: httpx2.Cookies) -> httpx2.Request:
        """Make another one; its length is the only new header, so the headers need not be searched."""
        body = content if isinstance(content, bytes) else b""
        length = [] if content is None else [(b"Content-Length", b"%d" % len(body))]
        return httpx2.Request(
            self.method,
            _url(self.base + path),
            headers=[*self.headers, *length],
            cookies=cookies,
            stream=httpx2.ByteStream(body),
            extensions=self.extensions,
        )


def _refused(response: httpx2.Response) -> anthropic.APIStatusError:
    """Return the SDK's error for a reply that reports no success."""
    body: object = response.read().decode("utf-8", "replace").strip()
    with suppress(
        msgspec.DecodeError, UnicodeDecodeError, RecursionError
    ):  # a text is what the SDK gives then
        body = msgspec.json.decode(response.content)
    return anthropic.APIStatusError(f"Error code: {response.status_code}", response=response, body=body)
