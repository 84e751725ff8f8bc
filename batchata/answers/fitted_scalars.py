"""Fit single values to their place: numbers for texts, amounts and days as they are written, flags.

What has two readings is refused.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal

from batchata.answers.expected_shape import Place
from batchata.answers.field_paths import path_of
from batchata.answers.json_nodes import Node, Scalar
from batchata.answers.meant_records import NUMBER
from batchata.answers.written_values import TwoReadings, number_in

NOTHING = frozenset({"", "null", "none", "n/a"})
_DIGITS = re.compile(r"[+-]?(\d+)(?:\.\d*)?(?:[eE][+-]?\d+)?")
_SECONDS = (9, 10, 12, 13)  # digits of a moment from 1973 on, in seconds or milliseconds
_COMPACT = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])(?:[0-5]\d)?")
_TWO_PARTS = re.compile(r"[+-]?\d+:\d\d")
_CLOCK = re.compile(r"\d:\d\d|\d[tT]\d")
_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_ISO_LENGTH = 10
_GREATEST = 40  # the power of ten from which on a number in exponents is no count of anything


class Refused(Exception):
    """A value that has two readings, or lost something; `problems` counts how much."""

    def __init__(self, message: str, problems: int = 1) -> None:
        super().__init__(message)
        self.problems = problems


def text_at(node: Scalar, text: str) -> Scalar:
    """Return a text in the place of another scalar."""
    is_plain = text.isprintable() and '"' not in text and "\\" not in text
    return Scalar(f'"{text}"' if is_plain else json.dumps(text, ensure_ascii=False), node.start, node.end)


def _keeps_digits(place: Place) -> bool:
    """Whether a number may keep all its digits here: not where the text that has them stays a text."""
    return "decimal" in place.kinds and not {"float", "text"} <= place.kinds


def _is_word(node: Scalar, place: Place) -> bool:
    """Whether a number is one of the words that are asked for, without its quotes."""
    return node.json in place.words and place.kinds <= {"null"}


def _unrounded(node: Scalar) -> Scalar:
    """Return a number for an int, which pydantic would make from a float, with all its digits.

    A fraction that a float does not hold becomes a text, which is not taken for an int.
    """
    if node.json.lstrip("-").isdigit():
        return node
    exact = Decimal(node.json)
    if exact.adjusted() > _GREATEST:
        return node
    if exact == int(exact):
        return Scalar(str(int(exact)), node.start, node.end)
    return text_at(node, node.json) if float(node.json).is_integer() else node


def _as_float_or_text(node: Scalar) -> Scalar:
    """Return a number whose digits a float would lose as text."""
    is_exact = Decimal(repr(float(node.json))) == Decimal(node.json)
    return node if is_exact else text_at(node, node.json)


class ScalarFitting:
    """Fits single values, and knows where they stand, to name the place of what is refused."""

    def __init__(self, refuses: bool) -> None:
        self._refuses = refuses
        self._path: list[str | int] = []

    def refuse(self, message: str, problems: int = 1) -> None:
        """Raise Refused, with the path; do nothing unless `refuses` is set."""
        if self._refuses:
            where = path_of(self._path)
            raise Refused(f"{where}: {message}" if where else message, problems)

    def seen_by_the_user(self, node: Scalar) -> Node:
        """Pass a number whose digits a float would lose to the user's own code as text."""
        if not NUMBER.fullmatch(node.json) or node.json.lstrip("-").isdigit():
            return node
        return _as_float_or_text(node)

    def number(self, node: Scalar, place: Place) -> Node:
        """Return a number for a text or a Decimal, with all its digits."""
        if (place.takes_texts or _is_word(node, place)) and not place.is_strict:
            return text_at(node, node.json)
        if place.is_exact:
            number = node.json
            return node if number.lstrip("-").isdigit() else Scalar(f'"{number}"', node.start, node.end)
        if place.is_mixed:
            return self._number_or_flag(node, place)
        if _keeps_digits(place):
            is_float = "float" in place.kinds and "int" not in place.kinds
            # Any other kind has all digits of a whole number.
            return _as_float_or_text(node) if is_float else self.seen_by_the_user(node)
        if place.is_date:
            return self._digits_for_date(node, node.json, place)
        if place.is_moment:
            self.refuse("a number may mean seconds, minutes or hours; use the schema's format")
        return _unrounded(node) if place.is_whole and not place.is_strict else node

    def _number_or_flag(self, node: Scalar, place: Place) -> Node:
        """Keep 1 and 0 from being taken for true and false."""
        if not place.takes_numbers:
            self.refuse("a number may mean true or false, or a text; give one of these")
        number = node.json
        if re.fullmatch(r"-?\d+\.0+", number):
            number = number.partition(".")[0]
        found = Scalar(number, node.start, node.end)
        if _keeps_digits(place):
            return self.seen_by_the_user(found)
        return _unrounded(found) if place.is_whole and not place.is_strict else found

    def text(self, node: Scalar, said: str, place: Place) -> Node:
        """Return a text as the number, day or time that it means, where one is asked for."""
        if {"text", "decimal"} <= place.kinds and "." in said:
            self._amount(node, said, place)  # pydantic takes it for a number
        if "text" in place.kinds or place.is_strict:
            return node
        if "null" in place.kinds and said.strip().casefold() in NOTHING:
            return Scalar("null", node.start, node.end)
        if place.is_numeric:
            return self._amount(node, said, place)
        if place.is_mixed and isinstance(found := self._amount(node, said, place), Scalar) and found != node:
            return self._number_or_flag(found, place)
        if place.is_date:
            return self._date(node, said, place)
        if place.kinds <= {"timedelta", "null"} and _TWO_PARTS.fullmatch(said.strip()):
            self.refuse("this may be hours and minutes, or minutes and seconds; use the schema's format")
        if place.kinds <= {"time", "null"}:
            from batchata.answers.written_moments import time_in  # as in `_date`

            clock = time_in(said)
            return node if clock is None else text_at(node, clock)
        return node

    def _date(self, node: Scalar, said: str, place: Place) -> Node:
        is_moment = "datetime" in place.kinds and not said[-1:].isalpha()
        if _ISO_DAY.match(said) and (len(said) == _ISO_LENGTH or is_moment or said[-1:] in "zZ"):
            return node
        if _DIGITS.fullmatch(said.strip()):
            return self._digits_for_date(node, said.strip(), place)
        from batchata.answers.written_moments import (
            date_in,
            moment_in,
        )  # most days are ISO's, or there are none

        found = moment_in(said) if "datetime" in place.kinds and _CLOCK.search(said) else date_in(said)
        return node if found is None else text_at(node, found)

    def _amount(self, node: Scalar, said: str, place: Place) -> Node:
        is_whole = place.kinds <= {"int", "null"}
        try:
            number = number_in(said, percents=place.percents, whole=is_whole)
        except TwoReadings as exc:
            self.refuse(str(exc))
            return node
        if number is None:
            return node
        if "decimal" in place.kinds:
            return text_at(node, number)
        if is_whole and re.fullmatch(r"-?\d+\.0*", number):
            number = number.partition(".")[0]
        return Scalar(number, node.start, node.end)

    def _digits_for_date(self, node: Scalar, digits: str, place: Place) -> Node:
        """Read eight digits as YYYYMMDD, others as seconds since 1970; refuse digits with two readings."""
        if (
            len(digits) == 8
            and 1800 <= int(digits[:4]) < 2200
            and (node.json[0] == '"' or "date" in place.kinds)
        ):
            return text_at(node, f"{digits[:4]}-{digits[4:6]}-{digits[6:]}")
        whole = _DIGITS.fullmatch(digits)
        if whole is None or len(whole[1]) not in _SECONDS or _COMPACT.fullmatch(whole[1]):
            self.refuse("these digits may be a day or seconds since 1970; write the day as YYYY-MM-DD")
        return node
