"""Count amounts of USD exactly, and name the kinds of tokens that cost any."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    localcontext,
)
from functools import wraps

MILLION = Decimal(1_000_000)
# In it no amount is rounded, whatever the program has set for its own decimals, in `DefaultContext` too. 60
# digits hold all that can be an amount (see `amount_of`), a billion times over.
EXACT = Context(
    prec=60,
    rounding=ROUND_HALF_EVEN,
    Emin=-999_999,
    Emax=999_999,
    capitals=1,
    clamp=0,
    flags=[],
    traps=[InvalidOperation, DivisionByZero, Overflow],
)
_QUOTIENT = EXACT.copy()
_QUOTIENT.prec = 28  # digits of what has no end
_is_amount = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,24})?").fullmatch
INPUT_KINDS = ("input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens")
TOKEN_KINDS = (*INPUT_KINDS, "output_tokens")


def exactly[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Let a function count in `EXACT`, whatever the caller's context is; not for generators."""

    @wraps(function)
    def counted(*args: P.args, **kwargs: P.kwargs) -> R:
        with localcontext(EXACT):
            return function(*args, **kwargs)

    return counted


def sum_of(amounts: Iterable[Decimal]) -> Decimal:
    """Return the exact sum."""
    found = Decimal(0)
    for amount in amounts:
        found = EXACT.add(found, amount)
    return found


def quotient(amount: Decimal, parts: Decimal | int) -> Decimal:
    """Return the share of each part, to 28 digits."""
    return _QUOTIENT.divide(amount, parts)


def amount_of(text: str) -> Decimal:
    """Read an amount of money as events have it: plain digits, and no more of them than money can have.

    Raises ValueError for anything else.
    """
    if not _is_amount(text):
        raise ValueError(f"{text[:60]!r} is no amount of money")
    return Decimal(text)


def plain(amount: Decimal) -> str:
    """Write the amount in plain digits, without exponent and trailing zeros."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
