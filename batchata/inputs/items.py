"""Hold all inputs of a run: what each item is, how large its request may become, and what identifies it."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from batchata.inputs.files import FileInput, GivenFile, file_of
from batchata.inputs.json_values import encode
from batchata.inputs.spool import Spool
from batchata.log.format import Segment

type Message = dict[str, Any]
type Conversation = list[Message] | tuple[Message, ...]
type Source = Conversation | FileInput

_decode = msgspec.json.Decoder().decode
_DIGEST_SIZE = 32
_ROLLED_EVERY = 1_000  # items; where the log's events about new items end, too


class Measured(NamedTuple):
    """What is known of one conversation or file: its digest, bounds of its request, expected tokens.

    Prompt and parameters are not included. `prefilled` says that the answer is to continue its last message.
    """

    digest: bytes
    request_size: int
    token_bound: int
    tokens: int
    prefilled: bool = False
    caches: bool = False


class Called(NamedTuple):
    """What a person calls the item: its key, the file's name, or "item 3".

    `source` is the path of its file, `row` the other columns of the row it came from.
    """

    name: str
    source: str | None = None
    row: dict[str, Any] | None = None


class Checks(Protocol):
    """What a model takes, and how many tokens it makes of it. All methods may raise InvalidInputError."""

    most_bytes: int  # of a file

    def check_kind(self, kind: Literal["messages", "files"]) -> None:
        """Raise UnsupportedModelError when the model takes nothing of this kind."""
        ...

    def conversation(self, value: Any, place: str) -> Measured:
        """Check one conversation, which messages name by its place."""
        ...

    def file(self, given: GivenFile) -> tuple[FileInput, Measured]:
        """Check one file and measure it."""
        ...


@dataclass(slots=True)
class Inputs:
    """Checked inputs, by index, as they were when they were added; see `Spool` for where they are.

    About 60 bytes an item are held in memory.

    `first_prefilled` is the first conversation that ends with an assistant turn, None when there is none.
    `caches` says whether any conversation asks for prompt caching. `keys` are the user's own ids, `rows` what
    the items came from, one for each; both may be empty.
    """

    kind: Literal["messages", "files"]
    refused: dict[int, str] = field(default_factory=dict)  # files that cannot be used, and why
    first_prefilled: int | None = None
    caches: bool = False
    keys: Sequence[str] = ()
    rows: Sequence[dict[str, Any]] = ()
    _logged: dict[int, bytes] = field(default_factory=dict)
    _spool: Spool = field(default_factory=Spool)
    _replaced: dict[int, FileInput] = field(default_factory=dict)
    _digests: bytearray = field(default_factory=bytearray)
    _request_sizes: array[int] = field(default_factory=lambda: array("Q"))
    _token_bounds: array[int] = field(default_factory=lambda: array("Q"))
    _tokens: array[int] = field(default_factory=lambda: array("Q"))
    _rolled: dict[int, bytes] = field(default_factory=dict)  # number of first items -> what identifies them
    _rolled_at: list[int] = field(default_factory=list)  # these numbers, ascending
    _given_at: Sequence[int] = ()  # where each item stands in what the caller gave; empty: in its own place

    def add(self, source: Source, digest: bytes, request_size: int, token_bound: int, tokens: int) -> None:
        """Add one item after all others."""
        self._spool.append(source.body() if isinstance(source, FileInput) else encode({"messages": source}))
        self._digests += digest
        self._request_sizes.append(request_size)
        self._token_bounds.append(token_bound)
        self._tokens.append(tokens)

    def refuse(self, file: FileInput, why: str) -> None:
        """Add one item whose file cannot be used: it counts, and is never sent."""
        self.refused[self.count] = why
        self.add(file, file.digest(), 0, 0, 0)

    def replace(self, index: int, file: FileInput, sizes: Sequence[int], why: str | None) -> None:
        """Replace an item whose file was read again; `why` says why it still cannot be used, if it cannot."""
        self._rolled, self._rolled_at = {}, []
        self._replaced[index] = file
        self._digests[index * _DIGEST_SIZE : (index + 1) * _DIGEST_SIZE] = file.digest()
        self._request_sizes[index], self._token_bounds[index], self._tokens[index] = sizes
        self.refused.pop(index, None)
        if why is not None:
            self.refused[index] = why

    def follow(self, digests: Mapping[int, bytes]) -> None:
        """Identify these items as the log does, whose files were different at the time."""
        self._rolled, self._rolled_at = {}, []
        self._logged = {n: digest for n, digest in digests.items() if digest != self.digest_now(n)}

    def arranged(self, order: Sequence[int]) -> Inputs:
        """Return the items in another order; `as_given` of the result leads back to this one.

        Bytes without a name are named after their new place.
        """
        places = self._given_at or range(self.count)
        keys = [self.keys[at] for at in order] if self.keys else ()
        rows = [self.rows[at] for at in order] if self.rows else ()
        refused = {new: self.refused[at] for new, at in enumerate(order) if at in self.refused}
        arranged = Inputs(self.kind, refused, self.first_prefilled, self.caches, keys, rows)
        arranged._given_at = [places[at] for at in order]
        for new, at in enumerate(order):
            sizes = self._request_sizes[at], self._token_bounds[at], self._tokens[at]
            source = self.source(at)
            named = source.at_place(at, new) if isinstance(source, FileInput) else source
            if named is source or not isinstance(named, FileInput):
                arranged.add(source, self.digest_now(at), *sizes)
            else:
                arranged.add(named, named.digest(), *(size + len(named.name) for size in sizes))
        return arranged

    @property
    def as_given(self) -> Sequence[int]:
        """The items in the order in which the caller gave them."""
        if not self._given_at:
            return range(self.count)
        return sorted(range(self.count), key=self._given_at.__getitem__)

    @property
    def count(self) -> int:
        """How many items there are."""
        return len(self._spool)

    def source(self, index: int) -> Source:
        """Return what a worker needs to build the item's request, in this process or another."""
        if index in self._replaced:
            return self._replaced[index]
        value = _decode(self._spool[index])
        source: Source = file_of(value["file"]) if "file" in value else value["messages"]
        return source

    def place(self, index: int) -> str:
        """Return how messages name the item."""
        name = self.called(index).name
        return f"item {index} ({name!r})" if self.keys or self.kind == "files" else name

    def called(self, index: int) -> Called:
        """Return what a person calls the item, and what it came from."""
        name, path = f"item {index}", None
        source = self.source(index) if self.kind == "files" else None
        if isinstance(source, FileInput):
            name, path = source.name, source.path
        row = self.rows[index] if self.rows else None
        return Called(self.keys[index] if self.keys else name, path, row)

    def body(self, index: int) -> bytes:
        """Return the item as one JSON object for the log, without a newline."""
        body = self._replaced[index].body() if index in self._replaced else self._spool[index]
        beside = {name: column[index] for name, column in (("key", self.keys), ("row", self.rows)) if column}
        return body if not beside else body[:-1] + b"," + encode(beside)[1:]

    def bodies(self, first: int, end: int) -> Iterator[bytes | Segment]:
        """Yield the same for the items from `first` to below `end`, many of them in segments of the log."""
        if self._replaced or self.keys or self.rows:
            yield from map(self.body, range(first, end))
        else:
            yield from self._spool.pieces(first, end)

    def keys_digest(self, first: int, end: int) -> str:
        """Identify the keys of these items; empty when the items have none."""
        return sha256(encode(list(self.keys[first:end]))).hexdigest() if self.keys else ""

    def request_size(self, index: int) -> int:
        """Return an upper bound of the bytes of the item's encoded request, without the template's part."""
        return self._request_sizes[index]

    def token_bound(self, index: int) -> int:
        """Return an upper bound of the item's input tokens, without the template's part.

        Text: a byte-level tokenizer makes no more tokens than there are bytes of UTF-8. A PDF page and an
        image: as the provider counts. Never more than the context window, beyond which a request fails
        unpaid.
        """
        return self._token_bounds[index]

    def expected_tokens(self, index: int) -> int:
        """Return the expected input tokens of the item, without the template's part."""
        return self._tokens[index]

    def largest(self) -> int:
        """Return the index of the item with the most input tokens; there must be one."""
        return self._token_bounds.index(max(self._token_bounds))

    def digest(self, index: int) -> bytes:
        """Return 32 bytes that identify the item by what is sent of it, not by its file's directory.

        A file that cannot be used is identified by its name alone.
        """
        return (self._logged and self._logged.get(index)) or self.digest_now(index)

    def digest_now(self, index: int) -> bytes:
        """Return the digest of what would be sent now, even where the log has another."""
        start = range(self.count)[index] * _DIGEST_SIZE
        return bytes(self._digests[start : start + _DIGEST_SIZE])

    def _digests_of(self, first: int, end: int) -> Iterable[bytes]:
        """Return the digests of the items from `first` to below `end`."""
        if self._logged:
            return map(self.digest, range(first, end))
        whole = bytes(self._digests[first * _DIGEST_SIZE : end * _DIGEST_SIZE])
        return (whole[at : at + _DIGEST_SIZE] for at in range(0, len(whole), _DIGEST_SIZE))

    def copies(self) -> dict[int, int]:
        """Yield each item that sends the same as an earlier one, with the first such item."""
        first: dict[bytes, int] = {}
        found: dict[int, int] = {}
        for index in range(self.count):
            if index in self.refused or index in self._logged:
                continue  # by its name alone nothing is another's copy
            original = first.setdefault(self.digest(index), index)
            if original != index:
                found[index] = original
        return found

    def fingerprint(self, upto: int | None = None) -> str:
        """Identify the first `upto` items (all if None); adding items later does not change it."""
        return self.fingerprints([self.count if upto is None else upto])[0]

    def fingerprints(self, cuts: Sequence[int]) -> list[str]:
        """Return `fingerprint(cut)` for each of the cuts, in one pass at most."""
        found = {cut: self._rolled_to(cut).hex() or sha256(b"").hexdigest() for cut in sorted(set(cuts))}
        return [found[cut] for cut in cuts]

    def _rolled_to(self, cut: int) -> bytes:
        """Return the hash of the first items, continuing from the nearest place where it is known."""
        if not 0 <= cut <= self.count:
            raise IndexError(f"there are {self.count} items, not {cut}")
        at = bisect_right(self._rolled_at, cut) - 1
        if at >= 0 and self._rolled_at[at] == cut:
            return self._rolled[cut]
        known = self._rolled_at[at] if at >= 0 else 0
        rolling = self._rolled.get(known, b"")
        for end in [*range(known - known % _ROLLED_EVERY + _ROLLED_EVERY, cut, _ROLLED_EVERY), cut]:
            for digest in self._digests_of(known, end):
                rolling = sha256(rolling + digest).digest()
            self._rolled[end], known = rolling, end
        self._rolled_at = sorted(self._rolled)
        return rolling
