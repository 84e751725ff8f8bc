"""A result as a list of its single values, each under the path that citations use."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_PLAIN = re.compile(r"[^.\[\]\"\\()\x00-\x1f]+")  # a key that stands in a path as it is


def flat(value: Any, path: str = "") -> Iterator[tuple[str, str, bool]]:
    """Each single value as (path, text, whether the text is a JSON literal and not a string).

    Numbers are written here and not in the browser, whose numbers have 53 bits.
    """
    match value:
        case dict() if value:
            for key, inner in value.items():
                yield from flat(inner, _step(path, str(key)))
        case list() if value:
            for number, inner in enumerate(value):
                yield from flat(inner, f"{path}[{number}]")
        case str():
            yield path, value, False
        case _:
            yield path, json.dumps(value, ensure_ascii=False), True


def _step(path: str, key: str) -> str:
    if _PLAIN.fullmatch(key):
        return f"{path}.{key}" if path else key
    return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
