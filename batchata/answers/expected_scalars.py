"""Determine which scalars may stand at one place of an answer's JSON, and how they may be read."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from enum import Enum
from functools import cached_property
from typing import Any

import pydantic

_KINDS: dict[Any, str] = {
    int: "int",
    float: "float",
    Decimal: "decimal",
    bool: "bool",
    str: "text",
    type(None): "null",
    None: "null",
}
# Told by name: what reads answers imports nothing that knows the time.
MOMENTS = frozenset({"date", "datetime", "time", "timedelta"})
_NARROWER: dict[type, str] = {
    **dict.fromkeys((pydantic.PastDate, pydantic.FutureDate), "date"),
    **dict.fromkeys(
        (pydantic.AwareDatetime, pydantic.NaiveDatetime, pydantic.PastDatetime, pydantic.FutureDatetime),
        "datetime",
    ),
}
_NUMBERS = frozenset({"int", "float", "decimal"})
# Of the classes that a text in their own form is made into, as an address or an id is.
_FORMATS = ("uuid", "ipaddress", "pydantic.networks")


def kind_of_scalar(annotation: Any) -> str | None:
    """Return the kind that an annotation stands for; None for what is no scalar."""
    if getattr(annotation, "__module__", None) == "datetime" and annotation.__name__ in MOMENTS:
        return str(annotation.__name__)
    if isinstance(annotation, type) and annotation in _NARROWER:
        return _NARROWER[annotation]
    if isinstance(annotation, type) and annotation.__module__ in _FORMATS:
        return "format"
    return _KINDS.get(annotation)


class Scalars:
    """The scalars of a place are of these `kinds`, or are one of the `words`.

    `figures` are the words that are numbers; `takes_any_number`: other numbers may stand here, too.
    `is_open`: anything may stand here.
    """

    def __init__(self) -> None:
        self.kinds: set[str] = set()
        self.words: list[str] = []
        self.figures: list[int | float] = []
        self.takes_any_number = False
        self.is_open = False

    @cached_property
    def holds(self) -> bool:
        """Something other than a scalar may stand here."""
        raise NotImplementedError

    def add_kind(self, kind: str) -> None:
        """Add a kind of which every value may stand here."""
        self.kinds.add(kind)
        self.takes_any_number |= kind in _NUMBERS

    def add_words(self, words: Iterable[Any]) -> None:
        """Add the enumerated values."""
        for given in words:
            word = given.value if isinstance(given, Enum) else given
            if isinstance(word, str):
                self.words.append(word)
            elif word is None:
                self.kinds.add("null")
            elif isinstance(word, int | float) and not isinstance(word, bool):
                self.kinds.add("int" if isinstance(word, int) else "float")
                self.figures.append(word)
            else:
                self.is_open = True

    @cached_property
    def is_numbered(self) -> bool:
        """Some of the words are numbers."""
        return bool(self.figures)

    @cached_property
    def has_no_scalars(self) -> bool:
        """Only objects or lists of known kinds may stand here, or nothing."""
        return self.holds and not (self.is_open or self.words or self.kinds - {"null"})

    @cached_property
    def is_numeric(self) -> bool:
        """Only a number may stand here, or nothing."""
        return bool(self.kinds & {"int", "float", "decimal"}) and self.kinds <= {
            "int",
            "float",
            "decimal",
            "null",
        }

    @cached_property
    def takes_numbers(self) -> bool:
        """A number may stand here, among others."""
        return bool(self.kinds & {"int", "float", "decimal"})

    @cached_property
    def is_whole(self) -> bool:
        """A number that stands here becomes an int."""
        return "int" in self.kinds and not self.kinds & {"float", "decimal"}

    @cached_property
    def is_mixed(self) -> bool:
        """True and false may stand here as well as numbers or texts, and pydantic takes one for the other."""
        return "bool" in self.kinds and (self.takes_numbers or "text" in self.kinds)

    @cached_property
    def is_textual(self) -> bool:
        """Only a text may stand here, or nothing."""
        return "text" in self.kinds and self.kinds <= {"text", "null"}

    @cached_property
    def takes_texts(self) -> bool:
        """Every text may stand here unchanged, and nothing else is made of it."""
        return self.is_textual and not self.words and not self.holds

    @cached_property
    def is_exact(self) -> bool:
        """Only a decimal number may stand here, or nothing."""
        return self.is_numeric and self.kinds <= {"decimal", "null"}

    @cached_property
    def is_date(self) -> bool:
        """Only a day or a moment may stand here, or nothing."""
        return bool(self.kinds & {"date", "datetime"}) and self.kinds <= {"date", "datetime", "null"}

    @cached_property
    def is_moment(self) -> bool:
        """Only a day, a time or a duration may stand here, or nothing."""
        return bool(self.kinds & MOMENTS) and self.kinds <= {*MOMENTS, "null"} and not self.holds
