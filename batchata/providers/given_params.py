"""Check parameters of requests against those that a provider has, and say how others' are called there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import msgspec

from batchata.errors import InvalidInputError
from batchata.inputs.json_values import check_json, encode

__all__ = ["Words", "checked_params"]


class Words(NamedTuple):
    """What a provider has; `same` are other names of some, `instead` what to give for others."""

    known: Collection[str]
    same: Mapping[str, str]
    instead: Mapping[str, str]


def checked_params(params: Mapping[str, Any], words: Words, model: str) -> dict[str, Any]:
    """Return a copy of the parameters as plain JSON values under the provider's names; None is left out.

    Raises InvalidInputError for one that it lacks, or that is given under two names.
    """
    found: dict[str, Any] = {}
    for given, value in params.items():
        if value is None:
            continue
        name = words.same.get(given, given)
        if name not in words.known:
            hint = f": {words.instead[given]}" if given in words.instead else ""
            raise InvalidInputError(
                f"{given} cannot be given for {model}{hint}; known are {', '.join(sorted(words.known))}"
            )
        if name in found:
            raise InvalidInputError(f"{name} is given twice: {given} is the same for {model}")
        check_json(value, given)
        found[name] = value
    copy: dict[str, Any] = msgspec.json.decode(encode(found))
    return copy
