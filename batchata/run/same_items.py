"""Match the items that a script gives with those of a run in the log, by what they are and not by place."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import islice
from typing import Any

from batchata.core.events import ItemMended, ItemRefused, ItemsAdded
from batchata.inputs import FileInput, Inputs
from batchata.log.port import Log
from batchata.run.bad_files import file_in, logged_digest

_MOST_NAMES = 10
_SHOWN = 120  # characters of a value in a message
_QUOTED = 40  # characters of a message that stand for it


@dataclass(frozen=True)
class RecordedItems:
    """The items of a run as its log has them; `failed` are those whose files may have changed since."""

    log: Log
    stream: str
    added: Sequence[ItemsAdded]
    failed: Sequence[int] = ()

    @property
    def indexes(self) -> Iterator[int]:
        """Their numbers in the run."""
        return (index for event in self.added for index in range(event.first, event.first + event.count))

    def bodies(self, indexes: Iterable[int]) -> Iterator[bytes | None]:
        """Yield their inputs as last sent; None for those that were purged."""
        mended = self._changes[1]
        return self.log.bodies(
            self.stream, (mended.get(index) or self.first_body(index) for index in indexes)
        )

    def body(self, index: int) -> bytes:
        """Return an item's input as last sent, an empty object if it was purged."""
        (body,) = self.bodies([index])
        return body or b"{}"

    @cached_property
    def known_by_name(self) -> frozenset[int]:
        """The items that may now have other content: they failed, or their files could not be used."""
        return frozenset(self.failed) | self._changes[0]

    def first_body(self, index: int) -> int:
        """Return the number of the body with which the item was added."""
        event = self.added[bisect_right(self.added, index, key=lambda event: event.first) - 1]
        return event.first_body + index - event.first

    @cached_property
    def _changes(self) -> tuple[frozenset[int], dict[int, int]]:
        """Return which items' files could not be used, and the new bodies of those that were corrected."""
        refused: set[int] = set()
        mended: dict[int, int] = {}
        for recorded in self.log.events(self.stream, types=[ItemRefused.TYPE, ItemMended.TYPE]):
            event = recorded.event
            if isinstance(event, ItemMended):
                mended[event.index] = event.body
            if isinstance(event, ItemRefused | ItemMended):
                refused.add(event.index)
        return frozenset(refused), mended


def as_logged(items: RecordedItems, inputs: Inputs) -> dict[int, bytes]:
    """Return the digests by which the log knows items whose files have changed since they were added.

    A failed item, and one whose file cannot be used, is known by its name alone: it is not sent as it is now.
    """
    of_the_run = set(items.indexes)
    found = {}
    for index in sorted(items.known_by_name | inputs.refused.keys()):
        if index not in of_the_run or index >= inputs.count:
            continue
        (body,) = items.log.bodies(items.stream, [items.first_body(index)])
        first, latest = file_in(body), file_in(items.body(index))
        if (
            first is not None
            and latest is not None
            and _is_same(inputs, index, latest, index in items.failed)
        ):
            found[index] = logged_digest(first)
    return found


def _is_same(inputs: Inputs, index: int, file: dict[str, Any], by_name: bool) -> bool:
    """Whether the item is the one in the log, though its file may have changed."""
    source = inputs.source(index)
    if not isinstance(source, FileInput):
        return False
    if by_name or not source.is_usable or not file["sha256"]:
        return _stem(source.name, index) == _stem(file["name"], index)
    return source.digest() == logged_digest(file)


def _stem(name: str, index: int) -> str:
    """Return the name without its ending; bytes without a name are called by their place and kind."""
    nameless = f"document-{index + 1}"
    return nameless if name.startswith(f"{nameless}.") else name


@dataclass(slots=True)
class _Pairs:
    """Which given item is which of the run, by its number, and what is left on both sides."""

    given_as: dict[int, int]
    missing: list[int]
    new: list[int]


def arrangement(items: RecordedItems, inputs: Inputs) -> list[int] | None:
    """Return the places of the given items in the run's order, new ones last.

    None where they are in that order already, and where one of the run's items is missing.
    """
    pairs = _paired(items, inputs)
    if pairs is None or pairs.missing:
        return None
    order = [pairs.given_as[index] for index in sorted(pairs.given_as)] + pairs.new
    return None if order == list(range(inputs.count)) else order


def moved(items: RecordedItems, inputs: Inputs) -> list[str]:
    """Name the missing and the new items; none if the log does not say.

    The first conversation or file that another one of its name replaces is shown before and after.
    """
    pairs = _paired(items, inputs)
    if pairs is None or not pairs.missing:
        return []
    lines = list(islice(_replaced(pairs, items, inputs), 1))
    if not pairs.given_as and len(pairs.missing) > _MOST_NAMES:
        return [*lines, f"none of the {len(pairs.missing):,} items is among the {inputs.count:,} given now"]
    new = _names(pairs.new, lambda index: _label(index, inputs.body(index)))
    lines += [f"missing now: {_names(pairs.missing, lambda index: _label(index, items.body(index)))}"]
    return [*lines, f"new, or changed: {new}"] if new else lines


