"""Split a text into words for comparison: normal forms without punctuation."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from batchata.answers.normalize import fold
from batchata.answers.number_notations import parted

_KEPT = 256  # passages
_MARKS = re.compile("[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u0640]")
_LETTERS = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "\u0131": "i"}
)
_BROKEN = re.compile(r"[\x02\u00ad]\s*")  # a hyphen that only the end of a line made
_PARTED = re.compile(r"(?<=[^\W\d_])-[ \t]*\r?\n\s*(?=[^\W\d_])")
_FOOTNOTE = re.compile(r"(?<=[^\W\d_]{4})[⁰¹²³⁴⁵⁶⁷⁸⁹]+")  # behind fewer letters it is a power: km², cm³
_DOTTED = re.compile(r"\d{1,4}(?:\.\d{3}){2,}(?![\d.,]\d)|(?:\d\d\.){3,}\d\d")
# With the vowel signs of Indic scripts, which are no letters to Python.
_LETTERS_OF_WORDS = (
    r"(?:[^\W_\u0964\u0965]++"
    r"|[\u0900-\u0963\u0966-\u0dff\u0e31-\u0e4e\u0eb1-\u0ebc\u1000-\u109f\u1780-\u17d3]++)++"
)


def _token(letters: str) -> re.Pattern[str]:
    return re.compile(
        r"(?:(?<![^\s(])-\d+(?:[.,']\d+)*|(?<![\w.,])\d+(?:[.,']\d+)+)(?![^\W\d_])"
        rf"|{letters}(?:\+\+|\#)?|[$\u00a2-\u00a5\u20a0-\u20cf%]"
    )


_TOKEN = _token(_LETTERS_OF_WORDS)
_ASCII_TOKEN = _token("[A-Za-z0-9]++")  # in half the time
_FORMS = (
    "ltd limited inc llc llp lp plc corp co company gmbh ag kg ug se sa sas sarl srl spa bv nv oy ab as aps"
    " pty kk the and of de la le von van und et y"
)
COMMON = frozenset(_FORMS.split())  # what many names have
_DENYING = (
    "not no non never without isn't aren't wasn't weren't hasn't haven't ohne ne pas sans sin senza"
    " niet geen não nem nie inte ikke не нет nicht kein keine keinen keiner keinem keines"
    " nunca jamais mai nooit"
)
DENYING = frozenset(_DENYING.split())
_NEAR = 40  # characters in front of a word in which it is denied
_APART = re.compile(r"[\s-]+")
# The months whose names are verbs too, and where they are certainly months: beside a number, behind a word
# that goes with times, as the only word between signs, or with a capital and no verb or person behind it.
_MONTHS_OR_VERBS = frozenset({"May", "March"})
_AS_MONTH = re.compile(
    r"(?i:\d\W{0,3}\b(?:may|march)\b|\b(?:may|march)\b\W{0,3}\d"
    r"|\b(?:in|of|by|since|until|till|during|before|after|early|mid|late|last|next|every)[ -](?:may|march)\b"
    r"|(?:^|[^\w\s]|\n)\s*(?:may|march)\s*(?:$|[^\w\s]|\n))"
    r"|\b(?:May|March)\b"
    r"(?! (?:be|not|have|also|only|well|contain|include|vary|apply|I|we|you|they|he|she|it|on)\b)"
)


class Words(NamedTuple):
    """A text for comparison: its words without what separates them.

    `starts` and `ends` are where words begin and end in `text`; `starts` says what stands before each: "" for
    signs without white space and for a hyphen at the end of a line, else a blank or point. `places` are the
    starts in order.
    """

    text: str
    starts: dict[int, str]
    ends: frozenset[int]
    words: tuple[str, ...]
    places: list[int]


@lru_cache(maxsize=_KEPT)
def words_of(text: str) -> Words:
    """Return the words of a text by their normal forms."""
    return words_in(plain(text))


def plain(text: str) -> str:
    """Return the text without case, accents and the hyphens that only the end of a line made."""
    if "\x02" in text or "\u00ad" in text:
        text = _BROKEN.sub("", text)
    if "\n" in text:
        text = _PARTED.sub("-", text)
    folded = fold(text if text.isascii() else parted(_FOOTNOTE.sub(" ", text)))
    if not folded.isascii():
        bare = _MARKS.sub("", unicodedata.normalize("NFKD", folded))
        folded = unicodedata.normalize("NFC", bare).translate(_LETTERS)
    return _DOTTED.sub(_undotted, folded) if folded.count(".") > 1 else folded


def is_denied(text: str, place: int) -> bool:
    """Return whether one of the two words before this place denies what follows, as in "not yet paid"."""
    before = text[max(0, place - _NEAR) : place]
    if not before or not (before[-1].isspace() or before[-1] == "-"):
        return False
    return not DENYING.isdisjoint(_APART.split(before.casefold().replace("\u2019", "'"))[-3:-1])


def is_verb_instead(value: str, passage: str) -> bool:
    """Whether a month is named whose name the passage has only as a verb, as in "it may be"."""
    return value in _MONTHS_OR_VERBS and _AS_MONTH.search(passage) is None


def _undotted(found: re.Match[str]) -> str:
    return found[0].replace(".", "")


def words_in(text: str) -> Words:
    """Return the words of a text that `plain` returned."""
    squeezed: list[str] = []
    starts: dict[int, str] = {}
    ends: list[int] = []
    at, last = 0, 0
    for found in (_ASCII_TOKEN if text.isascii() else _TOKEN).finditer(text):
        word = found[0]
        if not word.isalnum() and any(map(str.isdigit, word)):
            word = _number(word)
        between = text[last : found.start()]
        starts[at] = " " if " " in between else between if between in (".", ",") else ""
        squeezed.append(word)
        at += len(word)
        ends.append(at)
        last = found.end()
    return Words("".join(squeezed), starts, frozenset(ends), tuple(squeezed), list(starts))


def _number(word: str) -> str:
    """Write a number with a point before its decimals and nothing between its thousands."""
    sign, digits = ("-", word[1:]) if word[0] == "-" else ("", word)
    digits = digits.replace("'", "")
    marks = [mark for mark in digits if not mark.isdigit()]
    if not marks:
        return sign + digits
    last = marks[-1]
    if marks.count(last) > 1:
        return sign + re.sub(r"\D", "", digits)
    whole, fraction = digits.rsplit(last, 1)
    if len(fraction) == 3 and len(marks) == 1 and last == "," and whole != "0":
        return sign + whole + fraction
    return sign + re.sub(r"\D", "", whole) + "." + fraction
