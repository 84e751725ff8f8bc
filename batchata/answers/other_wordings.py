"""Whether a passage may state a text in other words: abbreviations, titles, ordinals, a month's name."""

from __future__ import annotations

import re

from batchata.answers.words import COMMON, plain, words_of

_FEW = 3  # digits
_CODE_ALONE = re.compile(r"[A-Z]{2,3}")  # of a country, a language or a currency
_MONTH_OF_YEAR = re.compile(r"(?:0?[1-9]|1[0-2])[/.-]((?:19|20)\d\d)|((?:19|20)\d\d)[/.-](?:0?[1-9]|1[0-2])")
_CLOCK = re.compile(r"\d ?[ap]\.?m\b|\d[:h]\d\d", re.IGNORECASE)
_VERSION = re.compile(r"(?:v|ver|version)?[ .]?(\d+(?:\.\d+)+)", re.IGNORECASE)
_FISCAL = re.compile(r"[fc]y ?((?:20)?\d\d)", re.IGNORECASE)
_IN_WORDS = re.compile(
    r"\b(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|one|two|three|four|five|six|seven"
    r"|eight|nine|ten|eleven|twelve|\w{3,5}(?:teen|zehn)|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|\w{2,7}(?:zig|ßig)"
    r"|vingt|trente|quarante|soixante|veinte|treinta|venti|trenta|erste\w?|zweite\w?|dritte\w?|vierte\w?|premi\w+|deuxième|troisième"
    r"|primer\w?|segund\w|tercer\w?)\b|(?-i:(?<=[a-z] )[IVX]{1,5}\b(?![.&]))",
    re.IGNORECASE,
)
_ABBREVIATION = re.compile(r"(?<![^\W\d_])([^\W\d_]{1,4})\.")
_NAMED = "mr mrs ms miss dr prof sir madam herr frau mme mlle m sr sra sig signora dott"
_TITLES = frozenset(_NAMED.split())
# Short for longer words without a point, too.
_SHORTENED = frozenset(
    {"st", "rd", "ave", "blvd", "sq", "pl", "str", "nr", "tel", "fl", "apt", "ste", "dept", "rm"}
)
_OCLOCK = re.compile(r"\d\d? ?(?:[.h]\d\d)? ?uhr\b", re.IGNORECASE)
_CODE = re.compile(r"[^\W\d_]\d|\d[^\W\d_]")
_LONG_NUMBER = 8  # digits, which are the same number however they are grouped


def may_be_worded(value: str, passage: str) -> bool:
    """Return whether the passage may mean a text that it does not contain."""
    if _CODE_ALONE.fullmatch(passage.strip()) and not any(map(str.isdigit, value)):
        return True
    if month := _MONTH_OF_YEAR.fullmatch(value.strip()):
        return (month[1] or month[2]) in passage
    if _CLOCK.search(value) and (_CLOCK.search(passage) or _OCLOCK.search(passage)):
        return True
    if _is_regrouped(value, passage):
        return True
    figures = re.findall(r"\d+", passage)
    if version := _VERSION.fullmatch(value):
        return version[1] in passage
    if year := _FISCAL.fullmatch(value):
        return not {year[1], year[1][-2:], f"20{year[1]}"}.isdisjoint(figures)
    missing = [part for part in re.findall(r"\d+", value) if part not in figures]
    if len(missing) == 1 and len(missing[0]) < _FEW:
        is_year = len(missing[0]) == len("24") and f"20{missing[0]}" in figures
        if is_year or _IN_WORDS.search(passage):
            return True
    return _is_abbreviated(value, passage) or _is_abbreviated(passage, value)


def _is_regrouped(value: str, passage: str) -> bool:
    """Return whether a long number without letters in it stands there in other groups of digits."""
    digits = re.sub(r"\D", "", value)
    if len(digits) < _LONG_NUMBER or _CODE.search(value):
        return False
    return re.search(rf"(?<!\d){'[ ./-]?'.join(digits)}(?!\d)", passage) is not None


def _is_abbreviated(short: str, long: str) -> bool:
    """Return whether the words missing on either side are abbreviated on the other: St., J., Ms."""
    mine, others = words_of(short).words, words_of(long).words
    shortened = {plain(found[1]) for found in _ABBREVIATION.finditer(short)}
    shortened |= (_TITLES | _SHORTENED).intersection(mine)
    missing = [word for word in others if word not in mine and word not in COMMON]
    if len(missing) > len(shortened) or set(mine).isdisjoint(others):
        return False
    return all(any(one in _TITLES or _is_short_for(one, word) for one in shortened) for word in missing)


def _is_short_for(short: str, long: str) -> bool:
    letters = iter(long)
    return short[:1] == long[:1] and all(letter in letters for letter in short)
