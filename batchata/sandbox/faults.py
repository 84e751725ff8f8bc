"""Produce faults on demand, and use each up."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from copy import copy
from dataclasses import dataclass, field, fields
from itertools import islice
from typing import Any, BinaryIO

from batchata.errors import InvalidInputError
from batchata.sandbox.protocol import Dropped

__all__ = ["Download", "Faults", "Selector", "chosen"]

_PIECE = 1 << 16

# Which requests of a batch: positions and/or custom ids, or a question asked of (custom_id, position).
# True: all.
type Selector = Collection[int | str] | Callable[[str, int], bool] | bool | None

_SELECTORS = (
    "only_batches",
    "refused",
    "schemas_refused",
    "errored",
    "expired",
    "unknown_kind",
    "missing",
    "duplicated",
    "status_zero",
    "garbled",
)
_LISTS = (
    "upload_status",
    "uploaded_as",
    "results_instead",
    "create_status",
    "create_status_after",
    "poll_status",
    "list_status",
    "results_status",
    "cancel_status",
    "message_status",
    "drop_results_after",
    "truncate_results",
    "descriptions",
    "created_as",
    "entries",
)


@dataclass
class Faults:
    """Faults by the call they hit. Everything may be changed while the sandbox runs.

    - a list is used up from the front, one entry per call; 0 lets a call through (downloads: -1);
    - a number of calls counts down; `True` means every call;
    - a selector (positions, custom ids, a predicate of custom id and position, or `True`) stays.
    """

    # the upload that comes before a create, where the protocol has one
    upload_status: list[int] = field(default_factory=list)  # answered instead of keeping the file
    uploaded_as: list[Any] = field(default_factory=list)  # kept, then answered by this dict
    lost_uploads: int = 0  # kept, then the connection is dropped
    unfound_files: int = 0  # creates that are refused because the file is not visible yet
    queue_full: int = 0  # batches that are taken and fail while they are validated: no room for their tokens
    validation: float = 0.25  # share of its time that a batch is validated before it begins
    # the create call
    create_status: list[int] = field(default_factory=list)  # answered instead of creating
    create_says: str | None = None  # the message of those answers, if not the usual one
    refused: Selector = None  # the whole batch, naming the first of these as `requests.N`, or by its line
    create_status_after: list[int] = field(default_factory=list)  # created, then answered
    lost_create_responses: int = 0  # created, then the connection is dropped
    created_twice: int = 0  # the call is repeated on its way: two batches, one answer
    create_hang: float | list[float] = 0.0  # created, then this many seconds until the answer
    spend_limit: bool = False  # 429 enforced_spend_limit_reached, without retry-after
    # GET of a batch, of the list, of results; cancel
    poll_status: list[int] = field(default_factory=list)
    not_found_after_create: int = 0  # the next retrieves answer 404
    list_status: list[int] = field(default_factory=list)
    results_status: list[int] = field(default_factory=list)
    cancel_status: list[int] = field(default_factory=list)
    message_status: list[int] = field(default_factory=list)  # POST /v1/messages and count_tokens
    retry_after: float | None = None  # seconds, on every injected status
    headers: dict[str, str] = field(default_factory=dict)  # and these, such as location
    descriptions: list[Any] = field(default_factory=list)  # a dict or bytes instead of a batch; None: itself
    created_as: list[Any] = field(default_factory=list)  # created, then answered by this dict or bytes
    counts: Any = None  # the request_counts of every batch, wherever it is described
    entries: list[Any] = field(default_factory=list)  # put on every page of the list, before its batches
    oldest_first: bool = False  # the list begins with the oldest batch
    endless_list: bool = False  # each page says that there is more, behind the same batch
    # downloads of results
    results_instead: list[str | None] = field(default_factory=list)  # bodies, answered with status 200
    drop_results_after: list[int] = field(default_factory=list)  # lines, then the connection breaks
    truncate_results: list[int] = field(default_factory=list)  # lines, then a clean end
    cut_last_line: int = 0  # the last line ends in its middle
    slow_results: float = 0.0  # seconds per line
    # lines of results, fixed when the batch ends
    schemas_refused: Selector = None  # the schemas of output formats; without one a request is answered
    schema_refusal: str = (
        "The compiled grammar is too large, which would cause performance issues. Simplify your tool schemas "
        "or reduce the number of strict tools."
    )
    only_batches: Collection[int] | None = None  # the batches hit, by order of creation; None: all
    errored: Selector = None
    error_type: str = "overloaded_error"
    error_message: str = "Overloaded"
    expired: Selector = None
    unknown_kind: Selector = None
    missing: Selector = None  # processed and billed, but without a line
    duplicated: Selector = None
    status_zero: Selector = None  # lines with status 0 and nothing else, which no count tells of
    garbled: Selector = None  # processed and billed, with a line that is not JSON
    rewritten: Callable[[bytes], bytes] | None = (
        None  # every line as it is sent, from the line as it would be
    )
    foreign: int | list[str] = 0  # extra lines with custom ids that were never sent
    line_separators: bool = False  # a raw U+2028 inside a JSON string of every line
    processed: float | None = None  # share done when a batch is cancelled or expires; None: by time

    def __post_init__(self) -> None:
        for name in (*_SELECTORS, *_LISTS):
            _check(name, getattr(self, name))

    def take(self, name: str, nothing: Any = 0) -> Any:
        """Take the next entry of a list, used up; a value that is not a list stays. `nothing` when empty."""
        value = getattr(self, name)
        if not isinstance(value, list):
            return value
        return value.pop(0) if value else nothing

    def strike(self, name: str) -> bool:
        """Whether a counted fault hits this call; counts it down."""
        left = getattr(self, name)
        if left is not True and left > 0:
            setattr(self, name, left - 1)
        return bool(left)

    def copied(self) -> Faults:
        """Copy the faults, so that using them up leaves these as they are."""
        faults = copy(self)
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, list):
                setattr(faults, each.name, list(value))
        return faults

    def update(self, values: dict[str, Any]) -> None:
        """Set fields by name. Raises KeyError for a name that is none, before anything is set."""
        unknown = values.keys() - {f.name for f in fields(self)}
        if unknown:
            raise KeyError(f"no such fault: {', '.join(sorted(unknown))}")
        for name, value in values.items():
            _check(name, value)
        for name, value in values.items():
            setattr(self, name, value)

    def hits(self, batch_number: int) -> bool:
        """Whether the line faults concern this batch."""
        return self.only_batches is None or batch_number in self.only_batches


def _check(name: str, value: Any) -> None:
    """Check the shape now: a wrong one would show only in the middle of a call, as a server error."""
    if name in _SELECTORS and not (value is None or callable(value) or isinstance(value, Collection | bool)):
        raise InvalidInputError(
            f"{name} takes a collection such as {{0, 3}}, a predicate, or True, not {value!r}"
        )
    if name in _LISTS and not isinstance(value, list):
        raise InvalidInputError(f"{name} takes a list with one entry per call, such as [529], not {value!r}")


def chosen(selector: Selector, custom_id: str, number: int) -> bool:
    """Whether the selector names this request."""
    if selector is None or isinstance(selector, bool):
        return bool(selector)
    if callable(selector):
        return selector(custom_id, number)
    return number in selector or custom_id in selector


@dataclass(slots=True)
class Download:
    """What the faults want of one download; -1 lines means no fault."""

    drop_after: int
    truncate_after: int
    cut_last: bool
    pause: float

    @classmethod
    def of(cls, faults: Faults) -> Download:
        return cls(
            int(faults.take("drop_results_after", -1)),
            int(faults.take("truncate_results", -1)),
            faults.strike("cut_last_line"),
            float(faults.slow_results),
        )

    def pieces(self, results: BinaryIO, wait: Callable[[float], object]) -> Iterator[bytes]:
        """Yield the bytes to send. Raises Dropped where the connection is to break."""
        with results:
            if self.drop_after < 0 and self.truncate_after < 0 and not self.cut_last and not self.pause:
                while piece := results.read(_PIECE):
                    yield piece
                return
            yield from self._by_line(results, wait)

    def _by_line(self, results: BinaryIO, wait: Callable[[float], object]) -> Iterator[bytes]:
        limits = [n for n in (self.drop_after, self.truncate_after) if n >= 0]
        held = b""
        for line in islice(results, min(limits) if limits else None):
            yield held
            held = line
            if self.pause:
                wait(self.pause)
        yield held[: len(held) // 2] if self.cut_last else held
        if self.drop_after >= 0 and self.drop_after == min(limits):
            raise Dropped
