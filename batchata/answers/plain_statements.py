"""Recognise a value that stands in a passage as print usually has it.

What is found here would also be found by the readers of numbers, dates and names, which take many times as
long.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from batchata.answers.numbers_and_dates import is_scale
from batchata.answers.words import is_denied, is_verb_instead

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_SIGNS = frozenset("-(\u2212\u2013\u2014")
_PARTING = frozenset(".,/-:'(\u2212\u2013\u2014")
_CLOSING = frozenset((".", ",", ";", ". ", ", ", "; ", ".\n", ",\n", ";\n"))  # and no digit behind
_WORD_BEHIND = re.compile(r" ([A-Za-z]+)(?=[\s.,;]|$)")
_SIGNED = re.compile(r"[-(\u2212\u2013\u2014] ?[^\W\d_]+[$€£]? $")  # of a currency before the number
_OTHER_DIGITS = re.compile("[\u0590-\u1fff\u2e80-\U0010ffff]")  # scripts with digits and months of their own
_LARGE = 10**12


def is_plain_to_see(value: Any, passage: str) -> bool:
    """Return whether the value is certainly stated; what this quick look misses may still be."""
    kind = type(value)
    if kind is str:
        return _stands_alone(value, passage)
    if kind is int:
        return _is_number_there(value, passage) if -_LARGE < value < _LARGE else False
    if kind is float or kind is Decimal:
        return -_LARGE < value < _LARGE and _is_amount_there(value, passage)  # not where it is not a number
    if kind.__module__ == "datetime" and kind.__name__ == "date":
        return _is_day_there(value, passage)
    return False


def _is_number_there(value: int, passage: str) -> bool:
    if _is_number(str(value), passage, is_whole=True):
        return True
    return value > 999 and _is_number(f"{value:,}", passage)


def _is_amount_there(value: float | Decimal, passage: str) -> bool:
    if round(value, 2) != value:
        return False
    written = f"{value:,.2f}"
    return _is_number(written, passage) or ("," in written and _is_number(f"{value:.2f}", passage))


def _is_number(written: str, passage: str, *, is_whole: bool = False) -> bool:
    """Return whether the number stands there by itself.

    For a whole number of few digits, or of four, only the end of the passage tells: it may be the day or the
    year of a date.
    """
    size = len(written)
    if passage.endswith(written) and _begins_freely(passage, len(passage) - size):
        return True
    at = passage.find(written)
    if at < 0 or (is_whole and size in (1, 2, 4)) or _OTHER_DIGITS.search(passage):
        return False
    return _begins_freely(passage, at) and _ends_freely(passage, at + size)


def _begins_freely(passage: str, at: int) -> bool:
    """Return whether nothing before the number makes it part of another one."""
    if at and passage[at - 1] in "$€£":
        at -= 1
    if at == 0:
        return True
    if passage[at - 1] not in " \n":
        return False
    before = passage[at - 2 : at - 1]
    if before in _SIGNS or before.isspace() or before.isdigit():
        return False
    return not (before.isalpha() or before in "$€£") or not _SIGNED.search(passage, max(0, at - 12), at)


def _ends_freely(passage: str, end: int) -> bool:
    """Return whether nothing after the number makes it part of another one."""
    behind = passage[end : end + 2]
    if behind in _CLOSING:
        return True
    word = _WORD_BEHIND.match(passage, end)
    return word is not None and len(word[1]) > 1 and not is_scale(word[1].casefold())


def _is_day_there(value: Any, passage: str) -> bool:
    day, year = value.day, value.year
    month = _MONTHS[value.month - 1]
    written = (
        value.isoformat(),
        f"{day} {month} {year}",
        f"{month} {day}, {year}",
        f"{day:02}.{value.month:02}.{year}",
    )
    return not _OTHER_DIGITS.search(passage) and any(_is_date(form, passage) for form in written)


def _is_date(written: str, passage: str) -> bool:
    at = passage.find(written)
    if at < 0 or (at and passage[at - 1] not in " \n"):
        return False
    behind = passage[at + len(written) : at + len(written) + 2]
    return not behind or behind in _CLOSING or behind[0] in " \n"


def _stands_alone(value: str, passage: str) -> bool:
    """Return whether the value is written there as it is, and not as a part of a longer word or number."""
    at = passage.find(value)
    if at < 0 or not value:
        return False
    first, last = value[0], value[-1]
    before, behind = passage[at - 1 : at] if at else "", passage[at + len(value) : at + len(value) + 2]
    if before and (before.isalnum() if first.isalnum() else False):
        return False
    if before and first.isalpha() and not last.isdigit() and is_denied(passage, at):
        return False
    if behind and last.isalnum() and behind[0].isalnum():
        return False
    if is_verb_instead(value, passage):
        return False
    if not value.isascii() and (behind or before) and not (first.isascii() and last.isascii()):
        return (
            (not before or before.isspace()) and (not behind or not behind[0].isalnum()) and _is_bare(behind)
        )
    if before in _PARTING and (not first.isalpha() or (last.isdigit() and before in _SIGNS)):
        return False
    if not last.isdigit():
        return _is_bare(behind)
    return not behind or behind in _CLOSING or behind[0] == "\n"


def _is_bare(behind: str) -> bool:
    """Whether no sign follows that belongs to the letter before it, as in C++ and acme.com.au."""
    if not behind or behind[0].isspace():
        return True
    if behind[0] in ".+#@":
        return behind == "." or behind in _CLOSING
    return behind[0].isascii()
