"""Anthropic's Message Batches API behind the provider port."""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from typing import IO, Any
from urllib.request import getproxies

import anthropic
import httpx2
import msgspec

from batchata.core.values import Counts
from batchata.errors import (
    BatchataError,
    BatchNotFoundError,
    ConfigurationError,
    IncompleteResultsError,
    ProviderUnavailableError,
    RequestRefusedError,
    UnknownSubmissionError,
)
from batchata.providers.anthropic.faults import translated
from batchata.providers.anthropic.lines import decode_line, unreadable
from batchata.providers.anthropic.sockets import Sockets
from batchata.providers.port import Batch, Outcome

_PATH = "/v1/messages/batches"
_COUNT_PATH = "/v1/messages/count_tokens"
_COUNTED = frozenset(
    {"cache_control", "messages", "model", "output_config", "system", "thinking", "tool_choice", "tools"}
)
_PAGE = 100
_PAGES_OF_A_POLL = 5
_MOST_PAGES = 1_000
_FEW = 2  # up to so many batches are asked for one by one
_CHUNK = 1_000  # outcomes handed over at a time
_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 60.0  # for questions, which may be asked again; creating and downloading keep the SDK's 600


class _Request(msgspec.Struct):
    params: dict[str, msgspec.Raw]


class AnthropicProvider:
    """The Message Batches API through the official SDK, which finds key and URL in its own ways.

    The SDK's retries are off: it would repeat a create call that may have succeeded, and a batch cannot be
    created idempotently. Bodies and results pass as bytes, which is several times faster than its models.
    """

    name = "anthropic"

    def __init__(self, *, timeout: float | None = None) -> None:
        self._timeout = timeout
        self._sockets = Sockets()
        self._closed = False

    @cached_property
    def _client(self) -> anthropic.Anthropic:
        if self._closed:
            raise ProviderUnavailableError("the run that this call belongs to has ended", kind="closed")
        try:
            http_client = anthropic.DefaultHttpxClient(event_hooks={"request": [self._sockets.watch]})
            client = anthropic.Anthropic(max_retries=0, http_client=http_client)
        except httpx2.InvalidURL as exc:
            raise ConfigurationError(
                f"ANTHROPIC_BASE_URL is no URL ({exc}); unset it or give one like https://api.anthropic.com"
            ) from exc
        except (anthropic.AnthropicError, ValueError, TypeError) as exc:
            raise ConfigurationError(f"the Anthropic client cannot be set up: {exc}") from exc
        return client if self._timeout is None else client.with_options(timeout=self._timeout)

    @cached_property
    def _questions(self) -> anthropic.Anthropic:
        return self._client.with_options(timeout=self._timeout or _ANSWER_SECONDS)

    @property
    def base_url(self) -> str:
        """Where requests go, without a trailing slash."""
        return str(self._client.base_url).rstrip("/")

    @property
    def key(self) -> str | None:
        """See the port: 32 bits of a hash, of a secret far too long to be guessed from them."""
        headers = {name.lower(): str(value) for name, value in self._client.default_headers.items()}
        secret = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        return sha256(f"batchata {secret}".encode()).hexdigest()[:8] if secret else None

    def check(self) -> None:
        """See the port: key, URL, and whether somebody listens there; no byte is sent."""
        url = self._client.base_url
        if url.scheme not in ("http", "https") or not url.host or not 0 < (url.port or 443) < 65_536:
            raise ConfigurationError(
                f"ANTHROPIC_BASE_URL is {str(url)!r}, which is no http(s) URL; "
                "unset it or give one like https://api.anthropic.com"
            )
        headers = {name.lower() for name in self._client.default_headers}
        if not headers & {"authorization", "x-api-key"} and self._client.credentials is None:
            raise ConfigurationError(
                "no Anthropic API key: set the environment variable ANTHROPIC_API_KEY "
                "(or run against the sandbox: python -m batchata.sandbox)"
            )
        self._reach(url)

    def _reach(self, url: httpx2.URL) -> None:
        if getproxies().keys() & {url.scheme, "all"}:
            return  # the way out is the proxy's
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            socket.create_connection((url.host, port), timeout=_CONNECT_SECONDS).close()
        except OSError as exc:
            raise ProviderUnavailableError(
                f"nobody answers at {self.base_url} ({exc}); check ANTHROPIC_BASE_URL and the network"
            ) from exc

    def count_tokens(self, request: bytes) -> int:
        """See the port. The counting endpoint takes only what makes input tokens."""
        params = msgspec.json.decode(request, type=_Request).params
        counted = {name: value for name, value in params.items() if name in _COUNTED}
        with translated("counting tokens"):
            response = self._questions.post(
                _COUNT_PATH,
                content=msgspec.json.encode(counted),
                cast_to=httpx2.Response,
                options={"headers": {"content-type": "application/json"}},
            )
        tokens = _json(response, "the count of tokens").get("input_tokens")
        if not isinstance(tokens, int):
            raise ProviderUnavailableError("counting tokens: the answer holds no count", kind="no_count")
        return tokens

    def submit(self, body: bytes | IO[bytes]) -> Batch:
        """See the port."""
        with translated("creating a batch", creating=True):
            response = self._client.post(
                _PATH,
                content=body,
                cast_to=httpx2.Response,
                options={"headers": {"content-type": "application/json"}},
            )
        try:
            return _batch(_json(response, "the answer to creating a batch"))
        except BatchataError as exc:  # it said yes, so a batch may exist, and only looking for it can tell
            raise UnknownSubmissionError(f"creating a batch: {exc}", kind="unreadable_answer") from exc

    def poll(self, batch_ids: Collection[str], since: int) -> dict[str, Batch]:
        """See the port; beyond a few batches one page of the list answers for a hundred of them."""
        found: dict[str, Batch] = {}
        if len(batch_ids) > _FEW:
            wanted = set(batch_ids)
            for batch in self._newest(since, _PAGES_OF_A_POLL):
                if batch.batch_id in wanted:
                    found[batch.batch_id] = batch
                if len(found) == len(wanted):
                    return found
        for batch_id in batch_ids:
            known = found.get(batch_id) or self._retrieve(batch_id)
            if known:
                found[batch_id] = known
        return found

    def outcomes(self, batch_id: str) -> Iterator[list[Outcome]]:
        """See the port. Lines are split on newline bytes only: U+2028 may stand raw inside a JSON string."""
        with translated(f"fetching the results of {batch_id}"):
            response = self._client.get(
                f"{_PATH}/{batch_id}/results",
                cast_to=httpx2.Response,
                options={"headers": {"X-Stainless-Raw-Response": "stream"}},
            )
            try:
                yield from _chunks(_lines(response.iter_bytes()))
            finally:
                response.close()

    def cancel(self, batch_id: str) -> None:
        """See the port. A batch that has ended already cannot be cancelled, which is no error."""
        with translated(f"cancelling {batch_id}"):
            try:
                self._questions.post(f"{_PATH}/{batch_id}/cancel", cast_to=httpx2.Response)
            except anthropic.BadRequestError:
                return

    def close(self) -> None:
        """See the port: connections end, so that an upload that nobody waits for makes no batch."""
        self._closed = True
        self._sockets.shut_down()
        for name in ("_client", "_questions"):
            client = self.__dict__.pop(name, None)
            if client is not None:
                client.close()

    def find(self, since: int, size: int) -> list[Batch]:
        """See the port."""
        return [batch for batch in self._newest(since, None) if batch.size == size]

    def _retrieve(self, batch_id: str) -> Batch | None:
        try:
            with translated(f"asking for {batch_id}"):
                response = self._questions.get(f"{_PATH}/{batch_id}", cast_to=httpx2.Response)
        except BatchNotFoundError:
            return None
        return _batch(_json(response, f"the description of {batch_id}"))

    def _newest(self, since: int, most_pages: int | None) -> Iterator[Batch]:
        """The batches created since then, newest first; all of them, unless a number of pages is given."""
        after: str | None = None
        for _ in range(most_pages or _MOST_PAGES):
            query = {"limit": _PAGE} if after is None else {"limit": _PAGE, "after_id": after}
            with translated("listing batches"):
                response = self._questions.get(_PATH, cast_to=httpx2.Response, options={"params": query})
            page = _json(response, "the list of batches")
            if not isinstance(page.get("data"), list):
                raise ProviderUnavailableError("listing batches: the answer is no list", kind="not_a_list")
            batches = [_batch(item) for item in page["data"]]
            # A time that cannot be read is 0: it must not make a batch look older than it is.
            yield from (batch for batch in batches if not batch.created_at or batch.created_at >= since)
            if not page.get("has_more") or not batches or 0 < batches[-1].created_at < since:
                return
            after = page.get("last_id") or batches[-1].batch_id
        if most_pages is None:
            raise ProviderUnavailableError(
                f"listing batches: more than {_MOST_PAGES * _PAGE:,} are newer than what is looked for",
                kind="too_many_batches",
            )


