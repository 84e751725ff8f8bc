"""How texts that a provider or a user wrote are made harmless to keep and to print."""

from __future__ import annotations

import re
import unicodedata

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def clean(text: str) -> str:
    """The text on one line, with control and invisible characters as visible escapes, and plain spaces.

    What a provider or a user wrote must not move the cursor, colour the terminal or fake a line.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _visible(c) for c in text)


def short(text: str, most: int = 200) -> str:
    """The text cleaned, and cut with an ellipsis beyond so many characters."""
    return clean(text) if len(text) <= most else clean(text[: most - 1]) + "…"


def kept(text: str, most: int) -> str:
    """The text as it may be kept: cut beyond so many characters, and with control characters as visible
    escapes. Line breaks, tabs and all other characters stay: what shows them makes them harmless.
    """
    return escaped(text if len(text) <= most else f"{text[: most - 1]}…")


def escaped(text: str) -> str:
    """The text with control characters as visible escapes; line breaks and tabs stay."""
    return _CONTROL.sub(lambda found: _visible(found[0]), text)


def _visible(character: str) -> str:
    if unicodedata.category(character) == "Zs":  # no-break and typographic spaces, which PDFs are full of
        return " "
    return character.encode("unicode_escape").decode()


_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def span(microseconds: int) -> str:
    """A duration in its two biggest units; "340 ms" and "3.4 s" for short ones."""
    seconds = microseconds / 1e6
    if abs(seconds) < 1:
        return f"{microseconds / 1e3:.0f} ms"
    if abs(seconds) < 10:
        return f"{seconds:.1f} s"
    left = round(seconds)
    if left < 0:
        return f"-{span(-microseconds)}"
    parts: list[str] = []
    for unit, size in _UNITS:
        number, left = divmod(left, size)
        if number or parts:
            parts.append(f"{number} {unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0 "))


def number_of(count: int, noun: str, plural: str | None = None) -> str:
    """A count with its noun: "1 batch", "2,000 items"."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
