"""Match cited prose to the values it mentions, where the JSON itself has no citations.

A value is found in the words of a cited passage, or else in the words that it cites, when both have the same
normal form: numbers, dates, amounts, and texts regardless of case, width, quotation marks and soft hyphens.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from itertools import islice
from operator import attrgetter

from batchata.answers.answer import Citation
from batchata.answers.citations import Cited, Places, Spans
from batchata.answers.field_labels import PATHS, Labels
from batchata.answers.normalize import Folded, Mention, Phrases, fold, fold_with_places
from batchata.answers.numbers_and_dates import Meaning, figures, is_counting, meanings

_RAISED = "\u2070\u00b9\u00b2\u00b3\u2074-\u2079"
_POWER = re.compile(rf"(?<![\d.,])\d{{1,2}}[\u207a\u207b]?[{_RAISED}]+|\d[\d.,]*[\u00bc-\u00be\u2150-\u215e]")
_FOOTNOTE = re.compile(rf"(?<=\d)[{_RAISED}]+")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
# Looked at in one answer, and for what is longer; a text that is all numbers and names is no prose.
_MENTIONS = 4_000
_CHARACTERS_A_MENTION = 300
_MOST_COMPARED = 150_000  # equal values that mentions may be of, in one answer


_EVERYWHERE = 1 << 62
_START = attrgetter("start")

type Matched = tuple[list[str], list[Citation]]


def by_mention(
    text: str, spans: Spans, start: int, cited: list[Cited]
) -> list[tuple[list[str], list[Citation]]]:
    """Return, for each cited block outside the JSON that begins at `start`, the paths it supports.

    A block supports every value that its own words mention. Where they mention none for certain, each of its
    citations supports the values that the cited words mention, and is judged by itself. No path: it fits
    none.
    """
    size = len(text) + sum(len(citation.cited_text) for *_, citations in cited for citation in citations)
    values = _Values(text, spans.places, _MENTIONS + size // _CHARACTERS_A_MENTION)
    said = [*values.found(text, 0, start), *values.found(text, spans.end, len(text))]
    starts, ends = [first for first, _, _ in said], [last for _, last, _ in said]
    matched: list[Matched] = []
    for begin, stop, citations in cited:
        paths = [path for _, _, path in said[bisect_right(ends, begin) : bisect_left(starts, stop)]]
        if paths:
            matched.append((list(dict.fromkeys(paths)), citations))
        else:
            matched += [(values.in_source(citation.cited_text), [citation]) for citation in citations]
    return matched


class _Values:
    """The values of an answer by their normal forms."""

    def __init__(self, text: str, places: Places, most_mentions: int) -> None:
        self._by_meaning: dict[Meaning, list[str]] = {}
        self._forms: dict[str, tuple[str, frozenset[Meaning]]] = {}  # of texts, by how they are written
        by_text: dict[str, list[str]] = {}
        for path, (start, end) in places.items():
            self._add(path, text[start:end], by_text, is_text=text[start - 1 : start] in ('"', "'"))
        self._phrases = Phrases({wanted: tuple(paths) for wanted, paths in by_text.items()})
        self._labels = Labels(list(places))
        self._in_sources: dict[str, list[str]] = {}  # by the cited texts
        self._by_meanings: dict[frozenset[Meaning], tuple[str, ...]] = {}
        self._joined: dict[tuple[int, int], tuple[str, ...]] = {}
        self._left = _MOST_COMPARED
        self._room = most_mentions

    def found(self, text: str, start: int, end: int) -> list[tuple[int, int, str]]:
        """Return the values that this part of the text certainly mentions, and where."""
        folded = fold_with_places(_without_powers(text[start:end]))
        mentions = [_unless_counting(mention, folded) for mention in self._mentions(folded.text)]
        resolved = zip(mentions, self._labels.resolve(folded.text, mentions, folded.breaks), strict=True)
        places = [(folded.original(mention.start, mention.end), path) for mention, path in resolved if path]
        return [(start + first, start + last, path) for (first, last), path in places]

    def in_source(self, cited_text: str) -> list[str]:
        """Return the paths of the values that a cited text certainly contains."""
        known = self._in_sources.get(cited_text)
        if known is None:
            folded = fold(_without_powers(cited_text))
            resolved = self._labels.resolve(folded, self._mentions(folded), [])
            known = self._in_sources[cited_text] = list(dict.fromkeys([path for path in resolved if path]))
        return known

    def _add(self, path: str, written: str, by_text: dict[str, list[str]], *, is_text: bool) -> None:
        if not is_text:
            if written not in ("true", "false", "null", "True", "False", "None"):
                self._add_number(path, written)
            return
        form = self._forms.get(written)
        if form is None:
            folded = fold(_unescaped(written)).strip(" .,;:")
            form = self._forms[written] = folded, meanings(folded)
        if form[0]:
            by_text.setdefault(form[0], []).append(path)
        for meaning in form[1]:
            self._by_meaning.setdefault(meaning, []).append(path)

    def _add_number(self, path: str, written: str) -> None:
        try:
            self._by_meaning.setdefault(Decimal(written), []).append(path)
        except InvalidOperation:
            return

    def _mentions(self, folded: str) -> list[Mention]:
        """Return the values that a normalised text mentions, in order; of overlapping mentions the longest.

        Values that occur so often that none of them is certain are left out.
        """
        phrases = list(islice(self._phrases.in_text(folded), self._room + 1))
        if not self._by_meaning and not any(map(self._is_affordable, phrases)):
            return []
        found = self._within_room(self._figures(folded), iter(phrases))
        if not any(map(PATHS, found)):
            return []
        found.sort(key=_START)  # figures stay in front of words at the same place
        if _are_apart(found):
            return [self._affordable(mention) for mention in found]
        return self._longest(found, len(folded))

    def _longest(self, found: list[Mention], size: int) -> list[Mention]:
        """Return the longest of overlapping mentions, in order; those at the same place are joined."""
        found.sort(key=lambda mention: (mention.start - mention.end, mention.start))
        taken: dict[tuple[int, int], Mention] = {}
        covered = bytearray(size)
        for mention in found:
            place = start, end = mention.start, mention.end
            if covered.find(1, start, end) < 0:
                taken[place] = mention
                covered[start:end] = b"\x01" * (end - start)
            elif before := taken.get(place):
                paths = self._together(before.paths, mention.paths)
                taken[place] = before._replace(paths=paths, is_weak=before.is_weak or mention.is_weak)
        return [self._affordable(mention) for _, mention in sorted(taken.items())]

    def _within_room(self, *given: Iterator[Mention]) -> list[Mention]:
        """Take mentions while there is room, cutting all kinds off at the same place."""
        found: list[Mention] = []
        end = _EVERYWHERE
        for kind in given:
            part = list(islice(kind, self._room + 1))
            if len(part) > self._room:
                end = min(end, part.pop().start)
            found += part
        self._room = max(0, self._room - len(found))
        return found if end == _EVERYWHERE else [mention for mention in found if mention.end <= end]

    def _is_affordable(self, mention: Mention) -> bool:
        return len(mention.paths) < 2 or len(mention.paths) <= self._left

    def _affordable(self, mention: Mention) -> Mention:
        """Leave out values that occur in thousands of places: none of them is certain."""
        if len(mention.paths) > 1:
            self._left -= len(mention.paths)
            if self._left < 0:
                return mention._replace(paths=())
        return mention

    def _together(self, first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
        if not second or first is second:
            return first
        key = (id(first), id(second))  # both live as long as the values
        if key not in self._joined:
            self._joined[key] = tuple(dict.fromkeys([*first, *second]))
        return self._joined[key]

    def _figures(self, folded: str) -> Iterator[Mention]:
        for figure in figures(folded):
            paths = self._paths_of(figure.meanings)
            is_weak = figure.is_short and is_counting(figure, folded)
            yield Mention(figure.start, figure.end, paths, is_weak, tuple not in map(type, figure.meanings))

    def _paths_of(self, meanings: frozenset[Meaning]) -> tuple[str, ...]:
        paths = self._by_meanings.get(meanings)
        if paths is None:
            found = [path for meaning in meanings for path in self._by_meaning.get(meaning, ())]
            paths = tuple(dict.fromkeys(found))
            if paths:
                self._by_meanings[meanings] = paths
        return paths


def _without_powers(text: str) -> str:
    """Replace powers, fractions behind a number and marks of footnotes, at the same length.

    Normal forms would join their digits to those before them: 10⁹ is not 109, nor 2½ 21/2.
    """
    if text.isascii():
        return text
    text = _POWER.sub(lambda found: "x" * len(found[0]), text)
    return _FOOTNOTE.sub(lambda found: " " * len(found[0]), text)


def _are_apart(mentions: list[Mention]) -> bool:
    """Whether none of these, in order, begins before the one before it ends."""
    end = 0
    for mention in mentions:
        if mention.start < end:
            return False
        end = mention.end
    return True


def _unless_counting(mention: Mention, folded: Folded) -> Mention:
    """Mark a number as weak where it only numbers an entry of a list."""
    start, end = mention.start, mention.end
    starts_line = start == 0 or start - 1 in folded.breaks
    if starts_line and folded.text[start:end].isdigit() and folded.text[end : end + 2] in (". ", ") "):
        return mention._replace(is_weak=True)
    return mention


def _unescaped(written: str) -> str:
    if "\\" not in written:
        return written
    return str(json.loads(f'"{_ESCAPED.sub(_of_json, written)}"', strict=False))


def _of_json(found: re.Match[str]) -> str:
    """Unescape single quotes, an escape that JSON lacks, in a string written in single quotes."""
    return "'" if found[1] == "'" else found[0]
