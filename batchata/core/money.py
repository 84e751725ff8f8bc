"""Count amounts of USD exactly, and name the kinds of tokens that cost any."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
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
PICO_DIGITS = 12  # a picodollar is 1e-12 USD: a millionth of the smallest step of a price per million
PICO = 10**PICO_DIGITS
PICOS_A_TICK = 100  # a tick is 1e-10 USD, in which a provider may state its charges
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
    """Return the exact sum of these amounts."""
    found = Decimal(0)
    for amount in amounts:
        found = EXACT.add(found, amount)
    return found


def quotient(amount: Decimal, parts: Decimal | int) -> Decimal:
    """Return the share of each part, rounded to 28 digits."""
    return _QUOTIENT.divide(amount, parts)


def amount_of(text: str) -> Decimal:
    """Read an amount of money as events have it: plain digits, no more of them than an amount can have.

    Raises ValueError for anything else.
    """
    if not _is_amount(text):
        raise ValueError(f"{text[:60]!r} is not an amount of money")
    return Decimal(text)


def plain(amount: Decimal) -> str:
    """Write the amount in plain digits, without exponent and trailing zeros."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def plain_if_known(amount: Decimal | None) -> str | None:
    """Write the amount as `plain` does; None where it is unknown."""
    return None if amount is None else plain(amount)


def pico_of(text: str) -> int | None:
    """Return the amount in whole picodollars; None for one that is finer than that.

    Raises ValueError as `amount_of` does.
    """
    if not _is_amount(text):
        raise ValueError(f"{text[:60]!r} is not an amount of money")
    whole, _, part = text.partition(".")
    if len(part) > PICO_DIGITS:
        part = part.rstrip("0")
    return int(whole + part.ljust(PICO_DIGITS, "0")) if len(part) <= PICO_DIGITS else None


def pico_text(pico: int) -> str:
    """Write picodollars as events write amounts: plain digits, without trailing zeros."""
    whole, part = divmod(abs(pico), PICO)
    sign = "-" if pico < 0 else ""
    return f"{sign}{whole}.{part:012}".rstrip("0").rstrip(".") if part else f"{sign}{whole}"


@dataclass(slots=True)
class Sum:
    """An exact sum of amounts, as whole picodollars and a remainder for what is finer.

    `digits` is the largest number of decimals among the addends, and that of the sum, as with Decimal.
    """

    pico: int = 0
    digits: int = 0
    finer: Decimal = Decimal(0)

    def add(self, text: str, pico: int | None) -> None:
        """Add an amount, given with what `pico_of` makes of it."""
        if pico is None:
            self.finer = EXACT.add(self.finer, Decimal(text))
            return
        self.pico += pico
        _, _, part = text.partition(".")
        self.digits = max(self.digits, len(part))

    def add_pico(self, pico: int, divisor: int) -> None:
        """Add the total of several amounts in picodollars, whose greatest common divisor is `divisor`."""
        self.pico += pico
        self.digits = max(self.digits, len(pico_text(divisor).partition(".")[2]))

    @property
    def value(self) -> Decimal:
        """The sum in USD."""
        sum_ = Decimal(self.pico).scaleb(-PICO_DIGITS, EXACT)
        return EXACT.add(EXACT.quantize(sum_, Decimal((0, (1,), -self.digits))), self.finer)
