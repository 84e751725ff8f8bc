"""Define what Batchata needs of a provider: a client (I/O) and a dialect (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import IO, Any, Protocol

from batchata.answers.answer import Block
from batchata.answers.grounding import Sources
from batchata.answers.schema import Route
from batchata.core.values import CachePlan, Limits
from batchata.inputs.items import Checks, Inputs, Source
from batchata.providers.exchange import Batch, Envelope, Outcome, PriceRules, SharedBeginning, Upload


class Template(Protocol):
    """What all requests of a run have in common; it can be pickled."""

    @property
    def envelope(self) -> Envelope:
        """What encloses the requests in a body."""
        ...

    @property
    def size(self) -> int:
        """Return how many bytes it adds to `Inputs.request_size`, at most."""
        ...

    @property
    def token_bound(self) -> int:
        """Return how many input tokens it adds to `Inputs.token_bound`, at most."""
        ...

    @property
    def expected_tokens(self) -> int:
        """Return how many input tokens it is expected to add to `Inputs.expected_tokens`."""
        ...

    @property
    def caches(self) -> bool:
        """Whether its part of each request asks for prompt caching."""
        ...

    @property
    def cache(self) -> CachePlan | None:
        """The plan of what is cached."""
        ...

    @property
    def unbounded(self) -> str | None:
        """What lets a request cost any amount, such as a tool that the provider runs; usually None."""
        ...

    def encode(self, custom_id: str, source: Source, note: str | None = None) -> bytes:
        """Encode one request of a batch. A `note` tells the model what was wrong with its previous answer.

        Raises FileInputError when a file is not the one that was checked.
        """
        ...

    def note_size(self, note: str) -> int:
        """Return how many bytes a note adds to a request, at most; as many tokens at most, too."""
        ...

    def limited_to(self, max_tokens: int) -> Template:
        """Return the same template with another limit on the length of answers."""
        ...

    def caching(self, plan: CachePlan) -> Template:
        """Return the same template with the plan's prefix cached."""
        ...

    def shared_beginning(self, inputs: Inputs) -> SharedBeginning:
        """Return what all requests for these inputs begin with; there must be at least one."""
        ...


class Model(Protocol):
    """One model, and what requests to it may be."""

    @property
    def id(self) -> str:
        """Its name in requests."""
        ...

    @property
    def doubt(self) -> str | None:
        """Why every request to it is expected to fail; None where nothing says so."""
        ...

    @property
    def text_factor(self) -> float:
        """How many tokens it makes of an answer's text, relative to three characters of JSON to one."""
        ...

    @property
    def locates(self) -> bool:
        """Whether it has no citations of its own: it is asked to quote, and the quotes are looked up."""
        ...

    @property
    def cache_minimum(self) -> int:
        """How many tokens the beginning of a request must have to be cached."""
        ...

    @property
    def cache_mark(self) -> str:
        """What marks in a request what is to be cached; empty where nothing does."""
        ...

    def check_params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of the parameters for all requests as plain JSON values, without those that are None.

        Raises InvalidInputError for a parameter that would make every request fail.
        """
        ...

    def check_max_tokens(self, value: object) -> None:
        """Raise InvalidInputError for an invalid output limit for this model."""
        ...

    def place(self, params: Mapping[str, Any]) -> str | None:
        """Return where inference is to take place, as prices name it; None if the parameters do not say."""
        ...

    def thinking_tokens(self, params: Mapping[str, Any]) -> int:
        """Return the tokens of thinking that an answer is expected to begin with."""
        ...

    def thinking_budget(self, params: Mapping[str, Any]) -> int:
        """Return the tokens of thinking that these parameters allow by themselves; 0 where they name none."""
        ...

    def checks(self, cited: bool, params: Mapping[str, Any]) -> Checks:
        """Return the checks of inputs that are sent with these parameters."""
        ...

    def caches(self, params: Mapping[str, Any]) -> bool:
        """Whether these parameters ask for prompt caching."""
        ...

    def output_format(self, schema: dict[str, Any], cited: bool) -> dict[str, Any]:
        """Return the native output format of answers that fit the schema.

        Raises NotNative where there is none.
        """
        ...

    def template(self, params: Mapping[str, Any], route: Route, prompt: str | None, cited: bool) -> Template:
        """Return what all requests of a run have in common, given checked parameters."""
        ...


class Dialect(Protocol):
    """One provider's requests and result lines: pure, and used without its SDK."""

    @property
    def name(self) -> str:
        """As `run_started` has it."""
        ...

    @property
    def is_tried(self) -> bool:
        """Whether it was ever run against the live service, or its recorded batches."""
        ...

    @property
    def limits(self) -> Limits:
        """What batches may hold, how long results are kept, and what they cost."""
        ...

    @property
    def batch_hours(self) -> int:
        """How long a batch may take; what has not been answered by then expires."""
        ...

    def model(self, name: str, today: date) -> Model:
        """Return the model of that id; warn when requests to it are expected to fail.

        Raises UnsupportedModelError for a name that is not one of this provider's models.
        """
        ...

    def names(self, today: date) -> list[str]:
        """Return the listed models that are not retired."""
        ...

    def price_rules(self, model: str) -> PriceRules:
        """Return what the price tables need to know of the model."""
        ...

    def outcome(self, line: bytes) -> Outcome:
        """Decode one result line, whether it just arrived or is in a log.

        Raises IncompleteResultsError for a line that is not a whole result, as a cut download leaves it.
        """
        ...

    def blocks(self, line: bytes) -> list[Block]:
        """Decode only the content blocks of a stored result line: all that a result is read from."""
        ...

    def sources(self, body: bytes) -> Sources:
        """Return what an item's input, as the log holds it, can be cited by."""
        ...


