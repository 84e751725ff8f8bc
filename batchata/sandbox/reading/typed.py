"""Read typed values out of text: numbers with either decimal sign, dates in several languages, ids."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

__all__ = ["DATE", "NUMBER", "find_dates", "month_first", "number_of"]

NUMBER = re.compile(
    r"(?<![\w.,])[-\u2212\u2013]?\s?(?:[€$£¥]\s?)?[-\u2212]?(?:\d{1,3}(?:[ '\u2019\u00a0\u202f]\d{3})+"
    r"(?:[.,]\d{1,4})?"
    r"|\d+(?:[.,]\d+)*)(?![\d])"
)
_MONTHS = {
    "jan sty ene gen": 1,
    "feb fév fev lut": 2,
    "mar mär mrt maa": 3,
    "apr avr abr kwi": 4,
    "may mai mei maj mag": 5,
    "jun juin giu cze": 6,
    "jul juil lug lip": 7,
    "aug aoû aou ago sie": 8,
    "sep wrz set": 9,
    "oct okt oct ott paź": 10,
    "nov lis": 11,
    "dec dez déc dic gru": 12,
}
_BY_PREFIX = {prefix: month for names, month in _MONTHS.items() for prefix in names.split()}
_NAME = r"(?P<{0}>[^\W\d_]{{3,12}})\.?"
DATE = re.compile(
    r"(?<![\w.])(?:(?P<y>\d{4})\s?[-/.]\s?(?P<m>\d{1,2})\s?[-/.]\s?(?P<d>\d{1,2})"
    r"|(?P<a>\d{1,2})\s?(?P<sep>[-/.])\s?(?P<b>\d{1,2})\s?(?P=sep)\s?(?P<y2>\d{4}|\d{2})"
    rf"|(?P<d3>\d{{1,2}})(?:st|nd|rd|th|er|\.)?\s*(?:de\s+|of\s+|-)?{_NAME.format('n3')}[\s,-]+(?:de\s+)?(?P<y3>\d{{4}})"
    rf"|{_NAME.format('n4')}\s+(?P<d4>\d{{1,2}})(?:st|nd|rd|th)?\s*,?\s*(?P<y4>\d{{4}}))(?!\d)",
)


def number_of(text: str, *, comma_decimal: bool = False) -> int | float | None:
    """Return the number a text shows; `comma_decimal` settles a lone separator before three digits."""
    negative = bool(re.match(r"\s*[-\u2212\u2013(]", text)) or bool(
        re.match(r"\s*[€$£¥]\s?[-\u2212\u2013]", text)
    )
    digits = re.sub(r"[^\d.,]", "", text).strip(".,")
    if not any(letter.isdigit() for letter in digits):
        return None
    plain = _with_point(digits, comma_decimal)
    value = float(plain) if "." in plain else int(plain)
    return -value if negative else value


def _with_point(digits: str, comma_decimal: bool) -> str:
    comma, point = digits.rfind(","), digits.rfind(".")
    if comma >= 0 and point >= 0:
        thousands = "," if point > comma else "."
        return digits.replace(thousands, "").replace(",", ".")
    if comma < 0 and point < 0:
        return digits
    sign = "," if comma >= 0 else "."
    groups = digits.split(sign)
    is_grouped = len(groups) > 2 or (
        len(groups[-1]) == 3
        and 1 <= len(groups[0]) <= 3
        and groups[0] != "0"
        and (sign == ",") != comma_decimal
    )
    return digits.replace(sign, "") if is_grouped else digits.replace(",", ".")


def comma_decimals(text: str) -> bool:
    """Whether a text writes decimals with a comma."""
    return len(re.findall(r"\d,\d\d(?!\d)", text)) > len(re.findall(r"\d\.\d\d(?!\d)", text))


def month_first(text: str) -> bool:
    """Whether 04/05/2023 is April in this text: another date says so, or amounts in dollars do."""
    pairs = [(int(a), int(b)) for a, b in re.findall(r"(?<!\d)(\d{1,2})/(\d{1,2})/\d{2,4}", text)]
    if any(b > 12 for _, b in pairs):
        return True
    return "$" in text and not any(a > 12 for a, _ in pairs)


def find_dates(text: str, *, us: bool = False) -> list[tuple[int, int, str]]:
    """Yield every date in a text: start, end, ISO form."""
    found = []
    for match in DATE.finditer(text):
        iso = _iso(match, us)
        if iso is not None:
            found.append((match.start(), match.end(), iso))
    return found


def _iso(match: re.Match[str], us: bool) -> str | None:
    g = match.groupdict()
    if g["y"]:
        return _valid(int(g["y"]), int(g["m"]), int(g["d"]))
    if g["y2"]:
        first, second = int(g["a"]), int(g["b"])
        day, month = (
            (second, first) if (us and g["sep"] == "/" and first <= 12) or second > 12 else (first, second)
        )
        return _valid(int(g["y2"]) + (2000 if len(g["y2"]) == 2 else 0), month, day)
    name, year, day_text = (g["n3"], g["y3"], g["d3"]) if g["y3"] else (g["n4"], g["y4"], g["d4"])
    return _valid(int(year), _month(name), int(day_text))


@lru_cache(maxsize=256)
def _month(name: str) -> int:
    lowered = name.lower()
    return next((_BY_PREFIX[lowered[:n]] for n in (4, 3) if lowered[:n] in _BY_PREFIX), 0)


def _valid(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None
