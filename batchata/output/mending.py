"""Nearly JSON, read by one exact grammar and written as JSON; what could be read in two ways is not read.

Taken beyond JSON: raw control characters in strings, strings in single quotes, bare keys, Python's True,
False and None, a comma too many before a closing bracket, and one that lacks before a key. Not taken:
comments (they stand for what was left out), unescaped quotes, unknown escapes, numbers with separators.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

_DEEPEST = 100
_SPACE = re.compile(r"[ \t\r\n\f\v\u00a0\ufeff]*")
_STRINGS = {
    '"': re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL),
    "'": re.compile(r"'([^'\\]*(?:\\.[^'\\]*)*)'", re.DOTALL),
}
_ESCAPE = re.compile(r"\\(?:[\"'\\/bfnrt]|u[0-9a-fA-F]{4})")
_BACKSLASHED = re.compile(r"\\.", re.DOTALL)
_TO_ESCAPE = re.compile(r'\\.|["\x00-\x1f]', re.DOTALL)
_SCALAR = re.compile(
    r"(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|True|False|None)(?![\w.])", re.ASCII
)
_BARE_KEY = re.compile(r"[A-Za-z_]\w*(?=\s*:)", re.ASCII)
_A_KEY = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"\s*:', re.DOTALL)
_WORDS = {"True": "true", "False": "false", "None": "null"}


class NotNearJson(Exception):
    """No value stands here; `at` is how far it was read."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


class CutOff(Exception):
    """The text ends before the value does."""


class Mended(NamedTuple):
    """A value as JSON. `places` tells where its scalars stand in the text: start and end by start in `json`.

    Strings are meant without their quotes. `end` is where the value ends in the text.
    """

    json: str
    end: int
    places: dict[int, tuple[int, int]]


def mend(text: str, at: int) -> Mended:
    """The object or list that begins at `at`.

    Raises NotNearJson when it is neither, CutOff when it has no end.
    """
    mending = _Mending(text)
    end = mending.value(at, 0)
    return Mended("".join(mending.written), end, mending.places)


class _Mending:
    """One value being read; each method reads from a position and gives the position behind."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.written: list[str] = []
        self.places: dict[int, tuple[int, int]] = {}
        self._length = 0

    def _write(self, piece: str) -> None:
        self.written.append(piece)
        self._length += len(piece)

    def value(self, at: int, depth: int) -> int:
        match self.text[at : at + 1]:
            case "{":
                return self._object(at, depth + 1)
            case "[":
                return self._list(at, depth + 1)
            case '"' | "'":
                return self._string(at, is_value=True)
            case "":
                raise CutOff
            case _:
                return self._scalar(at)

    def _object(self, at: int, depth: int) -> int:
        self._opened("{", at, depth)
        at = self._space(at + 1)
        while self._sign(at) != "}":
            at = self._space(self._key(at))
            if self._sign(at) != ":":
                raise NotNearJson(at)
            self._write(":")
            at = self._space(self.value(self._space(at + 1), depth))
            at = self._comma(at, "}", may_lack=True)
        return self._closed("}", at)

    def _list(self, at: int, depth: int) -> int:
        self._opened("[", at, depth)
        at = self._space(at + 1)
        while self._sign(at) != "]":
            at = self._space(self.value(at, depth))
            at = self._comma(at, "]", may_lack=False)
        return self._closed("]", at)

    def _opened(self, sign: str, at: int, depth: int) -> None:
        if depth > _DEEPEST:
            raise NotNearJson(at)
        self._write(sign)

    def _closed(self, sign: str, at: int) -> int:
        if self.written[-1] == ",":
            self.written.pop()
            self._length -= 1
        self._write(sign)
        return at + 1

    def _comma(self, at: int, closing: str, *, may_lack: bool) -> int:
        sign = self._sign(at)
        if sign == closing:
            return at
        if sign == ",":
            at = self._space(at + 1)
        elif not (may_lack and _A_KEY.match(self.text, at)):
            raise NotNearJson(at)
        self._write(",")
        return at

    def _key(self, at: int) -> int:
        if self._sign(at) in _STRINGS:
            return self._string(at, is_value=False)
        found = _BARE_KEY.match(self.text, at)
        if found is None:
            raise NotNearJson(at)
        self._write(f'"{found[0]}"')
        return found.end()

    def _string(self, at: int, *, is_value: bool) -> int:
        found = _STRINGS[self.text[at]].match(self.text, at)
        if found is None:
            raise CutOff
        if any(not _ESCAPE.match(found[1], b.start()) for b in _BACKSLASHED.finditer(found[1])):
            raise NotNearJson(at)
        if is_value:
            self.places[self._length + 1] = found.span(1)
        self._write(f'"{_TO_ESCAPE.sub(_escaped, found[1])}"')
        return found.end()

    def _scalar(self, at: int) -> int:
        found = _SCALAR.match(self.text, at)
        if found is None:
            raise NotNearJson(at)
        self.places[self._length] = found.span()
        self._write(_WORDS.get(found[0], found[0]))
        return found.end()

    def _space(self, at: int) -> int:
        found = _SPACE.match(self.text, at)
        return at if found is None else found.end()

    def _sign(self, at: int) -> str:
        if at >= len(self.text):
            raise CutOff
        return self.text[at]


def _escaped(found: re.Match[str]) -> str:
    """What JSON needs escaped; escapes that it knows stay, and only single quotes lose theirs."""
    part = found[0]
    if part == "\\'":
        return "'"
    return part if part[0] == "\\" else json.dumps(part)[1:-1]
