"""Run batches by hand: request files in a folder, for `vllm run-batch` or a service out of reach.

A job is `MARK.jsonl`, in the form of OpenAI's batch files, and its batch has ended once `MARK.results.jsonl`
is there. Whatever writes that file may take days, on another machine; nothing is sent from here.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Final

from batchata.clock import now
from batchata.core.error_kinds import ODD_REPLY
from batchata.core.values import Counts, RequestError
from batchata.errors import (
    ConfigurationError,
    ProviderUnavailableError,
    UnknownSubmissionError,
    UnreadableReplyError,
)
from batchata.providers.exchange import Batch, Failure, Outcome, Upload
from batchata.providers.folder_files import REQUESTS, RESULTS, file_of
from batchata.providers.openai.results import outcome_of
from batchata.providers.rest.lines import chunks_of, lines_of

__all__ = ["FolderClient"]

_PIECE: Final = 1 << 20
_CANCELLED: Final = ".cancelled"
_WRITTEN: Final = ".part"  # a file of requests that is no batch yet


class FolderClient:
    """A folder behind the port of clients. A batch is a file of requests under its final name."""

    name = "jsonl"
    stages = True
    key: str | None = None
    address_variable: str | None = None

    def __init__(self, base_url: str | None = None) -> None:
        self._given = base_url

    @property
    def _folder(self) -> Path:
        if not self._given:
            raise ConfigurationError("jsonl/… works with a folder: give its path as base_url")
        return Path(self._given)

    @property
    def base_url(self) -> str:
        """See the port: the folder's absolute path, so that it is the same wherever a start is made."""
        return str(self._folder.absolute())

    @property
    def clock(self) -> int | None:
        """See the port."""
        return now()

    def check(self) -> None:
        """See the port: the folder is there, or can be made."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise ConfigurationError(
                f"the folder {self._given} cannot be made ({exc.strerror}); give another as base_url"
            ) from exc

    def count_tokens(self, request: bytes) -> int:
        """See the port: there is no service to ask."""
        raise ProviderUnavailableError("requests in a folder cannot be counted; leave exact out", kind="none")

    def stage(self, mark: str, body: bytes | IO[bytes]) -> Upload:
        """See the port: the file is whole before it gets its name."""
        try:
            with self._file(mark, _WRITTEN).open("wb") as file:
                if isinstance(body, bytes):
                    file.write(body)
                else:
                    shutil.copyfileobj(body, file)
                file.flush()
                os.fsync(file.fileno())
        except OSError as exc:
            raise ProviderUnavailableError(f"writing job {mark}: {exc.strerror}", kind="disk") from exc
        return Upload(mark, mark)

    def submit(self, requests: bytes | IO[bytes] | Upload) -> Batch:
        """See the port."""
        assert isinstance(requests, Upload)
        try:
            self._file(requests.handle, _WRITTEN).replace(self._file(requests.handle, REQUESTS))
        except OSError as exc:
            raise UnknownSubmissionError(f"naming job {requests.mark}: {exc.strerror}", kind="disk") from exc
        return self._batch(requests.mark)

    def poll(self, batch_ids: Collection[str], since: int) -> dict[str, Batch]:
        """See the port."""
        return {each: self._batch(each) for each in batch_ids if self._is_there(each)}

    def outcomes(self, batch_id: str) -> Iterator[list[Outcome]]:
        """See the port."""
        try:
            with self._file(batch_id, RESULTS).open("rb") as file:
                yield from chunks_of(lines_of(iter(lambda: file.read(_PIECE), b"")), outcome_of)
        except OSError as exc:
            raise ProviderUnavailableError(f"reading {batch_id}: {exc.strerror}", kind="disk") from exc

    def cancel(self, batch_id: str) -> None:
        """See the port: further results are not waited for; requests under way prove nothing."""
        if not self._file(batch_id, RESULTS).exists():
            self._file(batch_id, _CANCELLED).touch()

    def close(self) -> None:
        """See the port: no call takes long."""

    def find(self, since: int, size: int, upload: Upload | None = None) -> Iterator[Batch]:
        """See the port: by the name of the file.

        A file that was written and has left the folder may be worked on elsewhere.
        """
        if upload is None:
            return
        if self._is_there(upload.mark):
            yield self._batch(upload.mark, is_marked=True)
        elif upload.handle and not self._file(upload.handle, _WRITTEN).exists():
            place = self._file(upload.mark, REQUESTS)
            said = f"{place} was written, and is not there any more: put it back, or its results beside it"
            raise UnreadableReplyError(said, kind=ODD_REPLY)

    def signs(self, since: int, known: Collection[str]) -> Iterator[tuple[str, str]]:
        """See the port: nothing, as whoever works on the files sees them all."""
        return iter(())

    def _is_there(self, mark: str) -> bool:
        """Whether there is such a batch: whoever worked it off may have cleared its requests away."""
        return any(self._file(mark, ending).exists() for ending in (REQUESTS, RESULTS))

    def _file(self, mark: str, ending: str) -> Path:
        return file_of(self._folder, mark, ending)

    def _batch(self, mark: str, *, is_marked: bool = False) -> Batch:
        """Look at the files of a batch; how many requests it has is not counted."""
        try:
            has_ended, failure = self._file(mark, RESULTS).exists(), None
            requests = self._file(mark, REQUESTS)
            file = requests if requests.exists() or not has_ended else self._file(mark, RESULTS)
            created = int(file.stat().st_mtime * 1_000_000)
        except OSError as exc:
            raise ProviderUnavailableError(f"looking at {mark}: {exc.strerror}", kind="disk") from exc
        if not has_ended and self._file(mark, _CANCELLED).exists():
            said = "the batch was cancelled before it had results"
            failure = Failure(RequestError(kind="batch_cancelled", message=said), passing=True)
        return Batch(
            batch_id=mark,
            ended=has_ended,
            status="ended" if has_ended else "waiting for results",
            counts=Counts(processing=0, succeeded=0, errored=0, canceled=0, expired=0),
            created_at=created,
            expires_at=None,
            failure=failure,
            is_marked=is_marked,
        )
