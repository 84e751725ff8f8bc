"""Whether a passage states a text: a name, an identifier or a word of an enum, however it is printed."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache

from batchata.answers.normalize import fold
from batchata.answers.other_wordings import may_be_worded
from batchata.answers.words import COMMON, Words, is_denied, is_verb_instead, plain, words_in, words_of

_KEPT = 64  # passages
_IDENTIFIER = 6  # so many letters and digits may be parted by blanks, and are still one
_COMPOSED = 8  # words from which on a text may be put together from what the passage says
_FEW = 3  # words of a name
_NEAR = 80  # characters in front of a word in which it is denied
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa"})


_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W_a-zA-Z\d]+")
_ADDRESS = re.compile(r"^(?:https?://)?(?:www\.)?(?=[^\s]+\.)|/$", re.IGNORECASE)
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_NO = re.compile(
    r"\b(?:not|no|non|never|without|isn't|aren't|kein\w*|nicht|ohne|ne|pas|sans|sin|senza|niet|geen|não|nem|nie|inte"
    r"|ikke|не|нет)\W+(?:\w+\W+)?$"
)


def states_text(value: str, passage: str, choices: Sequence[str] = ()) -> bool | None:
    """Whether a passage states a text; `choices` are what may stand in the field."""
    said = words_of(passage)
    forms = _forms(value, choices)
    found = [_stands(form, said) for form in forms]
    if True in found:
        if is_verb_instead(value, passage):
            return None
        if choices:
            return _is_chosen(value, passage, choices)
        is_open = _is_denied(forms, passage) or _goes_on_behind(value, passage)
        return True if _is_safe_case(value, passage) and not is_open else None
    if None in found:
        return None
    if choices:
        others = [other for other in choices if other != value]
        is_another = any(_stands(form, said) for other in others for form in _forms(other, choices))
        return False if is_another else None
    if not forms or may_be_worded(value, passage):
        return None
    return _unless_composed(value, forms, said)


def _forms(value: str, choices: Sequence[str]) -> list[Words]:
    """Return the ways in which the value may be written."""
    usual = words_in(plain(_ADDRESS.sub("", value)))
    found = [usual] if usual.text else []
    expanded = fold(value).translate(_UMLAUTS)
    if expanded != fold(value):
        found.append(words_in(plain(expanded)))
    if choices and len(parts := _PARTS.findall(value)) > 1:
        found.append(words_in(plain(" ".join(parts))))
    return found


def _stands(value: Words, said: Words) -> bool | None:
    """Return whether the words stand there in a row; None where that depends on how they are divided."""
    at = said.text.find(value.text)
    is_weak = False
    while value.text and at >= 0:
        found = _at(value, said, at)
        if found:
            return True
        is_weak = is_weak or found is None
        at = said.text.find(value.text, at + 1)
    return None if is_weak else False


def _at(value: Words, said: Words, at: int) -> bool | None:
    end = at + len(value.text)
    bounds = (_is_bound(said, at, value.text), _is_bound(said, end, value.text, is_end=True))
    if False in bounds:
        return False
    inner = said.places[bisect_right(said.places, at) : bisect_left(said.places, end)]
    joined = [place for place in inner if place - at not in value.starts]
    if any(not _may_join(value.text, said, place) for place in joined):
        return False
    own = [place for place in value.starts if place and at + place not in said.starts]
    if own and value.text.isdigit() and len(value.text) < _IDENTIFIER:
        return False
    is_open = any(said.starts[place] == " " for place in joined) and _goes_on(said, at, end)
    return None if None in bounds or is_open else True


def _goes_on(said: Words, at: int, end: int) -> bool:
    """Return whether groups of digits before or after may belong to a number written in groups."""
    behind = said.starts.get(end) == " " and said.text[end].isdigit()
    return behind or (
        at > 0 and said.starts.get(at) == " " and said.text[at - 1].isdigit() and said.text[at].isdigit()
    )


def _may_join(text: str, said: Words, place: int) -> bool:
    """Return whether one word of the value may be two in the passage."""
    parted = said.starts[place]
    is_number = text.isdigit()
    has_digits = any(map(str.isdigit, text))
    if parted in (".", ",") and said.text[place - 1].isdigit() and said.text[place].isdigit():
        return False
    if parted == " " or is_number:
        return has_digits and len(text) >= _IDENTIFIER and "." not in text
    return True


def _is_bound(said: Words, place: int, text: str, *, is_end: bool = False) -> bool | None:
    """Return whether a word begins or ends there; None in a script without spaces."""
    if place in (0, len(said.text)):
        return True
    if place in said.ends if is_end else place in said.starts:
        return _is_free(said, place, text)
    inside, outside = (place - 1, place) if is_end else (place, place - 1)
    own, other = said.text[inside], said.text[outside]
    if is_end and _HANGUL.match(own) and _HANGUL.match(other):
        return True if len(text) > 1 else None  # particles follow at once
    if not (_UNSPACED.match(own) or _UNSPACED.match(other)):
        return False
    if own.isdigit() and other.isdigit():
        return False
    if bool(_HAN.match(own)) == bool(_HAN.match(other)):
        return True if len(text) > _FEW - 1 else None
    return True


def _is_free(said: Words, place: int, text: str) -> bool:
    """Return whether the place separates words; signs within a date, a range or a code do not."""
    is_short = text.isdigit() and len(text) < 4
    parted = said.starts.get(place, " ")
    return not (is_short and parted != " " and said.text[place - 1].isdigit() and said.text[place].isdigit())


def _is_safe_case(value: str, passage: str) -> bool:
    """Words of a few letters are other words in other cases: US and us, IT and it."""
    if len(value) > _FEW or not value.isalpha() or value in passage:
        return True
    return (
        len(value) == _FEW
        and not (value.isupper() and value not in passage.upper().split())
        and not value.isupper()
    )


def _goes_on_behind(value: str, passage: str) -> bool:
    """Return whether an address or a version goes on wherever it stands: acme.com.au, v1.2.3, v2.1."""
    on = _ON if "." in value.strip(".") and " " not in value else _DECIMALS
    if on is _DECIMALS and (value.isdigit() or not value[-1].isdigit()):
        return False
    places = [found.end() for found in re.finditer(re.escape(value), passage, re.IGNORECASE)]
    return bool(places) and all(on.match(passage, place) for place in places)


_ON = re.compile(r"[.-]\w|\w")
_DECIMALS = re.compile(r"\.\d")


def _is_denied(forms: Sequence[Words], passage: str) -> bool:
    """Return whether the passage denies the words wherever it has them: not paid, never signed."""
    folded = plain(passage)
    firsts = {form.words[0] for form in forms if form.words and not any(map(str.isdigit, form.text))}
    places = [found.start() for word in firsts for found in re.finditer(re.escape(word), folded)]
    return bool(places) and all(is_denied(folded, place) for place in places)


def _is_chosen(value: str, passage: str, choices: Sequence[str]) -> bool | None:
    """Return whether the passage states this choice, not a longer one that contains it, nor its opposite."""
    said = words_of(passage)
    own = _forms(value, choices)
    for other in choices:
        if other == value:
            continue
        for form in _forms(other, choices):
            holds = any(mine.text in form.text and mine.text != form.text for mine in own)
            if holds and _stands(form, said):
                return False
    folded = plain(passage)
    places = [found.start() for mine in own for found in re.finditer(re.escape(mine.words[0]), folded)]
    return None if any(_NO.search(folded, max(0, place - _NEAR), place) for place in places) else True


def _unless_composed(value: str, forms: Sequence[Words], said: Words) -> bool | None:
    """Return False for a name or identifier that is not there, None for what may be composed."""
    own = max(forms, key=lambda form: sum(_has_like(word, said) for word in form.words))
    if len(own.words) >= _COMPOSED or not said.words:
        return None
    words = [word for word in own.words if word not in COMMON]
    if not words:
        return None
    missing = [word for word in words if not _has_like(word, said)]
    numbers = [word for word in missing if any(map(str.isdigit, word))]
    if numbers:
        return False if not _is_tail(own, said) else None
    if not missing or _is_of_other_script(own.text, said.text):
        return None
    if len(words) <= _FEW or 2 * len(missing) > len(words):
        return False if _is_name(value) else None
    return None


def _has_like(word: str, said: Words) -> bool:
    """Return whether the word, an abbreviation of it or one that it abbreviates is there."""
    if word in said.words or f"-{word}" in said.words:
        return True
    if any(map(str.isdigit, word)):
        return False
    return any(
        other.startswith(word) if len(word) < len(other) else word.startswith(other) and len(other) > 1
        for other in _by_initial(said.words).get(word[0], ())
        if min(len(word), len(other)) >= _FEW or len(other) <= 2
    )


@lru_cache(maxsize=_KEPT)
def _by_initial(words: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the words of letters by their first letter: a word that begins another shares it."""
    found: dict[str, list[str]] = {}
    for word in dict.fromkeys(words):
        if word.isalpha():
            found.setdefault(word[0], []).append(word)
    return found


def _is_tail(own: Words, said: Words) -> bool:
    """Return whether the passage has the end of a telephone number, or all but its beginning."""
    digits = re.sub(r"\D", "", own.text)
    known = re.sub(r"\D", "", said.text).lstrip("0")
    return own.text.isdigit() and len(known) > _IDENTIFIER and digits.endswith(known)


def _is_name(value: str) -> bool:
    """Names and identifiers have capitals or digits; short codes of them stand for longer words."""
    letters = [sign for sign in value if sign.isalpha()]
    if value.isupper() and len(letters) <= _FEW:
        return False
    return any(sign.isupper() or not (sign.islower() or sign.isupper()) for sign in letters)


def _is_of_other_script(own: str, said: str) -> bool:
    """Return whether one is in Latin letters and the other in none of them."""
    mine = {unicodedata.name(sign, "?").split()[0] for sign in own if sign.isalpha()}
    theirs = {unicodedata.name(sign, "?").split()[0] for sign in said if sign.isalpha()}
    return bool(mine) and bool(theirs) and mine.isdisjoint(theirs)
