"""A provider's HTTP API without an SDK: one request a call, never repeated or redirected; errors are ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
import msgspec

from batchata.core.error_kinds import NOT_FOUND, SPENT, TOO_LARGE
from batchata.errors import (
    AuthenticationFailedError,
    BatchataError,
    BatchNotFoundError,
    ConfigurationError,
    ProviderError,
    ProviderUnavailableError,
    RateLimitedError,
    RequestRefusedError,
    SpendLimitError,
    UnknownSubmissionError,
    UnreadableReplyError,
)
from batchata.providers.address import redacted
from batchata.providers.rest.access import Access, Sockets
from batchata.providers.rest.connections import CONNECT_SECONDS, reach, setting_up, trusted
from batchata.providers.rest.failures import (
    STATUS_WORDS,
    Cure,
    Effect,
    Said,
    Service,
    check_model,
    effect_of,
    refuses_tls,
    verdict_of,
)
from batchata.providers.rest.replies import (
    RAW_STREAM,
    Dates,
    asked_pause,
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
        """What to look at when something else answers."""
        return f"is {self.access.address_name} the address of {self.service.api}? It is {self.url}"

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
        """Send a POST which may be repeated, whatever answers it when it is taken."""
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
        """Break off the calls under way, for ever."""
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
            raise self._by_cause(exc, doing, creating) from exc

    def _by_cause(self, cause: Exception, doing: str, creating: bool) -> BatchataError:
        """Return the error for a request that got no reply."""
        verdict = verdict_of(cause)
        left = verdict.left and self._sockets.was_handed_over and not self._sockets.never_left
        name = type(cause).__name__
        quotes = isinstance(cause, httpx2.LocalProtocolError | httpx2.InvalidURL | UnicodeError)
        said = "" if quotes else self.access.said(cause)
        text = f"{doing}: no answer ({name}: {said})" if said else f"{doing}: no answer ({name})"
        if verdict.cure is not Cure.WAITING:
            text += f"; {self._advice(cause)}"
        if creating and left:
            return UnknownSubmissionError(text, kind="no_answer", final=verdict.cure is not Cure.WAITING)
        if verdict.cure is Cure.WAITING:
            return ProviderUnavailableError(text, kind="no_answer")
        if verdict.cure is Cure.SETUP or not left:
            return ConfigurationError(text)
        return UnreadableReplyError(text, kind="no_answer")

    def _advice(self, cause: Exception) -> str:
        if isinstance(cause, httpx2.ProxyError):
            return "check the proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names"
        if isinstance(cause, httpx2.LocalProtocolError | UnicodeError):
            return f"no request can carry it: check the key and {self.access.address_name}"
        if refuses_tls(cause):
            return (
                f"{self.url} cannot be trusted or speaks no TLS: is {self.access.address_name} right, and "
                "does SSL_CERT_FILE name the authority of your network?"
            )
        return self.hint

    def _by_status(self, response: httpx2.Response, doing: str, *, creating: bool) -> ProviderError:
        status = response.status_code
        if status // 100 == 3:
            return self._moved(response, doing, creating)
        said = self.service.read(_read(response))
        kind = said.kind if said.kind and said.kind.isidentifier() else f"http_{status}"
        text = f"{doing}: HTTP {status} {kind}: {self._sentence(said)}"
        if self.service.is_about_money(status, said):
            return SpendLimitError(text, kind=SPENT, status=status)
        if creating and self.service.is_passing(status, said):
            return ProviderUnavailableError(text, kind=said.code or kind, status=status)
        if self.service.is_about_key(status, said):
            return self._refused_key(text, said, status, kind, creating)
        if status == 404:
            return self._not_found(said, text, kind, creating)
        if status == 413:
            return RequestRefusedError(
                f"{doing}: HTTP 413: the job is larger than the API takes; lower items_per_job",
                kind=TOO_LARGE,
                status=status,
            )
        return self._by_effect(response, text, said, kind, creating)

    def _by_effect(
        self, response: httpx2.Response, text: str, said: Said, kind: str, creating: bool
    ) -> ProviderError:
        status = response.status_code
        effect = effect_of(status, response.headers)
        if effect is Effect.REFUSED:
            advice = f"; {STATUS_WORDS[status]} (the address is {self.url})" if status in STATUS_WORDS else ""
            return RequestRefusedError(text + advice, kind=kind, status=status)
        if effect is Effect.OPEN and creating:
            return UnknownSubmissionError(text, kind=kind, status=status)
        unavailable = RateLimitedError if status == 429 else ProviderUnavailableError
        pause = asked_pause(response.headers) or said.pause
        return unavailable(text, kind=kind, status=status, retry_after=pause)

    def _refused_key(self, text: str, said: Said, status: int, kind: str, creating: bool) -> ProviderError:
        sentence = self._sentence(said)
        whose = "the key" if self.access.key is None else f"the key in {self.access.key.name}"
        told = f"{text.removesuffix(sentence)}{whose} was refused by {self.url}: {sentence}"
        told += "; nothing was created or paid" if creating else ""
        return AuthenticationFailedError(told, kind=kind, status=status)

    def _not_found(self, said: Said, text: str, kind: str, creating: bool) -> ProviderError:
        if creating:
            advice = check_model(said.message) or self.hint
            return RequestRefusedError(f"{text}; {advice}", kind=kind, status=404)
        if said.message is None:  # the API would say so: nothing is known of the batch
            return UnreadableReplyError(text, kind="not_the_api", status=404)
        return BatchNotFoundError(text, kind=NOT_FOUND, status=404)

    def _moved(self, response: httpx2.Response, doing: str, creating: bool) -> ProviderError:
        status = response.status_code
        place = self.access.said(redacted(response.headers.get("location", ""))) or "nowhere"
        text = (
            f"{doing}: HTTP {status}: redirected to {place}, which is not followed. If the API has moved "
            f"there, {self.access.address_name}, which is {self.url}, must name its new base"
        )
        if creating:  # it may have been done all the same
            return UnknownSubmissionError(text, kind="redirected", status=status, final=True)
        return RequestRefusedError(text, kind="redirected", status=status)

    def _sentence(self, said: Said) -> str:
        if said.message is None:
            return f"the answer was not the API's own; {self.hint}"
        return self.access.said(said.message)


def _json(value: object) -> dict[str, Any]:
    return {"content": msgspec.json.encode(value), "headers": {"content-type": "application/json"}}


def _read(response: httpx2.Response) -> object:
    try:
        return msgspec.json.decode(response.read())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, httpx2.HTTPError, httpx2.StreamError):
        return None
