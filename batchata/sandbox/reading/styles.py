"""Write and cite a typed answer in the ways models do: what a sandbox's `style` may be."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from batchata.sandbox.reading.fill import Node
from batchata.sandbox.reading.find import Found
from batchata.sandbox.values import Quote

__all__ = ["MIXED", "STYLES", "Piece", "style_of"]

# A stretch of the answer's text, and what it rests on.
type Piece = tuple[str, Quote | None]

MIXED = "mixed"


def _plain(node: Node) -> Iterator[Piece]:
    """Write one line of JSON in which each value that was read is a cited block."""
    return _json_pieces(node)


def _fenced(node: Node) -> Iterator[Piece]:
    """Write indented JSON in a code fence, with a sentence before and behind."""
    yield "Here is what the document says:\n\n```json\n", None
    yield from _json_pieces(node, "  ")
    yield "\n```\n\nAll values are as printed.", None


def _keyed(node: Node) -> Iterator[Piece]:
    """Write cited blocks that begin with the comma and the key before the value."""
    before = ""
    for text, quote in _json_pieces(node, "  "):
        if quote is None:
            yield before, None
            before = text
        else:
            yield before + text, quote
            before = ""
    yield before, None


def _cut(node: Node) -> Iterator[Piece]:
    """Cut values into two cited blocks; of texts, the first has the quote and the last has none."""
    for text, quote in _json_pieces(node):
        middle = (len(text) + 1) // 2
        if quote is None or middle == len(text):
            yield text, quote
            continue
        end = len(text) - text.endswith('"')
        yield text[:middle], quote
        yield text[middle:end], quote
        yield text[end:], None


def _prose_first(node: Node) -> Iterator[Piece]:
    """Write sentences that cite, with the values as the source prints them; then JSON without citations."""
    yield from _sentences(node, [])
    yield "\n```json\n", None
    yield "".join(text for text, _ in _json_pieces(node, "  ")), None
    yield "\n```", None


def _sentences(node: Node, names: list[str]) -> Iterator[Piece]:
    if isinstance(node, dict):
        for name, child in node.items():
            yield from _sentences(child, [*names, name])
    elif isinstance(node, list):
        for child in node:
            yield from _items(child)
    elif (quote := _quote_of(node)) is not None:
        yield f"The {' '.join(map(_words, names))} is ", None
        yield f"{_as_printed(node)}.", quote
        yield "\n", None


def _items(node: Node) -> Iterator[Piece]:
    """Write one element of a list as one line."""
    found = [(name, child) for name, child in (node.items() if isinstance(node, dict) else [("item", node)])]
    for number, (name, child) in enumerate(found):
        if isinstance(child, Found):
            yield f"{', ' if number else '- '}{_words(name)} ", None
            yield _as_printed(child), _quote_of(child)
    yield "\n", None


def _json_pieces(node: Node, indent: str | None = None, line: str = "\n") -> Iterator[Piece]:
    """Yield the JSON text of a filled schema, on one line or indented; read values carry their citation."""
    if isinstance(node, Found):
        yield json.dumps(node.value, ensure_ascii=False), _quote_of(node)
        return
    opening, closing = ("{", "}") if isinstance(node, dict) else ("[", "]")
    yield opening, None
    children = list(node.items()) if isinstance(node, dict) else [(None, child) for child in node]
    inner = f"{line}{indent}" if indent and children else ""
    for number, (name, child) in enumerate(children):
        key = "" if name is None else f"{json.dumps(name, ensure_ascii=False)}: "
        yield ("," if inner else ", ") * bool(number) + inner + key, None
        yield from _json_pieces(child, indent, inner)
    yield (line if inner else "") + closing, None


def _quote_of(found: Found) -> Quote | None:
    return None if found.place is None else found.place.page.quote(found.place)


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).lower()


def _as_printed(found: Found) -> str:
    place = found.place
    if place is None:
        return json.dumps(found.value, ensure_ascii=False)
    return place.page.lines[place.line][place.start : place.end].strip()


STYLES: dict[str, Callable[[Node], Iterator[Piece]]] = {
    "plain": _plain,
    "fenced": _fenced,
    "keyed": _keyed,
    "cut": _cut,
    "prose_first": _prose_first,
}


def style_of(name: str, number: int) -> Callable[[Node], Iterator[Piece]]:
    """Return the style of this name; of a mixed one, another for each request of a batch."""
    return list(STYLES.values())[number % len(STYLES)] if name == MIXED else STYLES[name]
