"""Whether a passage states a number or a date: True, False, or None where it has two readings."""

from __future__ import annotations

import re
from decimal import Decimal

from batchata.answers.number_notations import may_be_meant
from batchata.answers.numbers_and_dates import CODES, Day, Figure, meanings
from batchata.answers.passages import Passage, parts_of, passage_of, two_ways

_COUNTED = 100  # a whole number up to this may be counted or written in words
_SCALED = re.compile(r"[^\W\d_]{2}|[万萬億亿]|\d ?[km]\b")
_UNITS = re.compile(rf"[$€£¥₹₩₽₺₫₴₪฿]|\b(?:{CODES}|rs)\b")
_DIGITS = re.compile(r"\d[\d.,' ]*\d|\d")
_ONE_OF_THREE = re.compile(r"[1-9]\d{0,2}([.,])\d{3}")
_UNIT_BEHIND = re.compile(r"(?!(?:st|nd|rd|th|k|m|mn|mio|bn|b|t|tn)\b|e[+-]?\d|[^\W\d_]\d)[^\W\d_]")
_CENTS = 2  # decimals
# A day that is told from another one.
_RELATIVE = re.compile(
    r"\b(?:yesterday|today|tomorrow|tonight|gestern|heute|demain|aujourd|ayer|hoy|mañana|ieri|oggi|domani"
    r"|(?:days?|weeks?|months?|years?) (?:ago|later|after|before|from))\b"
)
_FROM = re.compile(r"(?<![\d.,/-])(\d{1,2})(?:st|nd|rd|th|\.)? ?(?:-|to|bis|au|al|and|und|&|/) ?$")
_MONTH_AND_YEAR = re.compile(r"([^\W\d_]{3,9})\.?[-' ](\d\d)\b")
_MOST_LOOKED_AT = 100  # places of one number in a passage


def states_number(value: Decimal, text: str) -> bool | None:
    """Return whether the text states this number: in any script, grouped, scaled, in percent or brackets."""
    passage = passage_of(text)
    there = passage.by_number.get(value, [])
    if any(_is_certain(value, figure, passage) for figure in there[:_MOST_LOOKED_AT]):
        return True
    if value > 1900 and value in passage.years:
        return True
    opposite = passage.by_number.get(-value, [])
    if there or any(_may_be_of_either_sign(value, figure, passage) for figure in opposite[:_MOST_LOOKED_AT]):
        return None
    said = _loosely(value, passage)
    return None if said is False and (_is_rounded(value, passage) or may_be_meant(value, text)) else said


def _is_rounded(value: Decimal, passage: Passage) -> bool:
    """Return whether the passage has a number of more decimals than amounts have, and the value fewer."""
    places = -_exponent(value)
    return places > 0 and any(
        -_exponent(number) > max(places, _CENTS) and round(number, places) == value
        for number, figures in passage.by_number.items()
        if abs(number - value) < 1 and "%" not in passage.said(figures[0])
    )


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _is_certain(value: Decimal, figure: Figure, passage: Passage) -> bool:
    said, text = passage.said(figure), passage.text
    digits = _DIGITS.search(said)
    assert digits is not None
    if text.startswith(("^", "**"), figure.end):
        return False  # the base of a power
    unscaled = value in _both_signs(meanings(digits[0])) or value == _plain(digits[0])
    if unscaled and _SCALED.search(_UNITS.sub(" ", said)):
        return False  # 1.2 of "1.2 million", unless the field counts millions
    if value > 0 and said.endswith((")", "-")):
        return False
    if said.startswith("- ") or (value < 0 and text[max(0, figure.start - 3) : figure.start + 2].count("- ")):
        return False  # a sign, or a dash of prose
    parted = _ONE_OF_THREE.fullmatch(digits[0])
    return parted is None or _is_read_so(value, digits[0], parted[1], passage, said)


def _both_signs(found: frozenset[Decimal | Day]) -> set[Decimal]:
    numbers = {meaning for meaning in found if isinstance(meaning, Decimal)}
    return numbers | {-number for number in numbers}


def _is_read_so(value: Decimal, digits: str, sign: str, passage: Passage, said: str) -> bool:
    """Return whether a point or comma before three digits separates what it separates in the value."""
    is_whole = abs(value) >= int(re.sub(r"\D", "", digits)) and value == value.to_integral_value()
    if sign == ",":
        return is_whole
    is_parting = passage.has_comma_decimals or _UNITS.search(said) is not None
    return is_parting if is_whole else not is_parting


