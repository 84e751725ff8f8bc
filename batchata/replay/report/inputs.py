"""What the log holds of an item's input, in the words that tell it from others."""

from __future__ import annotations

from typing import Any

import msgspec

from batchata.text import number_of


class Input(msgspec.Struct, array_like=True):
    """An input for a reader: its name, what it is, and the text that was sent, where it was text."""

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
_NAME = 300  # characters; the table shows fewer


def describe(body: bytes | None) -> Input:
    """The input in this body of the log, None when it was purged."""
    if body is None:
        return Input("", "purged from the log", "")
    try:
        found = _decode(body)
    except (msgspec.MsgspecError, UnicodeError):  # a shape of message that we do not know
        return Input("", "messages", body.decode(errors="replace"))
    if found.file is not None:
        return _file(found.file)
    return _messages(found.messages)


def _file(file: _File) -> Input:
    if not file.media_type:
        return Input(file.name, "a file that cannot be used", "")
    pages = "" if file.pages is None else f", {number_of(file.pages, 'page')}"
    return Input(file.name, f"{file.media_type}{pages}, {file.size:,} bytes", "")


def _messages(messages: list[_Message]) -> Input:
    """Named by what the user said last."""
    texts = [(message.role, _text(message.content)) for message in messages]
    last = next((text for role, text in reversed(texts) if role == "user"), "")
    kind = number_of(len(messages), "message")
    said = texts[0][1] if len(texts) == 1 else "\n\n".join(f"{role}: {text}" for role, text in texts)
    return Input(" ".join(last[: 2 * _NAME].split())[:_NAME], kind, said)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = [part.text if part.text is not None else f"({part.title or part.type})" for part in content]
    return "\n".join(parts)
