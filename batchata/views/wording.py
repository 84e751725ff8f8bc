"""How single values read: times, durations, amounts, counts, sets of items, JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from batchata.core.pricing import TOKEN_KINDS, amount_of, plain
from batchata.core.values import Ranges
from batchata.text import clean, short
from batchata.text import number_of as number_of
from batchata.text import span as span

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(at: int | None) -> str | None:
    """A time as ISO 8601 in UTC with microseconds; None stays None."""
    when = _datetime(at)
    return None if when is None else f"{when:%Y-%m-%dT%H:%M:%S.%f}Z"


def moment(at: int) -> str:
    """A time for a reader, in UTC to the second."""
    when = _datetime(at)
    return f"{at} µs" if when is None else f"{when:%Y-%m-%d %H:%M:%S}Z"


def _datetime(at: int | None) -> datetime | None:
    try:
        return None if at is None else _EPOCH + timedelta(microseconds=at)
    except OverflowError:
        return None


def usd(amount: Decimal | str | None) -> str:
    """An amount exactly as it is, with two decimals at least; "unknown" without a price."""
    if amount is None:
        return "unknown"
    try:
        whole, _, cents = plain(amount if isinstance(amount, Decimal) else amount_of(amount)).partition(".")
    except ValueError:  # in a damaged log; what is there is told
        return short(f"${amount}")
    return f"${whole}.{cents:0<2}"


def usage_in_words(used: Mapping[str, int]) -> str:
    """What was used, by kind: "1,653 input, 14 output tokens, 2 web searches"; empty when nothing was."""
    tokens = [f"{used[kind]:,} {short_kind(kind)}" for kind in TOKEN_KINDS if used.get(kind)]
    searches = used.get("web_search_requests", 0)
    parts = [f"{', '.join(tokens)} tokens"] if tokens else []
    return ", ".join([*parts, number_of(searches, "web search", "web searches")] if searches else parts)


def short_kind(kind: str) -> str:
    """What is paid for, in a column's head: "cache read" for `cache_read_tokens`."""
    return kind.removesuffix("_tokens").removesuffix("_requests").replace("_", " ")


def item_ranges(items: Ranges, most: int = 3) -> str:
    """Item indexes as ranges, the first few of them: "0-49", "3, 17, 20-22, …"."""
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in items[:most]]
    return ", ".join([*shown, "…"] if len(items) > most else shown)


def by_kind(counts: dict[str, int]) -> str:
    """Counts by kind, the most frequent first: "48 succeeded, 2 errored"."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{count:,} {clean(kind)}" for kind, count in ordered if count)


def as_json(value: Any) -> str:
    """The value as one line of JSON, in ASCII: safe in every encoding and on every terminal."""
    text = msgspec.json.encode(value).decode()
    return text if text.isascii() else json.dumps(json.loads(text), separators=(",", ":"))
