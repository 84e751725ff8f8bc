"""Tell which currency a text names, by sign, code or word."""

from __future__ import annotations

import re
from decimal import Decimal

from batchata.answers.normalize import fold
from batchata.answers.passages import passage_of

# What a sign or word is most often taken for comes first; the others it may stand for as well.
_SIGNS = {
    "us$": "USD", "a$": "AUD", "au$": "AUD", "c$": "CAD", "ca$": "CAD", "hk$": "HKD", "nz$": "NZD",
    "s$": "SGD", "r$": "BRL", "mx$": "MXN", "$": "USD CAD AUD NZD SGD HKD MXN", "€": "EUR", "£": "GBP",
    "¥": "JPY CNY", "₹": "INR", "₩": "KRW", "₽": "RUB", "₺": "TRY", "₫": "VND", "₴": "UAH", "₪": "ILS",
    "฿": "THB", "zł": "PLN", "kč": "CZK", "円": "JPY", "元": "CNY", "원": "KRW", "euro": "EUR",
    "euros": "EUR", "dollar": "USD CAD AUD NZD", "dollars": "USD CAD AUD NZD", "pounds": "GBP", "yen": "JPY",
    "rupees": "INR", "rs": "INR PKR LKR", "kr": "SEK NOK DKK ISK", "rmb": "CNY",
}  # fmt: skip
_CODES = (
    "usd eur gbp chf jpy cny inr pln sek nok dkk isk czk huf ron bgn uah rub try ils aed sar qar kwd egp mad"
    " ngn kes zar cad aud nzd sgd hkd twd krw thb vnd idr myr php pkr bdt lkr brl ars clp cop pen mxn"
)
_NAMES = _SIGNS | {code: code.upper() for code in _CODES.split()}
_NAMED = re.compile(
    "|".join(
        rf"(?<![^\W\d_]){re.escape(name)}(?![^\W\d_])"
        if name[-1].isalpha() and name.isascii()
        else re.escape(name)
        for name in sorted(_NAMES, key=len, reverse=True)
    )
)
_SHARED = ("SEK",)  # a word that no currency is taken for first
_NEAR = 6  # characters around a figure in which its currency stands


def states_currency(value: str, passage: str) -> bool | None:
    """Whether the passage names this currency, False where it names only others; None for other values."""
    if len(value) > 7 or not (value.isupper() or fold(value) in _SIGNS):
        return None
    own = _NAMES.get(fold(value))
    return None if own is None else _agree([own], _named(fold(passage)))


def states_currency_of(value: str, number: Decimal, passage: str) -> bool | None:
    """Whether the passage states the amount in the value's currency; True for a value without one."""
    own = _named(fold(value))
    if not own:
        return True
    said = passage_of(passage)
    near = [
        _named(said.text[max(0, figure.start - _NEAR) : figure.end + _NEAR])
        for figure in said.by_number.get(number, ())
    ]
    found = [_agree(own, names) for names in near if names] or [_agree(own, _named(fold(passage)))]
    return True if True in found else None if None in found else False


def _named(folded: str) -> list[str]:
    return [_NAMES[found[0]] for found in _NAMED.finditer(folded)]


def _agree(own: list[str], said: list[str]) -> bool | None:
    """Return whether both are the same currency; None where one may mean the other, or none is named."""
    if not said:
        return None
    if {names.split()[0] for names in own} & {names.split()[0] for names in said if names[:3] not in _SHARED}:
        return True
    mine, theirs = ({name for names in known for name in names.split()} for known in (own, said))
    return None if mine & theirs else False
