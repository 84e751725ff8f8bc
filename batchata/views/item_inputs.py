"""Say what an item asks: its documents, its messages, and all of it in a line, without the bytes of files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from batchata.text import number_of

_MOST_DATA = 200  # characters of a text in JSON beyond which base64 is only counted
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
        return _file(found.file)
    said = _turns(found.messages)
    last = next((text for role, text in reversed(said) if role == "user"), "")
    text = said[0][1] if len(said) == 1 else "\n\n".join(f"{role}: {text}" for role, text in said)
    return Input(" ".join(last[: 2 * _NAME].split())[:_NAME], number_of(len(said), "message"), text)


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
