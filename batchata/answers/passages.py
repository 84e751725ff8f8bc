"""Put passages into one notation for comparison, with their numbers and dates by what they may mean."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import cached_property, lru_cache

from batchata.answers.normalize import fold
from batchata.answers.number_notations import parted
from batchata.answers.numbers_and_dates import CODES, Day, Figure, figures, meanings

_SHORT = 4_000  # characters of a passage
_KEPT, _LONG_KEPT = 64, 2  # passages; many values are cited to the same few
_GLUED = re.compile(r"[^\W\d_][.:]?\d|\d[^\W\d_]")
# What keeps a number from being seen beside its neighbours, and what to write instead. Most passages have
# nothing of this, and that is quickly seen: one of the texts before the pattern has to be there; or, without
# any, a letter and a digit that are glued.
_AS_GLUED: tuple[str, ...] = ()
_CLEARED = tuple(
    (signs, re.compile(pattern), instead)
    for signs, pattern, instead in (
        (("$",), r"\b(?:us|a|au|c|ca|hk|nz|s|sg|r|mx)\$", " $"),
        (_AS_GLUED, rf"(?<![^\W\d_])({CODES}|rs)\.?(?=\d)", r"\1 "),
        (_AS_GLUED, rf"(?<=\d)(?=(?:{CODES})\b)", " "),
        ((",-", ".-", "/-"), r"(?<=\d)(?:[.,]|/)-{1,2}(?!\w)", ""),  # "12,-" and "1,200/-"
        ((":",), r"(\d{4}-\d\d-\d\d)[t_](?=\d\d:\d\d)", r"\1 "),
        ((" day of ",), r"(?<=\d)(?:st|nd|rd|th) day of ", " "),
        ((" / ", " . ", " - "), r"\b(\d{1,4}) ([/.-]) (\d{1,2}) \2 (\d{1,4})\b", r"\1\2\3\2\4"),
        ((" del ",), r"(?<=[^\W\d_]) del (?=\d{4})", " de "),
        (
            ("cent", "zent", "cient"),
            r"(?<=\d) ?(?:percent|per cent|prozent|pour cent|por ciento|per cento|procent)\b",
            "%",
        ),
        (("-",), r"\b(\d{1,2})-([^\W\d_]{3,9})\.?-(\d\d)\b(?!-)", r"\1-\2-20\3"),
        (_AS_GLUED, r"(?<=[^\W\d_]{2})([:.])(?=\d)", r"\1 "),
    )
)
_BEHIND_CJK = re.compile(r"(?<=[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3])(?=\d)")
_RAISED_POINT = re.compile(r"(?<=\d)\u00b7(?=\d)")
_POINTS = str.maketrans("\u066b\u066c", ".,")
# Months where the names of other scripts stand, as the reader of dates knows them.
_MONTHS = {
    "jan": "يناير มกราคม ม.ค. जनवरी ינואר",
    "feb": "فبراير กุมภาพันธ์ ก.พ. फरवरी फ़रवरी פברואר",
    "mar": "مارس มีนาคม มี.ค. मार्च מרץ מרס",
    "apr": "أبريل ابريل เมษายน เม.ย. अप्रैल אפריל",
    "may": "مايو พฤษภาคม พ.ค. मई מאי",
    "jun": "يونيو يونيه มิถุนายน มิ.ย. जून יוני",
    "jul": "يوليو يوليه กรกฎาคม ก.ค. जुलाई יולי",
    "aug": "أغسطس اغسطس สิงหาคม ส.ค. अगस्त אוגוסט",
    "sep": "سبتمبر กันยายน ก.ย. सितंबर सितम्बर ספטמבר",
    "oct": "أكتوبر اكتوبر ตุลาคม ต.ค. अक्टूबर אוקטובר",
    "nov": "نوفمبر พฤศจิกายน พ.ย. नवंबर नवम्बर נובמבר",
    "dec": "ديسمبر ธันวาคม ธ.ค. दिसंबर दिसम्बर דצמבר",
}
_BY_NAME = {fold(name): month for month, names in _MONTHS.items() for name in names.split()}
_MONTH_NAME = re.compile(
    "(?:ב|ל)?(" + "|".join(sorted(map(re.escape, _BY_NAME), key=len, reverse=True)) + ")"
)
_ERAS = {"令和": 2018, "平成": 1988, "昭和": 1925, "民國": 1911, "民国": 1911}
_ERA = re.compile(rf"({'|'.join(_ERAS)}) ?(\d+|元) ?年")
_HAN_DIGITS = str.maketrans("〇零一二三四五六七八九", "00123456789")
_HAN_YEAR = re.compile(r"[〇零一二三四五六七八九]{4} ?年")
_HAN_PART = re.compile(
    r"([一二三四五六七八九]?)十([一二三四五六七八九]?) ?(?=[月日号])|([一二三四五六七八九]) ?(?=[月日号])"
)
# The day comes first in a date of slashes beside these.
_DAY_FIRST = re.compile(
    r"\b(?:date d|du|le|échéance|émission|facture|fecha|factura|vencimiento|data|fattura|scadenza|emissão"
    r"|vencimento|fatura|datum|rechnung|factuur|fällig|vervaldatum|faktura|termin|dato|päivä|tarih|dátum)\b"
)
_NEGATED = re.compile(
    r"\b(?:credit|cr|refund\w*|discount|rebate|minus|less|gutschrift|rabatt|abzgl\w*|abzüglich|avoir|remise"
    r"|descuento|abono|sconto|desconto|korting|creditnota|loss|deficit|overdrawn|verlust)\b"
)
_COMMA_DECIMALS = re.compile(r"(?<!\d)\d[\d.]*,\d{1,2}(?![\d,])")
_LOOSE = re.compile(r"(?<![\d.,])\d+(?:[,.']\d+)*")
_TWO_WAYS = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}")
_GROUPS = re.compile(r"\d+")
_NUMBER_WORD = re.compile(
    r"one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w{1,24}teen|twenty|thirty|forty|fifty|sixty"
    r"|seventy|eighty|ninety|hundred|thousand|million|billion|dozen|half|\w{0,24}hundert\w*|\w{0,24}tausend\w*|zwei|drei|vier|fünf|cent"
    r"|mille|deux|trois|quatre|cinq|ciento|cien|mil|dos|tres|cuatro|cinco|duizend|twee|drie"
    r"|googol\w*|gross|score|lakhs?|crores?|\w{0,24}(?:illions?|illiarden?|cento|mila|honderd|hundra|hundre|tusen)"
    r"|mil[hj][oa]\w*|mili?on\w*"
)
_WORD = re.compile(r"\w+")


class Passage:
    """A normalised text; its numbers and dates are found when they are first asked for."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def figures(self) -> list[Figure]:
        """All numbers and dates, in order."""
        return list(figures(self.text))

    @cached_property
    def by_number(self) -> dict[Decimal, list[Figure]]:
        """The figures by the numbers that they may mean."""
        found: dict[Decimal, list[Figure]] = {}
        for figure in self.figures:
            for meaning in figure.meanings:
                if not isinstance(meaning, tuple):
                    found.setdefault(meaning, []).append(figure)
        return found

    @cached_property
    def dated(self) -> list[tuple[Figure, set[Day]]]:
        """The figures that may be days, each with the days it may be."""
        found = [(figure, set(_days(figure))) for figure in self.figures if figure.end - figure.start > 5]
        return [(figure, days) for figure, days in found if days]

    @cached_property
    def years(self) -> set[int]:
        """The years of the dates that are of one year."""
        all_years = [{day[0] for day in days} for _, days in self.dated]
        return {min(years) for years in all_years if len(years) == 1}

    @cached_property
    def order(self) -> int:
        """1 where dates have the day first, -1 where they have it second, 0 where that is open."""
        told = 0
        for figure, _ in self.dated:
            if parts := two_ways(self.said(figure)):
                told += (parts[0] > 12) - (parts[1] > 12)
        if told == 0 and _DAY_FIRST.search(self.text):
            return 1
        return (told > 0) - (told < 0)

    @cached_property
    def rest(self) -> str:
        """The text without its numbers."""
        return self.without(figure for figure in self.figures if not _is_date(figure))

    @cached_property
    def loose(self) -> dict[Decimal, re.Match[str]]:
        """The first place in `rest` of each number next to letters or signs, without its sign.

        The reader of prose finds none in 16GB, 5x, 10-20 and 12:30.
        """
        found: dict[Decimal, re.Match[str]] = {}
        known: set[str] = set()
        for there in _LOOSE.finditer(self.rest):
            if there[0] in known:
                continue
            known.add(there[0])
            numbers = [abs(meaning) for meaning in meanings(there[0]) if not isinstance(meaning, tuple)]
            for number in (*numbers, *([Decimal(there[0])] if there[0].isdigit() else ())):
                found.setdefault(number, there)
        return found

    @cached_property
    def has_digits(self) -> bool:
        """Whether any number is there in digits."""
        return bool(self.by_number) or _LOOSE.search(self.rest) is not None

    @cached_property
    def has_number_words(self) -> bool:
        """Whether a number may be written out."""
        return any(map(_NUMBER_WORD.fullmatch, set(_WORD.findall(self.rest))))

    @cached_property
    def is_negated(self) -> bool:
        """Whether a word makes amounts negative, as credit does."""
        return _NEGATED.search(self.text) is not None

    @cached_property
    def has_comma_decimals(self) -> bool:
        """Whether a comma stands before decimals for certain."""
        return _COMMA_DECIMALS.search(self.text) is not None

    def said(self, figure: Figure) -> str:
        """Return the figure as it is written in the text."""
        return self.text[figure.start : figure.end]

    def without(self, left_out: Iterable[Figure]) -> str:
        """Return the text with each of these figures, given in order, replaced by a blank."""
        parts, at = [], 0
        for figure in left_out:
            parts.append(self.text[at : figure.start])
            at = figure.end
        return " ".join([*parts, self.text[at:]])


