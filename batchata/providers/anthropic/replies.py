"""Read what replies of the Message Batches API say of batches, defensively.

A description that cannot be read is an UnreadableReplyError, never an error of Python's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from batchata.core.values import Counts
from batchata.errors import UnreadableReplyError
from batchata.providers.exchange import Batch
from batchata.providers.result_fields import micros_of, size_of

__all__ = ["Page", "batch_of", "page_of"]

# Longer ids than the API's are known of gateways; a slash or a blank would make another path of it.
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:=+~@-]{0,511}")
_ODD = "odd_reply"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list: its batches, whether it was read completely, and where the next page begins.

    `doubt` says what is wrong with the page, None when nothing is; `after` is None at the end of the list.
    """

    batches: list[Batch]
    after: str | None
    doubt: str | None


def batch_of(value: object, *, created: bool = False) -> Batch:
    """Read a batch from its description.

    Counts that cannot be read are 0, which no batch has in sum, and so are times. When a batch was just
    `created`, only its id matters.
    """
    if not isinstance(value, dict):
        raise UnreadableReplyError("the provider's description of a batch is not an object", kind=_ODD)
    batch_id = value.get("id")
    if not isinstance(batch_id, str) or not _ID.fullmatch(batch_id):
        raise UnreadableReplyError("the provider described a batch without a usable id", kind=_ODD)
    status = value.get("processing_status")
    if not isinstance(status, str) and not created:
        raise UnreadableReplyError(
            f"the provider described the batch {batch_id} without its status", kind=_ODD
        )
    return Batch(
        batch_id=batch_id,
        ended=status == "ended",
        status=status[:100] if isinstance(status, str) else "unknown",
        counts=_counts(value.get("request_counts")),
        created_at=micros_of(value.get("created_at"), UTC) or 0,
        expires_at=micros_of(value.get("expires_at"), UTC),
    )


def page_of(value: dict[str, Any], size: int, after: str | None) -> Page:
    """Read a page of the list that was requested with this size, starting behind `after`.

    What can be read of it is read, before anything about the rest or the next page is doubted.
    """
    entries = value.get("data")
    if not isinstance(entries, list):
        return Page([], None, "it holds no list of batches")
    batches: list[Batch] = []
    doubt = None
    for entry in entries:
        try:
            batches.append(batch_of(entry))
        except UnreadableReplyError as exc:
            doubt = str(exc)
    following, lost = _following(value, batches, len(entries) >= size, after)
    return Page(batches, following, lost or doubt)


def _following(
    value: dict[str, Any], batches: list[Batch], is_full: bool, after: str | None
) -> tuple[str | None, str | None]:
    """Return where the next page begins, and why that is unknown although there may be one."""
    more = value.get("has_more")
    if more is False or (more is None and not is_full):
        return None, None
    if more is not True:
        return None, "it does not say whether there is more"
    last = value.get("last_id")
    if not isinstance(last, str) or not _ID.fullmatch(last):
        last = batches[-1].batch_id if batches else None
    if last is None or last == after:
        return None, "it says that there is more, but not where"
    return last, None


def _counts(value: object) -> Counts:
    """Read the counts; an unreadable one makes all of them worthless, since only their sum is the size."""
    given = value if isinstance(value, dict) else {}
    sizes = {name: given.get(name) for name in Counts.__struct_fields__}
    counts = {name: 0 if size is None else size_of(size) for name, size in sizes.items()}
    unknown = None in counts.values()
    return Counts(**{name: 0 if unknown else count or 0 for name, count in counts.items()})
