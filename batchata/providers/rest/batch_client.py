"""Share what clients of services without an SDK have in common: the key, creates and cancels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import Any, Final

import msgspec

from batchata.core.error_kinds import ODD_REPLY
from batchata.errors import (
    AuthenticationFailedError,
    BatchNotFoundError,
    ProviderUnavailableError,
    RequestRefusedError,
    SpendLimitError,
    UnreadableReplyError,
)
from batchata.providers.exchange import Batch, is_marked_as_another
from batchata.providers.rest.access import Access, fingerprint
from batchata.providers.rest.client import Rest
from batchata.providers.rest.errors import Creations
from batchata.providers.rest.polls import Polls

__all__ = ["BatchClient"]

_MOST_TOKENS: Final = 10**12


class BatchClient(Polls):
    """The part of the port that is the same whatever a service calls its batches.

    A description is what the service says about one batch, in the form that the subclass reads.
    """

    stages = True

    def __init__(self, api_key: str | None, base_url: str | None, timeout: float | None) -> None:
        self._api_key, self._base_url, self._timeout = api_key, base_url, timeout
        self._creations = Creations()

    @cached_property
    @abstractmethod
    def _access(self) -> Access:
        """The key and the address."""

    @cached_property
    @abstractmethod
    def _rest(self) -> Rest:
        """The calls."""

    @abstractmethod
    def _path(self, batch_id: str) -> str:
        """Return the path of a batch."""

    @abstractmethod
    def _id_of(self, description: Any) -> str | None:
        """Return the id of the batch that is described; None where it has no possible id."""

    @abstractmethod
    def _mark_of(self, description: Any) -> Any:
        """Return the mark that the description shows; anything else where it shows none."""

    @abstractmethod
    def _read(self, description: Any, *, created: bool = False) -> Batch:
        """Return the batch that is described. Raises UnreadableReplyError."""

    @abstractmethod
    def _unreadable(self, batch_id: str) -> Any:
        """Return a description in place of one that cannot be read."""

    @abstractmethod
    def _newest(self, since: int, most_pages: int | None) -> Iterator[dict[str, Any]]:
        """Yield the descriptions of batches created since then, as far as the list is read.

        Raises UnreadableReplyError only after the readable descriptions of a page.
        """

    def _cancelling(self, batch_id: str) -> str:
        """Return the path of a cancel call."""
        return f"{self._path(batch_id)}:cancel"

    def _in_words(self, answer: Any) -> Any:
        """Return the description inside an answer about one batch."""
        return answer

    @property
    def base_url(self) -> str:
        """See the port."""
        return self._rest.url

    @property
    def address_variable(self) -> str | None:
        """See the port."""
        return self._access.variable

    @property
    def key(self) -> str | None:
        """See the port."""
        key = self._access.key
        return fingerprint(None if key is None else key.value, *self._place)

    @property
    def _place(self) -> Sequence[str]:
        """Return what names the part of the account that batches are in, beside the key."""
        return ()

    @property
    def clock(self) -> int | None:
        """See the port: by the Date of its last answer."""
        return self._rest.dates.now

    def cancel(self, batch_id: str) -> None:
        """See the port. A batch that has ended already cannot be cancelled, which is not an error.

        That is answered with 400 or with 409, which may also stand for a passing conflict: then the batch is
        looked at, as one that is wrongly taken for ended runs on and is paid for.
        """
        try:
            self._rest.order(self._cancelling(batch_id), f"cancelling {batch_id}", {})
        except (AuthenticationFailedError, SpendLimitError):  # which some services answer with 400, too
            raise
        except RequestRefusedError as exc:
            if exc.status != 400:
                raise
        except ProviderUnavailableError as exc:
            if exc.status != 409 or not self._is_ending(batch_id):
                raise

    def _is_ending(self, batch_id: str) -> bool:
        batch = self._read(self._described(batch_id))
        return batch.ended or batch.failure is not None or batch.status == "cancelling"

    def close(self) -> None:
        """See the port."""
        self._rest.close()

    def signs(self, since: int, known: Collection[str]) -> Iterator[tuple[str, str]]:
        """See the port: by the marks that a page of the list shows."""
        for value in self._newest(since, 1):
            batch, mark = self._read(value, created=True), self._mark_of(value)
            is_young = not batch.created_at or batch.created_at >= since
            if isinstance(mark, str) and is_young and batch.batch_id not in known:
                yield batch.batch_id, mark

    def _described(self, batch_id: str) -> dict[str, Any]:
        """Return what the service says of this batch; an answer about another one is refused."""
        value = self._rest.ask(self._path(batch_id), f"asking for {batch_id}")
        return self._about(self._in_words(value), batch_id)

    def _about(self, value: Any, batch_id: str) -> dict[str, Any]:
        """Return the description, unless it is another batch's."""
        if not isinstance(value, dict) or self._id_of(value) != batch_id:
            raise UnreadableReplyError(
                f"asking for {batch_id}: the answer does not describe this batch", kind=ODD_REPLY
            )
        return value

    def _retrieve(self, batch_id: str) -> Batch | None:
        try:
            return self._read(self._described(batch_id))
        except BatchNotFoundError:
            return None

    def _told(self, wanted: Collection[str], since: int, most_pages: int | None) -> Iterator[Batch]:
        return (self._read(each) for each in self._newest(since, most_pages) if self._id_of(each) in wanted)

    def _unread(self, batch_id: str) -> Batch:
        return self._read(self._unreadable(batch_id))

    def _create(self, path: str, wanted: dict[str, Any] | msgspec.Raw, mark: str) -> Batch:
        """Make the one create call, and read which batch came of it.

        An answer that shows another job's mark is a repeated or a confused one: it says nothing of this job.
        """
        response = self._rest.create(path, "creating a batch", wanted)
        with self._creations.read():
            made = self._in_words(self._rest.object_of(response, "creating a batch"))
            batch = self._read(made, created=True)
            if is_marked_as_another(self._mark_of(made), mark):
                raise UnreadableReplyError(
                    f"the answer describes {batch.batch_id}, which bears the mark of another job",
                    kind=ODD_REPLY,
                )
            return batch

    def _counted(self, path: str, asked: dict[str, Any], field: str) -> int:
        """Ask how many tokens a request has."""
        tokens = self._rest.tell(path, "counting tokens", asked).get(field)
        if type(tokens) is not int or not 0 <= tokens < _MOST_TOKENS:
            raise ProviderUnavailableError("counting tokens: the answer has no count", kind="no_count")
        return tokens
