"""Find phrases in a long text as whole words, all in one pass."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_WORD = re.compile(r"[^\W_]+")
_MOST_LENGTHS = 64  # of phrases that begin alike; of more, the shortest are not looked for
_MOST_WITHOUT_WORDS = 32
_SHORT = 2  # a word of so few characters needs a label as evidence


class Found(NamedTuple):
    """A phrase from its start to its end, exclusive, with what it stands for."""

    start: int
    end: int
    paths: tuple[str, ...]
    is_short: bool


class Phrases:
    """The phrases to find, by their first words."""

    def __init__(self, paths: Mapping[str, tuple[str, ...]]) -> None:
        self._paths = paths
        known: dict[str, dict[int, set[int]]] = {}  # first word -> characters before it -> lengths
        self._without_words: list[str] = []
        for phrase in paths:
            word = _WORD.search(phrase)
            if word is None:
                self._without_words.append(phrase)
            else:
                starts = known.setdefault(word[0], {})
                starts.setdefault(word.start(), set()).add(len(phrase))
        self._lengths = {
            word: [
                (before, sorted(lengths, reverse=True)[:_MOST_LENGTHS]) for before, lengths in starts.items()
            ]
            for word, starts in known.items()
        }

    def in_text(self, text: str) -> Iterator[Found]:
        """Return every place of every phrase; places of different phrases may overlap."""
        ends: dict[str, int] = {}
        for word in _WORD.finditer(text):
            for before, lengths in self._lengths.get(word[0], ()):
                start = word.start() - before
                for length in lengths if start >= 0 else ():
                    phrase = text[start : start + length]
                    paths = self._paths.get(phrase)
                    if paths is not None and start >= ends.get(phrase, 0):
                        ends[phrase] = start + length
                        if _stands_alone(text, start, start + length):
                            yield Found(start, start + length, paths, _is_short(phrase))
        for phrase in self._without_words[:_MOST_WITHOUT_WORDS]:
            for found in re.finditer(re.escape(phrase), text):
                yield Found(*found.span(), self._paths[phrase], _is_short(phrase))


def _is_short(phrase: str) -> bool:
    return len(phrase) <= _SHORT and not phrase.isdigit()


def _stands_alone(text: str, start: int, end: int) -> bool:
    cut_before = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
    cut_behind = end < len(text) and text[end - 1].isalnum() and text[end].isalnum()
    return not (cut_before or cut_behind)
