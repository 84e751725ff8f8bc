"""The part of an answer's content blocks that results are read from."""

from __future__ import annotations

import msgspec

from batchata.output.citation import Citation


class Block(msgspec.Struct, gc=False):
    """One content block; what other types than text carry is left out."""

    type: str
    text: str | None = None
    citations: list[Citation] | None = None


def joined_text(blocks: list[Block]) -> str:
    """The answer's text. Blocks are told by type, never by place: newer models lead with a thinking block."""
    return "".join([block.text for block in blocks if block.type == "text" and block.text])
