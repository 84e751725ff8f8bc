"""Call OpenAI's Batch API behind the provider port: upload, one create, polls, and results from two files."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import IO, Any, Final

import msgspec

from batchata.core.error_kinds import ODD_REPLY, TOO_LARGE
from batchata.errors import (
    ConfigurationError,
    IncompleteResultsError,
    ProviderUnavailableError,
    RequestRefusedError,
    UnreadableReplyError,
)
from batchata.providers.address import read_address
from batchata.providers.exchange import Batch, Outcome, Upload, is_marked_as_another
from batchata.providers.mended_json import decoded
from batchata.providers.openai.replies import batch_of, files_of, is_id
from batchata.providers.openai.requests import target_of
from batchata.providers.openai.results import outcome_of
from batchata.providers.openai.services import SERVICES, Service
from batchata.providers.openai.wires import MARK, Wire
from batchata.providers.rest.access import Access, Key, check_headers, checked, no_key
from batchata.providers.rest.batch_client import BatchClient
from batchata.providers.rest.client import Rest
from batchata.providers.rest.failures import Said
from batchata.providers.rest.lines import chunks_of, lines_of
from batchata.providers.rest.polls import MOST_PAGES, is_past, too_many

__all__ = ["OpenAIClient"]

_WHOSE: Final = {"OPENAI_ORG_ID": "OpenAI-Organization", "OPENAI_PROJECT_ID": "OpenAI-Project"}
_ENDPOINT: Final = re.compile(r"/+(batches|files|responses|chat(/+completions)?|models)/*$", re.IGNORECASE)
_RESULTS_A_PAGE: Final = 100
_COUNTED: Final = frozenset(
    {"input", "instructions", "model", "parallel_tool_calls", "reasoning", "text", "tool_choice", "tools"}
)
_SPENT: Final = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")


class _Results(msgspec.Struct):
    """A page of results."""

    results: list[msgspec.Raw]
    pagination_token: str | None = None


_decode_results: Final = msgspec.json.Decoder(_Results).decode


class Errors:
    """What OpenAI's error replies say: `{"error": {"message", "type", "param", "code"}}`."""

    def __init__(self, title: str) -> None:
        self.api = f"the API of {title}"

    def read(self, body: object) -> Said:
        """See the port of REST services."""
        error = body.get("error") if isinstance(body, dict) else None
        if not isinstance(error, dict):
            return Said()
        texts = {name: value for name, value in error.items() if isinstance(value, str) and value}
        return Said(texts.get("type"), texts.get("code"), texts.get("message"))

    def is_about_money(self, status: int, said: Said) -> bool:
        """See the port of REST services."""
        return status == 402 or said.code in _SPENT or said.kind in _SPENT

    def is_passing(self, status: int, said: Said) -> bool:
        """Know a file that is not visible everywhere yet: a create that misses it certainly made no batch."""
        return status in (400, 404) and (said.message or "").startswith("Cannot find file")

    def is_about_key(self, status: int, said: Said) -> bool:
        """See the port of REST services."""
        return status in (401, 403)

    def knows_not(self, said: Said) -> bool:
        """See the port of REST services."""
        return said.message is not None


