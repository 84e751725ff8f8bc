"""How counts and durations read."""

from __future__ import annotations

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
