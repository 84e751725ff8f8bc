"""Call a provider's HTTP API without an SDK: one request per call, never repeated or redirected.

Errors are Batchata's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
import msgspec

from batchata.errors import (
    BatchataError,
    ProviderError,
    ProviderUnavailableError,
)
from batchata.providers.address import redacted
from batchata.providers.rest.access import Access, Sockets
from batchata.providers.rest.connections import CONNECT_SECONDS, reach, setting_up, trusted
from batchata.providers.rest.errors import Errors
from batchata.providers.rest.failures import (
    Service,
)
from batchata.providers.rest.replies import (
    RAW_STREAM,
    Dates,
    bounded,
    read_object,
    read_value,
    up_to,
)

__all__ = ["Rest"]

_ANSWER_SECONDS: Final = 60.0  # for questions, which may be asked again
_SENDING_SECONDS: Final = 600.0  # for uploads, creations and downloads
_MOST_BYTES: Final = 512_000_000  # of an answer that may hold the results of whole batches


@dataclass(slots=True)
class Rest:
    """Calls of one service. `headers` go with each; `base` is where paths begin."""

    service: Service
    access: Access
    base: str
    headers: Mapping[str, str] = field(repr=False)
    timeout: float | None = None
    dates: Dates = field(default_factory=Dates)
    _sockets: Sockets = field(default_factory=Sockets)
    _closed: bool = False
    _made: httpx2.Client | None = None

    @property
    def url(self) -> str:
        """Where requests go, without a user or a password."""
        return redacted(self.base).rstrip("/")

    @property
    def hint(self) -> str:
        """What to check when something else answers at the address."""
        return self._errors.hint

    def reach(self) -> None:
        """Raise ProviderUnavailableError unless something listens there; no byte is sent."""
        reach(self._client.base_url, self.url, self.access.address_name)

    def ask(self, path: str, doing: str, **query: Any) -> dict[str, Any]:
        """Return the JSON object of a GET."""
        return self.object_of(self._get(path, doing, query), doing)

    def ask_for(self, path: str, doing: str, **query: Any) -> Any:
        """Return the JSON value of a GET, of whatever kind."""
        return read_value(self._get(path, doing, query), f"the answer to {doing}", self.hint)

    def read(self, path: str, doing: str, **query: Any) -> bytes:
        """Return the bytes of a GET whose answer may hold results."""
        with self.download(path, doing, **query) as pieces:
            return b"".join(up_to(_MOST_BYTES, pieces))

    def _get(self, path: str, doing: str, query: dict[str, Any]) -> httpx2.Response:
        return self._send("GET", path, doing, _ANSWER_SECONDS, params=query or None)

    def tell(self, path: str, doing: str, value: object) -> dict[str, Any]:
        """Return the JSON object that answers a POST which may be repeated."""
        response = self._send("POST", path, doing, _ANSWER_SECONDS, **_json(value))
        return self.object_of(response, doing)

    def order(self, path: str, doing: str, value: object) -> None:
        """Send a POST that may be repeated; any successful answer will do."""
        self._send("POST", path, doing, _ANSWER_SECONDS, **_json(value))

    def upload(self, path: str, doing: str, **given: Any) -> dict[str, Any]:
        """Return the JSON object that answers an upload, which may be repeated."""
        return self.object_of(self.post(path, doing, **given), doing)

    def post(self, path: str, doing: str, **given: Any) -> httpx2.Response:
        """Return the reply to a POST that may be repeated."""
        return self._send("POST", path, doing, _SENDING_SECONDS, **given)

    def create(self, path: str, doing: str, value: object) -> httpx2.Response:
        """Return the reply to a POST that may cost money: UnknownSubmissionError where its effect is open."""
        return self._send("POST", path, doing, _SENDING_SECONDS, creating=True, **_json(value))

    @contextmanager
    def download(self, path: str, doing: str, **query: Any) -> Iterator[Iterator[bytes]]:
        """Open a file and yield its bytes, piece by piece."""
        with self._translated(doing):
            request = self._request("GET", path, _SENDING_SECONDS, params=query or None, headers=RAW_STREAM)
            response = self._client.send(request, stream=True)
            try:
                if not response.is_success:
                    response.read()
                    raise self._by_status(response, doing, creating=False)
                yield response.iter_bytes()
            finally:
                response.close()

    def object_of(self, response: httpx2.Response, what: str) -> dict[str, Any]:
        """Return the JSON object of a reply."""
        return read_object(response, f"the answer to {what}", self.hint)

    def close(self) -> None:
        """Break off the calls under way, for good."""
        self._closed = True
        self._sockets.shut_down()
        if self._made is not None:
            self._made.close()
            self._made = None

    @property
    def _client(self) -> httpx2.Client:
        if self._closed:
            raise ProviderUnavailableError("the run that this call belongs to has ended", kind="closed")
        if self._made is None:
            self._made = self._make()
        return self._made

    def _make(self) -> httpx2.Client:
        login = None if self.access.address is None else self.access.address.login
        with setting_up():
            return httpx2.Client(
                base_url=self.base,
                headers=dict(self.headers),
                verify=trusted(),
                follow_redirects=False,  # a POST that follows one may create a second batch elsewhere
                auth=None if login is None else httpx2.BasicAuth(*login),
                event_hooks={"request": [self._sockets.watch], "response": [self.dates.note, bounded]},
            )

    def _request(self, method: str, path: str, seconds: float, **given: Any) -> httpx2.Request:
        timeout = httpx2.Timeout(self.timeout or seconds, connect=CONNECT_SECONDS)
        return self._client.build_request(method, path, timeout=timeout, **given)

    def _send(
        self, method: str, path: str, doing: str, seconds: float, *, creating: bool = False, **given: Any
    ) -> httpx2.Response:
        with self._translated(doing, creating=creating):
            response = self._client.send(self._request(method, path, seconds, **given))
            if response.is_success:
                return response
            raise self._by_status(response, doing, creating=creating)

    @contextmanager
    def _translated(self, doing: str, *, creating: bool = False) -> Iterator[None]:
        self._sockets.begin()
        try:
            yield
        except BatchataError:
            raise
        except Exception as exc:
            left = self._sockets.was_handed_over
            raise self._errors.by_cause(exc, doing, creating=creating, handed_over=left) from exc

    @property
    def _errors(self) -> Errors:
        return Errors(self.service, self.access, self.url, self._sockets)

    def _by_status(self, response: httpx2.Response, doing: str, *, creating: bool) -> ProviderError:
        said = self.service.read(_read(response))
        return self._errors.by_status(response.status_code, response.headers, said, doing, creating=creating)


def _json(value: object) -> dict[str, Any]:
    return {"content": msgspec.json.encode(value), "headers": {"content-type": "application/json"}}


def _read(response: httpx2.Response) -> object:
    try:
        return msgspec.json.decode(response.read())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, httpx2.HTTPError, httpx2.StreamError):
        return None