def _chunks(lines: Iterator[tuple[bytes, bool]]) -> Iterator[list[Outcome]]:
    """Outcomes, many at a time; what came before a line that is cut is handed over before its error."""
    chunk: list[Outcome] = []
    for line, whole in lines:
        try:
            chunk.append(decode_line(line))
        except IncompleteResultsError:
            if not whole:
                yield chunk
                raise
            # It would be so in every download, and what stands behind it would never be read.
            chunk.append(unreadable(line))
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _lines(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """The lines, and whether each had its newline: the last one may lack it, or be cut."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from ((line, True) for line in lines if line.strip())
    if rest.strip():
        yield rest, False


def _json(response: httpx2.Response, what: str) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(response.content)
    except msgspec.DecodeError as exc:
        raise RequestRefusedError(
            f"{what} is not JSON: is ANTHROPIC_BASE_URL the address of the Anthropic API?", kind="not_the_api"
        ) from exc
    return value if isinstance(value, dict) else {}


def _batch(value: dict[str, Any]) -> Batch:
    counts = value.get("request_counts") or {}
    batch_id = value.get("id")
    if not isinstance(batch_id, str):
        raise IncompleteResultsError("the provider described a batch without an id")
    status = str(value.get("processing_status"))
    return Batch(
        batch_id=batch_id,
        ended=status == "ended",
        status=status,
        counts=Counts(**{name: int(counts.get(name) or 0) for name in Counts.__struct_fields__}),
        created_at=_micros(value.get("created_at")) or 0,
        expires_at=_micros(value.get("expires_at")),
    )


def _micros(text: object) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000_000)
