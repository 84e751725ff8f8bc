"""Score a run against known values: labels, how many are right, and how far to trust the share."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from batchata.answers.supports import supports
from batchata.errors import InvalidInputError
from batchata.views.item_result import flat

_SURE = 1.959964  # standard deviations to each side that hold 95 of 100

type Values = dict[str, str]  # by path; what is null is not there
type Labels = dict[int, Values]  # by item


@dataclass(slots=True)
class Known:
    """One item of a run: its input, what was read, and the names it goes by: its key and its file's name."""

    index: int
    names: tuple[str, ...]
    digest: str
    status: str
    values: Values
    passages: dict[str, list[str]]

    @property
    def name(self) -> str:
        """Return what to show; empty for an item without a name."""
        return self.names[0] if self.names else ""


@dataclass(slots=True)
class Score:
    """How often a run has the known value in a field; `low` and `high` bound the share of `right` answers.

    `exact` counts equal texts and numbers, `right` also those with the same normal form. The bounds are
    Wilson's for 95 %: with few labels they lie far apart.
    """

    path: str
    labels: int = 0
    exact: int = 0
    right: int = 0
    wrong: int = 0
    missing: int = 0

    @property
    def low(self) -> float:
        """Return the lower bound of the share that is right."""
        return wilson(self.right, self.labels)[0]

    @property
    def high(self) -> float:
        """Return the upper bound of the share that is right."""
        return wilson(self.right, self.labels)[1]


@dataclass(slots=True)
class Contest:
    """In how many labelled items only one of two runs is right in a field, and how often chance does that.

    `p` is that of McNemar's exact test: below 0.05, chance alone is a poor explanation.
    """

    path: str
    only_first: int
    only_second: int
    p: float


def is_exact(value: str, label: str) -> bool:
    """Return whether two texts are the same, or the same number."""
    if value == label:
        return True
    try:
        return Decimal(value) == Decimal(label)
    except InvalidOperation:
        return False


def is_right(value: str, label: str) -> bool:
    """Return whether two values are equal by normal form: each states the other."""
    return is_exact(value, label) or (supports(value, label) is True and supports(label, value) is True)


def score(items: Iterable[Known], labels: Labels) -> list[Score]:
    """Count for each labelled field how often the value is the known one."""
    by_index = {item.index: item for item in items}
    found: dict[str, Score] = {}
    for index, known in labels.items():
        for path, label in known.items():
            counted = found.setdefault(path, Score(path))
            counted.labels += 1
            value = by_index[index].values.get(path)
            if value is None:
                counted.missing += 1
            elif is_right(value, label):
                counted.right += 1
                counted.exact += is_exact(value, label)
            else:
                counted.wrong += 1
    return list(found.values())


def contests(sides: Sequence[Sequence[Known]], labels: Sequence[Labels]) -> Iterator[Contest]:
    """Compare two runs by what only one of them has right, over the inputs that are labelled in both."""
    won: dict[str, list[int]] = {}
    right = [
        {
            (item.digest, path): (value := item.values.get(path)) is not None and is_right(value, label)
            for item in side
            for path, label in known.get(item.index, {}).items()
        }
        for side, known in zip(sides, labels, strict=True)
    ]
    for key in [key for key in right[0] if key in right[1]]:
        counts = won.setdefault(key[1], [0, 0])
        counts[0] += right[0][key] and not right[1][key]
        counts[1] += right[1][key] and not right[0][key]
    for path, (first, second) in won.items():
        yield Contest(path, first, second, mcnemar(first, second))


def wilson(right: int, total: int) -> tuple[float, float]:
    """Return the bounds of the true share, which hold in 95 of 100 such samples; (0, 1) without a sample."""
    if not total:
        return 0.0, 1.0
    share, square = right / total, _SURE**2
    middle = (share + square / (2 * total)) / (1 + square / total)
    spread = _SURE * math.sqrt(share * (1 - share) / total + square / (4 * total**2)) / (1 + square / total)
    return max(0.0, middle - spread), min(1.0, middle + spread)


def mcnemar(first: int, second: int) -> float:
    """Return how often chance alone divides the items that only one run has right as unevenly, or more so."""
    total = first + second
    tail = sum(math.comb(total, k) for k in range(min(first, second) + 1))
    return min(1.0, 2 * tail / (1 << total))


_BY_INDEX = ("index", "item")
_BY_NAME = ("key", "file", "name", "document", "filename", "id")


def labels_of(rows: Iterable[Mapping[str, Any]], items: Sequence[Known], fields: Iterable[str]) -> Labels:
    """Give each row of known values to its item, by the column `index` or `item`, else by its name.

    The name is its key or its file's, in a column `key`, `file`, `name`, `document`, `filename` or `id`.
    Raises InvalidInputError for rows of items that do not exist, and for columns that are no field.
    """
    by_name: dict[str, list[int]] = defaultdict(list)
    for item in items:
        for name in item.names:
            by_name[name].append(item.index)
    known_fields = {path for item in items for path in item.values} | set(fields)
    found: Labels = {}
    for number, row in enumerate(rows, 1):
        key = next((name for name in (*_BY_INDEX, *_BY_NAME) if name in row), None)
        if key is None:
            raise InvalidInputError(
                f"row {number} of the labels has no column index, key or file that names its item"
            )
        values = {
            path: text
            for path, text, is_literal in _cells(row, key)
            if text != "" and not (is_literal and text == "null")
        }
        if strange := sorted(values.keys() - known_fields):
            raise InvalidInputError(
                f"the labels have columns that are not fields of the results: {', '.join(strange[:5])}; "
                f"the fields are {', '.join(sorted(known_fields)[:20])}"
            )
        found[_labelled(row[key], key, number, by_name, len(items))] = values
    return found


def _cells(row: Mapping[str, Any], key: str) -> Iterator[tuple[str, str, bool]]:
    """Yield the known values of a row by path: columns are paths, and objects in them are parts of values."""
    for path, value in row.items():
        if path != key:
            yield from flat(value, path)


def _labelled(given: Any, key: str, number: int, by_name: Mapping[str, list[int]], total: int) -> int:
    """Return the item that a row of labels is of."""
    if key in _BY_INDEX:
        if str(given).isdigit() and int(given) < total:
            return int(given)
        raise InvalidInputError(
            f"row {number} of the labels is for item {given!r}; the run has 0 to {total - 1}"
        )
    places = by_name.get(str(given), [])
    if len(places) == 1:
        return places[0]
    many = "no item" if not places else f"{len(places)} items"
    raise InvalidInputError(
        f"row {number} of the labels is for {given!r}, the name of {many} of the run; use the column index"
    )
