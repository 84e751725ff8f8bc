"""Call Gemini's Batch API behind the provider port: upload, one create, polls, and results from one file.

By REST, as Google's SDK drops the counts, the errors and the input files of batches.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import cached_property
from typing import IO, Any, Final
from urllib.parse import urlsplit

import msgspec

from batchata.core.error_kinds import NOT_FOUND, ODD_REPLY
from batchata.errors import (
    AuthenticationFailedError,
    BatchNotFoundError,
    IncompleteResultsError,
    ProviderUnavailableError,
    UnreadableReplyError,
)
from batchata.providers.address import read_address
from batchata.providers.exchange import Batch, Outcome, Upload, is_marked_as_another
from batchata.providers.gemini.dialect import INLINE
from batchata.providers.gemini.replies import (
    answers_in,
    batch_id_of,
    batch_of,
    entries_of,
    file_id_of,
    is_made_of,
    is_nameless,
    lean,
    name_of,
    responses_file,
)
from batchata.providers.gemini.requests import model_in, named
from batchata.providers.gemini.results import outcome_of
from batchata.providers.mended_json import decoded
from batchata.providers.rest.access import Access, Key, checked, no_key
from batchata.providers.rest.batch_client import BatchClient
from batchata.providers.rest.client import Rest
from batchata.providers.rest.failures import Said
from batchata.providers.rest.lines import chunks_of, lines_of
from batchata.providers.rest.polls import MOST_PAGES, PAGE, too_many
from batchata.providers.result_fields import object_in

__all__ = ["GeminiClient"]

_ADDRESS: Final = "https://generativelanguage.googleapis.com"
_VARIABLE: Final = "GOOGLE_GEMINI_BASE_URL"
_KEYS: Final = ("GOOGLE_API_KEY", "GEMINI_API_KEY")  # the SDK takes the first one, where both are set
_ENDPOINT: Final = re.compile(r"/+v1(beta|alpha)?(/+(models|batches|files))?/*$", re.IGNORECASE)
_NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_NO_FILE: Final = "You do not have permission to access the File"  # or it does not exist
_DELAY: Final = re.compile(r"(\d{1,5}(?:\.\d{1,9})?)s")
_UPLOAD: Final = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}


class Errors:
    """What Google's error replies say: `{"error": {"code", "message", "status", "details"}}`."""

    api = "the Gemini API"

    def read(self, body: object) -> Said:
        """See the port of REST services."""
        error = body.get("error") if isinstance(body, dict) else None
        if not isinstance(error, dict):
            return Said()
        details = error.get("details")
        entries = [entry for entry in details if isinstance(entry, dict)] if isinstance(details, list) else []
        reasons = [entry["reason"] for entry in entries if isinstance(entry.get("reason"), str)]
        texts = {name: value for name, value in error.items() if isinstance(value, str) and value}
        kind = texts.get("status", "").lower() or None
        pauses = (_seconds(entry.get("retryDelay")) for entry in entries)
        pause = next((seconds for seconds in pauses if seconds is not None), None)
        return Said(kind, reasons[0] if reasons else None, texts.get("message"), pause)

    def is_about_money(self, status: int, said: Said) -> bool:
        """See the port of REST services."""
        message = (said.message or "").lower()
        return status == 402 or said.code == "BILLING_DISABLED" or "credits are depleted" in message

    def is_passing(self, status: int, said: Said) -> bool:
        """Know a file that is not visible yet: a create that misses it certainly made no batch."""
        message = said.message or ""
        return message.startswith(_NO_FILE) or (status == 400 and "not in an ACTIVE state" in message)

    def is_about_key(self, status: int, said: Said) -> bool:
        """See the port of REST services."""
        return status in (401, 403) or said.code == "API_KEY_INVALID"

    def knows_not(self, said: Said) -> bool:
        """See the port of REST services."""
        return said.message is not None


