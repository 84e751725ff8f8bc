"""Find what all requests of a run begin with, and set the mark that caches it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from batchata.inputs.files import FileInput
from batchata.inputs.items import Inputs, Source
from batchata.inputs.json_values import encode_canonical
from batchata.providers.anthropic.content import Contents
from batchata.providers.anthropic.models import Model
from batchata.providers.anthropic.tokens import mark_tokens

CONTROL: Final = {"type": "ephemeral", "ttl": "1h"}
_MARKABLE: Final = ("text", "image", "document", "search_result", "tool_use", "tool_result")
MARK_BYTES: Final = 96  # what the mark adds to a request, with a text that becomes a block for it


@dataclass(frozen=True, slots=True)
class SharedPrefix:
    """What every item begins with: whether their system turns are the same, and how many content blocks."""

    same_system: bool
    blocks: int
    digest: str


def shared_prefix(inputs: Inputs) -> SharedPrefix:
    """Return what all items begin with; files share nothing, since each request begins with its file."""
    if inputs.kind == "files" or not inputs.count:
        return SharedPrefix(same_system=True, blocks=0, digest="")
    first = inputs.source(0)
    units, system, same = list(_units(first)), system_turns(first), True
    for index in range(1, inputs.count):
        source = inputs.source(index)
        same = same and system_turns(source) == system
        units = _common(units, source) if same else []
        if not same:
            break
    while units and units[-1][1].get("type") not in _MARKABLE:
        units.pop()
    return SharedPrefix(same, len(units), prefix_digest(first, len(units)))


def prefix_digest(source: Source, blocks: int) -> str:
    """Identify the system turns and the first content blocks of an item."""
    if isinstance(source, FileInput):
        return ""
    begun = [unit for unit, _ in zip(_units(source), range(blocks), strict=False)]
    return sha256(encode_canonical([system_turns(source), begun])).hexdigest()


def prefix_tokens(source: Source, blocks: int, model: Model, cited: bool) -> float:
    """Return the expected tokens of an item's first content blocks."""
    if isinstance(source, FileInput) or not blocks:
        return 0.0
    contents = Contents(model, cited)
    for (role, block), _ in zip(_units(source), range(blocks), strict=False):
        contents.add_blocks([block], role, "prefix")
    return (
        contents.text_estimate + mark_tokens(contents.marks)
    ) * model.text_factor + contents.image_estimate


def marked(messages: Sequence[dict[str, Any]], blocks: int) -> list[dict[str, Any]]:
    """Return the messages, without system turns, with the mark on that content block, counted from 1."""
    left, found = blocks, list(messages)
    for number, message in enumerate(messages):
        content = message["content"]
        inner = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
        if left <= len(inner):
            inner[left - 1] = {**inner[left - 1], "cache_control": CONTROL}
            found[number] = {**message, "content": inner}
            return found
        left -= len(inner)
    return found


def system_turns(source: Source) -> list[Any]:
    """Return the contents of a conversation's system messages."""
    if isinstance(source, FileInput):
        return []
    return [message["content"] for message in source if message["role"] == "system"]


def _units(source: Source) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each content block with its role, in order; a bare text counts as one block."""
    if isinstance(source, FileInput):
        return
    for message in source:
        if message["role"] == "system":
            continue
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        yield from ((message["role"], block) for block in blocks)


def _common(units: list[tuple[str, dict[str, Any]]], source: Source) -> list[tuple[str, dict[str, Any]]]:
    count = 0
    for ours, theirs in zip(units, _units(source), strict=False):
        if ours != theirs:
            break
        count += 1
    return units[:count]