def _replaced(pairs: _Pairs, items: RecordedItems, inputs: Inputs) -> Iterator[str]:
    for index in sorted(set(pairs.missing) & set(pairs.new)):
        before, after = items.body(index), inputs.body(index)
        names = [json.loads(body).get("file", {}).get("name") for body in (before, after)]
        if names[0] == names[1]:
            yield f"item {index}: {was_is(readable(before), readable(after))}"


def _paired(items: RecordedItems, inputs: Inputs) -> _Pairs | None:
    """Pair first what is the same in everything, then in key and content, in content, and by name."""
    pairs = _Pairs({}, list(items.indexes), list(range(inputs.count)))
    if any(body is None for body in items.bodies(pairs.missing)):
        return None  # purged
    for identity in (_whole, _keyed, _content):
        _pair(pairs, items, inputs, identity, lambda _index, _given: True)
    by_name = items.known_by_name
    _pair(pairs, items, inputs, _name, lambda index, given: index in by_name or given in inputs.refused)
    return pairs


def _pair(
    pairs: _Pairs,
    items: RecordedItems,
    inputs: Inputs,
    identity: Callable[[bytes, int], bytes],
    may_be: Callable[[int, int], bool],
) -> None:
    """Pair the remaining items that are the same, in their order."""
    if not pairs.missing or not pairs.new:
        return
    given: dict[bytes, deque[int]] = defaultdict(deque)
    for place in pairs.new:
        given[identity(inputs.body(place), place)].append(place)
    missing = []
    for index, body in zip(pairs.missing, items.bodies(pairs.missing), strict=True):
        alike = given.get(identity(body or b"", index))
        if alike and may_be(index, alike[0]):
            pairs.given_as[index] = alike.popleft()
        else:
            missing.append(index)
    pairs.missing, pairs.new = missing, sorted(place for places in given.values() for place in places)


def _whole(body: bytes, index: int) -> bytes:
    value = json.loads(body)
    return _digest([_identifying(value, index), value.get("key"), value.get("row")])


def _keyed(body: bytes, index: int) -> bytes:
    value = json.loads(body)
    return _digest([_identifying(value, index), value.get("key")])


def _content(body: bytes, index: int) -> bytes:
    return _digest(_identifying(json.loads(body), index))


def _name(body: bytes, index: int) -> bytes:
    file = json.loads(body).get("file")
    return _digest(index if file is None else _stem(file["name"], index))


def _digest(value: Any) -> bytes:
    return sha256(json.dumps(value, sort_keys=True).encode()).digest()


def _identifying(value: Any, index: int) -> Any:
    """Return what identifies an item wherever it stands: bytes have a name by their place."""
    found = identifying(value)
    if "file" in value and _stem(value["file"]["name"], index) != value["file"]["name"]:
        return {**found, "name": None}
    return found


def identifying(value: Any) -> Any:
    """Return what identifies an item: of a file its name, type and content, not where it lies."""
    if "file" in value:
        return {k: value["file"][k] for k in ("name", "media_type", "sha256")}
    return {"messages": value["messages"]}


def readable(body: bytes) -> Any:
    """Write an item for a message."""
    value = json.loads(body)
    if "file" not in value:
        return value["messages"]
    file = value["file"]
    if not file["sha256"]:
        return f"{file['name']} (cannot be used)"
    return f"{file['name']} ({file['size']:,} bytes, sha256 {file['sha256'][:12]}…)"


def was_is(old: Any, new: Any) -> str:
    """Show both values, from shortly before the place where they differ."""
    before, after = _written(old), _written(new)
    apart = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    start = 0 if max(len(before), len(after)) <= _SHOWN else max(apart - 30, 0)
    return f"was {_cut(before, start)}, is {_cut(after, start)}"


def _written(value: Any) -> str:
    if value is None:
        return "not given"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(text: str, start: int) -> str:
    part = text[start : start + _SHOWN]
    return f"{'…' if start else ''}{part}{'…' if start + _SHOWN < len(text) else ''}"


def _names(places: Sequence[int], name: Callable[[int], str]) -> str:
    names = ", ".join(name(place) for place in places[:_MOST_NAMES])
    more = len(places) - _MOST_NAMES
    return names if more <= 0 else f"{names} and {more:,} more"


def _label(index: int, body: bytes) -> str:
    value = json.loads(body)
    if "file" in value:
        return str(value["file"]["name"])
    turns = [turn for turn in value.get("messages", []) if turn.get("role") == "user"]
    text = "" if not turns else turns[-1]["content"]
    said = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
    return f"item {index} ({said[:_QUOTED]!r}{'…' if len(said) > _QUOTED else ''})"