class GeminiClient(BatchClient):
    """Gemini's Batch API over HTTP: a batch has the job's mark as its name.

    It is made of an uploaded file, or `inline` of the requests in its create call; then the description of
    the batch holds the answers.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float | None = None,
        inline: bool = False,
    ) -> None:
        super().__init__(api_key, base_url, timeout)
        self.name = INLINE if inline else "gemini"
        self.stages = not inline

    @cached_property
    def _access(self) -> Access:
        return _read_access(self._api_key, self._base_url)

    @cached_property
    def _rest(self) -> Rest:
        access = self._access
        base = _ADDRESS if access.address is None else access.address.url
        return Rest(Errors(), access, base, _headers_of(access), self._timeout)

    def check(self) -> None:
        """See the port."""
        if self._access.key is None:
            raise no_key("Gemini", *reversed(_KEYS))
        self._rest.reach()

    def count_tokens(self, request: bytes) -> int:
        """See the port."""
        asked = msgspec.json.decode(request)["request"]
        path = f"v1beta/{asked['model']}:countTokens"
        return self._counted(path, {"generateContentRequest": asked}, "totalTokens")

    def stage(self, mark: str, body: bytes | IO[bytes]) -> Upload:
        """See the port: ask for a place for the file, and fill it."""
        doing, model = "uploading a job", model_in(body)
        assert model is not None, "the first request names no model"
        size = len(body) if isinstance(body, bytes) else body.seek(0, 2)
        if not isinstance(body, bytes):
            body.seek(0)
        about = {
            "X-Goog-Upload-Header-Content-Length": str(size),
            "X-Goog-Upload-Header-Content-Type": "application/jsonl",
        }
        named = {"file": {"displayName": mark}}
        start = self._rest.post("upload/v1beta/files", doing, json=named, headers={**_UPLOAD, **about})
        # The same address as every call: it may be a proxy's, and the key goes nowhere else.
        place = urlsplit(start.headers.get("x-goog-upload-url", ""))
        if not place.query:
            raise ProviderUnavailableError(f"{doing}: the answer names no place for it", kind=ODD_REPLY)
        finish = {"X-Goog-Upload-Offset": "0", "X-Goog-Upload-Command": "upload, finalize"}
        answer = self._rest.upload(
            f"{place.path.lstrip('/')}?{place.query}", doing, content=body, headers=finish
        )
        file = object_in(answer, "file")
        handle = file_id_of(file.get("name"))
        # A batch of another job's file would pay for that job again.
        if handle is None or is_marked_as_another(file.get("displayName"), mark):
            raise ProviderUnavailableError(f"{doing}: the answer names no file of it", kind=ODD_REPLY)
        return Upload(handle, mark, model=model)

    def submit(self, requests: bytes | IO[bytes] | Upload) -> Batch:
        """See the port."""
        if isinstance(requests, Upload):
            wanted = {"displayName": requests.mark, "inputConfig": {"fileName": requests.handle}}
            return self._create(_creating(requests.model), {"batch": wanted}, requests.mark)
        mark, body = named(requests if isinstance(requests, bytes) else requests.read())
        return self._create(_creating(model_in(body)), msgspec.Raw(body), mark)

    def outcomes(self, batch_id: str) -> Iterator[list[Outcome]]:
        """See the port: from a file, or from the description of the batch."""
        doing = f"fetching the results of {batch_id}"
        body = self._rest.read(self._path(batch_id), doing)
        try:
            file = responses_file(self._about(decoded(lean, body), batch_id))
            answers = decoded(answers_in, body)
        except _NOT_JSON as exc:
            raise IncompleteResultsError(f"{doing}: the description is not whole ({exc})") from exc
        if file is None:
            yield from chunks_of(((line, True) for line in answers), outcome_of)
            return
        try:
            with self._rest.download(f"download/v1beta/{file}:download", doing, alt="media") as pieces:
                yield from chunks_of(lines_of(pieces), outcome_of)
        except AuthenticationFailedError as exc:
            if _NO_FILE not in str(exc):
                raise
            raise BatchNotFoundError(str(exc), kind=NOT_FOUND, status=exc.status) from exc

    def find(self, since: int, size: int, upload: Upload | None = None) -> Iterator[Batch]:
        """See the port: by the name and the file, which a batch shows from its first moment on."""
        for value in self._newest(since, None):
            batch = batch_of(value, created=True)
            if upload is not None and is_made_of(value, upload.mark, upload.handle):
                yield replace(batch, is_marked=True)
            elif is_nameless(value) and batch.size in (0, size) and (batch.created_at or since) >= since:
                yield batch  # only its results will tell whose it is

    def signs(self, since: int, known: Collection[str]) -> Iterator[tuple[str, str]]:
        """See the port; a page of batches whose answers stand in their descriptions may be gigabytes."""
        return super().signs(since, known) if self.stages else iter(())

    def _path(self, batch_id: str) -> str:
        return f"v1beta/batches/{batch_id}"

    def _id_of(self, description: Any) -> str | None:
        return batch_id_of(description)

    def _mark_of(self, description: Any) -> Any:
        return name_of(description)

    def _read(self, description: Any, *, created: bool = False) -> Batch:
        return batch_of(description, created=created)

    def _unreadable(self, batch_id: str) -> Any:
        return {"name": f"batches/{batch_id}", "metadata": {"state": "BATCH_STATE_UNREADABLE"}}

    def _described(self, batch_id: str) -> dict[str, Any]:
        doing = f"asking for {batch_id}"
        return self._about(self._decoded(lean, self._rest.read(self._path(batch_id), doing), doing), batch_id)

    def _decoded[T](self, read: Callable[[bytes], T], body: bytes, doing: str) -> T:
        try:
            return decoded(read, body)
        except _NOT_JSON as exc:
            raise UnreadableReplyError(
                f"the answer to {doing} is not JSON of the API: {self._rest.hint}", kind="not_the_api"
            ) from exc

    def _newest(self, since: int, most_pages: int | None) -> Iterator[dict[str, Any]]:
        """Yield the operations page by page, whenever they were created: their order is not documented."""
        query: dict[str, Any] = {"pageSize": PAGE}
        seen: set[str] = set()
        for _ in range(most_pages or MOST_PAGES):
            doing = "listing batches"
            entries, token = self._decoded(
                entries_of, self._rest.read("v1beta/batches", doing, **query), doing
            )
            readable = [value for value in entries if batch_id_of(value) is not None]
            yield from readable
            if len(readable) < len(entries):
                raise UnreadableReplyError("listing batches: an entry has no name", kind=ODD_REPLY)
            if not isinstance(token, str) or not token:
                return
            if token in seen:
                raise UnreadableReplyError("listing batches: its pages repeat", kind=ODD_REPLY)
            seen.add(token)
            query["pageToken"] = token
        if most_pages is None:
            raise too_many()


def _seconds(text: object) -> float | None:
    """Read a duration as Google writes it, such as 34.07s; None for anything else."""
    found = _DELAY.fullmatch(text) if isinstance(text, str) else None
    return None if found is None or not float(found[1]) else float(found[1])


def _creating(model: str | None) -> str:
    """Return the path of a create call."""
    assert model is not None, "the first request names no model"
    return f"v1beta/models/{model}:batchGenerateContent"


def _read_access(api_key: str | None, base_url: str | None) -> Access:
    """Find the key and the address; raise ConfigurationError for a key or address that cannot be one."""
    given, name = (base_url, "base_url") if base_url is not None else (os.environ.get(_VARIABLE), _VARIABLE)
    address = None if given is None else read_address(given, name, _ADDRESS, _ENDPOINT)
    if api_key is not None:
        return Access(checked(Key("api_key", api_key)), address, _VARIABLE)
    found = next((name for name in _KEYS if os.environ.get(name)), None)
    return Access(None if found is None else checked(Key(found, os.environ[found])), address, _VARIABLE)


def _headers_of(access: Access) -> dict[str, str]:
    """Return the headers of every call."""
    return {} if access.key is None else {"x-goog-api-key": access.key.value}