class Client(Protocol):
    """One provider's batch API. Errors are Batchata's own; nothing is retried inside."""

    name: str
    stages: bool  # whether requests are uploaded before a batch of them is created

    @property
    def base_url(self) -> str:
        """Where requests go."""
        ...

    @property
    def address_variable(self) -> str | None:
        """The environment variable that moves `base_url`; None where only the argument does."""
        ...

    @property
    def key(self) -> str | None:
        """A fingerprint of the API key: tells keys apart and reveals nothing; None without a fixed key."""
        ...

    @property
    def clock(self) -> int | None:
        """Return microseconds since 1970 UTC by the provider's own clock; None before it has answered."""
        ...

    def check(self) -> None:
        """Find out, without sending anything, whether requests can be sent.

        Raises ConfigurationError (no key, malformed URL) or ProviderUnavailableError (nothing listens there).
        """
        ...

    def count_tokens(self, request: bytes) -> int:
        """Count the input tokens of one request of a batch, given as its JSON object; this is not billed."""
        ...

    def stage(self, mark: str, body: bytes | IO[bytes]) -> Upload:
        """Upload encoded requests, where the provider `stages`; it is not billed and may be repeated.

        Raises RequestRefusedError or ProviderUnavailableError: no batch came of it in any case.
        """
        ...

    def submit(self, requests: bytes | IO[bytes] | Upload) -> Batch:
        """Create a batch of encoded requests, or of those that were uploaded, with exactly one HTTP request.

        Raises RequestRefusedError or ProviderUnavailableError when certainly no batch was created, and
        UnknownSubmissionError when that is open.
        """
        ...

    def poll(self, batch_ids: Collection[str], since: int) -> dict[str, Batch]:
        """Return how far these batches are; ids that the provider does not know are left out.

        `since` is a time before which none of them was created.
        """
        ...

    def outcomes(self, batch_id: str) -> Iterator[list[Outcome]]:
        """Yield the results of an ended batch, in the provider's order, some hundred at a time.

        Raises ProviderUnavailableError or IncompleteResultsError when they end too early.
        """
        ...

    def cancel(self, batch_id: str) -> None:
        """Ask for the batch to be cancelled; what it has finished is kept."""
        ...

    def close(self) -> None:
        """Break off the calls under way in other threads, for good: no later call sends anything either."""
        ...

    def find(self, since: int, size: int, upload: Upload | None = None) -> Iterator[Batch]:
        """Yield the batches created at or after `since` that may be a lost submission's, newest first.

        Where batches have marks, these are the batches with the mark of `upload`, or made of its file (where
        its handle is known), and `is_marked`. Elsewhere they are all that hold `size` requests or may do so,
        whatever the counts of an ended one say: its results have the ids.

        Raises UnreadableReplyError at its end when there may be more that cannot be read.
        """
        ...

    def signs(self, since: int, known: Collection[str]) -> Iterator[tuple[str, str]]:
        """Yield batches created at or after `since`, other than `known` ones, with a sign of whose they are.

        That is the mark of a job, or where batches have none, a custom id of one that has ended. It takes one
        page of the list, and the beginnings of a few results: what is not yielded may exist all the same.
        """
        ...
