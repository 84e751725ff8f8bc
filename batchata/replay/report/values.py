"""A result as a list of its single values, each under the path that citations use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from batchata.answers.path_text import inside


def flat(value: Any, path: str = "") -> Iterator[tuple[str, str, bool]]:
    """Each single value as (path, text, whether the text is a JSON literal and not a string).

    Numbers are written here and not in the browser, whose numbers have 53 bits.
    """
    match value:
        case dict() if value:
            for key, inner in value.items():
                yield from flat(inner, inside(path, str(key)))
        case list() if value:
            for number, inner in enumerate(value):
                yield from flat(inner, inside(path, number))
        case str():
            yield path, value, False
        case _:
            yield path, json.dumps(value, ensure_ascii=False), True
