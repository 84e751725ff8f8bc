r"""Decode a provider's JSON even where a string in it holds what none can: its answers are paid for.

Models write halves of surrogate pairs, which services pass on as `\ud83d`; others leave control characters or
bytes that are not UTF-8 in a text, and some write NaN as a number. What cannot be a character becomes U+FFFD,
what is not a number null.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

__all__ = ["decoded"]

_STRING_OR_NO_NUMBER: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|-?Infinity|NaN', re.DOTALL)
# A whole pair is left as it is, a half of one is replaced.
_ODD: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)|[\x00-\x1f]",
    re.DOTALL,
)
_HALF: Final = 6  # bytes of an escape


def decoded[T](decode: Callable[[bytes], T], raw: bytes) -> T:
    """Decode JSON, repaired where it cannot be decoded as it stands. Raises what `decode` raises."""
    try:
        return decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return decode(_mended(raw))


def _mended(raw: bytes) -> bytes:
    text = raw.decode("utf-8", "replace").encode()
    return _STRING_OR_NO_NUMBER.sub(_mended_piece, text)


def _mended_piece(found: re.Match[bytes]) -> bytes:
    piece = found[0]
    return _ODD.sub(_replaced, piece) if piece.startswith(b'"') else b"null"


def _replaced(odd: re.Match[bytes]) -> bytes:
    said = odd[0]
    if len(said) == 1:
        return b"\\u%04x" % said[0]
    return b"\\ufffd" if len(said) == _HALF else said
