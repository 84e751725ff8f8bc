"""Read a request and answer it: a filled schema, or sentences of the source."""

from __future__ import annotations

import re
from typing import Any

from batchata.sandbox.reading.fill import Filler, Node
from batchata.sandbox.reading.find import Finder, Found
from batchata.sandbox.reading.pages import Page, pages_of
from batchata.sandbox.reading.styles import Piece, style_of
from batchata.sandbox.values import Answer, Quote, Request

__all__ = ["read"]

_WORD = re.compile(r"[^\W\d_]{3,}|\d{2,}")
_MOST = 2
# Words every question has; they say nothing about what it asks for.
_COMMON = (
    "what which when where does about this that there their please document text with from have answer "
    "question tell give summarize summarise summary sentence sentences short cite quote following would "
    "the and for are was you how who why can not has its any all our out his her she one"
)
_COMMON_STEMS = frozenset(word[:6] for word in _COMMON.split())


def read(request: Request, style: str = "plain") -> Answer:
    """Answer one request from nothing but its own text and documents.

    Where the protocol holds the answer to a schema, there is no choice of style.
    """
    schema = request.schema
    if schema is None:
        return Answer(pieces=_prose(request))
    filled = Filler(schema, Finder(pages_of(request))).fill()
    if request.forced_tool is not None:
        return Answer(call=(request.forced_tool, _plain(filled)))
    write = style_of("plain" if request.has_format else style, request.number)
    return Answer(pieces=list(write(filled)))


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
