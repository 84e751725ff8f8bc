"""Turn values into words: harmless texts, amounts, times, durations, counts, statuses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import escape
from textwrap import wrap

from batchata.core.money import EXACT, TOKEN_KINDS, amount_of, plain

# ---- Texts that a provider or a user wrote

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def clean(text: str) -> str:
    """Write the text on one line, with control and invisible characters as escapes, and plain spaces.

    What a provider or a user wrote must not move the cursor, colour the terminal or fake a line.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _visible(c) for c in text)


def preformatted(text: str) -> str:
    """Return lines for a person as HTML, every character of them as text."""
    return f"<pre>{escape(text)}</pre>"


def short(text: str, most: int = 200) -> str:
    """Clean the text, and cut it with an ellipsis beyond so many characters."""
    return clean(text) if len(text) <= most else clean(text[: most - 1]) + "…"


def shown(value: object) -> str:
    """Write an argument as an error names it: by its repr, on one line, cut where it is long."""
    return short(repr(value))


_LABEL = " " * 10  # what stands before the words in an account
_COMMAND = re.compile(r" (batchata|manager\.|python -m) ?\w")


def folded(text: str, width: int) -> str:
    """Fold long lines between words, each rest beneath its beginning; a command to copy stays whole."""
    return "\n".join(part for line in text.splitlines() for part in _folded(line, width))


def _folded(line: str, width: int) -> list[str]:
    if len(line) <= width or width <= 2 * len(_LABEL) or _COMMAND.search(line):
        return [line]
    return wrap(line, width, subsequent_indent=_LABEL, break_long_words=False, break_on_hyphens=False)


def type_of(value: object) -> str:
    """Return what kind of value it is, with its article: "an int", "a str"; None is "None"."""
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def kept(text: str, most: int) -> str:
    """Return the text for keeping: cut beyond so many characters, control characters as visible escapes.

    Line breaks, tabs and all other characters stay: what shows them makes them harmless.
    """
    return escaped(cut(text, most))


def cut(text: str, most: int) -> str:
    """Cut the text with an ellipsis to at most so many characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def escaped(text: str) -> str:
    """Write control characters as visible escapes; line breaks and tabs stay."""
    return _CONTROL.sub(lambda found: _visible(found[0]), text)


def _visible(character: str) -> str:
    if unicodedata.category(character) == "Zs":  # no-break and typographic spaces, which PDFs are full of
        return " "
    return character.encode("unicode_escape").decode()


# ---- Amounts

_HUNDREDTH_OF_A_CENT, _MILLIONTH = Decimal("0.0001"), Decimal("0.000001")


def usd(amount: Decimal | str | None) -> str:
    """Write USD to the last digit, with two decimals at least; "unknown" for None."""
    if amount is None:
        return "unknown"
    try:
        amount = amount if isinstance(amount, Decimal) else amount_of(amount)
    except ValueError:  # in a damaged log; what is there is told
        return short(f"${amount}")
    whole, _, cents = plain(amount.copy_abs()).partition(".")
    return f"{'-' if amount < 0 else ''}${int(whole):,}.{cents:0<2}"


def rounded(amount: Decimal) -> str:
    """Round USD to the hundredth of a cent, or to the millionth of a dollar where that would show nothing."""
    if amount == 0 or amount >= Decimal("0.01"):
        return f"${amount.quantize(_HUNDREDTH_OF_A_CENT, context=EXACT):,f}"
    if amount < _MILLIONTH:
        return "under $0.000001"
    return f"${amount.quantize(_MILLIONTH, context=EXACT):f}"


# ---- Times and durations

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def iso(at: int | None) -> str | None:
    """Write a time (microseconds since 1970 UTC) as ISO 8601 in UTC with microseconds; None stays None."""
    when = None if at is None else _datetime(at)
    return None if when is None else f"{when:%Y-%m-%dT%H:%M:%S.%f}Z"


def moment(at: int) -> str:
    """Write a time for a reader, in UTC to the second."""
    when = _datetime(at)
    return f"{at} µs" if when is None else f"{when:%Y-%m-%d %H:%M:%S}Z"


def day(at: int) -> str:
    """Write the day of a time, in UTC."""
    when = _datetime(at)
    return f"{at} µs" if when is None else f"{when:%Y-%m-%d}"


def _datetime(at: int) -> datetime | None:
    try:
        return _EPOCH + timedelta(microseconds=at)
    except OverflowError:
        return None


def span(microseconds: int) -> str:
    """Write a duration in its two biggest units; "340 ms" and "3.4 s" for short ones."""
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


def ago(at: int, now: int) -> str:
    """Write how long before now; clocks of two machines may differ."""
    return "just now" if now - at < 1_000_000 else f"{span(now - at)} ago"


def stopwatch(seconds: float) -> str:
    """Write seconds as such in the first hour, and hours, minutes and seconds then."""
    if seconds < 3600:
        return f"{seconds:6.1f}s"
    minutes, left = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{left:02}"


# ---- Counts and sizes


def number_of(count: int, noun: str, plural: str | None = None) -> str:
    """Write a count with its noun: "1 batch", "2,000 items"."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def ordinal(number: int) -> str:
    """Write as "1st", "12th", "1,022nd"."""
    if number % 100 in (11, 12, 13):
        return f"{number:,}th"
    return f"{number:,}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def size(count: int) -> str:
    """Write bytes in the unit that suits a reader."""
    for unit, worth in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if count >= worth:
            return f"{count / worth:,.1f} {unit}"
    return f"{count} bytes"


