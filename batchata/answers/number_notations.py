"""Recognise numbers in other notations: 1k, 1e-9, 10⁹, 1/2, 5 bps, XIV, third, 0xFF, 2 weeks.

A passage that may mean a number in one of these ways does not contradict it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from batchata.answers.normalize import fold

_KEPT = 256  # passages; many values are cited to the same few
_LONGEST = 50_000  # characters of a passage that are looked at
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_RAISED_BEHIND = re.compile(r"(?<=\d)[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_RAISED_CENTS = re.compile(r"(\d{1,9})([⁰¹²³⁴⁵⁶⁷⁸⁹]{2})(?![⁰¹²³⁴⁵⁶⁷⁸⁹])")  # 99⁹⁹, as on price tags
_VULGAR_BEHIND = re.compile(r"(?<=\d)(?=[¼½¾⅐-⅞])")
_TIMES = "x\u00d7*\u00b7\u2219"
_NUMBER = r"(?<![\w.,])(\d{1,30}(?:[.,]\d{1,30}){0,10}|\.\d{1,30})"
_RAISED_TO = re.compile(r"(?<![\w.])(\d{1,4}) ?(?:\^|\*\*) ?\(?([+-]?\d{1,2})(?!\d)")
_TIMES_TEN = re.compile(rf"{_NUMBER} ?[{_TIMES}] ?10 ?(?:\^|\*\*)? ?\(?([+-]?\d{{1,3}})(?!\d)")
_EXPONENT = re.compile(rf"{_NUMBER}e([+-]?\d{{1,3}})(?!\d)")
_FRACTION = re.compile(
    r"(?<![\w.,/])(?:(\d{1,9}) )?(\d{1,9}) ?(?:[/⁄:]|out of|of|in) ?(\d{1,9})(?![\w/])"  # noqa: RUF001 - the fraction's own slash
)
_UNIT = re.compile(rf"{_NUMBER} ?([^\W\d_]{{1,7}}|‰|‱|¢)")
_SPLIT = re.compile(r"(?<![\w.,])(\d{1,3})([kmrgunpμ])(\d{1,3})(?:f|h|ω|ohms?)?(?!\w)")  # 4k7, 2u2F
_HOURS = re.compile(r"(?<![\w.,:])(\d{1,3}) ?(?:h|:|hrs?|hours?) ?([0-5]\d)(?![\d:])")  # 1h30
_FEET = re.compile(r"(?<![\w.,])(\d{1,2}) ?(?:'|ft\.?|feet|foot) ?(\d{1,2})(?!\d)")  # 5'6"
# FY25, 2023/24, '25
_SHORT_YEAR = re.compile(r"[f/'-](?:(?<=\bf)y ?|(?<=\d{4}[/-])|(?<=')(?<!\w'))(\d\d)(?!\d)")
_HEXADECIMAL = re.compile(r"\b0x([0-9a-f]{1,30})\b")
_ROMAN = re.compile(
    r"\b(?=[mdclxvi]{2})m{0,3}(?:cm|cd|d?c{0,3})(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})(?!\w)"
    r"|(?<=[^\W\d_]{3} )[ivxlcdm]\b(?! ?')"
)
_ROMAN_DIGITS = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}
# What one of these letters or words multiplies a number by.
_FACTORS = {
    "k tsd kg km kw kwh kb kbit kbps kv khz kj kcal kpa kn kusd keur": "1e3",
    "m mm mg mi mw mwh mb mbit mbps mhz mj mpa musd meur": "1e6",
    "b g gb gw gwh ghz gbit gbps gi": "1e9",
    "t tn tr tb tw twh ti": "1e12",
    "w": "1e4",
    "l": "1e5",
    "cr": "1e7",
    "h hundred": "1e2",
    "c cm cl cent cents ct ¢ p pence pct": "1e-2",
    "bp bps ‱": "1e-4",
    "‰ mil ma mv ml ms": "1e-3",
    "µ u µm µg µl µs µf µh µa µv um ug ul us uf uh ua uv ppm": "1e-6",
    "n nm ng ns nl nf nh na nv ppb": "1e-9",
    "pf ph pa pm pg ps pl": "1e-12",
    "r": "1",
    "ki kib": "1024",
    "mib": "1048576",
    "gib": "1073741824",
    "min mins minute minutes h hr hrs hour hours": "60",
    "hours hour": "3600",
    "day days": "24",
    "week weeks": "7",
    "year years": "12",
    "dozen dz doz": "12",
    "pair pairs": "2",
}  # fmt: skip
_ALSO = {
    "m mm mg g gm": "1e-3",
    "bp bps": "1e-2",
    "p": "1e-12",
    "m": "1e2",
    "mf mh": "1e-3",
    "h hr hrs": "3600",
    "day days": "86400",
    "kb": "1024",
    "mb mi": "1048576",
    "gb gi": "1073741824",
    "years year": "365",
    "l": "1e-3",
    "mwh mw": "1e3",
}
_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth",
    "nineteenth", "twentieth",
)  # fmt: skip
_WORDS = {
    **{word: Fraction(number) for number, word in enumerate(_ORDINALS, 1)},
    **dict.fromkeys(("once", "single", "sole"), Fraction(1)),
    **dict.fromkeys(("twice", "double", "both", "pair", "couple"), Fraction(2)),
    **dict.fromkeys(("thrice", "triple", "threefold"), Fraction(3)),
    **dict.fromkeys(("nil", "none", "nothing", "free", "no", "null", "nought"), Fraction(0)),
    "quarter": Fraction(1, 4),
}
_WORD = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b")


# What a text has to hold for one of these notations: most passages have few of them, which is quickly seen.
_SIGNS_OF = {
    _RAISED_TO: ("^", "**"),
    _TIMES_TEN: tuple(_TIMES),
    _EXPONENT: ("e",),
    _HOURS: ("h", ":"),
    _FEET: ("'", "ft", "feet", "foot"),
    _HEXADECIMAL: ("0x",),
    _FRACTION: ("/", "\u2044", ":", "of", "in"),
}
_LETTER = re.compile("[a-z]|[^\x00-\x7f]")


def _factors() -> dict[str, list[Fraction]]:
    found: dict[str, list[Fraction]] = {}
    for table in (_FACTORS, _ALSO):
        for words, factor in table.items():
            for word in words.split():
                found.setdefault(fold(word), []).append(Fraction(factor))
    return found


_BY_UNIT = _factors()


def parted(text: str) -> str:
    """Return the text with a space between a number and the raised figure or fraction after it.

    Normal forms would join them: 10⁹ is not 109, 12½ is not 121/2, and a raised 1 after an amount is a
    footnote's.
    """
    if text.isascii():
        return text
    text = _RAISED_BEHIND.sub(_raised, text)
    return _VULGAR_BEHIND.sub(" ", text)


def _raised(found: re.Match[str]) -> str:
    figures = found[0].translate(_RAISED)
    before = found.string[max(0, found.start() - 3) : found.start()]
    is_base = re.search(r"(?<![\d.,])\d{1,2}$", before)
    return f"^{figures}" if is_base else " "


def may_be_meant(value: Decimal, passage: str) -> bool:
    """Return whether the passage gives the number in one of these notations, rounded as the value is."""
    wanted = abs(Fraction(value)) if abs(value.adjusted()) < 400 else None
    if wanted is None:
        return False
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    half = Fraction(10) ** exponent / 2 if exponent < 0 else Fraction(0)
    return any(
        number == wanted
        or (is_quotient and (abs(number - wanted) <= half or abs(number * 100 - wanted) <= half))
        for number, is_quotient in _numbers(passage)
    )


@lru_cache(maxsize=_KEPT)
def _numbers(passage: str) -> frozenset[tuple[Fraction, bool]]:
    """Return the numbers in other notations, each with whether it is a quotient, which may be rounded."""
    text = fold(parted(passage[:_LONGEST]))
    raised = [] if passage.isascii() else _RAISED_CENTS.findall(passage)
    tags = [f"{whole}.{cents.translate(_RAISED)}" for whole, cents in raised]
    numbers = [*_whole(text), *map(Fraction, tags)]
    return frozenset({(number, False) for number in numbers} | {(part, True) for part in _parts(text)})


def _each(pattern: re.Pattern[str], text: str) -> Iterable[tuple[str, ...]]:
    """Return the groups of every match, equal ones once: a long passage repeats most of what it says."""
    signs = _SIGNS_OF.get(pattern)
    return set(pattern.findall(text)) if signs is None or any(sign in text for sign in signs) else ()


def _whole(text: str) -> Iterator[Fraction]:
    for base, power in _each(_RAISED_TO, text):
        if int(base):
            yield Fraction(int(base)) ** int(power)
    for pattern in (_TIMES_TEN, _EXPONENT):
        for digits, power in _each(pattern, text):
            yield from (number * Fraction(10) ** int(power) for number in _readings(digits))
    for first, second in _each(_HOURS, text):
        hours, minutes = int(first), int(second)
        yield from (Fraction(60 * hours + minutes), hours + Fraction(minutes, 60))
    for first, second in _each(_FEET, text):
        feet, inches = int(first), int(second)
        yield from (Fraction(12 * feet + inches), feet + Fraction(inches, 12))
    for year in set(_SHORT_YEAR.findall(text)):
        yield from (Fraction(1900 + int(year)), Fraction(2000 + int(year)))
    if _LETTER.search(text):
        yield from _in_letters(text)


def _in_letters(text: str) -> Iterator[Fraction]:
    for digits, unit in _each(_UNIT, text):
        if factors := _BY_UNIT.get(unit):
            yield from (number * factor for factor in factors for number in _readings(digits))
    for before, unit, behind in _each(_SPLIT, text):
        number = Fraction(f"{before}.{behind}")
        yield from (number, *[number * factor for factor in _BY_UNIT[unit]])
    yield from (Fraction(int("".join(digits), 16)) for digits in _each(_HEXADECIMAL, text))
    yield from (Fraction(_roman(digits)) for digits in set(_ROMAN.findall(text)))
    yield from (_WORDS[word] for word in set(_WORD.findall(text)))


def _parts(text: str) -> Iterator[Fraction]:
    for whole, part, of in _each(_FRACTION, text):
        if int(of):
            quotient = Fraction(int(part), int(of))
            yield from (quotient, quotient + int(whole or 0))


def _readings(digits: str) -> set[Fraction]:
    """Return the numbers that the digits may mean: the last sign groups them, or precedes the decimals."""
    plain = re.sub(r"[.,]", "", digits)
    fraction = len(digits) - 1 - max(digits.rfind("."), digits.rfind(","))
    whole = Fraction(plain)
    return {whole, whole / 10**fraction} if plain != digits else {whole}


def _roman(digits: str) -> int:
    values = [_ROMAN_DIGITS[sign] for sign in digits]
    return sum(
        -value if value < following else value
        for value, following in zip(values, [*values[1:], 0], strict=True)
    )
