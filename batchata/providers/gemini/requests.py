"""Encode an item as a line of the file that Gemini's Batch API reads: `{"key": ..., "request": {...}}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import IO, Any, Final

from batchata.answers.schema import Route
from batchata.inputs.items import Source
from batchata.inputs.json_values import encode
from batchata.providers.exchange import Envelope
from batchata.providers.gemini.content import contents_of
from batchata.providers.message_parts import Part
from batchata.providers.part_requests import PartTemplate, head_of, turns_with

__all__ = ["PARAMS", "RequestTemplate", "model_in", "named", "template_of"]

# Our names of what goes into generationConfig, and of what stands beside it.
_CONFIG: Final = {
    "max_tokens": "maxOutputTokens",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "seed": "seed",
    "stop_sequences": "stopSequences",
    "temperature": "temperature",
    "thinking_config": "thinkingConfig",
    "top_k": "topK",
    "top_p": "topP",
}
_BESIDE: Final = {"safety_settings": "safetySettings", "tool_config": "toolConfig", "tools": "tools"}
PARAMS: Final = tuple(sorted([*_CONFIG, *_BESIDE, "system"]))
_MODEL: Final = re.compile(rb'"request":\{"model":"models/([A-Za-z0-9._-]{1,200})"')
_FILE: Final = Envelope(b"", b"\n", b"\n")
# The body of a create call that holds its requests; it gets its name when it is sent.
_OPENING: Final = b'{"batch":{'
_INLINE: Final = Envelope(_OPENING + b'"inputConfig":{"requests":{"requests":[', b",", b"]}}}}")
_FIRST_KEY: Final = re.compile(rb'\[\{"metadata":\{"key":"([A-Za-z0-9_.:-]{1,200})-\d+"\}')
_NOTE_BYTES: Final = 60  # a turn around a note
_FRAME_BYTES: Final = 120  # what stands around the system's text
_FUNCTIONS: Final = ("functionDeclarations", "function_declarations")


@dataclass(frozen=True)
class RequestTemplate(PartTemplate):
    """What all lines of a run have in common; `params` are ours, without those that are None."""

    model: str
    params: Mapping[str, Any]
    output_format: Mapping[str, Any] | None = None
    suffix: str | None = None
    prompt: str | None = None
    inline: bool = False

    @property
    def envelope(self) -> Envelope:
        """See the port: a file of lines, or a create call."""
        return _INLINE if self.inline else _FILE

    def encode(self, custom_id: str, source: Source, note: str | None = None) -> bytes:
        """See the port."""
        turns = [*turns_with(self.prompt, source)]
        if note is not None:
            turns.append(("user", [Part("text", note)]))
        key = b'{"metadata":{"key":%b}' if self.inline else b'{"key":%b'
        head = key % encode(custom_id) + b',"request":{"model":' + encode(f"models/{self.model}")
        said = [part.value for role, parts in turns if role in ("system", "developer") for part in parts]
        system = self._system([self.params.get("system"), *said, self.suffix])
        made = b',"contents":' + encode(contents_of(turns))
        return head + system + self._common + made + b"}}"

    def _system(self, texts: list[str | None]) -> bytes:
        """Write what comes before the conversation: the caller's words, and the schema in words."""
        given = "\n\n".join(text for text in texts if text)
        return b',"systemInstruction":' + encode({"parts": [{"text": given}]}) if given else b""

    @property
    def size(self) -> int:
        """See the port."""
        prompt = len(encode(self.prompt)) + _NOTE_BYTES if self.prompt else 0
        lead = self._system([self.params.get("system"), self.suffix])
        return len(self._common) + prompt + len(lead) + len(self.model) + _FRAME_BYTES

    @property
    def unbounded(self) -> str | None:
        """See the port: any tool but functions is run by the service."""
        tools = self.params.get("tools") or ()
        return next((str(name) for tool in tools for name in tool if name not in _FUNCTIONS), None)

    def note_size(self, note: str) -> int:
        """See the port."""
        return len(encode(note)) + _NOTE_BYTES

    def limited_to(self, max_tokens: int) -> RequestTemplate:
        """See the port."""
        return replace(self, params={**self.params, "max_tokens": max_tokens})

    @cached_property
    def _common(self) -> bytes:
        config = {_CONFIG[name]: value for name, value in self.params.items() if name in _CONFIG}
        if self.output_format is not None:
            config |= {"responseMimeType": "application/json", "responseSchema": self.output_format}
        beside = {_BESIDE[name]: value for name, value in self.params.items() if name in _BESIDE}
        return b"," + encode({"generationConfig": config, **beside})[1:-1]


def model_in(body: bytes | IO[bytes]) -> str | None:
    """Return the model that the requests of a file are for: that of its first line."""
    found = _MODEL.search(head_of(body))
    return None if found is None else found[1].decode()


def named(body: bytes) -> tuple[str, bytes]:
    """Return the job's mark, which begins the keys of its requests, and their create call, named after it."""
    found = _FIRST_KEY.search(head_of(body))
    assert found is not None, "the first request has no key of ours"
    return found[1].decode(), _OPENING + b'"displayName":"' + found[1] + b'",' + body[len(_OPENING) :]


def template_of(
    model: str,
    params: Mapping[str, Any],
    route: Route,
    prompt: str | None = None,
    *,
    inline: bool = False,
) -> RequestTemplate:
    """Return the template of a run."""
    return RequestTemplate(model, params, route.output_format, route.instructions, prompt, inline)
