"""Cut a JSON object or list into its pieces, however deep, and read each apart from the rest.

For what no strict decoder takes: a NaN in one field, ten thousand brackets in another, half a character.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

_TEXT = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_SIGN = re.compile(_TEXT + rb'|[{}\[\],:"]', re.DOTALL)
_BRACKETS = re.compile(_TEXT + rb'|[{\[]++|[}\]]++|"', re.DOTALL)
_OPENING, _CLOSING = b"{[", b"}]"


class NoPieceError(ValueError):
    """The text is not whole, or not of the kind asked for."""


def members(raw: bytes) -> dict[str, bytes]:
    """Return the values of an object as written, by their keys; of a repeated key the last counts.

    Raises NoPieceError for what is no whole object.
    """
    found: dict[str, bytes] = {}
    for key, piece in _pieces(raw, b"{"):
        if key is None:
            raise NoPieceError("an entry of the object has no key")
        name = value(key)
        if isinstance(name, str):
            found[name] = piece
    return found


def elements(raw: bytes) -> list[bytes]:
    """Return the elements of a list as they are written.

    Raises NoPieceError for what is no whole list.
    """
    return [piece for _, piece in _pieces(raw, b"[")]


def value(raw: bytes) -> Any:
    """Return the value of a piece. Half characters and invalid UTF-8 become U+FFFD.

    Raises NoPieceError for what is no JSON even so, or too deep.
    """
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        found = json.loads(raw.decode(errors="replace"), strict=False)
        text = json.dumps(found, ensure_ascii=False)
        return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    except (ValueError, RecursionError) as exc:
        raise NoPieceError(str(exc)) from exc


def _pieces(raw: bytes, kind: bytes) -> Iterator[tuple[bytes | None, bytes]]:
    """Yield key and value of each entry, keys None in a list."""
    raw = raw.strip()
    if not raw.startswith(kind):
        raise NoPieceError(f"no {'object' if kind == b'{' else 'list'}")
    begin = at = 1
    key: bytes | None = None
    while sign := _SIGN.search(raw, at):
        mark, start, at = sign[0], sign.start(), sign.end()
        if mark in _OPENING:
            at = _end(raw, start)
        elif mark == b"," or mark in _CLOSING:
            piece = raw[begin:start].strip()
            if piece or mark == b",":
                yield key, piece
            if mark != b",":
                break
            key, begin = None, at
        elif mark == b":" and key is None and kind == b"{":
            key, begin = raw[begin:start].strip(), at
        elif mark == b'"':
            raise NoPieceError("a text without an end")
    else:
        raise NoPieceError("it has no end")
    if raw[at:].strip():
        raise NoPieceError("something stands behind its end")


def _end(raw: bytes, start: int) -> int:
    """Return where the object or list that begins here ends."""
    depth = 0
    for found in _BRACKETS.finditer(raw, start):
        mark = found[0]
        if mark[:1] in _OPENING:
            depth += len(mark)
        elif mark[:1] in _CLOSING:
            if depth <= len(mark):
                return found.start() + depth
            depth -= len(mark)
        elif mark == b'"':
            break
    raise NoPieceError("it has no end")
