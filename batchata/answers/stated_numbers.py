"""Whether a passage states a number or a date: True, False, or None where it may be meant either way."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from batchata.answers.normalize import fold
from batchata.answers.number_notations import may_be_meant, parted
from batchata.answers.numbers_and_dates import Day, Figure, figures, meanings

_KEPT = 256  # passages; many values are cited to the same few
_COUNTED = 100  # a whole number up to this may be counted or written in words
_POINTS = str.maketrans("\u066b\u066c", ".,")
_CODES = "usd|eur|gbp|chf|jpy|cny|inr|pln|sek|nok|dkk|czk|huf|cad|aud|nzd|brl|mxn|zar|dollars?|euros?|zł|kr"
_GLUED = re.compile(r"[^\W\d_][.:]?\d|\d[^\W\d_]")
# What keeps a number from being seen beside its neighbours, and what to write instead. Most passages have
# nothing of this, and that is quickly seen: one of the texts before the pattern has to be there; or, without
# any, a letter and a digit that are glued.
_AS_GLUED: tuple[str, ...] = ()
_CLEARED = tuple(
    (signs, re.compile(pattern), instead)
    for signs, pattern, instead in (
        (("$",), r"\b(?:us|a|au|c|ca|hk|nz|s|sg|r|mx)\$", " $"),
        (_AS_GLUED, rf"(?<![^\W\d_])({_CODES}|rs)\.?(?=\d)", r"\1 "),
        (_AS_GLUED, rf"(?<=\d)(?=(?:{_CODES})\b)", " "),
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
_SCALED = re.compile(r"[^\W\d_]{2}|[万萬億亿]|\d ?[km]\b")
_UNITS = re.compile(rf"[$€£¥₹₩₽₺₫₴₪฿]|\b(?:{_CODES}|rs)\b")
_COMMA_DECIMALS = re.compile(r"(?<!\d)\d[\d.]*,\d{1,2}(?![\d,])")
_DIGITS = re.compile(r"\d[\d.,' ]*\d|\d")
_ONE_OF_THREE = re.compile(r"[1-9]\d{0,2}([.,])\d{3}")
_LOOSE = re.compile(r"(?<![\d.,])\d+(?:[,.']\d+)*")
_UNIT_BEHIND = re.compile(r"(?!(?:st|nd|rd|th|k|m|mn|mio|bn|b|t|tn)\b|e[+-]?\d|[^\W\d_]\d)[^\W\d_]")
_TWO_WAYS = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}")
_GROUPS = re.compile(r"\d+")
_NUMBER_WORD = re.compile(
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w{1,24}teen|twenty|thirty|forty|fifty|sixty"
    r"|seventy|eighty|ninety|hundred|thousand|million|billion|dozen|half|\w{0,24}hundert\w*|\w{0,24}tausend\w*|zwei|drei|vier|fünf|cent"
    r"|mille|deux|trois|quatre|cinq|ciento|cien|mil|dos|tres|cuatro|cinco|duizend|twee|drie"
    r"|googol\w*|gross|score|lakhs?|crores?|\w{0,24}(?:illions?|illiarden?|cento|mila|honderd|hundra|hundre|tusen)"
    r"|mil[hj][oa]\w*|mili?on\w*)\b"
)


class Passage(NamedTuple):
    """A passage as it is compared: folded, with its numbers and dates."""

    text: str
    found: tuple[Figure, ...]


@lru_cache(maxsize=_KEPT)
def passage_of(text: str) -> Passage:
    """Return the passage with digits, months and eras of other scripts as the reader of numbers has them."""
    folded = fold(text if text.isascii() else _digits_of_scripts(parted(text)))
    if not folded.isascii():
        folded = _months_of_scripts(folded)
    is_glued = _GLUED.search(folded) is not None
    for signs, pattern, instead in _CLEARED:
        if any(sign in folded for sign in signs) if signs else is_glued:
            folded = pattern.sub(instead, folded)
    if not folded.isascii():
        folded = _BEHIND_CJK.sub(" ", folded)
    return Passage(folded, tuple(figures(folded)))


def states_number(value: Decimal, text: str) -> bool | None:
    """Return whether the text says this number: in any script, grouped, scaled, in percent or brackets."""
    passage = passage_of(text)
    is_weak = False
    for figure in passage.found:
        if value in figure.meanings:
            if _is_certain(value, figure, passage.text):
                return True
            is_weak = True
        elif -value in figure.meanings and _may_be_of_either_sign(value, figure, passage.text):
            is_weak = True
        elif _is_year(value, figure):
            return True
    if is_weak:
        return None
    is_seen = any(isinstance(meaning, Decimal) for figure in passage.found for meaning in figure.meanings)
    said = _loosely(value, _without_figures(passage), seen=is_seen)
    return None if said is False and may_be_meant(value, text) else said


def _is_year(value: Decimal, figure: Figure) -> bool:
    days = [meaning for meaning in figure.meanings if isinstance(meaning, tuple)]
    return bool(days) and value > 1900 and all(day[0] == value for day in days)


def _is_certain(value: Decimal, figure: Figure, text: str) -> bool:
    said = text[figure.start : figure.end]
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
    return parted is None or _is_read_so(value, digits[0], parted[1], said, text)


def _both_signs(found: frozenset[Decimal | Day]) -> set[Decimal]:
    numbers = {meaning for meaning in found if isinstance(meaning, Decimal)}
    return numbers | {-number for number in numbers}


def _is_read_so(value: Decimal, digits: str, sign: str, said: str, text: str) -> bool:
    """Return whether a point or comma before three digits parts what the value says that it parts."""
    is_whole = abs(value) == int(re.sub(r"\D", "", digits)) or value == value.to_integral_value()
    if sign == ",":
        return is_whole
    is_parting = bool(_UNITS.search(said) or _COMMA_DECIMALS.search(text))
    return is_parting if is_whole else not is_parting


def _may_be_of_either_sign(value: Decimal, figure: Figure, text: str) -> bool:
    said = text[figure.start : figure.end]
    if value > 0:
        return said.startswith("- ") or said.endswith(")")
    return bool(_NEGATED.search(text))


def _plain(digits: str) -> Decimal | None:
    return Decimal(digits) if digits.isdigit() else None


def _without_figures(passage: Passage) -> str:
    text = passage.text
    for figure in reversed(passage.found):
        if not any(isinstance(meaning, tuple) for meaning in figure.meanings):
            text = text[: figure.start] + " " + text[figure.end :]
    return text


def _loosely(value: Decimal, text: str, *, seen: bool) -> bool | None:
    """Numbers beside letters and signs, where the reader of prose sees none: 16GB, 5x, 10-20, 12:30."""
    for found in _LOOSE.finditer(text):
        seen = True
        if value in _both_signs(meanings(found[0])) or abs(value) == _plain(found[0]):
            return True if value >= 0 and _is_measured(text, found) else None
    is_small = value == value.to_integral_value() and abs(value) <= _COUNTED
    if _NUMBER_WORD.search(text) or (not seen and (is_small or not _is_latin(text))):
        return None
    return False


def _is_measured(text: str, found: re.Match[str]) -> bool:
    """Return whether a unit follows at once, and nothing stands before that makes a code or a range of it."""
    before = text[found.start() - 1 : found.start()]
    unit = _UNIT_BEHIND.match(text, found.end())
    return unit is not None and not (before.isalnum() or before in tuple("/-:."))


def states_date(wanted: Day, text: str) -> bool | None:
    """Return whether the text says this day: in words of many languages, in digits, by eras."""
    passage = passage_of(text)
    is_weak = False
    rest = passage.text
    for figure in reversed(passage.found):
        said = passage.text[figure.start : figure.end]
        days = _of_centuries({day for day in map(_day, figure.meanings) if day}, said, wanted)
        if days:
            rest = f"{rest[: figure.start]} {rest[figure.end :]}"
        if wanted in days:
            read = True if len(days) == 1 else _reads_as(wanted, said, passage)
            if read:
                return True
            is_weak = is_weak or read is None
    return None if is_weak or _may_be_in(wanted, rest, has_dates=rest != passage.text) else False


def _reads_as(wanted: Day, said: str, passage: Passage) -> bool | None:
    """Return whether a date of two readings is this day: by its points, or by the other dates."""
    order = 1 if "." in said else _order(passage)
    if order == 0 or not _TWO_WAYS.fullmatch(said):
        return None
    first, second, _ = _parts(said)
    return ((second, first) if order > 0 else (first, second)) == wanted[1:]


def _day(meaning: Decimal | Day) -> Day | None:
    """Return the meaning as a day; eight digits may be one as well as a number."""
    if isinstance(meaning, tuple):
        return meaning
    digits = str(meaning)
    if len(digits) != 8 or not digits.isdigit():
        return None
    days = meanings(f"{digits[:4]}-{digits[4:6]}-{digits[6:]}")
    return next((day for day in days if isinstance(day, tuple)), None)


def _parts(said: str) -> list[int]:
    return [int(part) for part in _GROUPS.findall(said)]


def _of_centuries(days: set[Day], said: str, wanted: Day) -> set[Day]:
    """Two digits of a year are of this century or of the last."""
    if re.search(r"\d{4}", said) or not 1930 < wanted[0] < 2030:
        return days
    return {(wanted[0] if wanted[0] % 100 == day[0] % 100 else day[0], *day[1:]) for day in days}


def _order(passage: Passage) -> int:
    """1 where dates in the passage have the day first, -1 where they have it second, 0 where that is open."""
    told = 0
    for figure in passage.found:
        said = passage.text[figure.start : figure.end]
        if _TWO_WAYS.fullmatch(said):
            first, second, _ = _parts(said)
            told += (first > 12) - (second > 12)
    if told == 0 and _DAY_FIRST.search(passage.text):
        return 1
    return (told > 0) - (told < 0)


def _may_be_in(wanted: Day, rest: str, *, has_dates: bool) -> bool:
    """Return whether what is left of the passage may be this day in a notation that is not known here."""
    year, _, day = wanted
    numbers = {int(group) for group in _GROUPS.findall(rest) if len(group) < 9}
    has_year = bool(numbers & {year, year % 100, year + 543, year - 1911})
    if year in numbers and not has_dates:
        return True
    if day in numbers:
        return has_year or (not has_dates and not any(1000 < number < 3000 for number in numbers))
    return not rest.isascii() and not numbers and not has_dates and not _is_latin(rest)


def _is_latin(text: str) -> bool:
    return all(ord(sign) < 0x250 or not sign.isalpha() for sign in text)


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
