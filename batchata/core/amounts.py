"""How amounts of money are shown to people."""

from __future__ import annotations

from decimal import Decimal

from batchata.core.pricing import EXACT, plain

_HUNDREDTH_OF_A_CENT, _MILLIONTH = Decimal("0.0001"), Decimal("0.000001")


def exact(amount: Decimal | None) -> str:
    """USD to the last digit, with two decimals at least."""
    if amount is None:
        return "unknown"
    whole, _, cents = plain(amount.copy_abs()).partition(".")
    return f"{'-' if amount < 0 else ''}${int(whole):,}.{cents:0<2}"


def money(amount: Decimal) -> str:
    """USD to the hundredth of a cent, or to the millionth of a dollar where that would show nothing."""
    if amount == 0 or amount >= Decimal("0.01"):
        return f"${amount.quantize(_HUNDREDTH_OF_A_CENT, context=EXACT):,f}"
    if amount < _MILLIONTH:
        return "under $0.000001"
    return f"${amount.quantize(_MILLIONTH, context=EXACT):f}"
