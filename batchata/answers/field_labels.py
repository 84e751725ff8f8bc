"""Tell which of several equal values a text is about, by a field's name beside it or by other values."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from batchata.answers.field_paths import steps_of
from batchata.answers.normalize import Mention

_WORD = re.compile(r"[^\W_]+")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W_a-zA-Z\d]+")
# A point behind a short word is that of an abbreviation.
_CLAUSE_END = re.compile(r"[.;!?•|](?= |$)(?:(?<=[;!?•|])|(?<=[^\W\d_]{4}\.)|(?<=[\d)\]%\"']\.))")
_DIGITS = tuple("0123456789")
PATHS = attrgetter("paths")
_FARTHEST = 80  # characters between a value and its label
_NEIGHBOURS = 4  # mentions to each side that may tell which record is meant


class _Label(NamedTuple):
    words: tuple[str, ...]
    outer: tuple[str, ...]
    record: str  # the path of the object or list that the field is in


class Labels:
    """The names of an answer's fields as words."""

    def __init__(self, paths: Sequence[str]) -> None:
        of_elements: dict[str, _Label] = {}  # all elements of a list have the same
        self._labels: dict[str, _Label] = {}
        for path in paths:
            if path[-1:] != "]" or not path[:-1].endswith(_DIGITS):
                self._labels[path] = _label(path)
                continue
            of_list = path[: path.rindex("[")]
            self._labels[path] = of_elements.get(of_list) or of_elements.setdefault(of_list, _label(path))
        self._records: dict[int, frozenset[str]] = {}  # by the paths of mentions, which live as long
        self._by_words: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for path, label in self._labels.items():
            self._by_words[label.words].add(path)
        self._by_word: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        for words in self._by_words:
            for word in {*words, "".join(words)}:
                self._by_word[word].append(words)

    def resolve(self, text: str, mentions: list[Mention], breaks: list[int]) -> list[str | None]:
        """Return the path that each mention is about, in order; None where that is not certain.

        Sentences and lines, which end at `breaks`, are judged by themselves.
        """
        if not any(map(PATHS, mentions)):
            return [None] * len(mentions)
        ends = sorted([*breaks, *[found.start() for found in _CLAUSE_END.finditer(text)]])
        clauses = [bisect_right(ends, mention.start) for mention in mentions]
        beside = [_Beside(text, mentions, n, ends) if m.paths else None for n, m in enumerate(mentions)]
        scores = [self._scores(m, words) if words else {} for m, words in zip(mentions, beside, strict=True)]
        certain = [_one_best(found) for found in scores]
        anchors = [
            path if path and not (mention.is_weak and scores[n][path] <= 0) else None
            for n, (path, mention) in enumerate(zip(certain, mentions, strict=True))
        ]
        agreed = self._agreed(mentions, clauses)
        resolved: list[str | None] = []
        evident: list[bool] = []
        for n, (mention, words) in enumerate(zip(mentions, beside, strict=True)):
            path = certain[n]
            is_evident = path is not None and scores[n][path] > 0
            if words and not is_evident:
                best = self._by_record(_best(scores[n]))
                near = best.get(agreed.get(clauses[n], "")) or self._by_neighbours(best, anchors, clauses, n)
                path = path or near
                is_evident = path is not None and (scores[n][path] > 0 or near == path)
            if mention.is_weak and not is_evident:
                path = None
            if words and mention.is_number and path and self._is_of_another(path, mention, words.before):
                path = None
            resolved.append(path)
            evident.append(is_evident)
        return _without_strays(mentions, resolved, evident)

    def _scores(self, mention: Mention, words: _Beside) -> dict[str, float]:
        """Fields of the elements of a list have the same label: each is compared once."""
        known: dict[tuple[tuple[str, ...], ...], float] = {}
        scores: dict[str, float] = {}
        for path in mention.paths:
            label = self._labels[path]
            key = (label.words, label.outer)
            if key not in known:
                score = _share(label.words, words.before) or 0.5 * _share(label.words, words.after)
                if label.outer:
                    score += 0.3 * max(_share(label.outer, words.before), _share(label.outer, words.after))
                known[key] = score
            scores[path] = known[key]
        return scores

    def _agreed(self, mentions: list[Mention], clauses: list[int]) -> dict[int, str]:
        """By clause, the one object or list element that most of its mentions may be of, if more than one."""
        counts: dict[int, Counter[str]] = defaultdict(Counter)
        for mention, clause in zip(mentions, clauses, strict=True):
            if of_mention := self._records_of(mention.paths):
                counts[clause].update(of_mention)
        agreed: dict[int, str] = {}
        for clause, records in counts.items():
            (record, most), *others = [*records.most_common(2), ("", 0)]
            if most > 1 and most > others[0][1]:
                agreed[clause] = record
        return agreed

    def _records_of(self, paths: tuple[str, ...]) -> frozenset[str]:
        found = self._records.get(id(paths))
        if found is None:
            found = frozenset({self._labels[path].record for path in paths} - {""})
            self._records[id(paths)] = found
        return found

    def _by_record(self, paths: list[str]) -> dict[str, str]:
        """Group the paths by record, where a record has only one of them."""
        counts = Counter(self._labels[path].record for path in paths)
        return {
            record: path for path in paths if (record := self._labels[path].record) and counts[record] == 1
        }

    def _by_neighbours(
        self, paths: dict[str, str], anchors: list[str | None], clauses: list[int], n: int
    ) -> str | None:
        """Return the one path whose record the nearest mention in the clause speaks of."""
        if not paths:
            return None
        around = [*range(n - 1, max(n - 1 - _NEIGHBOURS, -1), -1), *range(n + 1, n + 1 + _NEIGHBOURS)]
        for k in around:
            anchor = anchors[k] if k < len(anchors) and clauses[k] == clauses[n] else None
            near = None if anchor is None else paths.get(self._labels[anchor].record)
            if near not in (None, anchor):
                return near
        return None

    def _is_of_another(self, path: str, mention: Mention, before: frozenset[str]) -> bool:
        """Whether the label in front is that of a field with another value."""
        words = self._labels[path].words
        least = max(1, _share(words, before))
        others = {other for word in before for other in self._by_word.get(word, ())} - {words}
        return any(
            _share(other, before) >= least and not self._by_words[other].issubset(mention.paths)
            for other in others
        )


