"""Check the user's own ids of items."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import Any, Final

from batchata.errors import InvalidInputError
from batchata.inputs.json_values import check_text
from batchata.text import number_of, type_of

_LONGEST: Final = 1_000  # characters


def check_keys(keys: Any, count: int) -> list[str]:
    """Return the keys of `count` items as texts.

    Raises InvalidInputError unless there is one for each item, a text or a whole number, and no two alike.
    """
    if isinstance(keys, str | bytes | Mapping) or not isinstance(keys, Iterable):
        raise InvalidInputError(
            f"keys is {type_of(keys)}; it must be a list with one for each item: keys=['A-17', …] "
            "(with rows also the name of a column)"
        )
    found = [_key(key, index) for index, key in enumerate(keys)]
    if len(found) != count:
        verb = "is" if len(found) == 1 else "are"
        raise InvalidInputError(
            f"there {verb} {number_of(len(found), 'key')} for {number_of(count, 'item')}; give one for each"
        )
    first: dict[str, int] = {}
    for index, key in enumerate(found):
        if (other := first.setdefault(key, index)) != index:
            raise InvalidInputError(
                f"keys[{index}] and keys[{other}] are both {key!r}; each item needs a key of its own"
            )
    return found


def _key(key: Any, index: int) -> str:
    if isinstance(key, str):
        if not key.strip():
            raise InvalidInputError(f"keys[{index}] is blank; give each item a key, or leave keys out")
        if len(key) > _LONGEST:
            raise InvalidInputError(f"keys[{index}] has {len(key):,} characters; {_LONGEST:,} are the most")
        check_text(key, f"keys[{index}]")
        return str(key)
    try:
        return str(operator.index(key))
    except TypeError as exc:
        raise InvalidInputError(
            f"keys[{index}] is {key!r}; a key is a text or a whole number, such as 'A-17'"
        ) from exc
