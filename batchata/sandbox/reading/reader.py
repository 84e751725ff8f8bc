"""Reads a request and answers it: a filled schema, or sentences of the source."""

from __future__ import annotations

from typing import Any

from batchata.sandbox.anthropic.schema import forced_tool
from batchata.sandbox.reading.cite import Piece, blocks_of, citation
from batchata.sandbox.reading.fill import Filler, Node
from batchata.sandbox.reading.find import Finder, Found
from batchata.sandbox.reading.pages import pages_of
from batchata.sandbox.reading.prose import quoted
from batchata.sandbox.reading.styles import style_of
from batchata.sandbox.values import Answer, Request

__all__ = ["read"]


def read(request: Request, style: str = "plain") -> Answer:
    """The answer to one request, from nothing but its own text and documents.

    A native output format leaves no choice of style.
    """
    schema = request.schema
    if schema is None:
        return Answer(content=blocks_of(_prose(request)))
    filled = Filler(schema, Finder(pages_of(request))).fill()
    tool = forced_tool(request.params)
    if tool is not None:
        block = {"type": "tool_use", "id": "toolu_sandbox", "name": tool.get("name"), "input": plain(filled)}
        return Answer(content=[block], stop_reason="tool_use")
    is_native = bool((request.params.get("output_config") or {}).get("format"))
    write = style_of("plain" if is_native else style, request.number)
    return Answer(content=blocks_of(write(filled)))


def plain(node: Node) -> Any:
    """A filled schema as JSON values."""
    if isinstance(node, Found):
        return node.value
    if isinstance(node, dict):
        return {name: plain(child) for name, child in node.items()}
    return [plain(child) for child in node]


def _prose(request: Request) -> list[Piece]:
    pages = pages_of(request)
    pieces: list[Piece] = []
    for page, start, end in quoted(pages, request.text):
        text = page.text[start:end]
        pieces.append((" " if pieces else "", None))
        pieces.append((text, citation(page, text, start, end)))
    return pieces or [("There is no text to read in this request.", None)]
