"""Define what a sandbox's user gives and gets: requests and their schemas, documents, answers, batches."""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from batchata.sandbox.pdf import Pdf

__all__ = [
    "Answer",
    "Answering",
    "BatchView",
    "Document",
    "Quote",
    "Request",
    "as_answer",
    "resolve",
    "schemas_in",
]


logger = logging.getLogger("batchata.sandbox")


_decoder = json.JSONDecoder()


class Document(ABC):
    """One document of a request; `index` counts over all documents of the request."""

    def __init__(self, index: int, title: str | None, *, citations_enabled: bool) -> None:
        self.index = index
        self.title = title
        self.citations_enabled = citations_enabled

    @property
    @abstractmethod
    def kind(self) -> Literal["page", "char", "block"]:
        """How a citation addresses this document."""

    @property
    @abstractmethod
    def pdf(self) -> Pdf | None:
        """The PDF, or None for another document. Raises ValueError when its bytes cannot be had."""

    @property
    @abstractmethod
    def pages(self) -> list[str]:
        """The text by page (PDF), by block (custom content), or as one page (plain text)."""


class Request(ABC):
    """One request of a batch as an answering function sees it; `number` is its place in the batch.

    `params` is what was sent, in the words of its protocol; the rest says the same for any protocol.
    """

    def __init__(self, custom_id: str, params: dict[str, Any], number: int = 0) -> None:
        self.custom_id = custom_id
        self.params = params
        self.number = number

    def __repr__(self) -> str:
        return f"Request({self.custom_id!r}, number={self.number})"

    @property
    def model(self) -> str:
        return str(self.params.get("model", ""))

    @property
    @abstractmethod
    def text(self) -> str:
        """The text of all user messages, joined by blank lines."""

    @property
    @abstractmethod
    def system(self) -> str:
        """The text of the system prompt."""

    @property
    @abstractmethod
    def documents(self) -> list[Document]:
        """Every document of the user messages, in order."""

    @property
    @abstractmethod
    def schema(self) -> dict[str, Any] | None:
        """The JSON schema asked for: of the output format, a forced tool, or the system prompt."""

    @property
    @abstractmethod
    def forced_tool(self) -> str | None:
        """The name of the tool that must be called."""

    @property
    @abstractmethod
    def has_format(self) -> bool:
        """Whether the protocol itself holds the answer to the schema."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A stretch of a document that an answer rests on; `number` is the page or block, from 0."""

    document: Document
    number: int
    text: str
    start: int
    end: int


@dataclass(slots=True)
class Answer:
    """One answer: `text`, or `content` blocks; `kind` other than "succeeded" makes it another outcome.

    `content`, `usage` (which overrides single keys of the estimated one) and the rest are in the words of the
    protocol. `error_type` and `error_message` belong to kind "errored". A kind the protocol does not know is
    sent as it is. `pieces` (texts that join to the answer, with what each rests on) and `call` (a tool and
    its input) are what the sandbox's own reader gives instead of `text`.
    """

    text: str | None = None
    content: list[dict[str, Any]] | None = None
    stop_reason: str | None = None
    usage: dict[str, Any] | None = None
    kind: str = "succeeded"
    error_type: str = "api_error"
    error_message: str = "Internal server error"
    stop_details: dict[str, Any] | None = None
    pieces: list[tuple[str, Quote | None]] | None = None
    call: tuple[str, Any] | None = None


def as_answer(value: Any) -> Answer:
    """Make an answer of what a user may give: an Answer, a text, a pydantic model, or any JSON value."""
    if isinstance(value, Answer):
        return value
    if isinstance(value, str):
        return Answer(value)
    if hasattr(value, "model_dump_json"):
        return Answer(value.model_dump_json())
    return Answer(json.dumps(value, ensure_ascii=False, default=str))


class Answering:
    """Answers requests by a function."""

    def __init__(self, ask: Callable[[Request], Any]) -> None:
        self._ask = ask

    def answer(self, request: Request) -> Answer:
        """Return the answer; an exception of the answering function becomes an errored one."""
        try:
            return as_answer(self._ask(request))
        except Exception as exc:
            logger.exception("answer_failed custom_id=%s", request.custom_id)
            return Answer(kind="errored", error_message=f"{type(exc).__name__}: {exc}")


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch as it is now."""

    id: str
    created_at: datetime
    custom_ids: tuple[str, ...]
    status: str
    counts: dict[str, int] = field(default_factory=dict)


def schemas_in(text: str) -> Iterator[dict[str, Any]]:
    """Yield every JSON object in a text that looks like a schema."""
    start = text.find("{")
    while start != -1:
        end = start + 1
        try:
            value, end = _decoder.raw_decode(text, start)
        except ValueError:
            value = None
        if isinstance(value, dict) and not value.keys().isdisjoint({"properties", "$ref", "$defs", "anyOf"}):
            yield value
        start = text.find("{", end)


def resolve(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Follow the schema's `$ref` (into `$defs` or `definitions` of the root) and single `allOf`."""
    for _ in range(20):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            target: Any = root
            for part in reference.removeprefix("#").strip("/").split("/"):
                target = target.get(part, {}) if part and isinstance(target, dict) else target
            schema = {**target, **{k: v for k, v in schema.items() if k != "$ref"}}
        elif len(schema.get("allOf") or []) == 1:
            schema = {**schema["allOf"][0], **{k: v for k, v in schema.items() if k != "allOf"}}
        else:
            break
    return schema