class OpenAIClient(BatchClient):
    """OpenAI's Batch API over HTTP. A batch is made of one uploaded file.

    Each create has a file and a mark of its own, so a batch in the list that has either is known to be the
    job's, however young it is.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float | None = None,
        service: str = "openai",
    ) -> None:
        super().__init__(api_key, base_url, timeout)
        self.name, self._service = service, SERVICES[service]

    @cached_property
    def _access(self) -> Access:
        return _read_access(self._service, self._api_key, self._base_url)

    @cached_property
    def _rest(self) -> Rest:
        access = self._access
        base = (self._service.base_url or "") if access.address is None else access.address.url
        headers = _headers_of(self._service, access)
        return Rest(Errors(self._service.title), access, base, headers, self._timeout)

    @property
    def _place(self) -> Sequence[str]:
        return list(_whose(self._service).values())

    @property
    def _wire(self) -> Wire:
        return self._service.wire

    def check(self) -> None:
        """See the port."""
        if self._access.key is None and self._service.needs_key:
            raise no_key(self._service.title, self._service.key)
        self._rest.reach()

    def count_tokens(self, request: bytes) -> int:
        """See the port: by the endpoint that counts the input of the Responses API."""
        body = msgspec.json.decode(request)["body"]
        if "input" not in body:
            raise ProviderUnavailableError(
                f"{self._service.title} has no call that counts the tokens of chat completions; "
                "leave exact out",
                kind="none",
            )
        counted = {name: value for name, value in body.items() if name in _COUNTED}
        return self._counted("responses/input_tokens", counted, "input_tokens")

    def stage(self, mark: str, body: bytes | IO[bytes]) -> Upload:
        """See the port: the file bears the mark in its name, by which a lost one can be found."""
        file = (f"{mark}.jsonl", body, "application/jsonl")
        endpoint, model = target_of(body)
        form = self._service.wire.form
        try:
            answer = self._rest.upload("files", "uploading a job", data=form, files={"file": file})
        except RequestRefusedError as exc:
            if "too large" in str(exc).lower():
                exc.kind = TOO_LARGE
            raise
        handle = answer.get("id")
        if not is_id(handle) or _is_anothers_file(answer, mark):
            raise ProviderUnavailableError("uploading a job: the answer names no file of it", kind=ODD_REPLY)
        return Upload(str(handle), mark, endpoint, model)

    def submit(self, requests: bytes | IO[bytes] | Upload) -> Batch:
        """See the port."""
        assert isinstance(requests, Upload)
        endpoint = self._service.create_endpoint or requests.endpoint
        return self._create(self._wire.batches, self._wire.wanted(requests, endpoint), requests.mark)

    def outcomes(self, batch_id: str) -> Iterator[list[Outcome]]:
        """See the port: from the output file and the error file, whatever the counts say of either."""
        doing = f"fetching the results of {batch_id}"
        if self._wire.pages_results:
            yield from self._paged(batch_id, doing)
            return
        for file_id in files_of(self._described(batch_id)):
            with self._rest.download(f"files/{file_id}/content", doing) as pieces:
                yield from chunks_of(lines_of(pieces), outcome_of)

    def find(self, since: int, size: int, upload: Upload | None = None) -> Iterator[Batch]:
        """See the port: by the mark and the file, which a batch shows from its first moment on."""
        for value in self._newest(since, None):
            if upload is not None and _is_made_of(value, upload):
                yield replace(batch_of(value, created=True), is_marked=True)
            elif not _bears_marks(value):
                yield batch_of(value, created=True)  # only its results will tell whose it is

    def signs(self, since: int, known: Collection[str]) -> Iterator[tuple[str, str]]:
        """See the port."""
        return super().signs(since, known) if self._wire.bears_marks else iter(())

    def _path(self, batch_id: str) -> str:
        return f"{self._wire.batches}/{batch_id}"

    def _in_words(self, answer: Any) -> Any:
        return self._wire.described(answer)

    def _id_of(self, description: Any) -> str | None:
        found = description.get("id") if isinstance(description, dict) else None
        return str(found) if is_id(found) else None

    def _mark_of(self, description: Any) -> Any:
        return _mark_in(description)

    def _read(self, description: Any, *, created: bool = False) -> Batch:
        return batch_of(description, created=created)

    def _unreadable(self, batch_id: str) -> Any:
        return {"id": batch_id, "status": "unreadable"}

    def _cancelling(self, batch_id: str) -> str:
        return self._wire.cancelling(batch_id)

    def _paged(self, batch_id: str, doing: str) -> Iterator[list[Outcome]]:
        """Yield results that come by the page, each as it was received."""
        query: dict[str, Any] = {"limit": _RESULTS_A_PAGE}
        seen: set[str] = set()
        for _ in range(MOST_PAGES):
            with self._rest.download(f"{self._wire.batches}/{batch_id}/results", doing, **query) as pieces:
                body = b"".join(pieces)
            try:
                page = decoded(_decode_results, body)
            except (msgspec.DecodeError, UnicodeDecodeError) as exc:
                raise IncompleteResultsError(f"{doing}: a page of them is not whole ({exc})") from exc
            yield from chunks_of(((bytes(entry), True) for entry in page.results), outcome_of)
            if not page.pagination_token:
                return
            if page.pagination_token in seen:
                raise IncompleteResultsError(f"{doing}: their pages repeat")
            seen.add(page.pagination_token)
            query["pagination_token"] = page.pagination_token
        raise IncompleteResultsError(f"{doing}: there are more than {MOST_PAGES * _RESULTS_A_PAGE:,}")

    def _newest(self, since: int, most_pages: int | None) -> Iterator[dict[str, Any]]:
        query = self._wire.first()
        seen: set[str] = set()
        for number in range(most_pages or MOST_PAGES):
            page = self._rest.ask_for(self._wire.batches, "listing batches", **query)
            entries = self._wire.entries(page)
            if not isinstance(entries, list):
                raise UnreadableReplyError("listing batches: it holds no list", kind=ODD_REPLY)
            entries = [self._wire.described(value) for value in entries]
            readable = [value for value in entries if isinstance(value, dict) and is_id(value.get("id"))]
            ages = [batch_of(value, created=True).created_at for value in readable]
            yield from (
                v for v, created in zip(readable, ages, strict=True) if not created or created >= since
            )
            if len(readable) < len(entries):
                raise UnreadableReplyError("listing batches: an entry has no id", kind=ODD_REPLY)
            last = str(readable[-1]["id"]) if readable else ""
            following = self._wire.following(page, len(entries), last, number)
            if following is None or is_past(ages, since):
                return
            if last in seen:
                raise UnreadableReplyError("listing batches: its pages repeat", kind=ODD_REPLY)
            seen.add(last)
            query = following
        if most_pages is None:
            raise too_many()


def _bears_marks(value: dict[str, Any]) -> bool:
    """Whether a batch shows what ours could be recognised by; imitations of the API may leave it out."""
    return is_id(value.get("input_file_id")) or isinstance(value.get("metadata"), dict)


def _is_made_of(value: dict[str, Any], upload: Upload) -> bool:
    is_of_file = bool(upload.handle and value.get("input_file_id") == upload.handle)
    return _mark_in(value) == upload.mark or is_of_file


def _mark_in(value: dict[str, Any]) -> Any:
    metadata = value.get("metadata")
    return metadata.get(MARK) if isinstance(metadata, dict) else None


def _is_anothers_file(value: dict[str, Any], mark: str) -> bool:
    """Whether an upload was answered with another job's file: a batch of it would pay for that job again."""
    name = value.get("filename")
    return isinstance(name, str) and is_marked_as_another(name.removesuffix(".jsonl"), mark)


def _read_access(service: Service, api_key: str | None, base_url: str | None) -> Access:
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


def _headers_of(service: Service, access: Access) -> dict[str, str]:
    """Return the headers of every call: the key, and OpenAI's organisation and project by the environment."""
    headers = _whose(service)
    check_headers(headers, "OPENAI_ORG_ID or OPENAI_PROJECT_ID")
    if access.key is not None:
        headers["Authorization"] = f"Bearer {access.key.value}"
    return headers


def _whose(service: Service) -> dict[str, str]:
    """Return the headers that name OpenAI's organisation and project, as the environment has them."""
    if service is not SERVICES["openai"]:
        return {}
    return {header: os.environ[name] for name, header in _WHOSE.items() if os.environ.get(name)}
