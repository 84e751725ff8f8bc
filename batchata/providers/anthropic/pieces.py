"""Cuts a JSON object or list into its pieces, however deep they are, and reads each apart from the rest.

For what no strict decoder takes: a NaN in one field, ten thousand brackets in another, half a character.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

_SIGN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\],:"]', re.DOTALL)
_OPENING, _CLOSING = b"{[", b"}]"


class NoPieceError(ValueError):
    """The text is not whole, or not of the kind asked for."""


def members(raw: bytes) -> dict[str, bytes]:
    """The values of an object as they are written, by their keys; of a key that comes twice the last counts.

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
    """The elements of a list as they are written.

    Raises NoPieceError for what is no whole list.
    """
    return [piece for _, piece in _pieces(raw, b"[")]


def value(raw: bytes) -> Any:
    """The value of a piece. Half characters, and bytes that are no UTF-8, become U+FFFD.

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
    """Key and value of each entry, keys None in a list."""
    raw = raw.strip()
    if not raw.startswith(kind):
        raise NoPieceError(f"no {'object' if kind == b'{' else 'list'}")
    depth, begin = 0, 1
    key: bytes | None = None
    for sign in _SIGN.finditer(raw):
        mark = sign[0]
        if mark in _OPENING:
            depth += 1
        elif mark in _CLOSING:
            depth -= 1
            if depth == 0:
                if raw[begin : sign.start()].strip():
                    yield key, raw[begin : sign.start()].strip()
                break
        elif mark == b'"':
            raise NoPieceError("a text without an end")
        elif depth == 1 and mark == b",":
            yield key, raw[begin : sign.start()].strip()
            key, begin = None, sign.end()
        elif depth == 1 and mark == b":" and key is None and kind == b"{":
            key, begin = raw[begin : sign.start()].strip(), sign.end()
    else:
        raise NoPieceError("it has no end")
    if raw[sign.end() :].strip():
        raise NoPieceError("something stands behind its end")