def passage_of(text: str) -> Passage:
    """Return the passage with digits, months and eras of other scripts as numbers and dates are read."""
    return _short(text) if len(text) < _SHORT else _long(text)


def in_common_script(text: str) -> str:
    """Fold a text, and write its digits, months and eras as numbers and dates are read."""
    folded = fold(text if text.isascii() else _digits_of_scripts(_RAISED_POINT.sub(".", text)))
    return folded if folded.isascii() else _months_of_scripts(folded)


def _passage_of(text: str) -> Passage:
    folded = in_common_script(text if text.isascii() else parted(text))
    is_glued = _GLUED.search(folded) is not None
    for signs, pattern, instead in _CLEARED:
        if any(sign in folded for sign in signs) if signs else is_glued:
            folded = pattern.sub(instead, folded)
    return Passage(folded if folded.isascii() else _BEHIND_CJK.sub(" ", folded))


_short = lru_cache(maxsize=_KEPT)(_passage_of)
_long = lru_cache(maxsize=_LONG_KEPT)(_passage_of)


def two_ways(said: str) -> list[int] | None:
    """Return the parts of a date in digits that does not begin with the year."""
    return parts_of(said) if _TWO_WAYS.fullmatch(said) else None


def parts_of(text: str) -> list[int]:
    """Return the groups of digits as numbers; groups too long for a day are left out."""
    return [int(part) for part in _GROUPS.findall(text) if len(part) < 9]


