"""The part of an answer's content blocks that results are read from."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import isfinite
from typing import Any

import msgspec

from batchata.output.citation import Citation

_encode: Callable[[Any], bytes] = msgspec.json.Encoder(decimal_format="number").encode


class Block(msgspec.Struct, gc=False):
    """One content block; what other types than text and calls of tools carry is left out.

    `id`, `name` and `input` are those of a call; numbers in `input` may be Decimals, for their digits.
    """

    type: str
    text: str | None = None
    citations: list[Citation] | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None


def joined_text(blocks: list[Block]) -> str:
    """The answer's text. Blocks are told by type, never by place: newer models lead with a thinking block."""
    return "".join([block.text for block in blocks if block.type == "text" and block.text])


def has_calls(blocks: list[Block]) -> bool:
    """Whether the answer calls tools of the caller's; those that the service runs are no concern of his."""
    return "tool_use" in [block.type for block in blocks]


def calls_as_text(blocks: list[Block]) -> list[Block]:
    """The blocks with the input of each call as a text of its own: a value may be given in either way."""
    found: list[Block] = []
    for block in blocks:
        if block.type != "tool_use":
            found.append(block)
            continue
        is_alone = not any(other.type == "text" and other.text for other in found)
        found.append(Block("text", ("" if is_alone else "\n") + _encode(block.input).decode()))
    return found


def with_calls(blocks: list[Block]) -> dict[str, Any]:
    """The answer as text and calls: `{"text", "tool_calls": [{"id", "name", "input"}]}`."""
    calls = [
        {"id": block.id, "name": block.name, "input": _plain(block.input)}
        for block in blocks
        if block.type == "tool_use"
    ]
    return {"text": joined_text(blocks), "tool_calls": calls}


def is_with_calls(value: Any) -> bool:
    """Whether a result is of the shape that `with_calls` gives."""
    return (
        isinstance(value, dict) and value.keys() == {"text", "tool_calls"} and isinstance(value["text"], str)
    )


def _plain(value: Any) -> Any:
    """The value as any reader of JSON has it."""
    if isinstance(value, Decimal):
        return float(value) if isfinite(float(value)) else str(value)
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value
