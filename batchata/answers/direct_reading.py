"""Read answers the usual way: pydantic takes the text as it stands, and is shown to have lost nothing of it.

pydantic keeps of a number what a float holds, of a repeated key the last value, of an unknown key nothing,
and takes "1.234" for 1.234, true for 1 and 2024 for a second of 1970. Whatever may be of these kinds is left
to `lenient_reading`, which looks at each place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import pydantic

from batchata.answers.expected_shape import Place, Record, place_of, places_below
from batchata.answers.json_strings import has_latex
from batchata.answers.key_counts import counter_of

_FEW = 200  # values that do not fit
_NUMERIC = {"int", "float", "decimal"}
_NUMBER = r"-?(?:0|[1-9]\d*+)(?:\.\d++(?:[eE][+-]?\d++)?|[eE][+-]?\d++)(?![\w.+-])"
_EXACT = re.compile(rf"(?<![\w.+-]){_NUMBER}", re.ASCII)
# A number of JSON that is not whole, as it stands outside texts, and rarely in them. Behind a blank it is
# found in half the time; else by one character of a set.
_FRACTION = r"\.[0-9]++(?:[eE][+-]?[0-9]++)?"
_PART = rf"(?:{_FRACTION}|[eE][+-]?[0-9]++)"
_BEHIND_BLANK = re.compile(r" ((?:[1-9][0-9]*+|0|-(?:0|[1-9][0-9]*+))\.[0-9]++)(?=[,}\]\r\n])")
_UNQUOTED = re.compile(rf"{_PART}[ \t\r\n]*+[,}}\]]")
_EXPONENT, _CAPITAL = re.compile("e[-+0-9]"), re.compile("E[-+0-9]")  # one letter is found the fastest
_USUAL = re.compile(
    r"([-0-9](?<=[ \t\r\n:,\[].)(?:(?<=[1-9])[0-9]*+|(?<=0)|(?<=-)(?:0|[1-9][0-9]*+))"
    rf"{_PART})(?=[ \t\r\n]*+[,}}\]])"
)
_EXACT_OR_TEXT = re.compile(
    rf'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|(?<![\w.+-]){_NUMBER}', re.ASCII | re.DOTALL
)
# pydantic takes such a number for an int by way of a float, which may lose the last digits, or all of them.
_ROUNDED = re.compile(r"(?=[0-9.]{17})[0-9]++\.|[0-9]{16}[eE]|[0-9][eE]-[0-9]{3}")
_LONG_WHOLE = re.compile(r"[0-9]{16}")
_MARK = "\x00"
_BEHIND_TEXT = ":,[]}"  # what may stand behind a text; inside of one, other signs mostly do
_POINTED = re.compile(r'\.\d{3}\s*+"')  # begins with a literal, which is found ten times as fast
_AMBIGUOUS = re.compile(r'"\s*[-+]?[1-9]\d{0,2}\.\d{3}\s*"')


class Unsure(Exception):
    """The text is JSON that does not fit as it stands, or fits and something of it may be lost."""


class NotJson(Exception):
    """The text as a whole is not JSON."""


class _Plan(NamedTuple):
    """What is to be looked at in answers to one model.

    `decimals`: numbers are put in quotes, so that they keep their digits; `quotable`: that changes nothing
    else. `exact`: the keys of a value can be counted. `strict`: what pydantic takes without making a kind out
    of another is what it would take anyhow. `flags`: the keys under which true and false are asked for, where
    numbers are, too. `keyed`: the keys of some dicts are numbers. `whole`: an int may stand somewhere.
    `numbered`: some words are numbers, and pydantic takes true for 1 there. `mixed`: true and false may stand
    where a number or a text may. `seen`: the user's own code sees numbers first that become Decimals, and is
    given them with all digits. `either`: a float or a Decimal may stand somewhere, and pydantic prefers the
    float. `timed`: some values have colons, as keys do. `validate` and `count` are the model's own, looked up
    once.
    """

    decimals: bool
    quotable: bool
    amounts: bool
    exact: bool
    strict: bool
    flags: frozenset[str] | None
    keyed: bool
    whole: bool
    numbered: bool
    either: bool
    mixed: bool
    seen: bool
    timed: bool
    validate: Callable[..., Any]
    count: Callable[[Any], int]


def read_usually[M: pydantic.BaseModel](text: str, model: type[M]) -> M:
    """Return the value if the text is JSON that the model took completely, to the last digit.

    Raises NotJson, or Unsure when the text does not fit, or fits and something may be lost.
    """
    plan = _plan(model)
    found: M = _read_strictly(text, plan) if plan.strict else _read_loosely(text, plan)
    return found


def _read_strictly(text: str, plan: _Plan) -> Any:
    """Read without converting between kinds, and loosely where that fails."""
    quoted, has_points = _quoted_as_usual(text) if plan.decimals else (text, False)
    try:
        value = plan.validate(quoted, strict=True)
    except pydantic.ValidationError as exc:
        if len(quoted) == len(text) and not is_json(exc):
            raise NotJson from exc
        if exc.error_count() > _FEW:
            raise Unsure from exc  # each look at it costs more than looking closer
        return _read_loosely(text, plan)
    if (
        not value.__pydantic_fields_set__
        or ((has_points or plan.keyed) and _may_be_thousands(text))
        or (plan.numbered and plan.flags is not None and _is_misled(text, plan.flags))
        or ("\\" in text and has_latex(text))
        or not _took_all(text, plan.count(value), plan)
    ):
        raise Unsure
    return value


def _quoted_as_usual(text: str) -> tuple[str, bool]:
    """Put numbers that are not whole in quotes, and tell whether a decimal point may be left elsewhere.

    The blank before a number is left out.
    """
    if ": " in text:
        pieces = _BEHIND_BLANK.split(text)
        quoted = '"'.join(pieces)
        if text.count(".") == len(pieces) >> 1:  # each has one
            if not (_EXPONENT.search(text) or ("E" in text and _CAPITAL.search(text))):
                return quoted, False
        elif _UNQUOTED.search(quoted) is None:
            return quoted, True
    return '"'.join(_USUAL.split(text)), True


def is_json(error: pydantic.ValidationError) -> bool:
    """Whether a text that does not fit is JSON; one that is not has this error alone."""
    return (
        error.error_count() > 1
        or error.errors(include_url=False, include_context=False, include_input=False)[0]["type"]
        != "json_invalid"
    )


def _read_loosely(text: str, plan: _Plan) -> Any:
    """Read likewise where texts stand for numbers and such; a strict pass first needs fewer checks."""
    if plan.mixed or (plan.seen and _EXACT.search(text) is not None):
        raise Unsure
    quoted = _quoted(text) if plan.decimals else text
    try:
        value = plan.validate(quoted)
    except pydantic.ValidationError as exc:
        raise (Unsure if is_json(exc) else NotJson) from exc
    if (
        not value.__pydantic_fields_set__
        or not plan.exact
        or has_latex(text)
        or (plan.amounts and _may_be_thousands(text))
        or (plan.whole and _ROUNDED.search(text) is not None)
        or (plan.either and _LONG_WHOLE.search(text) is not None)
        or (plan.flags is not None and _is_misled(text, plan.flags))
        or (not plan.quotable and quoted is not text and quoted != text)
        or not _took_all(text, plan.count(value), plan)
    ):
        raise Unsure
    return value


def _may_be_thousands(text: str) -> bool:
    return _POINTED.search(text) is not None and _AMBIGUOUS.search(text) is not None


def _is_misled(text: str, flags: frozenset[str]) -> bool:
    """Whether true or false may stand under a key that asks for something else."""
    for word in ("true", "false"):
        at = text.find(word)
        while at >= 0:
            end = text.rfind('"', 0, at)
            between = text[end + 1 : at].strip(" \t\r\n")
            if between == ":" and text[text.rfind('"', 0, end) + 1 : end] not in flags:
                return True
            if between and between[0] in _BEHIND_TEXT and between[-1] in "[,":
                return True  # in a list
            at = text.find(word, at + 1)
    return False


def _took_all(text: str, kept: int, plan: _Plan) -> bool:
    """Whether a value with so many keys has as many as the text, and only numbers that JSON has.

    Then no key was unknown and none came twice: a value has no more keys than were written.
    """
    return (not plan.timed and text.count(":") == kept) or (
        text.count('":') == kept and not _has_spaced_colons(text)
    )


def _has_spaced_colons(text: str) -> bool:
    """Whether white space may stand between a key and its colon.

    Searching for one character is faster than for two.
    """
    return (
        " :" in text
        or ("\n" in text and "\n:" in text)
        or ("\t" in text and "\t:" in text)
        or ("\r" in text and "\r:" in text)
    )


@lru_cache(maxsize=256)
def _plan(model: type[pydantic.BaseModel]) -> _Plan:
    places = list(places_below(place_of(model)))
    records = [record for place in places for record in place.records]
    decimals = any("decimal" in place.kinds for place in places)
    quotable = all(_is_quotable(place) for place in places)
    seen = any(place.beneath is not None and place.beneath.has_decimals for place in places)
    exact = bool(places[0].records) and all(record.is_exact for record in records)
    return _Plan(
        decimals=decimals,
        quotable=quotable,
        amounts=any(place.kinds & _NUMERIC and not place.is_strict for place in places),
        exact=exact,
        strict=exact and not seen and not _chooses_by_order(records) and (quotable or not decimals),
        keyed=any(place.mapping[0].takes_numbers for place in places if place.mapping),
        whole=any("int" in place.kinds for place in places),
        numbered=any(place.is_numbered for place in places),
        seen=seen,
        either=any({"float", "decimal"} <= place.kinds for place in places),
        mixed=any(place.is_mixed for place in places),
        timed=any(place.kinds & {"datetime", "time"} for place in places),
        flags=_flags(records) if any(place.takes_numbers for place in places) else None,
        validate=_validate(model),
        count=counter_of(model),
    )


def _validate(model: type[pydantic.BaseModel]) -> Callable[..., Any]:
    """Call `model_validate_json` without the checks it repeats each time, unless the model has its own."""
    if reads_in_its_own_way(model):
        return model.model_validate_json
    return model.__pydantic_validator__.validate_json


def reads_in_its_own_way(model: type[pydantic.BaseModel]) -> bool:
    """Whether the model has a `model_validate_json` of its own, which may take what its fields do not."""
    usual: Any = pydantic.BaseModel.model_validate_json
    return getattr(model.model_validate_json, "__func__", None) is not usual.__func__


def _chooses_by_order(records: list[Record]) -> bool:
    """Whether a union takes the first kind that something can be made into."""
    return any(
        "left_to_right" in f"{part.metadata}{part.annotation}" for record in records for part in record.fields
    )


def _flags(records: list[Record]) -> frozenset[str]:
    """Collect the keys under which a bare number is not allowed."""
    parts = [part for record in records for part in record.fields]
    misled = {key for part in parts if part.place.takes_numbers for key in part.keys}
    return frozenset({key for part in parts if "bool" in part.place.kinds for key in part.keys} - misled)


def _is_quotable(place: Place) -> bool:
    """Whether a number in quotes means the same here, or does not fit."""
    scalars = place.kinds - {"null"}
    return not place.is_open and len(scalars) <= 1 and not (scalars and place.words)


def _quoted(text: str) -> str:
    """Put every number with a fraction or exponent in quotes, so that pydantic reads it digit by digit."""
    if "." not in text and "e" not in text and "E" not in text:
        return text
    if "\\" in text or _MARK in text:
        return _EXACT_OR_TEXT.sub(lambda found: found[0] if found[0][0] == '"' else f'"{found[0]}"', text)
    parts = text.split('"')
    outside = '"'.join(parts[::2])
    marked = _EXACT.sub(rf"{_MARK}\g<0>{_MARK}", outside)
    if marked == outside:
        return text
    parts[::2] = marked.split('"')
    return '"'.join(parts).replace(_MARK, '"')