def item_ranges(items: Sequence[tuple[int, int]], most: int = 3) -> str:
    """Write item indexes as ranges, the first few of them: "0-49", "3, 17, 20-22, …"."""
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in items[:most]]
    return ", ".join([*shown, "…"] if len(items) > most else shown)


def by_kind(counts: Mapping[str, int]) -> str:
    """Write counts by kind, the most frequent first: "48 succeeded, 2 errored"."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{count:,} {clean(kind)}" for kind, count in ordered if count)


def usage_in_words(used: Mapping[str, int]) -> str:
    """Write usage by kind: "1,653 input, 14 output tokens, 2 web searches"; empty when nothing was used."""
    tokens = [f"{used[kind]:,} {short_kind(kind)}" for kind in TOKEN_KINDS if used.get(kind)]
    searches = used.get("web_search_requests", 0)
    parts = [f"{', '.join(tokens)} tokens"] if tokens else []
    return ", ".join([*parts, number_of(searches, "web search", "web searches")] if searches else parts)


def short_kind(kind: str) -> str:
    """Write what is paid for as a column's head: "cache read" for `cache_read_tokens`."""
    return kind.removesuffix("_tokens").removesuffix("_requests").replace("_", " ")


def did_you_mean(word: object, known: Iterable[object], most: int = 1, cutoff: float = 0.6) -> str:
    """Return "did you mean a or b?" with what a misspelt word may be meant for; "" where nothing is alike.

    Names are compared without their case, and those that are alike in the most letters come first.
    """
    from difflib import get_close_matches  # only a mistake needs it

    names = {str(name).casefold(): str(name) for name in known}
    near = get_close_matches(str(word).casefold(), names, most, cutoff)
    return f"did you mean {' or '.join(names[name] for name in near)}?" if near else ""


def all_of(parts: Sequence[str]) -> str:
    """Write the parts as a list in a sentence: "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def error_in_words(error: float | None) -> str:
    """Write how good an estimate was: "12% too high"."""
    if error is None:
        return "not comparable"
    if abs(error) < 0.005:
        return "exact to 1%"
    if error >= 1:
        return f"{1 + error:,.0f} times what was used"
    return f"{abs(error):.0%} too {'high' if error > 0 else 'low'}"


# ---- Why an amount of the limit is held

RESERVED = "reserved for open jobs"
WITHHELD = "reserved for requests whose cost the provider did not report"

# ---- Statuses, by the names that the state gives them

JOB_STATUS = {
    "started": "sending",
    "unknown": "unknown",
    "submitted": "processing",
    "ended": "ended",
    "completed": "completed",
    "failed": "not sent",
    "abandoned": "abandoned",
}
ITEM_STATUS = {
    "fresh": "not sent yet",
    "sent": "sent",
    "undecided": "answered, its job is being collected",
    "waiting": "to be sent again",
    "completed": "completed",
    "failed": "failed",
}
