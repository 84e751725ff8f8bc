"""Describe what an item asks: its documents, its messages, and all in one line, without files' bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import msgspec

from batchata.core.events import ItemsAdded
from batchata.core.values import known
from batchata.errors import InvalidInputError
from batchata.inputs.items import Called
from batchata.log.port import Log
from batchata.text import did_you_mean, number_of

_MOST_DATA = 200  # characters of a text in JSON beyond which base64 is only counted
_MOST_ITEMS = 10  # that a message lists
_NAME = 300  # characters; a table shows fewer


class Document(NamedTuple):
    """A document or image of a request; what is not known of it is None."""

    name: str
    media_type: str | None = None
    size: int | None = None
    pages: int | None = None
    sha256: str | None = None
    path: str | None = None

    def __str__(self) -> str:
        if self.sha256 == "":
            return f"{self.name} (cannot be used)"
        facts = [self.media_type or ""]
        facts.append("" if self.pages is None else number_of(self.pages, "page"))
        facts.append("" if self.size is None else f"{self.size:,} bytes")
        facts.append("" if self.sha256 is None else f"sha256 {self.sha256[:12]}…")
        told = ", ".join(fact for fact in facts if fact)
        return f"{self.name} ({told})" if told else self.name


class Input(msgspec.Struct, array_like=True):
    """An input for a reader: its name, its kind, and the text that was sent, if it was text."""

    name: str
    kind: str
    text: str


class _Labelled(msgspec.Struct):
    """The parts of a body that say what its item is called; messages and bytes of files are skipped."""

    file: _Place | None = None
    key: str | None = None
    row: dict[str, Any] | None = None


class _Place(msgspec.Struct):
    name: str = ""
    path: str | None = None


_labelled = msgspec.json.Decoder(_Labelled).decode


def called(body: bytes | None, index: int) -> Called:
    """Return what the item with this input in the log is called; its index where the body was purged."""
    try:
        found = _Labelled() if body is None else _labelled(body)
    except (msgspec.MsgspecError, UnicodeError):
        found = _Labelled()
    file = found.file or _Place()
    return Called(found.key or file.name or f"item {index}", file.path, found.row)


def find_item(log: Log, stream: str, which: str) -> int:
    """Return the index of the item with this key, file name or path; a number is an index without keys.

    Raises InvalidInputError when there is none, or several.
    """
    added = [cast("ItemsAdded", r.event) for r in log.events(stream, types=[ItemsAdded.TYPE])]
    has_keys = any(known(event.keys) for event in added)
    if which.isascii() and which.isdigit() and not has_keys:
        return int(which)
    ways: dict[str, list[int]] = {}
    for event in added:
        numbers = range(event.first_body, event.first_body + event.count)
        for index, body in enumerate(log.bodies(stream, numbers), event.first):
            for name in _names(body):
                ways.setdefault(name, []).append(index)
    found = ways.get(which, [])
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(map(str, found[:_MOST_ITEMS])) + (", …" if len(found) > _MOST_ITEMS else "")
        raise InvalidInputError(
            f"{len(found)} items of the run are called {which!r}: {listed}; give one of these"
        )
    if which.isascii() and which.isdigit():
        return int(which)
    hint = did_you_mean(which, ways, most=3) or "give its index, its key or the name of its file"
    raise InvalidInputError(f"the run {stream!r} has no item {which!r}; {hint}")


def _names(body: bytes | None) -> set[str]:
    """Return all that an item may be called by."""
    try:
        found = _Labelled() if body is None else _labelled(body)
    except (msgspec.MsgspecError, UnicodeError):
        return set()
    if found.key is not None:
        return {found.key}
    return set() if found.file is None else {found.file.name, found.file.path or found.file.name}


class _File(msgspec.Struct):
    name: str = ""
    media_type: str = ""
    size: int = 0
    pages: int | None = None


class _Part(msgspec.Struct):
    type: str = ""
    text: str | None = None
    title: str | None = None


class _Message(msgspec.Struct):
    role: str = ""
    content: str | list[_Part] = ""


class _Body(msgspec.Struct):
    file: _File | None = None
    key: str | None = None
    messages: list[_Message] = []


_decode = msgspec.json.Decoder(_Body).decode


def documents(item: dict[str, Any]) -> list[Document]:
    """Return the documents and images in the order of the request, which is how citations count documents."""
    file = item.get("file")
    if file is not None:
        known = {key: file.get(key) for key in Document._fields}
        return [Document(**known)]
    return [_document(block) for block in _blocks(item) if block.get("type") in ("document", "image")]


def turns(item: dict[str, Any]) -> list[tuple[str, str]]:
    """Return each message's role and text; what is not text is named in brackets."""
    return _turns(msgspec.convert(item, _Body).messages)


def describe(body: bytes | None) -> Input:
    """Describe the input in this body of the log, messages by the last user turn; None when it was purged."""
    if body is None:
        return Input("", "purged from the log", "")
    try:
        found = _decode(body)
    except (msgspec.MsgspecError, UnicodeError):  # a shape of message that we do not know
        return Input("", "messages", body.decode(errors="replace"))
    if found.file is not None:
        return msgspec.structs.replace(_file(found.file), name=found.key or found.file.name)
    said = _turns(found.messages)
    last = next((text for role, text in reversed(said) if role == "user"), "")
    text = said[0][1] if len(said) == 1 else "\n\n".join(f"{role}: {text}" for role, text in said)
    name = found.key or " ".join(last[: 2 * _NAME].split())[:_NAME]
    return Input(name, number_of(len(said), "message"), text)


def shortened(value: Any) -> Any:
    """Return the input as JSON values, with the bytes of documents counted instead of shown."""
    if isinstance(value, list):
        return [shortened(part) for part in value]
    if not isinstance(value, dict):
        return value
    is_bytes = value.get("type") == "base64" or "sha256" in value
    return {
        key: f"({len(part):,} characters of base64)"
        if is_bytes and key == "data" and len(part) > _MOST_DATA
        else shortened(part)
        for key, part in value.items()
    }


def _file(file: _File) -> Input:
    if not file.media_type:
        return Input(file.name, "a file that cannot be used", "")
    pages = "" if file.pages is None else f", {number_of(file.pages, 'page')}"
    return Input(file.name, f"{file.media_type}{pages}, {file.size:,} bytes", "")


def _turns(messages: Sequence[_Message]) -> list[tuple[str, str]]:
    return [(message.role, _text(message.content)) for message in messages]


def _text(content: str | list[_Part]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(
        part.text if part.text is not None else f"[{part.title or part.type}]" for part in content
    )


def _blocks(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for message in item.get("messages", []):
        if not isinstance(message["content"], str):
            yield from message["content"]


def _document(block: dict[str, Any]) -> Document:
    source = block.get("source") or {}
    kind = source.get("media_type") or source.get("type")
    size = len(source["data"]) * 3 // 4 if source.get("type") == "base64" else None
    name = block.get("title") or source.get("url") or source.get("file_id") or f"untitled {block['type']}"
    return Document(name, kind, size)
