"""Find the numbers and dates in a normalised text, in every way they may be meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import MAX_PREC, Context, Decimal
from functools import lru_cache
from typing import NamedTuple

_EXACT = Context(prec=MAX_PREC)  # whatever the program's own context rounds to
_SIGNS = "$€£¥₹₩₽₺₫₴₪฿"
# By the first letters: English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Czech, Romanian,
# Hungarian, Finnish, Turkish, Ukrainian, Russian, Greek.
_MONTHS = {
    "jan ene gen sty jän led ian tamm oca січ янв ιαν": 1,  # noqa: RUF001 - letters that are meant
    "feb fév fev lut úno helm şub лют фев φεβ": 2,
    "mar mär mrt maa bře már бер мар μαρ": 3,  # noqa: RUF001 - letters that are meant
    "apr avr abr kwi dub ápr huht nis кві апр απρ": 4,
    "may mai mag maj mei kvě máj touk тра мая май μαΐ μαϊ": 5,
    "jun juin giu cze lipnj lipan červn červen iun jún kesä haz чер июн ιουν": 6,  # noqa: RUF001 - letters that are meant
    "jul juil lug lip srpnj srpan červene červenc iul júl hein tem лип июл ιουλ": 7,
    "aug aoû aou ago sie srp elok ağu сер авг αυγ": 8,  # noqa: RUF001 - letters that are meant
    "sep set wrz zář szep syys eyl вер сен σεπ": 9,
    "oct okt ott out paź říj loka eki жов окт οκτ": 10,
    "nov lis noi marr kas лис ноя νοε": 11,
    "dec dez déc dic gru pro joul ara гру дек δεκ": 12,  # noqa: RUF001 - letters that are meant
}
_BY_PREFIX = {prefix: month for names, month in _MONTHS.items() for prefix in names.split()}
# Names that are of one month in Polish or Czech, and of another one in Croatian.
_TWO_MONTHS = {"lip": (6, 7), "srp": (7, 8), "lis": (10, 11), "listopad": (10, 11), "listopada": (10, 11)}
_NAME = r"(?P<{0}>[^\W\d_]{{3,12}})\.?"
_DATE = re.compile(
    r"(?<![\w.])(?:(?P<y>\d{4})(?P<s1>[-/.])(?P<m>\d{1,2})(?P=s1)(?P<d>\d{1,2})"
    r"|(?P<a>\d{1,2})(?P<s2>[-/.])(?P<b>\d{1,2})(?P=s2)(?P<y2>\d{4}|\d{2})"
    rf"|(?P<d3>\d{{1,2}})(?:st|nd|rd|th|er|\.)? ?(?:de |of |-)?{_NAME.format('n3')}"
    r"[ ,-]{1,2}(?:de )?(?P<y3>\d{4})"
    rf"|{_NAME.format('n4')} (?P<d4>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y4>\d{{4}})"
    rf"|(?P<y5>\d{{4}})\. {_NAME.format('n5')} (?P<d5>\d{{1,2}})\.?"
    r"|(?P<d6>\d{1,2}) tháng (?P<m6>\d{1,2})(?: năm |[,/] ?)(?P<y6>\d{4}))(?![\w/]|[.-]\d)"
    r"|(?<!\d)(?P<y7>\d{4}) ?[年년] ?(?P<m7>\d{1,2}) ?[月월] ?(?P<d7>\d{1,2}) ?[日号號일]"
)
# Every date has a year of four digits, no more, or stands in digits alone: most texts have neither.
_MAY_BE_DATE = re.compile(r"\d(?:\d{3}(?<!\d{5})(?!\d)|([-/.])\d{1,2}\1\d\d)")
_FEW = 2  # digits
# Without anything between; it may be a number as well.
_BASIC = re.compile(r"((?:19|20)\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", re.ASCII)
CODES = "usd|eur|gbp|chf|jpy|cny|inr|pln|sek|nok|dkk|czk|huf|cad|aud|nzd|brl|mxn|zar|dollars?|euros?|zł|kr"
_UNIT = rf"(?:[{_SIGNS}]|\b(?:{CODES})\b)"
# Powers of ten; `k` and `m` only behind an amount of money: they are units, too.
_SCALES = {
    "thousand tausend tsd k": 3,
    "lakh lakhs lac": 5,
    "million millions millionen millones milhões milioni mio mln mn m": 6,
    "crore crores": 7,
    "billion billions milliard milliards milliarden miliard mrd bn": 9,
    "trillion trillions": 12,
    "万 萬": 4,
    "億 亿": 8,
}
_POWERS = {word: power for words, power in _SCALES.items() for word in words.split()}
_SCALE = "|".join(
    sorted(
        (word for word in _POWERS if word not in ("k", "m", "万", "萬", "億", "亿")), key=len, reverse=True
    )
)
_NUMBER = re.compile(
    rf"(?<![\w.,/])(?<![\w:]-)(?<!\d:)(?P<minus>- ?|\()?(?:(?P<unit>{_UNIT}) ?)?(?P<minus2>-)?"
    r"(?P<digits>\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d+)?(?!\d)"
    r"|\d{1,3}(?:(?P<group>[ ,.'])\d{3})(?:(?P=group)\d{3})*(?:[.,]\d+)?|\d+(?:[.,]\d+)?|\.\d+)"
    rf"(?: ?(?P<scale>{_SCALE})\b\.?| ?(?P<cjk>[万萬億亿])|(?P<short>(?(unit)[km]|(?!)))\b)?"
    rf"(?P<percent> ?%)?(?: ?{_UNIT})?(?P<close>\))?(?P<behind>-(?![\w-]))?"
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
    is_short: bool  # one or two digits, or a percentage of so many


def figures(text: str) -> Iterator[Figure]:
    """Return every date, and every number outside of dates, in order."""
    return _dated_figures(text) if _MAY_BE_DATE.search(text) else _numbers(text, 0, len(text))


def _dated_figures(text: str) -> Iterator[Figure]:
    at = 0
    for found in _DATE.finditer(text):
        if dates := _dates(found):
            yield from _numbers(text, at, found.start())
            yield Figure(found.start(), found.end(), frozenset(dates), is_short=False)
            at = found.end()
    yield from _numbers(text, at, len(text))


def is_scale(word: str) -> bool:
    """Return whether the word multiplies the number before it, as million does."""
    return word in _POWERS


def meanings(text: str) -> frozenset[Meaning]:
    """Return the meanings of a text that is exactly one number, amount or date; a time may follow a date."""
    return _short(text) if len(text) < _SHORT else _meanings(text)


def _meanings(text: str) -> frozenset[Meaning]:
    text = re.sub(r"(?<=\d)t\d\d:\d\d.*", "", text.strip())
    if text.isdigit():
        return frozenset({Decimal(text)})  # more often the number of something than a day
    if (day := _DATE.fullmatch(text)) and (days := _dates(day)):
        return frozenset(days)
    whole = [figure for figure in figures(text) if (figure.start, figure.end) == (0, len(text))]
    return whole[0].meanings if whole else frozenset()


_SHORT = 64  # characters; longer ones are not kept
_short = lru_cache(maxsize=1_024)(_meanings)


def _numbers(text: str, start: int, end: int) -> Iterator[Figure]:
    for found in _NUMBER.finditer(text, start, end):
        digits = found["digits"]
        first, last = found.span()
        if last - first == len(digits):
            yield Figure(first, last, _meant(digits), is_short=last - first <= _FEW)
            continue
        readings = _readings(digits) | _scaled(found)
        if found["behind"]:
            last -= 1
            if not digits.isdigit():  # as accounts write a negative amount, and prose a dash
                readings |= {n.copy_negate() for n in readings}
                last += 1
        if found["minus"] == "(" and found["close"]:  # how books write a negative amount, and prose an aside
            readings |= {n.copy_negate() for n in readings}
        elif found["close"]:
            last = found.start("close")
        if is_negative := bool(found["minus2"]) or _is_minus(text, found):
            readings = {n.copy_negate() for n in readings}
        if found["percent"]:
            readings |= {n.scaleb(-2, _EXACT) for n in readings}
        first = found.start() if is_negative else found.end("minus") if found["minus"] else found.start()
        is_short = last - first - len(found["percent"] or "") == len(digits) <= _FEW
        yield Figure(first, last, frozenset({*readings, *_basic(digits)}), is_short)


def _basic(digits: str) -> set[Day]:
    found = _BASIC.fullmatch(digits) if len(digits) == len("YYYYMMDD") else None
    return _valid((found[1], found[2], found[3])) if found else set()


def _meanings_of(digits: str) -> frozenset[Meaning]:
    return frozenset({*_readings(digits), *_basic(digits)})


_kept = lru_cache(maxsize=4_096)(_meanings_of)


def _meant(digits: str) -> frozenset[Meaning]:
    return _kept(digits) if len(digits) < _SHORT else _meanings_of(digits)


def is_counting(figure: Figure, text: str) -> bool:
    """Return whether a few digits may number a page or a footnote, or are a percentage."""
    if not figure.is_short:
        return False
    if text[figure.end - 1] == "%":
        return True
    before = text[max(0, figure.start - 14) : figure.start]
    return bool(_POINTING.search(before) or _COUNTING.match(text, figure.end))


def _is_minus(text: str, found: re.Match[str]) -> bool:
    """Whether a dash before a number is a minus sign, not one of prose or of a list."""
    return found["minus"] == "-" and text[found.start() - 1 : found.start()] in ("", " ", "(", ":")


def _readings(digits: str) -> set[Decimal]:
    """Return the numbers that these digits may mean: a point or comma before three digits is ambiguous."""
    if digits.isdigit():
        return {Decimal(digits)}
    before, _, behind = digits.partition(".")
    if before.isdigit() and behind.isdigit() and (len(behind) != 3 or before[0] == "0"):
        return {Decimal(digits)}  # as most are written, and in one way only
    separators = [sign for sign in digits if not sign.isdigit()]
    last = separators[-1]
    plain = re.sub(r"\D", "", digits)
    fraction = len(digits) - digits.rindex(last) - 1
    found: set[Decimal] = set()
    if digits[0] in "0.":  # no thousands
        return {Decimal(digits.replace(",", "."))} if len(separators) == 1 else found
    if fraction == 3 and len(set(separators)) == 1:
        found.add(Decimal(plain))
    if last in ".," and separators.count(last) == 1:
        found.add(Decimal(f"{plain}E-{fraction}"))
    return found


def _scaled(found: re.Match[str]) -> set[Decimal]:
    """Scale a number by a following word such as million, unless the field counts millions."""
    word = found["scale"] or found["cjk"] or found["short"]
    return {n.scaleb(_POWERS[word], _EXACT) for n in _readings(found["digits"])} if word else set()


def _dates(found: re.Match[str]) -> set[Day]:
    part = found.groupdict()
    for year, month, day in (("y", "m", "d"), ("y6", "m6", "d6"), ("y7", "m7", "d7")):
        if part[year]:
            return _valid((part[year], part[month], part[day]))
    if part["y2"]:
        year = part["y2"] if len(part["y2"]) == 4 else f"20{part['y2']}"
        return _valid((year, part["b"], part["a"]), (year, part["a"], part["b"]))
    name, year, day = next((part[f"n{n}"], part[f"y{n}"], part[f"d{n}"]) for n in "345" if part[f"y{n}"])
    return _valid(*[(year, month, day) for month in _months(name)])


def _months(name: str) -> tuple[int, ...]:
    known = _TWO_MONTHS.get(name)
    return known or tuple(_BY_PREFIX[name[:n]] for n in (7, 6, 5, 4, 3) if name[:n] in _BY_PREFIX)[:1]


def _valid(*readings: tuple[str | int, str | int, str | int]) -> set[Day]:
    days = [(int(year), int(month), int(day)) for year, month, day in readings]
    return {found for found in days if 1 <= found[1] <= 12 and 1 <= found[2] <= _DAYS[found[1] - 1]}
