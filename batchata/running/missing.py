"""Which items of a run a script lacks, has in addition, or gives in another order, by their names."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any

from batchata.core.events import ItemsAdded
from batchata.inputs import Inputs
from batchata.log.port import Log

_MOST_NAMES = 10
_SHOWN = 40  # characters of a message that stand for it


def input_body(body: bytes) -> Any:
    """What decides about an item: of a file its name, type and content, not where it lies."""
    value = json.loads(body)
    return {k: value["file"][k] for k in ("name", "media_type", "sha256")} if "file" in value else value


def readable(body: bytes) -> Any:
    """An item as a message shows it."""
    value = json.loads(body)
    if "file" not in value:
        return value["messages"]
    file = value["file"]
    if not file["sha256"]:
        return f"{file['name']} (cannot be used)"
    return f"{file['name']} ({file['size']:,} bytes, sha256 {file['sha256'][:12]}…)"


def moved(log: Log, stream: str, added: Iterable[ItemsAdded], inputs: Inputs) -> list[str]:
    """Lines that name the items which are missing, new or in another order; none if the log cannot tell."""
    before = list(_recorded(log, stream, added))
    after = [_identity(inputs.body(index)) for index in range(inputs.count)]
    if None in before:
        return []  # purged
    missing = _names(_left(before, after), lambda index: _name(log, stream, added, index))
    extra = _left(after, before) if missing else []
    new = _names(extra, lambda index: _label(index, inputs.body(index)))
    lines = [f"missing now: {missing}"] if missing else []
    lines += [f"new, or changed: {new}"] if new else []
    if not missing and before != after[: len(before)]:
        lines.append("the items of the run are all there, but in another order; give them in theirs")
    return lines


def _recorded(log: Log, stream: str, added: Iterable[ItemsAdded]) -> Iterator[bytes | None]:
    for event in added:
        for body in log.bodies(stream, range(event.first_body, event.first_body + event.count)):
            yield None if body is None else _identity(body)


def _identity(body: bytes) -> bytes:
    return sha256(json.dumps(input_body(body), sort_keys=True).encode()).digest()


def _left(some: Sequence[bytes | None], others: Sequence[bytes | None]) -> list[int]:
    """The places of `some` that have no partner among the others."""
    partners = Counter(others)
    left = []
    for place, one in enumerate(some):
        if partners[one]:
            partners[one] -= 1
        else:
            left.append(place)
    return left


def _names(places: Sequence[int], name: Any) -> str:
    names = ", ".join(name(place) for place in places[:_MOST_NAMES])
    more = len(places) - _MOST_NAMES
    return names if more <= 0 else f"{names} and {more:,} more"


def _name(log: Log, stream: str, added: Iterable[ItemsAdded], index: int) -> str:
    event = next(event for event in added if event.first <= index < event.first + event.count)
    (body,) = log.bodies(stream, [event.first_body + index - event.first])
    return _label(index, body or b"{}")


def _label(index: int, body: bytes) -> str:
    value = json.loads(body)
    if "file" in value:
        return str(value["file"]["name"])
    turns = [turn for turn in value.get("messages", []) if turn.get("role") == "user"]
    text = "" if not turns else turns[-1]["content"]
    said = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
    return f"item {index} ({said[:_SHOWN]!r}{'…' if len(said) > _SHOWN else ''})"
