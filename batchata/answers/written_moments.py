"""Read texts that mean exactly one day, moment or time of day, in the notations of many countries."""

from __future__ import annotations

import re

from batchata.answers.normalize import fold
from batchata.answers.numbers_and_dates import meanings
from batchata.answers.passages import in_common_script

# From Monday on: English, German, French, Spanish, Italian, Portuguese, Dutch.
_WEEKDAYS = (
    "monday mon montag mo lundi lunes lunedì segunda-feira maandag",
    "tuesday tue tues dienstag di mardi martes martedì terça-feira dinsdag",
    "wednesday wed mittwoch mi mercredi miércoles mercoledì quarta-feira woensdag",
    "thursday thu thur thurs donnerstag do jeudi jueves giovedì quinta-feira donderdag",
    "friday fri freitag fr vendredi viernes venerdì sexta-feira vrijdag",
    "saturday sat samstag sonnabend sa samedi sábado sabato zaterdag",
    "sunday sun sonntag so dimanche domingo domenica zondag",
)
_WEEKDAY = {name: number for number, names in enumerate(_WEEKDAYS) for name in names.split()}
# What stands around a day without being a part of it: an article, the Russian and Ukrainian word for year.
_AROUND = re.compile(r"^(?:the|le|el|il|am|den|der) (?=\d)| ?(?:г\.|года?|р\.|року|roku|r\.)$")  # noqa: RUF001 - letters that are meant
_NAMED_BEHIND = re.compile(r" ?[(,] ?([^\W\d_]+(?:-feira)?)\.?\)?$")
_SLASHED = re.compile(r"(?<=\d)/([^\W\d_]{3,9})/(?=\d{4}\b)")
_BASIC = re.compile(r"(\d{8})t(\d\d)(\d\d)(\d\d)?(z?)", re.ASCII)
_BEFORE_DAY = re.compile(r"([^\W\d_]+(?:-feira)?)\.?,? ")
_CLOCK = re.compile(
    r"(?P<hour>\d{1,2})(?:[:h](?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?)?"
    r"(?: ?(?P<half>[ap])\.?m\.?)?(?P<zone> ?(?:z|utc|gmt))?(?: uhr)?",
    re.ASCII,
)
_DAY_AND_CLOCK = re.compile(r"(.*?[^\s,]),? (?:at |um )?(\d{1,2}:[^,]*|\d{1,2} ?[ap]\.?m\.?)")
_HAS_YEAR = re.compile(r"\d{4}")
_SUNDAY_OFFSETS = (0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4)  # Sakamoto's, for the weekday of a day


def date_in(text: str) -> str | None:
    """Return the one day that a text means, as YYYY-MM-DD; None where it means none, or possibly several."""
    said = in_common_script(text).strip()
    if not _HAS_YEAR.search(said):
        return None  # of which century is not said
    said, weekday = _without_weekday(said)
    bare = _SLASHED.sub(r" \1 ", _AROUND.sub("", said))
    days = [
        found
        for found in meanings(bare)
        if isinstance(found, tuple) and (weekday is None or weekday == _weekday(*found))
    ]
    if len(days) != 1:
        return None
    year, month, day = days[0]
    return f"{year:04d}-{month:02d}-{day:02d}"


def _without_weekday(said: str) -> tuple[str, int | None]:
    """Return the text without the name of a weekday before or after it, and which weekday that is."""
    named = _BEFORE_DAY.match(said)
    if named and (weekday := _WEEKDAY.get(named[1])) is not None:
        return said[named.end() :], weekday
    named = _NAMED_BEHIND.search(said)
    if named and (weekday := _WEEKDAY.get(named[1])) is not None:
        return said[: named.start()], weekday
    return said, None


def _weekday(year: int, month: int, day: int) -> int:
    """Return 0 for a Monday, 6 for a Sunday."""
    year -= month < 3
    return (year + year // 4 - year // 100 + year // 400 + _SUNDAY_OFFSETS[month - 1] + day - 1) % 7


def moment_in(text: str) -> str | None:
    """Return the one moment that a day with a time of day means, as YYYY-MM-DDTHH:MM:SS."""
    said = fold(text).strip()
    if basic := _BASIC.fullmatch(said):
        digits, hour, minute, second, zone = basic.groups("")
        said = f"{digits[:4]}-{digits[4:6]}-{digits[6:]} {hour}:{minute}:{second or '00'}{zone}"
    parts = _DAY_AND_CLOCK.fullmatch(said)
    day = None if parts is None else date_in(parts[1])
    clock = None if parts is None else time_in(parts[2])
    return None if day is None or clock is None else f"{day}T{clock}"


def time_in(text: str) -> str | None:
    """Return the time of day that a text means, as HH:MM:SS, with a Z where it is said to be UTC."""
    found = _CLOCK.fullmatch(fold(text).strip())
    if found is None or not (found["minute"] or found["half"]):
        return None
    hour, most = int(found["hour"]), 12 if found["half"] else 23
    if hour > most or (found["half"] and not hour):
        return None
    if found["half"]:
        hour = hour % 12 + (12 if found["half"] == "p" else 0)
    zone = "Z" if found["zone"] else ""
    return f"{hour:02d}:{found['minute'] or '00'}:{found['second'] or '00'}{zone}"
