"""Check the paths that a caller gives, before anything is read, written or sent."""

from __future__ import annotations

import os

from batchata.errors import InvalidInputError
from batchata.text import shown


def check_path(name: str, value: object, kind: str) -> str:
    """Return the path as text; `name` is the argument's, `kind` says what it must be.

    Raises InvalidInputError for what is no path, and what no system takes as one, such as a NUL character.
    """
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not path or not isinstance(path, str):
        raise InvalidInputError(f"{name} must be {kind}, not {shown(value)}")
    try:
        impossible = "a NUL character" if b"\0" in os.fsencode(path) else None
    except UnicodeEncodeError as exc:
        impossible = f"{path[exc.start]!r}, half of a surrogate pair"
    if impossible:
        raise InvalidInputError(f"{name} {shown(path)} contains {impossible}; no path can have that")
    return path
