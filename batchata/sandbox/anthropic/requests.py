"""Read the requests of a batch: their envelope, what it is refused for at once, and what each asks."""

from __future__ import annotations

import base64
import binascii
import re
from functools import cached_property
from typing import Any, Literal

import msgspec

from batchata.sandbox.pdf import Pdf, read_pdf
from batchata.sandbox.protocol import Refusal
from batchata.sandbox.values import Document, Request, schemas_in

__all__ = [
    "MAX_REQUESTS",
    "DocumentBlock",
    "Entry",
    "MessageRequest",
    "check_entries",
    "documents_of",
    "read_entries",
]

MAX_REQUESTS = 100_000
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")


class Entry(msgspec.Struct, gc=False):
    """One request of a batch; `params` is its JSON as sent."""

    custom_id: str
    params: msgspec.Raw


class _Envelope(msgspec.Struct):
    requests: list[Entry]


_decoder = msgspec.json.Decoder(_Envelope)


def read_entries(body: bytes) -> list[Entry]:
    """Read the requests of a body that `check_custom_ids` has seen, or raise Refusal."""
    try:
        return _decoder.decode(body).requests
    except msgspec.ValidationError as exc:
        raise Refusal(400, _as_sent(str(exc))) from exc
    except msgspec.DecodeError as exc:
        raise Refusal(400, f"The request body is not valid JSON: {exc}") from exc


def check_entries(entries: list[Entry], limit: int = MAX_REQUESTS) -> None:
    """Raise Refusal for what the service refuses at once: the number of requests and their custom ids."""
    if not entries:
        raise Refusal(400, "requests: List should have at least 1 item after validation, not 0")
    if len(entries) > limit:
        raise Refusal(
            400, f"requests: List should have at most {limit} items after validation, not {len(entries)}"
        )
    seen: set[str] = set()
    for number, entry in enumerate(entries):
        custom_id = entry.custom_id
        if _CUSTOM_ID.match(custom_id) is None or custom_id in seen:
            raise Refusal(400, f"requests.{number}.custom_id: {_fault_of(custom_id)}")
        if bytes(memoryview(entry.params)[:1]) != b"{":
            raise Refusal(400, f"requests.{number}.params: Input should be an object")
        seen.add(custom_id)


def _fault_of(custom_id: str) -> str:
    if not custom_id:
        return "String should have at least 1 character"
    if len(custom_id) > 64:
        return "String should have at most 64 characters"
    if _CUSTOM_ID.match(custom_id) is None:
        return "String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"
    return f"'{custom_id}' is not unique within the batch"


def _as_sent(message: str) -> str:
    """Put msgspec's complaint in the service's words: `requests.0.custom_id: Field required`."""
    path = re.search(r"`\$\.?([^`]*)`", message)
    where = re.sub(r"\[(\d+)\]", r".\1", path[1] if path else "")
    missing = re.search(r"missing required field `(\w+)`", message)
    if missing:
        return f"{where}.{missing[1]}: Field required".lstrip(".")
    expected = re.search(r"Expected `(\w+)", message)
    wanted = {"str": "string", "array": "list"}.get(expected[1], expected[1]) if expected else "value"
    return f"{where}: Input should be a valid {wanted}".lstrip(": ")


class DocumentBlock(Document):
    """One `document` block of a request."""

    def __init__(self, block: dict[str, Any], index: int) -> None:
        cited = bool((block.get("citations") or {}).get("enabled"))
        super().__init__(index, block.get("title"), citations_enabled=cited)
        self.source: dict[str, Any] = block.get("source") or {}
        self.source_type: str = self.source.get("type", "")
        self.media_type: str = self.source.get("media_type") or (
            "text/plain" if self.source_type in ("text", "content") else "application/pdf"
        )

    @property
    def kind(self) -> Literal["page", "char", "block"]:
        match self.source_type:
            case "text":
                return "char"
            case "content":
                return "block"
        return "page"

    @cached_property
    def pdf(self) -> Pdf | None:
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
        match self.source_type:
            case "text":
                return [str(self.source.get("data", ""))]
            case "content":
                return content_texts(self.source.get("content"))
            case "base64":
                return self.pdf.pages if self.pdf else []
        return []


class MessageRequest(Request):
    """A request as the Messages API has it."""

    @cached_property
    def text(self) -> str:
        return "\n\n".join(text for message in self._user_messages() for text in content_texts(message))

    @cached_property
    def system(self) -> str:
        return "\n\n".join(content_texts(self.params.get("system")))

    @cached_property
    def documents(self) -> list[Document]:
        return list(documents_of(self.params))

    @cached_property
    def schema(self) -> dict[str, Any] | None:
        output_format = (self.params.get("output_config") or {}).get("format") or {}
        if isinstance(output_format.get("schema"), dict):
            return dict(output_format["schema"])
        tool = _forced_tool(self.params)
        if tool is not None:
            return dict(tool.get("input_schema") or {})
        return next(schemas_in(self.system), None)

    @property
    def forced_tool(self) -> str | None:
        tool = _forced_tool(self.params)
        return None if tool is None else str(tool.get("name"))

    @property
    def has_format(self) -> bool:
        return bool((self.params.get("output_config") or {}).get("format"))

    def _user_messages(self) -> list[Any]:
        messages = self.params.get("messages") or []
        return [m.get("content") for m in messages if isinstance(m, dict) and m.get("role") == "user"]


def _forced_tool(params: dict[str, Any]) -> dict[str, Any] | None:
    choice = params.get("tool_choice") or {}
    tools = [tool for tool in params.get("tools") or [] if isinstance(tool, dict)]
    if choice.get("type") == "any":
        return next(iter(tools), None)
    if choice.get("type") == "tool":
        return next((tool for tool in tools if tool.get("name") == choice.get("name")), None)
    return None


def content_texts(content: Any) -> list[str]:
    """Yield the texts of a `content` value: a string, or a list of blocks."""
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        return []
    return [str(b.get("text", "")) for b in content if isinstance(b, dict) and b.get("type") == "text"]


def documents_of(params: dict[str, Any]) -> list[DocumentBlock]:
    """Return every document block of the user messages, in order."""
    found: list[DocumentBlock] = []
    for message in params.get("messages") or []:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            blocks = [b for b in content if isinstance(b, dict) and b.get("type") == "document"]
            found += [DocumentBlock(block, len(found) + n) for n, block in enumerate(blocks)]
    return found
