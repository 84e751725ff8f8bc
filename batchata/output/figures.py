"""The numbers and dates that stand in a folded text, in every way in which they may be meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

_SIGNS = "$€£¥₹₩₽₺₫₴₪฿"
# By the first letters: English, German, French, Spanish, Italian, Portuguese, Dutch, Polish.
_MONTHS = {
    "jan ene gen sty jän": 1,
    "feb fév fev lut": 2,
    "mar mär mrt maa": 3,
    "apr avr abr kwi": 4,
    "may mai mag maj mei": 5,
    "jun juin giu cze": 6,
    "jul juil lug lip": 7,
    "aug aoû aou ago sie": 8,
    "sep set wrz": 9,
    "oct okt ott out paź": 10,
    "nov lis": 11,
    "dec dez déc dic gru": 12,
}
_BY_PREFIX = {prefix: month for names, month in _MONTHS.items() for prefix in names.split()}
_NAME = r"(?P<{0}>[^\W\d_]{{3,10}})\.?"
_DATE = re.compile(
    r"(?<![\w.])(?:(?P<y>\d{4})(?P<s1>[-/.])(?P<m>\d{1,2})(?P=s1)(?P<d>\d{1,2})"
    r"|(?P<a>\d{1,2})(?P<s2>[-/.])(?P<b>\d{1,2})(?P=s2)(?P<y2>\d{4}|\d{2})"
    rf"|(?P<d3>\d{{1,2}})(?:st|nd|rd|th|er|\.)? ?(?:de |of |-)?{_NAME.format('n3')}"
    r"[ ,-]{1,2}(?:de )?(?P<y3>\d{4})"
    rf"|{_NAME.format('n4')} (?P<d4>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y4>\d{{4}}))(?![\w/]|[.-]\d)"
)
_CODES = "usd|eur|gbp|chf|jpy|cny|inr|pln|sek|nok|dkk|czk|huf|cad|aud|nzd|brl|mxn|zar|dollars?|euros?|zł|kr"
_UNIT = rf"(?:[{_SIGNS}]|\b(?:{_CODES})\b)"
_NUMBER = re.compile(
    rf"(?<![\w.,/])(?<![\w:]-)(?<!\d:)(?P<minus>- ?|\()?(?:{_UNIT} ?)?(?P<minus2>-)?"
    r"(?P<digits>\d{1,3}(?:(?P<group>[ ,.'])\d{3})(?:(?P=group)\d{3})*(?:[.,]\d+)?|\d+(?:[.,]\d+)?)"
    rf"(?P<percent> ?%)?(?: ?{_UNIT})?(?P<close>\))?"
    r"(?![/:-]?\d|[.,]\d|[^\W\d_]{4}|[^\W\d_]*\d|(?:st|nd|rd|th|k|m|bn|x)\b)"
)
# What small numbers count or point at where they are no value: parts of documents, footnotes, telephones.
_PARTS = (
    r"pages?|pp?\.|sections?|sec\.|chapters?|figures?|fig\.|tables?|(?:foot)?notes?|steps?|lines?|rows?|columns?"
    r"|paragraphs?|articles?|appendix|annex|version|items?|questions?|options?|seiten?|abschnitt|kapitel|tabelle|art\."
)
_POINTING = re.compile(rf"(?:\b(?:{_PARTS}|and|to)|[§#+\[]|\d) ?$")
_COUNTING = re.compile(rf" ?(?:(?:{_PARTS})(?![^\W\d_])|\]| \d)")


type Day = tuple[int, int, int]  # year, month, day
type Meaning = Decimal | Day

_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class Figure(NamedTuple):
    """A number or a date: where it stands, what it may mean, and whether it is more than a few digits."""

    start: int
    end: int
    meanings: frozenset[Meaning]
    is_plain: bool  # one or two digits that may be of a page or a footnote, or a percentage


def figures(text: str) -> Iterator[Figure]:
    """Every date and every number outside of dates, in order."""
    at = 0
    for found in _DATE.finditer(text):
        if dates := _dates(found):
            yield from _numbers(text, at, found.start())
            yield Figure(found.start(), found.end(), frozenset(dates), False)
            at = found.end()
    yield from _numbers(text, at, len(text))


def meanings(text: str) -> frozenset[Meaning]:
    """What a text means that is nothing but one number, amount or date; a date may have a time behind it."""
    text = re.sub(r"(?<=\d)t\d\d:\d\d.*", "", text.strip())
    whole = [figure for figure in figures(text) if (figure.start, figure.end) == (0, len(text))]
    return whole[0].meanings if whole else frozenset()


def _numbers(text: str, start: int, end: int) -> Iterator[Figure]:
    for found in _NUMBER.finditer(text, start, end):
        digits, last = found["digits"], found.end()
        readings = _readings(digits)
        if found["minus"] == "(" and found["close"]:  # how books write a negative amount, and prose an aside
            readings |= {-n for n in readings}
        elif found["close"]:
            last -= 1
        if is_negative := bool(found["minus2"]) or _is_minus(text, found):
            readings = {-n for n in readings}
        if found["percent"]:
            readings |= {n / 100 for n in readings}
        first = found.start() if is_negative else found.end("minus") if found["minus"] else found.start()
        is_short = last - first - len(found["percent"] or "") == len(digits) <= 2
        plain = is_short and (bool(found["percent"]) or _is_pointing(text, first, last))
        yield Figure(first, last, frozenset(readings), plain)


def _is_pointing(text: str, start: int, end: int) -> bool:
    return bool(_POINTING.search(text[max(0, start - 14) : start]) or _COUNTING.match(text, end))


def _is_minus(text: str, found: re.Match[str]) -> bool:
    """A dash before a number is a sign, unless it is one of prose or of a list."""
    return found["minus"] == "-" and text[found.start() - 1 : found.start()] in ("", " ", "(", ":")


def _readings(digits: str) -> set[Decimal]:
    """A point or comma before three digits may part thousands or decimals."""
    separators = [sign for sign in digits if not sign.isdigit()]
    if not separators:
        return {Decimal(digits)}
    last = separators[-1]
    plain = re.sub(r"\D", "", digits)
    fraction = len(digits) - digits.rindex(last) - 1
    found = set()
    if fraction == 3 and len(set(separators)) == 1:
        found.add(Decimal(plain))
    if last in ".," and separators.count(last) == 1:
        found.add(Decimal(f"{plain}E-{fraction}"))
    return found


def _dates(found: re.Match[str]) -> set[Day]:
    part = found.groupdict()
    if part["y"]:
        return _valid((part["y"], part["m"], part["d"]))
    if part["y2"]:
        year = part["y2"] if len(part["y2"]) == 4 else f"20{part['y2']}"
        return _valid((year, part["b"], part["a"]), (year, part["a"], part["b"]))
    name, year, day = (
        (part["n3"], part["y3"], part["d3"]) if part["y3"] else (part["n4"], part["y4"], part["d4"])
    )
    month = next((_BY_PREFIX[name[:n]] for n in (4, 3) if name[:n] in _BY_PREFIX), 0)
    return _valid((year, month, day))


def _valid(*readings: tuple[str | int, str | int, str | int]) -> set[Day]:
    days = [(int(year), int(month), int(day)) for year, month, day in readings]
    return {found for found in days if 1 <= found[1] <= 12 and 1 <= found[2] <= _DAYS[found[1] - 1]}
