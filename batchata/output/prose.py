"""Which values of an answer its cited prose speaks of, where the JSON itself has no citations.

A value is found in the words of a cited passage, or else in the words that it cites, when both are equal in
a normal form: numbers, dates, amounts, and texts but for case, width, quotation marks and soft hyphens.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from itertools import chain

from batchata.output.citation import Citation
from batchata.output.citations import Cited
from batchata.output.figures import Figure, Meaning, figures, meanings
from batchata.output.folding import Folded, fold, fold_with_places
from batchata.output.labels import Labels, Mention
from batchata.output.spans import Places, Spans

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SHORT = 2  # a word of so few characters needs a label as evidence


type Matched = tuple[list[str], list[Citation]]


def by_mention(
    text: str, spans: Spans, start: int, cited: list[Cited]
) -> list[tuple[list[str], list[Citation]]]:
    """For each cited block outside the JSON that begins at `start`, the paths of the values it speaks of.

    A block supports every value that its own words mention. Where they mention none for certain, each of its
    citations supports those that the cited words mention, and stands by itself. No path: it fits none.
    """
    values = _Values(text, spans.places)
    said = [*values.found(text, 0, start), *values.found(text, spans.end, len(text))]
    matched: list[Matched] = []
    for begin, stop, citations in cited:
        paths = [path for first, last, path in said if first < stop and last > begin]
        if paths:
            matched.append((list(dict.fromkeys(paths)), citations))
        else:
            matched += [(values.in_source(citation.cited_text), [citation]) for citation in citations]
    return matched


class _Values:
    """The values of an answer by their normal forms."""

    def __init__(self, text: str, places: Places) -> None:
        self.by_meaning: dict[Meaning, list[str]] = {}
        self.by_text: dict[str, list[str]] = {}
        for path, (start, end) in places.items():
            self._add(path, text[start:end], is_text=text[start - 1 : start] in ('"', "'"))
        self.labels = Labels(list(places))

    def found(self, text: str, start: int, end: int) -> list[tuple[int, int, str]]:
        """Which values this part of the text speaks of for certain, and where."""
        folded = fold_with_places(text[start:end])
        mentions = [_unless_counting(mention, folded) for mention in self._mentions(folded.text)]
        resolved = zip(mentions, self.labels.resolve(folded.text, mentions, folded.breaks), strict=True)
        places = [(folded.original(mention.start, mention.end), path) for mention, path in resolved if path]
        return [(start + first, start + last, path) for (first, last), path in places]

    def in_source(self, cited_text: str) -> list[str]:
        """The paths of the values that a cited text holds for certain."""
        folded = fold(cited_text)
        resolved = self.labels.resolve(folded, self._mentions(folded), [])
        return list(dict.fromkeys([path for path in resolved if path]))

    def _add(self, path: str, written: str, *, is_text: bool) -> None:
        if not is_text:
            if written not in ("true", "false", "null", "True", "False", "None"):
                self._add_number(path, written)
            return
        folded = fold(_unescaped(written)).strip(" .,;:")
        if folded:
            self.by_text.setdefault(folded, []).append(path)
        for meaning in meanings(folded):
            self.by_meaning.setdefault(meaning, []).append(path)

    def _add_number(self, path: str, written: str) -> None:
        try:
            self.by_meaning.setdefault(Decimal(written), []).append(path)
        except InvalidOperation:
            return

    def _mentions(self, folded: str) -> list[Mention]:
        """What a folded text says of the values, in order; of what overlaps, the longest."""
        found = sorted(
            chain(self._figures(folded), self._texts(folded)), key=lambda m: (m.start - m.end, m.start)
        )
        taken: list[Mention] = []
        starts: list[int] = []
        for mention in found:
            at = bisect_left(starts, mention.end)
            before = taken[at - 1] if at else None
            if before is None or before.end <= mention.start:
                taken.insert(at, mention)
                starts.insert(at, mention.start)
            elif (before.start, before.end) == (mention.start, mention.end):
                paths = tuple(dict.fromkeys([*before.paths, *mention.paths]))
                taken[at - 1] = before._replace(paths=paths, is_weak=before.is_weak or mention.is_weak)
        return taken

    def _figures(self, folded: str) -> Iterator[Mention]:
        for figure in figures(folded):
            paths = [path for meaning in figure.meanings for path in self.by_meaning.get(meaning, ())]
            yield Mention(
                figure.start, figure.end, tuple(dict.fromkeys(paths)), figure.is_plain, _is_number(figure)
            )

    def _texts(self, folded: str) -> Iterator[Mention]:
        for wanted, paths in self.by_text.items():
            at = folded.find(wanted)
            while at >= 0:
                end = at + len(wanted)
                if _stands_alone(folded, at, end):
                    is_short = len(wanted) <= _SHORT and not wanted.isdigit()
                    yield Mention(at, end, tuple(paths), is_short, False)
                at = folded.find(wanted, end)


def _unless_counting(mention: Mention, folded: Folded) -> Mention:
    """The numbers of a list are no values."""
    start, end = mention.start, mention.end
    starts_line = start == 0 or start - 1 in folded.breaks
    if starts_line and folded.text[start:end].isdigit() and folded.text[end : end + 2] in (". ", ") "):
        return mention._replace(is_weak=True)
    return mention


def _is_number(figure: Figure) -> bool:
    return all(isinstance(meaning, Decimal) for meaning in figure.meanings)


def _stands_alone(text: str, start: int, end: int) -> bool:
    cut_before = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
    cut_behind = end < len(text) and text[end - 1].isalnum() and text[end].isalnum()
    return not (cut_before or cut_behind)


def _unescaped(written: str) -> str:
    if "\\" not in written:
        return written
    return str(json.loads(f'"{_ESCAPED.sub(_of_json, written)}"', strict=False))


def _of_json(found: re.Match[str]) -> str:
    """Strings in single quotes have one escape that JSON lacks."""
    return "'" if found[1] == "'" else found[0]
