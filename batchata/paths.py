"""Check the paths that a caller gives, before anything is read, written or sent."""

from __future__ import annotations

import os

from batchata.errors import InvalidInputError
from batchata.text import shown

type PathLike = str | os.PathLike[str]


def check_path(name: str, value: object, kind: str) -> str:
    """Return the path as text; `name` is the argument's, `kind` says what it must be.

    A leading "~" is the home directory, unless a file is called so. Raises InvalidInputError for what is no
    path, for a NUL character, which no system takes, and for a name that is not UTF-8, which no log can keep.
    """
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not path or not isinstance(path, str):
        raise InvalidInputError(f"{name} must be {kind}, not {shown(value)}")
    if path.startswith("~") and not os.path.lexists(path):
        path = os.path.expanduser(path)  # noqa: PTH111 - Path's raises for a name that is no user's
    odd = next((c for c in path if c == "\0" or "\ud800" <= c <= "\udfff"), None)
    if odd is not None:
        what = "a NUL character" if odd == "\0" else f"{odd!r}, which is not UTF-8"
        raise InvalidInputError(f"{name} {shown(path)} contains {what}; give another path")
    return path
