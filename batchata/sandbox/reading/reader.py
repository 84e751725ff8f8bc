"""Read a request and answer it, in one of several styles: a filled schema, or sentences of the source."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from batchata.sandbox.reading.fill import Filler, Node
from batchata.sandbox.reading.find import Finder, Found
from batchata.sandbox.reading.pages import Page, pages_of
from batchata.sandbox.values import Answer, Quote, Request, resolve

__all__ = ["MIXED", "STYLES", "Piece", "read", "style_of"]


# A stretch of the answer's text, and what it rests on.
type Piece = tuple[str, Quote | None]

MIXED = "mixed"
_FIELD, _QUOTE = "field", "quote"  # what a schema may ask for beside an answer


_WORD = re.compile(r"[^\W\d_]{3,}|\d{2,}")
_MOST = 2
# Words every question has; they say nothing about what it asks for.
_COMMON = (
    "what which when where does about this that there their please document text with from have answer "
    "question tell give summarize summarise summary sentence sentences short cite quote following would "
    "the and for are was you how who why can not has its any all our out his her she one"
)
_COMMON_STEMS = frozenset(word[:6] for word in _COMMON.split())


def _on_one_line(node: Node) -> Iterator[Piece]:
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
        yield f"The {' '.join(map(_spaced, names))} is ", None
        yield f"{_as_printed(node)}.", quote
        yield "\n", None


def _items(node: Node) -> Iterator[Piece]:
    """Write one element of a list as one line."""
    found = [(name, child) for name, child in (node.items() if isinstance(node, dict) else [("item", node)])]
    for number, (name, child) in enumerate(found):
        if isinstance(child, Found):
            yield f"{', ' if number else '- '}{_spaced(name)} ", None
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


def _spaced(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).lower()


def _as_printed(found: Found) -> str:
    place = found.place
    if place is None:
        return json.dumps(found.value, ensure_ascii=False)
    return place.page.lines[place.line][place.start : place.end].strip()


STYLES: dict[str, Callable[[Node], Iterator[Piece]]] = {
    "plain": _on_one_line,
    "fenced": _fenced,
    "keyed": _keyed,
    "cut": _cut,
    "prose_first": _prose_first,
}


def style_of(name: str, number: int) -> Callable[[Node], Iterator[Piece]]:
    """Return the style of this name; of a mixed one, another for each request of a batch."""
    return list(STYLES.values())[number % len(STYLES)] if name == MIXED else STYLES[name]


def read(request: Request, style: str = "plain") -> Answer:
    """Answer one request from nothing but its own text and documents.

    Where the protocol holds the answer to a schema, there is no choice of style.
    """
    schema = request.schema
    if schema is None:
        return Answer(pieces=_prose(request))
    filled = _with_quotes(Filler(schema, Finder(pages_of(request))).fill(), schema)
    if request.forced_tool is not None:
        return Answer(call=(request.forced_tool, _plain(filled)))
    write = style_of("plain" if request.has_format else style, request.number)
    return Answer(pieces=list(write(filled)))


def _with_quotes(filled: Node, schema: dict[str, Any]) -> Node:
    """Return the filled schema with a quote for each value that was read, where it has a list of such."""
    name = next((n for n, part in (schema.get("properties") or {}).items() if _asks(part, schema)), None)
    if name is None or not isinstance(filled, dict):
        return filled
    others = {key: child for key, child in filled.items() if key != name}
    answer = next(iter(others.values())) if len(others) == 1 else others
    quotes: list[Node] = [{_FIELD: Found(path), _QUOTE: Found(words)} for path, words in _stated(answer, "")]
    return {**filled, name: quotes}


def _asks(part: dict[str, Any], root: dict[str, Any]) -> bool:
    """Whether a property is a list of fields with their quotes."""
    items = resolve(resolve(part, root).get("items") or {}, root)
    return (items.get("properties") or {}).keys() == {_FIELD, _QUOTE}


def _stated(node: Node, path: str) -> Iterator[tuple[str, str]]:
    """Yield the path of each value that stands somewhere, and the words around it."""
    if isinstance(node, Found):
        if node.place is not None:
            yield path, node.place.page.words(node.place)
    elif isinstance(node, dict):
        for name, child in node.items():
            yield from _stated(child, f"{path}.{name}" if path else name)
    else:
        for number, child in enumerate(node):
            yield from _stated(child, f"{path}[{number}]")


def _plain(node: Node) -> Any:
    """Return a filled schema as JSON values."""
    if isinstance(node, Found):
        return node.value
    if isinstance(node, dict):
        return {name: _plain(child) for name, child in node.items()}
    return [_plain(child) for child in node]


def _prose(request: Request) -> list[Piece]:
    pieces: list[Piece] = []
    for page, start, end in _quoted(pages_of(request), request.text):
        text = page.text[start:end]
        document = page.document
        pieces.append((" " if pieces else "", None))
        pieces.append((text, None if document is None else Quote(document, page.number, text, start, end)))
    return pieces or [("There is no text to read in this request.", None)]


def _quoted(pages: list[Page], question: str) -> list[tuple[Page, int, int]]:
    """Return up to two sentences (page, start, end), in their order in the source."""
    asked = _words(question)
    spans = [
        (page, start, end)
        for page in pages
        for start, end in page.sentences
        if any(letter.isalnum() for letter in page.text[start:end])
    ]
    scores = [len(asked & _words(page.text[start:end])) for page, start, end in spans]
    ranked = sorted(range(len(spans)), key=lambda n: (-scores[n], n))[:_MOST]
    if ranked and scores[ranked[0]] > 0 and pages[0].document is not None:
        return [spans[n] for n in sorted(n for n in ranked if scores[n] > 0)]
    # Page numbers and headings say little; but better them than nothing.
    return [s for s in spans if len(s[0].text[s[1] : s[2]].split()) >= 4][:_MOST] or spans[:_MOST]


def _words(text: str) -> set[str]:
    return {word[:6] for word in _WORD.findall(text.lower())} - _COMMON_STEMS
