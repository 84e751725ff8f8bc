"""Ask how far batches are, one by one or by pages of the list, using whatever of them can be read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import Final

from batchata.errors import ProviderUnavailableError, UnreadableReplyError
from batchata.providers.exchange import Batch

__all__ = ["MOST_PAGES", "PAGE", "Polls", "is_past", "too_many"]

PAGE: Final = 100  # batches of a list
MOST_PAGES: Final = 1_000
_FEW: Final = 2  # up to so many batches are asked for one by one
_JITTER: Final = 60_000_000  # microseconds by which a list may be out of its order
_LIKE_A_PAGE: Final = 2  # questions for one batch that take as long as a page of the list


class Polls(ABC):
    """The polls of a client, whatever its calls are."""

    @abstractmethod
    def _retrieve(self, batch_id: str) -> Batch | None:
        """Ask for one batch; None where the provider does not know it. Raises UnreadableReplyError."""

    @abstractmethod
    def _told(self, wanted: Collection[str], since: int, most_pages: int | None) -> Iterator[Batch]:
        """Yield those of the batches that the list shows, as far as it is read.

        Raises UnreadableReplyError.
        """

    @abstractmethod
    def _unread(self, batch_id: str) -> Batch:
        """Return a batch in place of one whose description cannot be read: it goes on."""

    def poll(self, batch_ids: Collection[str], since: int) -> dict[str, Batch]:
        """See the port; beyond a few batches, one page of the list answers for a hundred of them.

        A description that cannot be read is an error only when none can be read. As long as there are others,
        its batch counts as one that goes on, so that what can be collected comes first.
        """
        # As many pages as hold them all, and one more: others' batches stand between ours. A page takes as
        # long as two questions, so reading on pays for few batches as well, which have many newer ones.
        most_pages = max(-(-len(batch_ids) // PAGE) + 1, len(batch_ids) // _LIKE_A_PAGE)
        found = self._listed(set(batch_ids), since, most_pages) if len(batch_ids) > _FEW else {}
        doubt: UnreadableReplyError | None = None
        unread = 0
        for batch_id in batch_ids:
            try:
                known = found.get(batch_id) or self._retrieve(batch_id) or self._in_the_list(batch_id, since)
            except UnreadableReplyError as exc:
                doubt, unread = exc, unread + 1
                known = self._unread(batch_id)
            if known:
                found[batch_id] = known
        if doubt is not None and unread == len(found):
            raise doubt
        return found

    def _in_the_list(self, batch_id: str, since: int) -> Batch | None:
        """Look in the list for a batch that was not found by its id; one answer may be wrong."""
        return self._listed({batch_id}, since, None).get(batch_id)

    def _listed(self, wanted: set[str], since: int, most_pages: int | None) -> dict[str, Batch]:
        """Return those of the batches that the list shows, as far as it can be read."""
        found: dict[str, Batch] = {}
        try:
            for batch in self._told(wanted, since, most_pages):
                found[batch.batch_id] = batch
                if len(found) == len(wanted):
                    break
        except UnreadableReplyError:
            return found  # those that are lacking are asked for one by one
        return found


def too_many() -> ProviderUnavailableError:
    """Return the error for a list without end."""
    return ProviderUnavailableError(
        f"listing batches: more than {MOST_PAGES * PAGE:,} are newer than the one looked for",
        kind="too_many_batches",
    )


def is_past(created: Sequence[int], since: int) -> bool:
    """Whether a page with batches of these times shows that no further one holds any created since then.

    It does so in a list that begins with the newest. Not every service documents that, and what is taken for
    the end of a list in another order would be taken for proof that a lost batch does not exist. A time that
    is not known is 0.
    """
    in_order = all(later <= earlier + _JITTER for earlier, later in pairwise(created))
    return bool(created) and in_order and 0 < created[-1] < since and created[-1] < created[0]
