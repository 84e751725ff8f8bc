"""Gemini's Batch API behind the provider port: upload, one create, polls, and results out of one file.

By REST, as Google's SDK drops the counts, the errors and the input files of batches.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from typing import IO, Any, Final
from urllib.parse import urlsplit

import msgspec

from batchata.errors import (
    BatchNotFoundError,
    ProviderUnavailableError,
    RequestRefusedError,
    UnknownSubmissionError,
    UnreadableReplyError,
)
from batchata.providers.gemini.access import ADDRESS, headers_of, no_key, read_access
from batchata.providers.gemini.replies import (
    batch_id_of,
    batch_of,
    file_id_of,
    is_made_of,
    is_nameless,
    responses_file,
)
from batchata.providers.gemini.requests import model_in
from batchata.providers.gemini.results import outcome_of
from batchata.providers.port import Batch, Outcome, Upload
from batchata.providers.rest.access import Access
from batchata.providers.rest.client import Rest, Said
from batchata.providers.rest.lines import chunks_of, lines_of

__all__ = ["GeminiClient"]

_PAGE: Final = 100
_MOST_PAGES: Final = 1_000
_PAGES_OF_A_POLL: Final = 5
_FEW: Final = 2  # up to so many batches are asked for one by one
_UNREADABLE: Final = {"metadata": {"state": "BATCH_STATE_UNREADABLE"}}
_MOST_TOKENS: Final = 10**12
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
        return Said(kind, reasons[0] if reasons else None, texts.get("message"))

    def is_about_money(self, status: int, said: Said) -> bool:
        """See the port of REST services."""
        message = (said.message or "").lower()
        return status == 402 or said.code == "BILLING_DISABLED" or "credits are depleted" in message

    def is_passing(self, status: int, said: Said) -> bool:
        """Know a file that is not visible yet: a create that misses it certainly made no batch."""
        message = said.message or ""
        is_missing = message.startswith("You do not have permission to access the File")
        return is_missing or (status == 400 and "not in an ACTIVE state" in message)

    def is_about_key(self, status: int, said: Said) -> bool:
        """See the port of REST services."""
        return status in (401, 403) or said.code == "API_KEY_INVALID"


class GeminiClient:
    """Gemini's Batch API over HTTP: a batch is made of an uploaded file and named by the job's mark."""

    name = "gemini"
    stages = True

    def __init__(
        self, *, api_key: str | None = None, base_url: str | None = None, timeout: float | None = None
    ) -> None:
        self._api_key, self._base_url, self._timeout = api_key, base_url, timeout
        self._odd_creations = 0  # one after another

    @cached_property
    def _access(self) -> Access:
        return read_access(self._api_key, self._base_url)

    @cached_property
    def _rest(self) -> Rest:
        access = self._access
        base = ADDRESS if access.address is None else access.address.url
        return Rest(Errors(), access, base, headers_of(access), self._timeout)

    @property
    def base_url(self) -> str:
        """See the port."""
        return self._rest.url

    @property
    def key(self) -> str | None:
        """See the port: 32 bits of a hash, of a secret far too long to be guessed from them."""
        key = self._access.key
        return None if key is None else sha256(f"batchata {key.value}".encode()).hexdigest()[:8]

    @property
    def clock(self) -> int | None:
        """See the port: by the Date of its last answer."""
        return self._rest.dates.now

    def check(self) -> None:
        """See the port."""
        if self._access.key is None:
            raise no_key()
        self._rest.reach()

    def count_tokens(self, request: bytes) -> int:
        """See the port."""
        asked = msgspec.json.decode(request)["request"]
        path = f"v1beta/{asked['model']}:countTokens"
        answer = self._rest.tell(path, "counting tokens", {"generateContentRequest": asked})
        tokens = answer.get("totalTokens")
        if type(tokens) is not int or not 0 <= tokens < _MOST_TOKENS:
            raise ProviderUnavailableError("counting tokens: the answer has no count", kind="no_count")
        return tokens

    def stage(self, mark: str, body: bytes | IO[bytes]) -> Upload:
        """See the port: a place for the file is asked for, and filled."""
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
            raise ProviderUnavailableError(f"{doing}: the answer names no place for it", kind="odd_reply")
        finish = {"X-Goog-Upload-Offset": "0", "X-Goog-Upload-Command": "upload, finalize"}
        answer = self._rest.upload(
            f"{place.path.lstrip('/')}?{place.query}", doing, content=body, headers=finish
        )
        file = answer.get("file")
        handle = file_id_of(file.get("name") if isinstance(file, dict) else None)
        if handle is None:
            raise ProviderUnavailableError(f"{doing}: the answer names no file", kind="odd_reply")
        return Upload(handle, mark, model=model)

    def submit(self, requests: bytes | IO[bytes] | Upload) -> Batch:
        """See the port."""
        assert isinstance(requests, Upload)
        wanted = {"displayName": requests.mark, "inputConfig": {"fileName": requests.handle}}
        path = f"v1beta/models/{requests.model}:batchGenerateContent"
        response = self._rest.create(path, "creating a batch", {"batch": wanted})
        try:
            batch = batch_of(self._rest.object_of(response, "creating a batch"), created=True)
        except UnreadableReplyError as exc:
            # It said yes, so a batch may exist, and only looking for it can tell.
            self._odd_creations += 1
            raise UnknownSubmissionError(
                f"creating a batch: {exc}", kind="unreadable_answer", final=self._odd_creations > 1
            ) from exc
        self._odd_creations = 0
        return batch

    def poll(self, batch_ids: Collection[str], since: int) -> dict[str, Batch]:
        """See the port; beyond a few batches one page of the list answers for a hundred of them."""
        found = self._listed(set(batch_ids)) if len(batch_ids) > _FEW else {}
        doubt: UnreadableReplyError | None = None
        for batch_id in batch_ids:
            try:
                known = found.get(batch_id) or self._retrieve(batch_id)
            except UnreadableReplyError as exc:
                doubt = exc
                known = batch_of({"name": f"batches/{batch_id}", **_UNREADABLE})
            if known:
                found[batch_id] = known
        if doubt is not None and all(batch.status == "unreadable" for batch in found.values()):
            raise doubt
        return found

    def outcomes(self, batch_id: str) -> Iterator[list[Outcome]]:
        """See the port."""
        doing = f"fetching the results of {batch_id}"
        file = responses_file(self._described(batch_id))
        if file is None:
            return
        with self._rest.download(f"download/v1beta/{file}:download", doing, alt="media") as pieces:
            yield from chunks_of(lines_of(pieces), outcome_of)

    def cancel(self, batch_id: str) -> None:
        """See the port. A batch that has ended already cannot be cancelled, which is no error."""
        try:
            self._rest.tell(f"v1beta/batches/{batch_id}:cancel", f"cancelling {batch_id}", {})
        except RequestRefusedError as exc:
            if exc.status not in (400, 409):
                raise

    def close(self) -> None:
        """See the port."""
        self._rest.close()

    def find(self, since: int, size: int, upload: Upload | None = None) -> Iterator[Batch]:
        """See the port: by the name and the file, which a batch shows from its first moment on."""
        for value in self._all(_MOST_PAGES):
            batch = batch_of(value, created=True)
            if upload is not None and is_made_of(value, upload.mark, upload.handle):
                yield replace(batch, is_marked=True)
            elif is_nameless(value) and batch.size in (0, size) and (batch.created_at or since) >= since:
                yield batch  # only its results will tell whose it is

    def _described(self, batch_id: str) -> dict[str, Any]:
        value = self._rest.ask(f"v1beta/batches/{batch_id}", f"asking for {batch_id}")
        if batch_id_of(value) != batch_id:
            raise UnreadableReplyError(
                f"asking for {batch_id}: the answer does not describe this batch", kind="odd_reply"
            )
        return value

    def _retrieve(self, batch_id: str) -> Batch | None:
        """Ask for one batch, and look into the list where it is not found: one answer may be wrong."""
        try:
            return batch_of(self._described(batch_id))
        except BatchNotFoundError:
            return self._listed({batch_id}).get(batch_id)

    def _listed(self, wanted: set[str]) -> dict[str, Batch]:
        """Those of the batches that the list tells of, as far as it is looked through."""
        found: dict[str, Batch] = {}
        try:
            for value in self._all(_PAGES_OF_A_POLL):
                if batch_id_of(value) in wanted:
                    batch = batch_of(value)
                    found[batch.batch_id] = batch
                if len(found) == len(wanted):
                    break
        except UnreadableReplyError:
            return found  # those that are lacking are asked for one by one
        return found

    def _all(self, most_pages: int) -> Iterator[dict[str, Any]]:
        """Yield the operations page by page; their order is not documented.

        Raises UnreadableReplyError at the end of a page that holds something else too.
        """
        query: dict[str, Any] = {"pageSize": _PAGE}
        seen: set[str] = set()
        for _ in range(most_pages):
            page = self._rest.ask("v1beta/batches", "listing batches", **query)
            entries = page.get("operations", [])
            if not isinstance(entries, list):
                raise UnreadableReplyError("listing batches: it holds no list", kind="odd_reply")
            readable = [value for value in entries if batch_id_of(value) is not None]
            yield from readable
            if len(readable) < len(entries):
                raise UnreadableReplyError("listing batches: an entry has no name", kind="odd_reply")
            token = page.get("nextPageToken")
            if not isinstance(token, str) or not token:
                return
            if token in seen:
                raise UnreadableReplyError("listing batches: its pages repeat", kind="odd_reply")
            seen.add(token)
            query["pageToken"] = token
        if most_pages == _MOST_PAGES:
            raise ProviderUnavailableError(
                f"listing batches: there are more than {_MOST_PAGES * _PAGE:,}", kind="too_many_batches"
            )
