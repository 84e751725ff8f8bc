"""Fill the list of quotes that a schema may ask for beside an answer: the words that state each value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from batchata.sandbox.reading.fill import Node
from batchata.sandbox.reading.find import Found
from batchata.sandbox.values import resolve

__all__ = ["with_quotes"]

_FIELD, _QUOTE = "field", "quote"


def with_quotes(filled: Node, schema: dict[str, Any]) -> Node:
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
