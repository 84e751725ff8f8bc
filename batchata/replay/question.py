"""What was asked about one item: its documents and messages, from the input that the log holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from batchata.replay.wording import number_of

_MOST_DATA = 200  # characters of a text in JSON beyond which base64 is only counted


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


def documents(item: dict[str, Any]) -> list[Document]:
    """The documents and images in the order of the request, which is how citations count documents."""
    file = item.get("file")
    if file is not None:
        known = {key: file.get(key) for key in Document._fields}
        return [Document(**known)]
    return [_document(block) for block in _blocks(item) if block.get("type") in ("document", "image")]


def turns(item: dict[str, Any]) -> list[tuple[str, str]]:
    """Each message's role and text; what is no text is named in brackets."""
    return [
        (message["role"], "\n".join(map(_text, _content(message)))) for message in item.get("messages", [])
    ]


def shortened(value: Any) -> Any:
    """The input as JSON values, with the bytes of documents counted instead of shown."""
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


def _document(block: dict[str, Any]) -> Document:
    source = block.get("source") or {}
    kind = source.get("media_type") or source.get("type")
    size = len(source["data"]) * 3 // 4 if source.get("type") == "base64" else None
    name = block.get("title") or source.get("url") or source.get("file_id") or f"untitled {block['type']}"
    return Document(name, kind, size)


def _blocks(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for message in item.get("messages", []):
        yield from _content(message)


def _content(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _text(block: dict[str, Any]) -> str:
    return block["text"] if block.get("type") == "text" else f"[{block.get('type')}]"
