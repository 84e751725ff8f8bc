"""Normalise text for comparison: case, width, quotes, dashes, white space."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

# Soft hyphens (U+0002 is how PDFium gives one at the end of a line), joiners and marks of direction.
DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_DROPPED = dict.fromkeys(map(ord, "\x02\u00ad\u200b\u200c\u200d\u2060\ufeff" + DIRECTIONS))
_LIKE = str.maketrans({
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc`\u00b4", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
})  # fmt: skip
_SPACES = re.compile(r"\s+")
_MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u1ab0-\u1aff"  # they join the letter in front of them
# A run of ASCII stays as long as it is.
_CLUSTER = re.compile(rf"(?P<plain>[!-~]+(?![{_MARKS}]))|\s+|[^\W\d_][{_MARKS}]+|.", re.DOTALL)


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
        text = unicodedata.normalize("NFKC", text.translate(_DROPPED).translate(_LIKE)).translate(_LIKE)
    return _SPACES.sub(" ", text.replace("\x02", "").casefold())


def fold_with_places(text: str) -> Folded:
    """Normalise likewise, and keep the place of every character."""
    parts: list[str] = []
    places: list[int] = []
    breaks: list[int] = []
    for found in _CLUSTER.finditer(text):
        if found["plain"]:
            parts.append(found[0].casefold())
            places += range(found.start(), found.end())
            continue
        part = fold(found[0])
        parts.append(part)
        if "\n" in found[0]:
            breaks.append(len(places))
        places += [found.start()] * len(part)
    return Folded("".join(parts), [*places, len(text)], breaks)
