"""The values that events are made of: usage, errors, counts, estimates, settings, processes.

Sets of items are lists of `[first, last]` ranges of item indexes, both ends included, ascending.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from batchata.core.error_kinds import REFUSALS

type Ranges = list[tuple[int, int]]


def known[T](value: T | msgspec.UnsetType) -> T | None:
    """Return what an event says, None where an older version did not record it."""
    return None if isinstance(value, msgspec.UnsetType) else value


# gc=False, here and in other values of which there are as many as results: they hold no cycles, and looking
# for some among all of them made a run of 10,000 items a fifth slower.


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What one request used, by kind; `input_tokens` are those that no cache was involved in."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0
    web_search_requests: int = 0


class RequestError(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Why a request has no usable answer: a stable `kind` and a sentence for people."""

    kind: str
    message: str


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch of the run's provider may hold, how long results are kept, and what they cost.

    The defaults are those of Anthropic's Message Batches API (100,000 requests or 256 MB, whichever comes
    first; whether the MB are decimal and what is counted is not documented, hence the margin): runs whose
    log records no limits went there. `batch_factor` multiplies the list prices of tokens in a batch.
    `final_errors` are the kinds of error that the same request would meet again.
    """

    batch_requests: Annotated[int, msgspec.Meta(ge=1)] = 100_000
    batch_bytes: Annotated[int, msgspec.Meta(ge=1)] = 240_000_000
    results_days: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 29  # from a batch's creation
    batch_factor: Annotated[str, msgspec.Meta(pattern=r"^(1|0\.[0-9]{0,8}[1-9])\Z")] = "0.5"
    final_errors: tuple[str, ...] = REFUSALS


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of a batch by what became of them; all but `processing` are 0 until the batch has ended."""

    processing: int
    succeeded: int
    errored: int
    canceled: int
    expired: int


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What some requests were expected to use, in tokens, and to cost in USD: None without a price."""

    input_tokens: int
    output_tokens: int
    cost: str | None


class CachePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a run with `cache` caches: the beginning that its requests share, about `tokens` long, and why.

    `level` is where it ends: "tools", "system" or "messages" (after `blocks` content blocks); None caches
    nothing. Items that do not begin so, by `digest`, are sent as they are.
    """

    level: str | None
    blocks: int
    digest: str
    tokens: int
    reason: str


type Place = tuple[str, int, int]  # the type of a citation's location, and its first unit and its end


class Checked(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a look into an item's document told of the citations in an answer, in the answer's order.

    `body` holds the answer. `found` has a sign for each citation: "+" where its text stands at its place, "-"
    where it does not, "?" where that cannot be told. `places` has, for an answer whose quotes had to be
    located, where each of them was found.
    """

    index: int
    body: Annotated[int, msgspec.Meta(ge=0)]
    found: Annotated[str, msgspec.Meta(pattern=r"^[+?-]*\Z")]
    places: list[Place | None] = []


def tally(answers: Iterable[Checked]) -> dict[str, int]:
    """Count the citations of these answers by what was found."""
    signs = "".join(answer.found for answer in answers)
    return {"found": signs.count("+"), "not found": signs.count("-"), "unclear": signs.count("?")}


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """The process that drives a run."""

    pid: int
    host: str


class Settings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What may change between two starts of a run. Durations in seconds, `max_cost` a decimal string.

    `check_support` is what becomes of an answer that its own passages contradict: "report" or "retry".
    `structured_output` is how the caller wants the schema sent, "native" or "prompt"; None leaves it to us.
    """

    items_per_job: int
    max_parallel_jobs: int
    max_attempts: int
    max_cost: str | None
    max_wait_time: float | None
    poll_interval: float | None
    retry_delay: float | None
    settle_delay: float | None
    results_dir: str | None
    raw_results_dir: str | None
    on_interrupt: str
    on_bad_file: str = "raise"
    structured_output: str | None = None
    check_support: str = "report"
