"""Writes an answer as content blocks, cut where a citation begins and ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from batchata.sandbox.reading.fill import Node
from batchata.sandbox.reading.find import Found
from batchata.sandbox.reading.pages import Page

__all__ = ["Piece", "blocks_of", "citation", "cited", "json_pieces"]

# A stretch of the answer's text, and the citation of what it says.
type Piece = tuple[str, dict[str, Any] | None]


def json_pieces(node: Node, indent: str | None = None, line: str = "\n") -> Iterator[Piece]:
    """The JSON text of a filled schema, on one line or indented; what was read carries its citation."""
    if isinstance(node, Found):
        yield json.dumps(node.value, ensure_ascii=False), cited(node)
        return
    opening, closing = ("{", "}") if isinstance(node, dict) else ("[", "]")
    yield opening, None
    children = list(node.items()) if isinstance(node, dict) else [(None, child) for child in node]
    inner = f"{line}{indent}" if indent and children else ""
    for number, (name, child) in enumerate(children):
        key = "" if name is None else f"{json.dumps(name, ensure_ascii=False)}: "
        yield ("," if inner else ", ") * bool(number) + inner + key, None
        yield from json_pieces(child, indent, inner)
    yield (line if inner else "") + closing, None


def blocks_of(pieces: Iterator[Piece] | list[Piece]) -> list[dict[str, Any]]:
    """Text blocks whose texts join to the answer; neighbours without a citation are one block."""
    blocks: list[dict[str, Any]] = []
    for text, cited in pieces:
        if cited is None and blocks and blocks[-1]["citations"] is None:
            blocks[-1]["text"] += text
        elif text:
            blocks.append({"type": "text", "text": text, "citations": None if cited is None else [cited]})
    return blocks


def cited(found: Found) -> dict[str, Any] | None:
    if found.place is None:
        return None
    page = found.place.page
    if page.document is None or not page.document.citations_enabled:
        return None
    text, start, end = page.support(found.place)
    return citation(page, text, start, end)


def citation(page: Page, text: str, start: int, end: int) -> dict[str, Any] | None:
    """The citation of a stretch of a page, in the form its kind of document has."""
    document = page.document
    if document is None or not document.citations_enabled:
        return None
    common = {
        "cited_text": text,
        "document_index": document.index,
        "document_title": document.title,
        "file_id": None,
    }
    match document.kind:
        case "char":
            return {"type": "char_location", **common, "start_char_index": start, "end_char_index": end}
        case "block":
            # Custom content is not cut any further: the whole block is what is cited.
            where = {"start_block_index": page.number, "end_block_index": page.number + 1}
            return {"type": "content_block_location", **common, "cited_text": page.text, **where}
    where = {"start_page_number": page.number + 1, "end_page_number": page.number + 2}
    return {"type": "page_location", **common, **where}
