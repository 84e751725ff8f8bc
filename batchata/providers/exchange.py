"""Define the values that a provider's client and dialect exchange: batches, uploads, outcomes, prices."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from batchata.answers.answer import Block
from batchata.answers.reader import Reading
from batchata.core.values import Counts, RequestError, Usage

_MARK: Final = re.compile(r"[0-9a-f]{12}-\d{1,9}-[0-9a-f]{6}")  # of a run, a job and a start of it


def is_marked_as_another(said: object, mark: str) -> bool:
    """Whether what a service shows of a batch or a file is the mark of another job than this one.

    Any other name says nothing: a service may have its own way of writing it.
    """
    return isinstance(said, str) and said != mark and _MARK.fullmatch(said) is not None


class Failure(NamedTuple):
    """Why a batch was given up before any request of it ran, so that nothing is billed.

    `passing`: the same batch may be taken later. `refused` are the places in the job of the requests that it
    failed for, each with the reason.
    """

    error: RequestError
    passing: bool
    refused: tuple[tuple[int, RequestError], ...] = ()


class Upload(NamedTuple):
    """The requests of a job as a file at the provider, and the mark that its batch is to bear."""

    handle: str
    mark: str
    endpoint: str = ""  # that the requests are for, where there are several
    model: str = ""  # that they are for, where a batch names it


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as the provider describes it; times are microseconds since 1970 UTC by the provider's clock."""

    batch_id: str
    ended: bool
    status: str
    counts: Counts
    created_at: int
    expires_at: int | None
    failure: Failure | None = None
    is_marked: bool = False  # it bears the mark of the submission that was looked for, and so is its batch

    @property
    def size(self) -> int:
        """How many requests the batch holds."""
        c = self.counts
        return c.processing + c.succeeded + c.errored + c.canceled + c.expired


class Outcome(msgspec.Struct, gc=False):
    """What became of one request, read from one result line, which is kept as received in `line`.

    `blocks` are the answer's content blocks; `error` says why there is no answer, None when there is one.
    `inference_geo` is where the answer says that it was made. `schema_refused` says that the request failed
    because of the schema of its output format, and would not without it. `reading` is the reader's result,
    where the answer was read together with its line. `ticks` are what the provider itself says that it
    charged, in units of 1e-10 USD.
    """

    custom_id: str
    kind: str
    stop_reason: str | None
    error: RequestError | None
    usage: Usage | None
    blocks: list[Block]
    line: bytes
    inference_geo: str | None = None
    schema_refused: bool = False
    reading: Reading | None = None
    ticks: int | None = None


class Envelope(NamedTuple):
    """What stands before, between and behind the requests in the body of a batch."""

    head: bytes
    between: bytes
    tail: bytes


class SharedBeginning(NamedTuple):
    """How far all requests are alike: `level` as in CachePlan, and about how many tokens that is."""

    level: str | None
    blocks: int
    digest: str
    tokens: int


class PriceRules(NamedTuple):
    """What the price tables need to be told of a model; `listed` is None for one that was never sold."""

    provider: str  # as genai-prices calls it
    listed: str | None
    has_tiers: bool
    batch_factor: Decimal  # what list prices are multiplied by in a batch
    us_factor: Decimal  # … and where inference is kept in the United States
    web_searches: Decimal | None  # USD a million
    caches_unasked: bool = False  # then cached tokens without a price of their own cost what fresh ones do
    # Prices of batches are listed by themselves, as what is cached may cost the full price: the factor is
    # only for a model that has none, and for its fresh input and its output alone.
    batch_listed: bool = False
    always_discounted: bool = True  # whether the factor holds for every model; else only listed prices do
