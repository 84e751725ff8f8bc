"""Answers in prose: the sentences of the source that share most words with the question."""

from __future__ import annotations

import re

from batchata.sandbox.reading.pages import Page

__all__ = ["quoted"]

_WORD = re.compile(r"[^\W\d_]{3,}|\d{2,}")
_MOST = 2
# Words every question has; they say nothing about what it asks for.
_COMMON = (
    "what which when where does about this that there their please document text with from have answer "
    "question tell give summarize summarise summary sentence sentences short cite quote following would "
    "the and for are was you how who why can not has its any all our out his her she one"
)
_COMMON_STEMS = frozenset(word[:6] for word in _COMMON.split())


def quoted(pages: list[Page], question: str) -> list[tuple[Page, int, int]]:
    """Up to two sentences (page, start, end), in their order in the source."""
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
