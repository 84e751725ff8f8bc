"""Encode an item as a line of the file that OpenAI's Batch API reads, for either endpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import IO, Any, ClassVar, Final

from batchata.answers.schema import Route
from batchata.inputs.items import Source
from batchata.inputs.json_values import encode
from batchata.providers.exchange import Envelope
from batchata.providers.message_parts import Part
from batchata.providers.openai.content import written
from batchata.providers.part_requests import PartTemplate, head_of, turns_with

RESPONSES: Final = "/v1/responses"
CHAT: Final = "/v1/chat/completions"
_URL: Final = re.compile(rb'"url":"(/v1/[a-z/]{1,40})"')
_MODEL: Final = re.compile(rb'"body":\{"model":"([^"\\]{1,200})"')
_OURS: Final = ("endpoint", "instructions")
_NOTE_BYTES: Final = 48  # a message around a note


@dataclass(frozen=True)
class LineTemplate(PartTemplate):
    """What all lines of a run have in common; `params` are those of the Responses API without the input."""

    params: Mapping[str, Any]
    suffix: str | None = None
    prompt: str | None = None
    most_tokens: str = "max_completion_tokens"  # what chat completions call the limit of an answer
    bare: bool = False  # whether a line is a custom id and a body alone

    envelope: ClassVar[Envelope] = Envelope(b"", b"\n", b"\n")

    def encode(self, custom_id: str, source: Source, note: str | None = None) -> bytes:
        """See the port: `{"custom_id": ..., "method": "POST", "url": ..., "body": {...}}`."""
        is_chat = self.endpoint == CHAT
        turns = list(turns_with(self.prompt, source))
        if note is not None:
            turns.append(("user", [Part("text", note)]))
        lead = [("system", [Part("text", text)]) for text in self._instructions] if is_chat else []
        made = [written(role, parts, is_chat=is_chat) for role, parts in (*lead, *turns)]
        sent = b"" if self.bare else b'"method":"POST","url":' + encode(self.endpoint) + b","
        head = b'{"custom_id":' + encode(custom_id) + b"," + sent
        name = b',"messages":' if is_chat else b',"input":'
        return head + b'"body":{' + self._common + name + encode(made) + b"}}"

    @property
    def endpoint(self) -> str:
        """Where the requests go."""
        return endpoint_in(self.params)

    @property
    def _instructions(self) -> list[str]:
        """What comes before every conversation: the caller's instructions, and the schema in words."""
        texts = [text for text in (self.params.get("instructions"), self.suffix) if text]
        return ["\n\n".join(texts)] if texts else []

    @property
    def size(self) -> int:
        """See the port."""
        return len(self._common) + (len(encode(self.prompt)) + _NOTE_BYTES if self.prompt else 0) + self._lead

    @property
    def _lead(self) -> int:
        """Count the bytes of instructions that are a message of their own."""
        is_chat = self.endpoint == CHAT
        return sum(len(encode(text)) + _NOTE_BYTES for text in self._instructions) if is_chat else 0

    @property
    def unbounded(self) -> str | None:
        """See the port: any tool but a function is run by the service."""
        kinds = (str(tool.get("type")) for tool in self.params.get("tools") or ())
        return next((kind for kind in kinds if kind != "function"), None)

    def note_size(self, note: str) -> int:
        """See the port."""
        return len(encode(note)) + _NOTE_BYTES

    def limited_to(self, max_tokens: int) -> LineTemplate:
        """See the port."""
        return replace(self, params={**self.params, "max_output_tokens": max_tokens})

    @cached_property
    def _common(self) -> bytes:
        kept = {name: value for name, value in self.params.items() if name not in _OURS}
        if self.endpoint == CHAT:
            return encode(_as_chat(kept, self.most_tokens))[1:-1]
        lead = {"instructions": self._instructions[0]} if self._instructions else {}
        return encode({**kept, **lead, "store": False})[1:-1]


def _as_chat(params: Mapping[str, Any], most_tokens: str) -> dict[str, Any]:
    """Translate parameters of the Responses API into those of chat completions."""
    made = dict(params)
    if (most := made.pop("max_output_tokens", None)) is not None:
        made[most_tokens] = most
    if effort := (made.pop("reasoning", None) or {}).get("effort"):
        made["reasoning_effort"] = effort
    found = (made.pop("text", None) or {}).get("format")
    if found is not None:
        named = {key: value for key, value in found.items() if key != "type"}
        made["response_format"] = {"type": "json_schema", "json_schema": named}
    return made


def endpoint_in(params: Mapping[str, Any]) -> str:
    """Return the endpoint that parameters choose."""
    return str(params.get("endpoint") or RESPONSES)


def target_of(body: bytes | IO[bytes]) -> tuple[str, str]:
    """Return the endpoint and the model that the requests of a file are for: those of its first line."""
    head = head_of(body)
    url, model = _URL.search(head), _MODEL.search(head)
    return RESPONSES if url is None else url[1].decode(), "" if model is None else model[1].decode()


def template_of(
    model: str,
    params: Mapping[str, Any],
    route: Route,
    prompt: str | None = None,
    most_tokens: str = "max_completion_tokens",
    *,
    bare: bool = False,
) -> LineTemplate:
    """Return the template of a run; our `max_tokens` is called `max_output_tokens`."""
    whole = {"model": model, **params}
    if (most := whole.pop("max_tokens", None)) is not None:
        whole["max_output_tokens"] = most
    if route.output_format is not None:
        whole["text"] = {**whole.get("text", {}), "format": route.output_format}
    return LineTemplate(whole, route.instructions, prompt, most_tokens, bare)
