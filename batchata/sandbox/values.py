"""What a sandbox's user gives and gets: answers, requests, documents, batches."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from batchata.sandbox.anthropic.schema import schema_of
from batchata.sandbox.pdf import Pdf, read_pdf

__all__ = ["Answer", "BatchView", "Document", "Request"]


@dataclass(slots=True)
class Answer:
    """One answer: `text`, or `content` blocks; `kind` other than "succeeded" makes it another outcome.

    `usage` overrides single keys of the estimated usage. `error_type` and `error_message` belong to
    kind "errored". A kind the protocol does not know is sent as it is.
    """

    text: str | None = None
    content: list[dict[str, Any]] | None = None
    stop_reason: str = "end_turn"
    usage: dict[str, Any] | None = None
    kind: str = "succeeded"
    error_type: str = "api_error"
    error_message: str = "Internal server error"
    stop_details: dict[str, Any] | None = None

    def blocks(self) -> list[dict[str, Any]]:
        if self.content is not None:
            return self.content
        return [{"type": "text", "text": self.text or "", "citations": None}]


class Document:
    """One `document` block of a request; `index` counts over all documents of the request."""

    def __init__(self, block: dict[str, Any], index: int) -> None:
        source = block.get("source") or {}
        self.block = block
        self.index = index
        self.title: str | None = block.get("title")
        self.source: dict[str, Any] = source
        self.source_type: str = source.get("type", "")
        self.media_type: str = source.get("media_type") or (
            "text/plain" if self.source_type in ("text", "content") else "application/pdf"
        )
        self.citations_enabled = bool((block.get("citations") or {}).get("enabled"))

    @property
    def kind(self) -> str:
        """How a citation addresses this document: "page", "char" or "block"."""
        return {"text": "char", "content": "block"}.get(self.source_type, "page")

    @cached_property
    def pdf(self) -> Pdf | None:
        """The PDF, or None when this is no base64 PDF. Raises ValueError when it is no base64."""
        if self.source_type != "base64" or self.media_type != "application/pdf":
            return None
        return read_pdf(self.bytes)

    @cached_property
    def bytes(self) -> bytes:
        try:
            return base64.b64decode(self.source.get("data", ""), validate=True)
        except (binascii.Error, TypeError) as exc:
            raise ValueError("not base64") from exc

    @cached_property
    def pages(self) -> list[str]:
        """The text by page (PDF), by block (custom content), or as one page (plain text)."""
        match self.source_type:
            case "text":
                return [str(self.source.get("data", ""))]
            case "content":
                return content_texts(self.source.get("content"))
            case "base64":
                return self.pdf.pages if self.pdf else []
        return []


class Request:
    """One request of a batch as an answering function sees it; `number` is its place in the batch."""

    def __init__(self, custom_id: str, params: dict[str, Any], number: int = 0) -> None:
        self.custom_id = custom_id
        self.params = params
        self.number = number

    def __repr__(self) -> str:
        return f"Request({self.custom_id!r}, number={self.number})"

    @property
    def model(self) -> str:
        return str(self.params.get("model", ""))

    @cached_property
    def text(self) -> str:
        """The text of all user messages, joined by blank lines."""
        return "\n\n".join(text for message in self._user_messages() for text in content_texts(message))

    @cached_property
    def system(self) -> str:
        return "\n\n".join(content_texts(self.params.get("system")))

    @cached_property
    def documents(self) -> list[Document]:
        return documents_of(self.params)

    @cached_property
    def schema(self) -> dict[str, Any] | None:
        """The JSON schema asked for: of `output_config.format`, a forced tool, or the system prompt."""
        return schema_of(self.params, self.system)

    def _user_messages(self) -> list[Any]:
        messages = self.params.get("messages") or []
        return [m.get("content") for m in messages if isinstance(m, dict) and m.get("role") == "user"]


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch as it is now."""

    id: str
    created_at: datetime
    custom_ids: tuple[str, ...]
    status: str
    counts: dict[str, int] = field(default_factory=dict)


def content_texts(content: Any) -> list[str]:
    """The texts of a `content` value: a string, or a list of blocks."""
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        return []
    return [str(b.get("text", "")) for b in content if isinstance(b, dict) and b.get("type") == "text"]


def documents_of(params: dict[str, Any]) -> list[Document]:
    """Every document block of the user messages, in order."""
    found: list[Document] = []
    for message in params.get("messages") or []:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            blocks = [b for b in content if isinstance(b, dict) and b.get("type") == "document"]
            found += [Document(block, len(found) + n) for n, block in enumerate(blocks)]
    return found
