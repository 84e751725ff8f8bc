"""Normalise text for comparison: case, width, quotes, dashes, white space; and search it for phrases."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

# Soft hyphens (U+0002 is how PDFium gives one at the end of a line), joiners and marks of direction.
DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_DROPPED = "\x02\u00ad\u200b\u200c\u200d\u2060\ufeff" + DIRECTIONS
_ALIKE = {
    "": _DROPPED,
    "'": "\u2018\u2019\u201a\u201b\u2032\u02bc`\u00b4",
    '"': "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212",
}
# Patterns: str.translate takes ten times as long for what is not ASCII.
_SOME_ALIKE = re.compile(f"[{''.join(_ALIKE.values())}]")
_EACH_ALIKE = [
    (re.compile(f"[{signs}]+" if not sign else f"[{signs}]"), sign) for sign, signs in _ALIKE.items()
]
_SPACES = re.compile(r"\s+")
_LINE_END = re.compile(r"\n")
_MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u1ab0-\u1aff"  # they join the letter in front of them
# What is one character in normal form, too: of ASCII, the accented letters of Latin, Greek, Cyrillic, Hebrew,
# Arabic, kana, Chinese and Korean, signs of Chinese, full-width ASCII, pictures.
_ONE = (
    "!-~\u00c0-\u00de\u00e0-\u00ff\u03b1-\u03c9\u0410-\u044f\u05d0-\u05ea\u0621-\u064a"
    "\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3\u3001\u3002\uff01-\uff5e\U0001f300-\U0001faff"
)
_OTHERS = rf"\s+|[^\W\d_][{_MARKS}]+|."
# A run of these, with single spaces or line ends between them, stays as long as it is.
_CLUSTER = re.compile(rf"([{_ONE}]++(?:[ \n][{_ONE}]++)*+)|{_OTHERS}", re.DOTALL)
_MARKED_CLUSTER = re.compile(rf"([{_ONE}]+(?![{_MARKS}]))|{_OTHERS}", re.DOTALL)
_A_MARK = re.compile(rf"[{_MARKS}]")


_WORD = re.compile(r"[^\W_]+")
_MOST_LENGTHS = 64  # of phrases that begin alike; of more, the shortest are not looked for
_MOST_WITHOUT_WORDS = 32
_SHORT = 2  # a word of so few characters needs a label as evidence


class Folded(NamedTuple):
    """A normalised text; `places[n]` is where character n stood, with one more entry for the end.

    `breaks` are the places in the folded text where a line ended.
    """

    text: str
    places: list[int]
    breaks: list[int]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return the range of the original text that these characters came from."""
        return self.places[start], self.places[end - 1] + 1 if end > start else self.places[start]


def fold(text: str) -> str:
    """Normalise compatible forms, case, quotation marks, dashes and white space; drop soft hyphens."""
    if not text.isascii():
        text = _like(unicodedata.normalize("NFKC", _like(text)))
    return _SPACES.sub(" ", text.replace("\x02", "").replace("`", "'").casefold())


def _like(text: str) -> str:
    """Write signs with the same meaning in one way, and leave out those without a width."""
    if _SOME_ALIKE.search(text):
        for pattern, sign in _EACH_ALIKE:
            text = pattern.sub(sign, text)
    return text


def fold_with_places(text: str) -> Folded:
    """Normalise as `fold` does, and keep the place of every character."""
    parts: list[str] = []
    places: list[int] = []
    breaks: list[int] = []
    for found in (_MARKED_CLUSTER if _A_MARK.search(text) else _CLUSTER).finditer(text):
        cluster, (start, end) = found[0], found.span()
        if found.lastindex:
            parts.append(cluster.casefold() if cluster.isascii() else fold(cluster))
            if "\n" in cluster:
                breaks += [len(places) + line.start() for line in _LINE_END.finditer(cluster)]
            places += range(start, end)
            continue
        part = _folded(cluster) if end - start == 1 else fold(cluster)
        parts.append(part)
        if "\n" in cluster:
            breaks.append(len(places))
        places += [start] * len(part)
    return Folded("".join(parts).replace("\n", " ").replace("`", "'"), [*places, len(text)], breaks)


_folded = lru_cache(maxsize=4_096)(fold)


class Mention(NamedTuple):
    """Where a folded text contains something equal to the values at these paths.

    It is weak where a page number or a footnote would look the same.
    """

    start: int
    end: int
    paths: tuple[str, ...]
    is_weak: bool
    is_number: bool = False


class Phrases:
    """The phrases to find, indexed by their first words."""

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

    def in_text(self, text: str) -> Iterator[Mention]:
        """Return every place of every phrase; places of different phrases may overlap."""
        ends: dict[str, int] = {}
        for word in _WORD.finditer(text):
            starts = self._lengths.get(word[0])
            if starts is None:
                continue
            for before, lengths in starts:
                start = word.start() - before
                for length in lengths if start >= 0 else ():
                    phrase = text[start : start + length]
                    paths = self._paths.get(phrase)
                    if paths is not None and start >= ends.get(phrase, 0):
                        ends[phrase] = start + length
                        if _stands_alone(text, start, start + length):
                            yield Mention(start, start + length, paths, _is_short(phrase))
        for phrase in self._without_words[:_MOST_WITHOUT_WORDS]:
            for found in re.finditer(re.escape(phrase), text):
                yield Mention(*found.span(), self._paths[phrase], _is_short(phrase))


def _is_short(phrase: str) -> bool:
    return len(phrase) <= _SHORT and not phrase.isdigit()


def _stands_alone(text: str, start: int, end: int) -> bool:
    cut_before = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
    cut_behind = end < len(text) and text[end - 1].isalnum() and text[end].isalnum()
    return not (cut_before or cut_behind)