def _label(path: str) -> _Label:
    steps = steps_of(path)
    named = [step for step in steps if step[0] != "["] or [""]
    record = path[: -len(steps[-1])].rstrip(".") if len(steps) > 1 else ""
    return _Label(_words_of(named[-1]), tuple(w for step in named[:-1] for w in _words_of(step)), record)


@lru_cache(maxsize=4_096)
def _words_of(step: str) -> tuple[str, ...]:
    return tuple(_stem(part.casefold()) for part in _PARTS.findall(step))


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def _share(label: tuple[str, ...], words: frozenset[str]) -> float:
    """Return how much of a label is present, from 0 to 1; of two complete labels the longer scores more."""
    if not label:
        return 0.0
    found = label if "".join(label) in words else [word for word in label if word in words]
    return len(found) / len(label) + 0.005 * sum(map(len, found)) if found else 0.0


class _Beside:
    """The words before and after a mention, up to the next mention or the end of the clause."""

    __slots__ = ("_after", "_end", "_last", "_text", "before")

    def __init__(self, text: str, mentions: list[Mention], n: int, ends: list[int]) -> None:
        start, self._end = mentions[n].start, mentions[n].end
        at = bisect_right(ends, start)
        first = max(mentions[n - 1].end if n else 0, ends[at - 1] if at else 0, start - _FARTHEST)
        at = bisect_left(ends, self._end)
        self._last = min(ends[at] if at < len(ends) else len(text), self._end + _FARTHEST)
        if n + 1 < len(mentions):
            self._last = min(self._last, mentions[n + 1].start)
        self._text = text
        self.before = _words(text[first:start])
        self._after: frozenset[str] | None = None

    @property
    def after(self) -> frozenset[str]:
        """Most labels stand in front of their values."""
        if self._after is None:
            self._after = _words(self._text[self._end : self._last])
        return self._after


@lru_cache(maxsize=4_096)  # of texts no longer than what is looked at beside a value
def _words(text: str) -> frozenset[str]:
    words = [_stem(word) for word in _WORD.findall(text)]
    return frozenset(words) | {first + second for first, second in pairwise(words)}


def _best(scores: dict[str, float]) -> list[str]:
    most = max(scores.values(), default=0.0)
    return [path for path, score in scores.items() if score == most]


def _one_best(scores: dict[str, float]) -> str | None:
    best = _best(scores)
    return best[0] if len(best) == 1 else None


def _without_strays(
    mentions: list[Mention], resolved: list[str | None], evident: list[bool]
) -> list[str | None]:
    """Drop mentions without a label of a number that another mention names with its label."""
    named = {path for path, is_evident in zip(resolved, evident, strict=True) if is_evident}
    return [
        None if mention.is_number and path in named and not is_evident else path
        for mention, path, is_evident in zip(mentions, resolved, evident, strict=True)
    ]
