"""Encode an item as the JSON of its request."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

from batchata.answers.schema import Route
from batchata.core.values import CachePlan
from batchata.inputs.files import FileInput
from batchata.inputs.items import Conversation, Inputs, Message, Source
from batchata.inputs.json_values import encode
from batchata.inputs.media_types import PDF, TEXT, decode_text
from batchata.providers.anthropic.content import CITABLE
from batchata.providers.anthropic.messages import CACHE_MARK
from batchata.providers.anthropic.models import ENVELOPE_TOKENS, Model
from batchata.providers.anthropic.prefix import (
    CONTROL,
    MARK_BYTES,
    marked,
    prefix_digest,
    prefix_tokens,
    shared_prefix,
    system_turns,
)
from batchata.providers.anthropic.texts import system_text
from batchata.providers.anthropic.tokens import (
    FORMAT,
    SCHEMA,
    TOOLS,
    hidden_tokens,
    service_tools,
    text_tokens,
)
from batchata.providers.exchange import Envelope, SharedBeginning

type Prompt = str | Sequence[Mapping[str, Any]]  # a system prompt: text, or text blocks

_CITATIONS = {"enabled": True}
_TEXT_AS_BLOCK = 32  # bytes that a text grows by when it becomes a block in a list, and a comma


@dataclass(frozen=True)
class RequestTemplate:
    """What all requests of a run have in common; it can be pickled.

    `params` are those of the Messages API without `messages`; `system_suffix` follows every system prompt;
    `prompt` follows the file. With `cache` the end of the shared beginning is marked to be cached.
    """

    envelope: ClassVar[Envelope] = Envelope(b'{"requests":[', b",", b"]}")

    params: Mapping[str, Any]
    system_suffix: str | None = None
    prompt: str | None = None
    enable_citations: bool = False
    cache: CachePlan | None = None
    model: Model = Model(id="")  # noqa: RUF009 - frozen

    def encode(self, custom_id: str, source: Source, note: str | None = None) -> bytes:
        """Return the JSON object of one request of a batch: `{"custom_id": ..., "params": {...}}`.

        A `note` becomes the last text of the last user message. Where an assistant's turn follows, which the
        model would continue with its own answer, the note is left out. Reads a file again; raises
        FileInputError when it is not the one that was checked.
        """
        head = b'{"custom_id":' + encode(custom_id) + b',"params":{'
        if isinstance(source, FileInput):
            return b"".join((head, self._common, *self._file_message(source, note)))
        messages, system = self._split(source)
        begins_alike = (
            self.cache is not None and prefix_digest(source, self.cache.blocks) == self.cache.digest
        )
        if self.cache is not None and self.cache.level == "messages" and begins_alike:
            messages = marked(messages, self.cache.blocks)
        if note is not None and messages[-1]["role"] == "user":
            messages = [*messages[:-1], _noted(messages[-1], note)]
        as_most = not system and begins_alike is (self.cache is not None)
        common = self._common if as_most else self._common_with(system, begins_alike)
        return head + common + b'"messages":' + encode(messages) + b"}}"

    def limited_to(self, max_tokens: int) -> RequestTemplate:
        """Return the same template with another limit of the answers."""
        if self.params.get("max_tokens") == max_tokens:
            return self
        return replace(self, params={**self.params, "max_tokens": max_tokens})

    def caching(self, plan: CachePlan) -> RequestTemplate:
        """Return the same template with the plan's prefix cached."""
        return replace(self, cache=plan)

    def note_size(self, note: str) -> int:
        """Return how many bytes a note adds to a request, at most; as many tokens at most, too."""
        return len(encode(_text_block(note))) + _TEXT_AS_BLOCK

    @property
    def size(self) -> int:
        """Return how many bytes it adds to `Inputs.request_size`, at most."""
        return len(self._common) + len(self._prompt_block) + (MARK_BYTES if self.cache else 0)

    @property
    def token_bound(self) -> int:
        """Return how many input tokens it adds to `Inputs.token_bound`, at most."""
        return self.size + ENVELOPE_TOKENS + hidden_tokens(self.params, self.enable_citations)

    @cached_property
    def expected_tokens(self) -> int:
        """Return how many input tokens it is expected to add to `Inputs.expected_tokens`."""
        return round(self.text_tokens * self.model.text_factor)

    @cached_property
    def text_tokens(self) -> float:
        """Return the same in the unit of `text_tokens`."""
        params = self.params
        shape = (params.get("output_config") or {}).get("format")
        more = FORMAT + text_tokens(encode(shape["schema"])) * SCHEMA if shape else 0.0
        return self.tool_tokens + self.system_tokens([]) + text_tokens(self.prompt or "") + more

    @cached_property
    def tool_tokens(self) -> float:
        """Return what the caller's tools add to that."""
        tools = self.params.get("tools")
        return TOOLS + text_tokens(encode(tools)) if tools else 0.0

    def system_tokens(self, source: Source) -> float:
        """Return what the system prompt adds to that, with the system turns of an item."""
        prompts = [self.params.get("system"), *system_turns(source), self.system_suffix]
        return sum(text_tokens(system_text(prompt)) for prompt in prompts if prompt)

    def shared_beginning(self, inputs: Inputs) -> SharedBeginning:
        """Return the last place that all requests have in common, and the tokens up to there."""
        first, prefix = inputs.source(0), shared_prefix(inputs)
        tools, system, factor = self.tool_tokens, self.system_tokens(first), self.model.text_factor
        if prefix.blocks:
            more = prefix_tokens(first, prefix.blocks, self.model, self.enable_citations)
            tokens = round((tools + system) * factor + more)
            return SharedBeginning("messages", prefix.blocks, prefix.digest, tokens)
        if prefix.same_system and system:
            return SharedBeginning("system", 0, prefix.digest, round((tools + system) * factor))
        if tools:
            return SharedBeginning("tools", 0, "", round(tools * factor))
        return SharedBeginning(None, 0, "", 0)

    @property
    def unbounded(self) -> str | None:
        """Return the server tool that leaves a request without a worst case, if there is one."""
        return next(iter(service_tools(self.params)), None)

    @property
    def caches(self) -> bool:
        """Whether its part of a request asks for prompt caching."""
        return self.cache is not None or CACHE_MARK in self._common

    @cached_property
    def _common(self) -> bytes:
        return self._common_with([], self.cache is not None)

    @cached_property
    def _prompt_block(self) -> bytes:
        return encode(_text_block(self.prompt or ""))

    def _common_with(self, system: list[Prompt], begins_alike: bool) -> bytes:
        """Return everything but the messages, as the beginning of an unfinished JSON object."""
        level = None if self.cache is None else self.cache.level
        params = {key: value for key, value in self.params.items() if key != "system"}
        prompts = [self.params.get("system"), *system, self.system_suffix]
        if joined := join_prompts([prompt for prompt in prompts if prompt]):
            params["system"] = _ending_marked(joined) if level == "system" and begins_alike else joined
        if level == "tools":
            params["tools"] = [*params["tools"][:-1], {**params["tools"][-1], "cache_control": CONTROL}]
        return encode(params)[1:-1] + b"," if params else b""

    def _split(self, source: Conversation) -> tuple[Conversation, list[Prompt]]:
        system = [message["content"] for message in source if message["role"] == "system"]
        turns = [message for message in source if message["role"] != "system"] if system else source
        return ([_citing(message) for message in turns] if self.enable_citations else turns), system

    def _file_message(self, file: FileInput, note: str | None) -> tuple[bytes, ...]:
        opening = b'"messages":[{"role":"user","content":['
        more = b"" if note is None else b"," + encode(_text_block(note))
        return (opening, *file_block(file, self.enable_citations), b",", self._prompt_block, more, b"]}]}}")


