"""What Batchata needs of a provider of batches: a client (I/O) and a dialect (pure), and their values."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import IO, Protocol

import msgspec

from batchata.answers.answer import Block
from batchata.answers.grounding import Sources
from batchata.core.values import Counts, RequestError, Usage
from batchata.providers.models import Model


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as the provider describes it; times are microseconds since 1970 UTC by the provider's clock."""

    batch_id: str
    ended: bool
    status: str
    counts: Counts
    created_at: int
    expires_at: int | None

    @property
    def size(self) -> int:
        """How many requests the batch holds."""
        c = self.counts
        return c.processing + c.succeeded + c.errored + c.canceled + c.expired


class Outcome(msgspec.Struct, gc=False):
    """What became of one request, read from one result line, which is kept as received in `line`.

    `blocks` are the answer's content blocks; `error` says why there is no answer, None when there is one.
    `inference_geo` is where the answer says that it was made. `schema_refused` says that the request failed
    for the schema of its output format, and would not without.
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


class Dialect(Protocol):
    """What one provider's requests and result lines look like: pure, and used without its SDK."""

    name: str

    def model(self, name: str, today: date) -> Model:
        """What is known of the model of that id.

        Raises UnsupportedModelError for a name that is no model's of this provider.
        """
        ...

    def outcome(self, line: bytes) -> Outcome:
        """What one result line says, whether it just arrived or is in a log.

        Raises IncompleteResultsError for a line that is no whole result, as a cut download leaves it.
        """
        ...

    def blocks(self, line: bytes) -> list[Block]:
        """Only the content blocks of a stored result line: all that a result is read from."""
        ...

    def sources(self, body: bytes) -> Sources:
        """What an item's input, as the log holds it, can be cited by."""
        ...


class Client(Protocol):
    """One provider's batch API. Errors are Batchata's own; nothing is retried inside."""

    name: str

    @property
    def base_url(self) -> str:
        """Where requests go."""
        ...

    @property
    def key(self) -> str | None:
        """A fingerprint of the API key: tells keys apart and reveals nothing; None without a fixed key."""
        ...

    @property
    def clock(self) -> int | None:
        """Microseconds since 1970 UTC by the provider's own clock; None before it has answered."""
        ...

    def check(self) -> None:
        """Find out, without sending anything, whether requests can be sent.

        Raises ConfigurationError (no key, malformed URL) or ProviderUnavailableError (nobody listens there).
        """
        ...

    def count_tokens(self, request: bytes) -> int:
        """The input tokens of one request of a batch, given as its JSON object; it is not billed."""
        ...

    def submit(self, body: bytes | IO[bytes]) -> Batch:
        """Create a batch from an encoded request body, with exactly one HTTP request.

        Raises RequestRefusedError or ProviderUnavailableError when certainly no batch was created, and
        UnknownSubmissionError when that is open.
        """
        ...

    def poll(self, batch_ids: Collection[str], since: int) -> dict[str, Batch]:
        """How far these batches are; ids that the provider does not know are left out.

        `since` is a time before which none of them was created.
        """
        ...

    def outcomes(self, batch_id: str) -> Iterator[list[Outcome]]:
        """The results of an ended batch, in the provider's order, some hundred at a time.

        Raises ProviderUnavailableError or IncompleteResultsError when they end too early.
        """
        ...

    def cancel(self, batch_id: str) -> None:
        """Ask for the batch to be cancelled; what it has finished is kept."""
        ...

    def close(self) -> None:
        """Break off the calls under way in other threads. For ever: no later call sends anything either."""
        ...

    def find(self, since: int, size: int) -> Iterator[Batch]:
        """The batches created at or after `since` that hold `size` requests or may do so, newest first.

        Raises UnreadableReplyError at its end when there may be more that cannot be read.
        """
        ...
