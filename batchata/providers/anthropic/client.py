"""Call Anthropic's Message Batches API behind the provider port."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from typing import IO, Any
from urllib.parse import urlencode

import anthropic
import httpx2
import msgspec

from batchata.errors import (
    BatchataError,
    BatchNotFoundError,
    ConfigurationError,
    ProviderUnavailableError,
    UnreadableReplyError,
)
from batchata.providers.address import redacted
from batchata.providers.anthropic.access import VARIABLES, read_access, read_address, read_platform
from batchata.providers.anthropic.alike import Alike, Content
from batchata.providers.anthropic.errors import MESSAGES, Calls
from batchata.providers.anthropic.given_client import check_open, read_given, through
from batchata.providers.anthropic.replies import batch_of, page_of
from batchata.providers.anthropic.results import decode_line
from batchata.providers.exchange import Batch, Outcome, Upload
from batchata.providers.rest.access import Access, Sockets, check_headers, fingerprint, no_key
from batchata.providers.rest.connections import reach, setting_up, trusted
from batchata.providers.rest.errors import Creations
from batchata.providers.rest.lines import chunks_of, lines_of
from batchata.providers.rest.polls import MOST_PAGES, PAGE, Polls, is_past, too_many
from batchata.providers.rest.replies import RAW_STREAM, Dates, bounded, read_object

_OWN = "anthropic"
_CLASSES: dict[str, Callable[..., anthropic.Anthropic]] = {
    _OWN: anthropic.Anthropic,
    "anthropic-aws": anthropic.AnthropicAWS,
    "anthropic-google": anthropic.AnthropicGoogleCloud,
}
_PATH = "/v1/messages/batches"
_COUNT_PATH = "/v1/messages/count_tokens"
_COUNTED = frozenset(
    {"cache_control", "messages", "model", "output_config", "system", "thinking", "tool_choice", "tools"}
)
_SHORT_PAGE = 20  # the first one of a poll is so long, or twice as long as the batches it asks for
_MOST_TOKENS = 10**12
_MOST_OPENED = 3  # results of batches that are opened to see whose they are
_ANSWER_SECONDS = 60.0  # for questions, which may be asked again; creating and downloading keep the SDK's 600


class _Request(msgspec.Struct):
    params: dict[str, msgspec.Raw]


class AnthropicClient(Polls):
    """The Message Batches API through the official SDK, which finds key and URL in its own ways.

    The SDK's retries are off: it would repeat a create call that may have succeeded, and a batch cannot be
    created idempotently. Bodies and results pass as bytes, which is several times faster than its models.
    """

    stages = False

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        given: object | None = None,
        timeout: float | None = None,
        platform: str = _OWN,
    ) -> None:
        assert given is None or isinstance(given, anthropic.Anthropic)  # by check_given
        self._given = given  # a client that the user made, whose connections are used and left open
        self.name = platform  # Anthropic's own, or a cloud that serves the same API by another client class
        self._api_key, self._base_url = api_key, base_url
        self._timeout = timeout
        self._sockets = Sockets()
        self._dates = Dates()
        self._closed = False
        self._creations = Creations()

    @cached_property
    def _access(self) -> Access:
        if self._given is not None:
            return read_given(self._given)
        if self.name != _OWN:
            return read_platform(self.name, self._api_key, self._base_url)
        return read_access(self._api_key, self._base_url)

    @cached_property
    def _client(self) -> anthropic.Anthropic:
        if self._closed:
            raise ProviderUnavailableError("the run that this call belongs to has ended", kind="closed")
        address, key = self._access.address, self._access.key
        headers = {}
        if address is not None and address.login is not None and key is not None:
            headers["X-Api-Key"] = key.value  # the Authorization header is the login's
        http_client = self._http
        try:
            client = (
                self._given.copy(http_client=http_client, max_retries=0)
                if self._given
                else _CLASSES[self.name](
                    **({} if self._api_key is None else {"api_key": self._api_key}),
                    base_url=None if address is None else address.url,
                    max_retries=0,
                    http_client=http_client,
                    default_headers=headers,
                )
            )
        except (anthropic.AnthropicError, httpx2.InvalidURL, ValueError, TypeError, OSError) as exc:
            raise ConfigurationError(
                f"the Anthropic client cannot be set up: {self._access.said(exc)}"
            ) from exc
        _check_what_the_sdk_found(client, self._access)
        return client if self._timeout is None else client.with_options(timeout=self._timeout)

    @cached_property
    def _headers(self) -> Mapping[str, object]:
        return self._client.default_headers

    @cached_property
    def _http(self) -> httpx2.Client:
        return _http_client(self._access, self._sockets, self._dates, self._given)

    @cached_property
    def _create(self) -> Alike:
        client = self._client

        def by_sdk(path: str, content: Content) -> httpx2.Response:
            headers = {"content-type": "application/json"}
            return client.post(path, content=content, cast_to=httpx2.Response, options={"headers": headers})

        return Alike(by_sdk, self._open_way)

    @cached_property
    def _results(self) -> Alike:
        client = self._client

        def by_sdk(path: str, _content: Content) -> httpx2.Response:
            return client.get(path, cast_to=httpx2.Response, options={"headers": RAW_STREAM})

        return Alike(by_sdk, self._open_way, is_stream=True)

    @cached_property
    def _ask(self) -> Alike:
        client, options = self._client, self._as_question

        def by_sdk(path: str, _content: Content) -> httpx2.Response:
            return client.get(path, cast_to=httpx2.Response, options=options)

        return Alike(by_sdk, self._open_way)

    @property
    def _open_way(self) -> httpx2.Client | None:
        """The HTTP client where headers alone make a call: no credentials that end, and no signature."""
        is_open = self.name == _OWN and self._given is None and self._client.custom_auth is None
        return self._http if is_open else None

    @property
    def _as_question(self) -> anthropic.RequestOptions:
        return {"timeout": self._timeout or _ANSWER_SECONDS}

    @cached_property
    def _calls(self) -> Calls:
        return Calls(MESSAGES, self._access, self.base_url, self._sockets)

    @property
    def base_url(self) -> str:
        """Where requests go, without a trailing slash, a user or a password."""
        return redacted(str(self._client.base_url)).rstrip("/")

    @property
    def address_variable(self) -> str | None:
        """See the port."""
        return self._access.variable if self._given is None else None

    @property
    def key(self) -> str | None:
        """See the port: with the workspace, where one is named."""
        headers = {name.lower(): str(value) for name, value in self._headers.items()}
        secret = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        named = getattr(self._client, "workspace_id", None)  # where it stands in the address, of the clouds
        return fingerprint(secret, str(named) if named else headers.get("anthropic-workspace-id"))

    @property
    def clock(self) -> int | None:
        """See the port: by the Date of its last answer."""
        return self._dates.now

    def check(self) -> None:
        """See the port: check key and URL, and connect once; no byte is sent."""
        if self._given is not None:
            check_open(self._given)
        client = self._client
        headers = {name.lower() for name in self._headers}
        # The clients of the clouds have found their credentials by now, or do so with the first call.
        if self.name == _OWN and not headers & {"authorization", "x-api-key"} and client.credentials is None:
            raise no_key("Anthropic", *VARIABLES)
        if self._given is not None:
            return  # it may have a way of its own to the service
        reach(client.base_url, self.base_url, self._access.address_name)

    def count_tokens(self, request: bytes) -> int:
        """See the port. The counting endpoint takes only what makes input tokens."""
        params = msgspec.json.decode(request, type=_Request).params
        counted = {name: value for name, value in params.items() if name in _COUNTED}
        with self._calls.translated("counting tokens"):
            response = self._client.post(
                _COUNT_PATH,
                content=msgspec.json.encode(counted),
                cast_to=httpx2.Response,
                options={"headers": {"content-type": "application/json"}, **self._as_question},
            )
        tokens = self._object(response, "the count of tokens").get("input_tokens")
        if type(tokens) is not int or not 0 <= tokens < _MOST_TOKENS:
            raise ProviderUnavailableError("counting tokens: the answer has no count", kind="no_count")
        return tokens

    def stage(self, mark: str, body: bytes | IO[bytes]) -> Upload:
        """Fail: a batch is created by one call, and no file comes before it."""
        raise NotImplementedError

    def submit(self, requests: bytes | IO[bytes] | Upload) -> Batch:
        """See the port."""
        assert not isinstance(requests, Upload)
        with self._calls.translated("creating a batch", creating=True):
            response = self._create(_PATH, requests)
        with self._creations.read():
            return batch_of(self._object(response, "the answer to creating a batch"), created=True)

    def _told(self, wanted: Collection[str], since: int, most_pages: int | None) -> Iterator[Batch]:
        size = min(max(_SHORT_PAGE, 2 * len(wanted)), PAGE)
        return (batch for batch in self._newest(since, most_pages, size) if batch.batch_id in wanted)

    def _unread(self, batch_id: str) -> Batch:
        return batch_of({"id": batch_id, "processing_status": "unreadable"})

    def outcomes(self, batch_id: str) -> Iterator[list[Outcome]]:
        """See the port. Lines are split on newline bytes only: U+2028 may stand raw inside a JSON string."""
        with self._calls.translated(f"fetching the results of {batch_id}"):
            response = self._results(f"{_PATH}/{batch_id}/results")
            try:
                yield from chunks_of(lines_of(response.iter_bytes()), decode_line)
            finally:
                response.close()

    def cancel(self, batch_id: str) -> None:
        """See the port. A batch that has ended already cannot be cancelled, which is not an error."""
        with self._calls.translated(f"cancelling {batch_id}"):
            try:
                path = f"{_PATH}/{batch_id}/cancel"
                self._client.post(path, cast_to=httpx2.Response, options=self._as_question)
            except anthropic.BadRequestError:
                return

    def close(self) -> None:
        """See the port: connections end, so that an upload that is not waited for makes no batch."""
        self._closed = True
        self._sockets.shut_down()
        client = self.__dict__.pop("_client", None)
        if client is not None:
            client.close()
        for name in ("_create", "_results", "_ask"):
            self.__dict__.pop(name, None)

    def find(
        self,
        since: int,
        size: int,
        upload: Upload | None = None,  # noqa: ARG002 - batches bear no marks
    ) -> Iterator[Batch]:
        """See the port."""
        return (batch for batch in self._newest(since, None) if _may_hold(batch, size))

    def signs(self, since: int, known: Collection[str]) -> Iterator[tuple[str, str]]:
        """See the port: by the first results of the oldest of them that have ended."""
        found = [batch for batch in self._newest(since, 1) if batch.ended and batch.batch_id not in known]
        found.sort(key=lambda batch: batch.created_at)
        for batch in found[:_MOST_OPENED]:
            with suppress(BatchataError):
                first = next(self.outcomes(batch.batch_id), [])
                yield from ((batch.batch_id, outcome.custom_id) for outcome in first[:1])

    def _retrieve(self, batch_id: str) -> Batch | None:
        try:
            with self._calls.translated(f"asking for {batch_id}"):
                response = self._ask(f"{_PATH}/{batch_id}")
        except BatchNotFoundError:
            return None
        batch = batch_of(self._object(response, f"the description of {batch_id}"))
        if batch.batch_id != batch_id:
            raise UnreadableReplyError(
                f"asking for {batch_id}: the answer describes another batch, {batch.batch_id}",
                kind="odd_reply",
            )
        return batch

    def _newest(self, since: int, most_pages: int | None, size: int = PAGE) -> Iterator[Batch]:
        """Yield the batches created since then, newest first; all of them, unless a number of pages is given.

        The first page holds `size` of them, the others as many as a page can.

        A page is handed over as far as it can be read before the rest of it is doubted: UnreadableReplyError.
        """
        after: str | None = None
        seen: set[str | None] = {None}
        for _ in range(most_pages or MOST_PAGES):
            query = {"limit": str(size)} | ({} if after is None else {"after_id": after})
            with self._calls.translated("listing batches"):
                response = self._ask(f"{_PATH}?{urlencode(query)}")
            page = page_of(self._object(response, "the list of batches"), size, after)
            size = PAGE
            # A time that cannot be read is 0: it must not make a batch look older than it is.
            yield from (batch for batch in page.batches if not batch.created_at or batch.created_at >= since)
            if page.doubt is not None:
                raise UnreadableReplyError(f"listing batches: {page.doubt}", kind="odd_reply")
            if page.after is None or is_past([batch.created_at for batch in page.batches], since):
                return
            if page.after in seen:
                raise UnreadableReplyError("listing batches: its pages repeat", kind="odd_reply")
            seen.add(after := page.after)
        if most_pages is None:
            raise too_many()

    def _object(self, response: httpx2.Response, what: str) -> dict[str, Any]:
        return read_object(response, what, self._calls.hint)


def _http_client(
    access: Access, sockets: Sockets, dates: Dates, given: anthropic.Anthropic | None
) -> httpx2.Client:
    """Create the SDK's own client, without redirects: a POST that follows one may create a second batch."""
    login = None if access.address is None else access.address.login
    # Where there is a transport, proxies of the environment are left alone.
    with setting_up():
        way: dict[str, Any] = {"verify": trusted()} if given is None else {"transport": through(given)}
        return anthropic.DefaultHttpxClient(
            follow_redirects=False,
            auth=None if login is None else httpx2.BasicAuth(*login),
            event_hooks={"request": [sockets.watch], "response": [dates.note, bounded]},
            **way,
        )


def _check_what_the_sdk_found(client: anthropic.Anthropic, access: Access) -> None:
    """Check URL and headers that a profile of the SDK may have added."""
    if access.address is None and read_address(str(client.base_url), "base_url of the SDK's profile").login:
        raise ConfigurationError("base_url of the SDK's profile contains a user or a password; remove it")
    given = {name: value for name, value in client.default_headers.items() if isinstance(value, str)}
    check_headers(given, "the SDK")


def _may_hold(batch: Batch, size: int) -> bool:
    """Return whether a batch may hold so many requests.

    While it runs all of them are in `processing`, and 0 elsewhere, by the reference of the Message Batches
    API: counts like that are believed. Once it has ended its results tell more than any counts.
    """
    counts = batch.counts
    return batch.ended or counts.processing in (size, 0) or counts.processing != batch.size