def template_of(
    model: Model, params: Mapping[str, Any], route: Route, prompt: str | None, cited: bool
) -> RequestTemplate:
    """Return the template of a run whose answers' shape is asked for by this route."""
    whole = {"model": model.id, **params}
    if route.output_format is not None:
        whole["output_config"] = {**whole.get("output_config", {}), "format": route.output_format}
    return RequestTemplate(whole, route.instructions, prompt, cited, model=model)


def _text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _noted(message: Message, note: str) -> Message:
    content = message["content"]
    blocks = [_text_block(content)] if isinstance(content, str) else content
    return {**message, "content": [*blocks, _text_block(note)]}


def _ending_marked(prompt: Prompt) -> list[Mapping[str, Any]]:
    blocks = [_text_block(prompt)] if isinstance(prompt, str) else [*prompt]
    return [*blocks[:-1], {**blocks[-1], "cache_control": CONTROL}]


def join_prompts(prompts: list[Prompt]) -> str | list[Mapping[str, Any]] | None:
    """Join system prompts: as text with blank lines between, or as blocks when one of them has blocks."""
    texts = [prompt for prompt in prompts if isinstance(prompt, str)]
    if len(texts) == len(prompts):
        return "\n\n".join(texts) or None
    blocks: list[Mapping[str, Any]] = []
    for prompt in prompts:
        blocks.extend([_text_block(prompt)] if isinstance(prompt, str) else prompt)
    return blocks


def file_block(file: FileInput, enable_citations: bool) -> tuple[bytes, ...]:
    """Return the JSON of a file's content block, in parts, so that the file's bytes are not copied again."""
    data = file.read()
    if file.media_type == TEXT:
        kind, content = b"text", encode(decode_text(data, f"file {file.name!r}"))
    else:
        kind, content = b"base64", b'"' + b64encode(data) + b'"'
    source = b',"source":{"type":"' + kind + b'","media_type":' + encode(file.media_type) + b',"data":'
    if file.media_type not in (PDF, TEXT):
        return b'{"type":"image"', source, content, b"}}"
    citations = b',"citations":{"enabled":true}' if enable_citations else b""
    return b'{"type":"document"', source, content, b'},"title":', encode(file.name), citations, b"}"


def _citing(message: Message) -> Message:
    content = message["content"]
    if isinstance(content, str) or message["role"] != "user":
        return message
    return {**message, "content": [_with_citations(block) for block in content]}


def _with_citations(block: dict[str, Any]) -> dict[str, Any]:
    if block["type"] in CITABLE:
        return {**block, "citations": _CITATIONS}
    inner = block.get("content") if block["type"] == "tool_result" else None
    if not isinstance(inner, list):
        return block
    return {**block, "content": [_with_citations(part) if "type" in part else part for part in inner]}