def _may_be_of_either_sign(value: Decimal, figure: Figure, passage: Passage) -> bool:
    said = passage.said(figure)
    if value > 0:
        return said.startswith("- ") or said.endswith(")")
    return passage.is_negated


def _plain(digits: str) -> Decimal | None:
    return Decimal(digits) if digits.isdigit() else None


def _loosely(value: Decimal, passage: Passage) -> bool | None:
    """Look for the number next to letters and signs, and where it may be written out."""
    found = passage.loose.get(abs(value))
    if found is not None:
        return True if value >= 0 and _is_measured(passage.rest, found) else None
    is_small = value == value.to_integral_value() and abs(value) <= _COUNTED
    if passage.has_number_words or (not passage.has_digits and (is_small or not _is_latin(passage.rest))):
        return None
    return False


def _is_measured(text: str, found: re.Match[str]) -> bool:
    """Return whether a unit follows at once, and nothing before it makes it a code or a range."""
    before = text[found.start() - 1 : found.start()]
    unit = _UNIT_BEHIND.match(text, found.end())
    return unit is not None and not (before.isalnum() or before in tuple("/-:."))


def states_date(wanted: Day, text: str) -> bool | None:
    """Return whether the text states this day: in words of many languages, in digits, by eras."""
    passage = passage_of(text)
    is_weak = False
    for figure, known in passage.dated:
        said = passage.said(figure)
        days = _of_centuries(known, said, wanted)
        is_weak = is_weak or _begins_range(wanted, figure, days, passage) or _is_year_first(wanted, said)
        if wanted in days:
            read = True if len(days) == 1 else _reads_as(wanted, said, passage)
            if read:
                return True
            is_weak = is_weak or read is None
    if is_weak or _RELATIVE.search(passage.text):
        return None
    rest = passage.without(figure for figure, _ in passage.dated)
    if wanted[0] in parts_of(rest) and any(
        day[1:] == wanted[1:] for _, days in passage.dated for day in days
    ):
        return None  # December 31, 2024 and 2023
    return None if _may_be_in(wanted, rest, has_dates=bool(passage.dated)) else False


def _begins_range(wanted: Day, figure: Figure, days: set[Day], passage: Passage) -> bool:
    """Return whether the day stands alone before a date of its month: 1-4 March 2025."""
    found = _FROM.search(passage.text, max(0, figure.start - 12), figure.start)
    return found is not None and any((year, month, int(found[1])) == wanted for year, month, _ in days)


def _is_year_first(wanted: Day, said: str) -> bool:
    """Return whether a date in digits is this day with two digits of its year in front: 24/03/04."""
    year, month, day = wanted
    return two_ways(said) == [year % 100, month, day]


def _reads_as(wanted: Day, said: str, passage: Passage) -> bool | None:
    """Return whether a date of two readings is this day, as its points or the other dates suggest."""
    order = 1 if "." in said else passage.order
    parts = two_ways(said)
    if order == 0 or parts is None:
        return None
    first, second, _ = parts
    return ((second, first) if order > 0 else (first, second)) == wanted[1:]


def _of_centuries(days: set[Day], said: str, wanted: Day) -> set[Day]:
    """Return the years that two digits may stand for, of this century and the last."""
    if re.search(r"\d{4}", said) or not 1930 < wanted[0] < 2030:
        return days
    return {(wanted[0] if wanted[0] % 100 == day[0] % 100 else day[0], *day[1:]) for day in days}


def _may_be_in(wanted: Day, rest: str, *, has_dates: bool) -> bool:
    """Return whether the rest of the passage may be this day in a notation that is not known here."""
    year, _, day = wanted
    numbers = set(parts_of(rest))
    has_year = bool(numbers & {year, year % 100, year + 543, year - 1911})
    if year in numbers and not has_dates:
        return True
    if not has_dates and (short := _MONTH_AND_YEAR.search(rest)) and int(short[2]) == year % 100:
        return (year, wanted[1], 1) in meanings(f"1 {short[1]} {year}")
    if day in numbers:
        return has_year or (not has_dates and not any(1000 < number < 3000 for number in numbers))
    return not rest.isascii() and not numbers and not has_dates and not _is_latin(rest)


def _is_latin(text: str) -> bool:
    return all(ord(sign) < 0x250 or not sign.isalpha() for sign in text)
