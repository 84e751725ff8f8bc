"""Cut a JSON object or list into its pieces, however deep, and read each apart from the rest.

For what no strict decoder takes: a NaN in one field, ten thousand brackets in another, half a character.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from typing import Any

import msgspec

_TEXT = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_SIGN = re.compile(_TEXT + rb'|[{}\[\],:"]', re.DOTALL)
_OPENING, _CLOSING = b"{[", b"}]"
# An entry as most are, with the comma behind it: a scalar, or an object or list without brackets inside.
_FLAT = rb'[^{}\[\]"\\]*+(?:"[^"\\]*+"[^{}\[\]"\\]*+)*+'
# What holds no brackets that are to be counted, as long as that goes on, and brackets of one kind.
_EVEN = re.compile(rb'(?:[^{}\[\]"]++|' + _TEXT + rb"|\{" + _FLAT + rb"\}|\[" + _FLAT + rb"\])++", re.DOTALL)
_BRACKETS = re.compile(rb"[{\[]++|[}\]]++")
_USUAL = re.compile(
    rb'[ \t\r\n]*+(?:("[^"\\]*+")[ \t\r\n]*+:[ \t\r\n]*+)?+'
    rb'("[^"\\]*+"|[^ \t\r\n"{}\[\],:]++|\{' + _FLAT + rb"\}|\[" + _FLAT + rb"\])[ \t\r\n]*+,"
)


_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


class NoPieceError(ValueError):
    """The text is not whole, or not of the kind asked for."""


def members(raw: bytes) -> dict[str, bytes]:
    """Return the values of an object as written, by their keys; of a repeated key the last counts.

    Raises NoPieceError for what is not a whole object.
    """
    try:
        return {key: bytes(piece) for key, piece in _decode_members(raw).items()}
    except _UNDECODABLE:
        pass
    found: dict[str, bytes] = {}
    for key, piece in _pieces(raw, b"{"):
        if key is None:
            raise NoPieceError("an entry of the object has no key")
        name = _name(key)
        if isinstance(name, str):
            found[name] = piece
    return found


def _name(key: bytes) -> Any:
    is_plain = key[:1] == b'"' and key.count(b'"') == 2 and b"\\" not in key
    return key[1:-1].decode(errors="replace") if is_plain else value(key)


def elements(raw: bytes) -> list[bytes]:
    """Return the elements of a list as they are written.

    Raises NoPieceError for what is not a whole list.
    """
    try:
        return [bytes(piece) for piece in _decode_elements(raw)]
    except _UNDECODABLE:
        return [piece for _, piece in _pieces(raw, b"[")]


def value(raw: bytes) -> Any:
    """Return the value of a piece. Half characters and invalid UTF-8 become U+FFFD.

    Raises NoPieceError for what is not JSON even so, or too deep.
    """
    try:
        return msgspec.json.decode(raw)
    except _UNDECODABLE:
        pass
    try:
        found = json.loads(raw.decode(errors="replace"), strict=False)
        text = json.dumps(found, ensure_ascii=False)
        return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    except (ValueError, RecursionError) as exc:
        raise NoPieceError(str(exc)) from exc


def _pieces(raw: bytes, kind: bytes) -> Iterator[tuple[bytes | None, bytes]]:
    """Yield key and value of each entry; in a list, keys are None."""
    raw = raw.strip()
    if not raw.startswith(kind):
        raise NoPieceError(f"no {'object' if kind == b'{' else 'list'}")
    begin = at = yield from _usual_pieces(raw, 1, kind)
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
            key = None
            begin = at = yield from _usual_pieces(raw, at, kind)
        elif mark == b":" and key is None and kind == b"{":
            key, begin = raw[begin:start].strip(), at
        elif mark == b'"':
            raise NoPieceError("a text without an end")
    else:
        raise NoPieceError("it has no end")
    if raw[at:].strip():
        raise NoPieceError("something stands behind its end")


def _usual_pieces(raw: bytes, at: int, kind: bytes) -> Generator[tuple[bytes | None, bytes], None, int]:
    """Yield the entries that look as most do, and return where the others begin."""
    while found := _USUAL.match(raw, at):
        if (found[1] is None) == (kind == b"{"):
            break
        yield found[1], found[2]
        at = found.end()
    return at


def _end(raw: bytes, start: int) -> int:
    """Return where the object or list that begins here ends."""
    depth, at = 1, start + 1
    while True:
        if even := _EVEN.match(raw, at):
            at = even.end()
        brackets = _BRACKETS.match(raw, at)
        if brackets is None:
            raise NoPieceError("it has no end")
        begin, at = brackets.span()
        if raw[begin] in _OPENING:
            depth += at - begin
        elif depth <= at - begin:
            return begin + depth
        else:
            depth -= at - begin