def _is_date(figure: Figure) -> bool:
    return tuple in map(type, figure.meanings)


def _days(figure: Figure) -> Iterator[Day]:
    """Yield the days that a figure may mean; eight digits may be one as well as a number."""
    for meaning in figure.meanings:
        if isinstance(meaning, tuple):
            yield meaning
        elif len(digits := str(meaning)) == 8 and digits.isdigit():
            days = meanings(f"{digits[:4]}-{digits[4:6]}-{digits[6:]}")
            yield from [day for day in days if isinstance(day, tuple)]


def _digits_of_scripts(text: str) -> str:
    if any(sign.isdigit() and not sign.isascii() for sign in text):
        text = "".join([str(unicodedata.decimal(sign, sign)) for sign in text])
    return text.translate(_POINTS)


def _months_of_scripts(text: str) -> str:
    text = _ERA.sub(lambda era: f"{_ERAS[era[1]] + (1 if era[2] == '元' else int(era[2]))}年", text)
    if "年" in text:
        text = _HAN_YEAR.sub(lambda year: year[0].translate(_HAN_DIGITS), text)
        text = _HAN_PART.sub(_han_part, text)
    if "พ.ศ." in text or re.search(r"[\u0e00-\u0e7f] ?25\d\d\b", text):
        text = re.sub(r"(?:พ\.ศ\. ?)?\b(25\d\d)\b", lambda year: str(int(year[1]) - 543), text)
    return _MONTH_NAME.sub(lambda name: _BY_NAME[name[1]], text)


def _han_part(found: re.Match[str]) -> str:
    if found[3]:
        return found[3].translate(_HAN_DIGITS)
    return (found[1].translate(_HAN_DIGITS) or "1") + (found[2].translate(_HAN_DIGITS) or "0")
