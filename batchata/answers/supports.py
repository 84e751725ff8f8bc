"""Whether a cited passage says the value of the field that it is cited for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any

import pydantic

from batchata.answers.answer import Citation
from batchata.answers.currencies import states_currency, states_currency_of
from batchata.answers.normalize import fold
from batchata.answers.numbers_and_dates import CODES, Meaning, meanings
from batchata.answers.plain_statements import is_plain_to_see
from batchata.answers.stated_numbers import states_date, states_number
from batchata.answers.stated_texts import states_text
from batchata.answers.values_by_path import choices_at, kind_of, value_at
from batchata.answers.written_moments import date_in
from batchata.answers.written_values import TwoReadings, number_in

_LONGEST = 50_000  # characters of a passage in which more is looked for than the value in its usual print
_LONG = 200  # characters of a value from which on it is a composed text, unless it stands there as it is
_MEASURE = re.compile(r"(\d+(?:\.\d+)?) ?([^\W\d_]{1,5})")
_LIKE_VERSION = re.compile(r"\d{1,2}\.\d{1,2}")
_MONEY = re.compile(rf"[$\u00a2-\u00a5\u20a0-\u20cf%]|\b(?:{CODES})\b", re.IGNORECASE)
_JOINED = re.compile(r"[^\W\d_]\d")  # as in a code
_CLOCK = re.compile(r"(?<![\d.:])(\d{1,2})[:.h](\d\d)(?::\d\d)? ?([ap])?\.?m?\b")


def supports(value: Any, passage: str, choices: Sequence[str] = ()) -> bool | None:
    """Return True where the passage states the value, False where it states another or nothing of the kind.

    None where that cannot be told: booleans, composed texts, what has two readings, what is not found at once
    in a passage as long as a chapter. `choices` are the texts that may stand in the field, where they are
    listed.
    """
    if not choices and is_plain_to_see(value, passage):
        return True
    if not passage or passage.isspace() or len(passage) > _LONGEST:
        return None
    match value:
        case bool() | None | list() | tuple() | set() | frozenset() | Mapping() | pydantic.BaseModel():
            return None
        case Enum():
            return _supports_enum(value, passage)
        case str():
            return _supports_text(value, passage, choices)
        case int() | float() | Decimal():
            return _supports_number(value, passage)
        case _:
            is_moment = type(value).__module__ == "datetime"
            return _supports_moment(value, passage) if is_moment else states_text(str(value), passage)


def _supports_number(value: float | Decimal, passage: str) -> bool | None:
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    return states_number(number, passage) if number.is_finite() else None


class Verdicts:
    """What the cited passages of one value say of it, computed when first asked for.

    Where only all passages together state the value, none of them contradicts it.
    """

    __slots__ = ("_citations", "_path", "_result", "_said")

    def __init__(self, result: Any, path: str, citations: Sequence[Citation]) -> None:
        self._result = result
        self._path = path
        self._citations = citations
        self._said: list[bool | None] | None = None

    def said(self) -> list[bool | None]:
        """For each citation, in order."""
        if self._said is None:
            self._said = _support_of(self._result, self._path, self._citations)
        return self._said


class Verdict:
    """One of the verdicts; comparing it with True, False or None computes it."""

    __slots__ = ("_number", "_verdicts")

    def __init__(self, verdicts: Verdicts, number: int) -> None:
        self._verdicts = verdicts
        self._number = number

    def told(self) -> bool | None:
        """See `Unasked`."""
        return self._verdicts.said()[self._number]

    def __eq__(self, other: object) -> bool:
        return self.told() is (other.told() if isinstance(other, Verdict) else other)

    def __hash__(self) -> int:
        return hash(self.told())

    def __reduce__(self) -> tuple[Any, ...]:
        return _itself, (self.told(),)


def _itself(said: bool | None) -> bool | None:
    return said


def _support_of(result: Any, path: str, citations: Sequence[Citation]) -> list[bool | None]:
    value = value_at(result, path)
    if value is None or value is True or value is False:
        return [None] * len(citations)
    choices = choices_at(kind_of(result), path) if type(value) is str else ()
    said = [supports(value, citation.cited_text, choices) for citation in citations]
    if len(said) > 1 and False in said and True not in said:
        together = "\n".join([citation.cited_text for citation in citations])
        if supports(value, together, choices):
            return [None] * len(said)
    return said


def unsupported(citations: Mapping[str, Sequence[Citation]]) -> list[str]:
    """Return the paths of values that at least one passage contradicts and no passage supports."""
    found = {path: [citation.supports for citation in cited] for path, cited in citations.items()}
    return [path for path, said in found.items() if False in said and True not in said]


def _supports_enum(value: Enum, passage: str) -> bool | None:
    if not isinstance(value.value, str):
        found = supports(value.value, passage)
        names = [member.name for member in type(value)]
        return found or states_text(value.name, passage, names)
    members = [member.value for member in type(value) if isinstance(member.value, str)]
    said = _supports_text(value.value, passage, members)
    if said is None and len(value.name) > 2 and fold(value.name) != fold(value.value):
        return states_text(value.name, passage, [member.name for member in type(value)])
    return said


def _supports_text(value: str, passage: str, choices: Sequence[str]) -> bool | None:
    if not value.strip() or len(value) > _LONG:
        return None
    if choices:
        return states_text(value, passage, choices)
    if (currency := states_currency(value, passage)) is not None:
        return currency
    if any(map(str.isdigit, value)):
        return _states_figures(value, passage)
    return states_text(value, passage)


def _states_figures(value: str, passage: str) -> bool | None:
    """Compare a text with digits: an amount, a date or an identifier."""
    said = states_text(value, passage)
    folded = fold(value).strip(" .,;:")
    meant = meanings(folded)
    is_code = value.isdigit() and (value[0] == "0" or len(value) > 9)
    if any(isinstance(meaning, tuple) for meaning in meant) and not value.isdigit():
        return said or _states_day(value, passage, len(meant))
    try:
        number = number_in(value, percents=True)
    except TwoReadings:
        return said or None
    if number is None and said is False:
        return _states_measure(value, meant, passage)
    if number is None or is_code or (said and (value.isdigit() or _JOINED.search(value))):
        return said
    amount = _states_amount(value, Decimal(number), passage)
    if amount and not said and _LIKE_VERSION.fullmatch(value) and not _MONEY.search(passage):
        return None  # 1.10 and 1.1 are one amount, and two versions
    return amount


def _states_measure(value: str, meant: frozenset[Meaning], passage: str) -> bool | None:
    """Look for a number with its unit or scale; None where both are there in other forms: 5 kg, 5.0 kg."""
    numbers = [abs(meaning) for meaning in meant if not isinstance(meaning, tuple)]
    if numbers:
        return None if states_number(max(numbers), passage) is not False else False
    found = _MEASURE.fullmatch(value.strip())
    if found is None or not re.search(rf"(?<![^\W\d_]){re.escape(found[2])}(?![^\W\d_])", passage):
        return False
    return None if states_number(Decimal(found[1]), passage) else False


def _states_day(value: str, passage: str, readings: int) -> bool | None:
    day = date_in(value)
    if day is None or readings > 1:
        return None
    year, month, number = map(int, day.split("-"))
    return states_date((year, month, number), passage)


def _states_amount(value: str, number: Decimal, passage: str) -> bool | None:
    said = states_number(number, passage)
    if said and "%" in value and "%" not in passage and "ercent" not in passage and "rozent" not in passage:
        return None
    return states_currency_of(value, number, passage) if said else said


def _supports_moment(value: Any, passage: str) -> bool | None:
    """Compare a date, a time or both; durations are not compared."""
    day = (value.year, value.month, value.day) if hasattr(value, "year") else None
    clock = (value.hour, value.minute) if hasattr(value, "hour") else None
    if day is None:
        return None if clock is None else _states_time(clock, passage)
    is_that_day = states_date(day, passage)
    if not is_that_day or clock in (None, (0, 0)):
        return is_that_day
    return True if _states_time(clock, passage) else None


def _states_time(clock: tuple[int, int], passage: str) -> bool | None:
    for found in _CLOCK.finditer(fold(passage)):
        hour = int(found[1]) % 12 + 12 * (found[3] == "p") if found[3] else int(found[1])
        if (hour, int(found[2])) == clock:
            return True
    return None
