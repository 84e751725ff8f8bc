"""Read texts that mean exactly one number, in the notations of many countries."""

from __future__ import annotations

import re
import unicodedata

from batchata.answers.normalize import DIRECTIONS


class TwoReadings(Exception):
    """The text has two readings; the message names them for the model that wrote it."""


_LIKE = str.maketrans({
    **dict.fromkeys(DIRECTIONS, ""),
    **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", ""),  # that take no room
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d", "-"),
    **dict.fromkeys("\u2018\u2019\u02bc\u00b4`", "'"),
    "\u066b": ".",
    "\u066c": ",",
})  # fmt: skip
_CODES = (
    "usd|eur|gbp|chf|jpy|cny|rmb|inr|pln|sek|nok|dkk|isk|czk|huf|ron|bgn|rsd|uah|rub|try|ils|aed|sar|qar|kwd|bhd"
    "|omr|jod|egp|mad|tnd|dzd|ngn|ghs|kes|tzs|ugx|zar|cad|aud|nzd|sgd|hkd|twd|krw|thb|vnd|idr|myr|php|pkr|bdt|lkr"
    "|npr|kzt|brl|ars|clp|cop|pen|uyu|mxn|btc|eth"
)
_WORDS = r"euros?|dollars?|yen|rupees?|us\$|a\$|c\$|r\$|hk\$|nz\$|s\$|rs\.?|zł|kr\.?|kč|lei|fr\.?|₹"
_UNIT = re.compile(rf"(?:{_CODES}|{_WORDS})(?![^\W\d_])|[$\u00a3-\u00a5\u058f\u060b\u0e3f\u20a0-\u20cf]")
_UNIT_BEHIND = re.compile(
    rf"(?:(?<![^\W\d_])(?:{_CODES}|{_WORDS})|[$\u00a3-\u00a5\u058f\u060b\u0e3f\u20a0-\u20cf])$"
)
_PERCENT = re.compile(r" ?(?:%|\u066a|percent|per cent|pct\.?|v\. ?h\.)$")
_NO_CENTS = re.compile(r"[.,]-{1,2}$")  # "12,-"
_USUAL = re.compile(r"(-?)[$€£]?([1-9]\d{0,2}(?:,\d{3})+)\.(\d++)", re.ASCII)
_USUAL_ELSEWHERE = re.compile(r"(-?)(?:€ ?)?([1-9]\d{0,2}(?:\.\d{3})+),(\d++)(?: ?(?:€|EUR))?", re.ASCII)
_DIGIT = re.compile(r"\d")
_PLAIN = re.compile(r"(\d*)(?:([.,])(\d*))?")
_GROUPED = re.compile(
    r"[1-9]\d{0,2}(?P<group>[ ,.'])\d{3}(?:(?P=group)\d{3})*(?:(?!(?P=group))(?P<point>[.,])(?P<cents>\d+))?"
)
_INDIAN = re.compile(r"[1-9]\d?(?:,\d{2})+,\d{3}(?:\.\d+)?")


def number_in(text: str, *, percents: bool = False, whole: bool = False) -> str | None:
    """Return the one number that a text means, as JSON writes it; None if it means none.

    Signs and names of currencies are left out; brackets around an amount and a minus after it make it
    negative, as in books. `percents`: percentages are asked for, and "15%" means 15. `whole`: it must be a
    whole number. Raises TwoReadings when it may mean several numbers.
    """
    if found := _USUAL.fullmatch(text):
        return f"{found[1]}{found[2].replace(',', '')}.{found[3]}"
    if found := _USUAL_ELSEWHERE.fullmatch(text):
        return f"{found[1]}{found[2].replace('.', '')}.{found[3]}"
    if _DIGIT.search(text) is None:
        return None
    if not text.isascii() and any(unicodedata.category(sign) == "No" for sign in text):
        return None  # a footnote or a fraction
    said = _Said(text)
    if said.is_percent and not percents:
        raise TwoReadings("a percentage may mean 15 or 0.15; give a JSON number")
    digits = _digits(said.amount, whole=whole)
    if digits is None or said.signs > 1:
        return None
    return f"-{digits}" if said.signs else digits


class _Said:
    """An amount without what stands around it; `signs` counts what makes it negative."""

    def __init__(self, text: str) -> None:
        rest = text.replace("`", "'") if text.isascii() else _in_ascii_signs(text)
        self.signs = 0
        rest = " ".join(rest.casefold().split())
        rest, self.is_percent = _without(_PERCENT, rest)
        rest = self._unbracketed(_NO_CENTS.sub("", _bare(rest)))
        if not self.is_percent:
            rest, self.is_percent = _without(_PERCENT, rest)
        self.amount = self._unsigned(rest)

    def _unbracketed(self, rest: str) -> str:
        if not (rest.startswith("(") and rest.endswith(")")):
            return rest
        self.signs += 1
        return _bare(rest[1:-1].strip())

    def _unsigned(self, rest: str) -> str:
        """Strip signs before and after the currency, and after the amount."""
        for _ in range(2):
            if rest.startswith("-"):
                self.signs += 1
                rest = rest[1:]
            elif rest.startswith("+"):
                rest = rest[1:]
            rest = _bare(rest)
        if rest.endswith("-"):
            self.signs += 1
            rest = rest[:-1]
        return _bare(rest)


def _bare(rest: str) -> str:
    """Strip a currency before or after the amount."""
    rest = rest.strip()
    if not rest[:1].isdigit() and (found := _UNIT.match(rest)):
        rest = rest[found.end() :]
    return rest.strip() if rest[-1:].isdigit() else _UNIT_BEHIND.sub("", rest).strip()


def _without(pattern: re.Pattern[str], rest: str) -> tuple[str, bool]:
    found = None if rest[-1:].isdigit() else pattern.search(rest)
    return (rest[: found.start()].strip(), True) if found else (rest, False)


def _in_ascii_signs(text: str) -> str:
    """Write full-width characters, dashes and quotation marks as ASCII has them."""
    return unicodedata.normalize("NFKC", text.translate(_LIKE)).translate(_LIKE)


def _digits(amount: str, *, whole: bool) -> str | None:
    if not amount.isascii():
        amount = "".join([str(unicodedata.decimal(sign, sign)) for sign in amount])
    if found := _PLAIN.fullmatch(amount):
        return _plain(found, whole=whole)
    if found := _GROUPED.fullmatch(amount):
        cents = found["cents"]
        before = amount if cents is None else amount[: -len(cents) - 1]
        return re.sub(r"\D", "", before) + (f".{cents}" if cents else "")
    return amount.replace(",", "") if _INDIAN.fullmatch(amount) else None


def _plain(found: re.Match[str], *, whole: bool) -> str | None:
    before, point, behind = found[1], found[2], found[3] or ""
    if not before and not behind:
        return None
    number = before.lstrip("0") or "0"
    if point and len(behind) == 3 and 1 <= len(before) <= 3 and before[0] != "0":
        if whole and point == ",":
            return before + behind  # with decimals it would not be a whole number
        sign = "point" if point == "." else "comma"
        raise TwoReadings(
            f"a {sign} before three digits may separate thousands or decimals; give a JSON number"
        )
    return f"{number}.{behind}" if behind else number
