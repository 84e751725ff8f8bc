r"""Read JSON or almost-valid JSON with the places of its values; ambiguous input is rejected.

Taken beyond JSON: raw control characters in strings, strings in single or typographic quotes, bare keys,
Python's True, False and None, a comma too many before a closing bracket, one that lacks before a key, half of
a surrogate pair (read as U+FFFD), and escapes that JSON lacks (`\%`: the backslash is meant). Not taken:
comments (they stand for what was left out), unescaped quotes, numbers with separators.
"""

from __future__ import annotations

import re

from batchata.answers.json_nodes import Array, Node, Object, Scalar
from batchata.answers.json_strings import as_json, decoded

_DEEPEST = 200  # as deep as pydantic reads JSON
# With the spaces of typesetters, and those without a width.
_BLANKS = " \t\r\n\f\v\u00a0\u2002\u2003\u2009\u200a\u200b\u202f\u2060\u3000\ufeff"
_SPACE = re.compile(rf"[{_BLANKS}]*+")
_STRINGS = {
    '"': re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"', re.DOTALL),
    "'": re.compile(r"'([^'\\]*+(?:\\.[^'\\]*+)*+)'", re.DOTALL),
    "\u201c": re.compile(
        r'\u201c([^\u201c\u201d\u201e"\\]*+(?:\\.[^\u201c\u201d\u201e"\\]*+)*+)\u201d', re.DOTALL
    ),
}
_SCALAR = re.compile(
    r"(?:-?(?:0|[1-9]\d*+)(?:\.\d++)?+(?:[eE][+-]?\d++)?+|true|false|null|True|False|None|NaN|-?Infinity)(?![\w.])",
    re.ASCII,
)
_PLAIN = r"""(?:"([^"\\\x00-\x1f]*+)"|'([^'"\\\x00-\x1f]*+)')"""
_OTHER = r"(-?(?:0|[1-9]\d*+)(?:\.\d++)?+(?:[eE][+-]?\d++)?+|true|false|null|True|False|None)"
_GAP = r"[ \t\r\n]*+"
# What has no signs in it that are to be looked at, with the comma behind it.
_USUAL_ITEM = re.compile(rf"{_GAP}(?:{_PLAIN}|{_OTHER}){_GAP}(?:,|(?=\]))", re.ASCII)
_USUAL_PAIR = re.compile(rf"{_GAP}{_PLAIN}{_GAP}:{_GAP}(?:{_PLAIN}|{_OTHER}){_GAP}(?:,|(?=\}}))", re.ASCII)
_ESCAPED = _STRINGS['"'].pattern
_ESCAPED_ITEM = re.compile(rf"{_GAP}{_ESCAPED}{_GAP}(?:,|(?=\]))", re.DOTALL)
_ESCAPED_PAIR = re.compile(rf"{_GAP}{_PLAIN}{_GAP}:{_GAP}{_ESCAPED}{_GAP}(?:,|(?=\}}))", re.DOTALL)
_OTHER_ITEM, _OTHER_VALUE = 3, 5  # the groups of values that are not strings
_END_OF_OBJECT = re.compile(rf"{_GAP}\}}{_GAP}(?:,{_GAP}|(?=\]))")
_BARE_KEY = re.compile(r"[A-Za-z_]\w*+(?=\s*+:)", re.ASCII)
_CLOSING = {"{": "}", "[": "]"}
_A_KEY = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"\s*+:', re.DOTALL)
_WORDS = {"True": "true", "False": "false", "None": "null"}


class NotNearJson(Exception):
    """No value stands here; `at` is how far it was read."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


class CutOff(Exception):
    """The text ends before the value does."""


def read_value(text: str, at: int) -> tuple[Node, int]:
    """Read the value that begins at `at`, and return it with its end.

    Raises NotNearJson when there is none, CutOff when it has no end.
    """
    return _Mending(text).read(at)


def _usual_scalar(found: re.Match[str], *, is_string: bool) -> Scalar:
    last = found.lastindex or 0
    written = found[last]
    return Scalar(f'"{written}"' if is_string else _WORDS.get(written, written), *found.span(last))


def _escaped_scalar(found: re.Match[str], group: int) -> Scalar:
    return Scalar(f'"{as_json(found[group])}"', *found.span(group))


class _Mending:
    """One value being read; each method reads from a position and returns the position after it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.has_escapes = "\\" in text
        self.open: list[Array | Object] = []
        self.keys: list[str] = []
        self.whole: Node | None = None

    def read(self, at: int) -> tuple[Node, int]:
        at = self._value(at)
        while self.open:
            at = self._in_list(at) if isinstance(self.open[-1], Array) else self._in_object(at)
        assert self.whole is not None
        return self.whole, at

    def _usual_items(self, at: int) -> int:
        """Read past scalars that are valid JSON or in single quotes, and strings with escapes."""
        holder = self.open[-1]
        assert isinstance(holder, Array)
        text, items = self.text, holder.items
        while found := _USUAL_ITEM.match(text, at):
            items.append(_usual_scalar(found, is_string=found.lastindex != _OTHER_ITEM))
            at = found.end()
            if text[at - 1] != ",":
                return at  # the list ends there
        while self.has_escapes and (found := _ESCAPED_ITEM.match(text, at)):
            items.append(_escaped_scalar(found, 1))
            at = found.end()
        return at

    def _usual_objects(self, at: int) -> int:
        """Read past objects of such scalars in a list, or into the first one that is not as usual."""
        holder = self.open[-1]
        assert isinstance(holder, Array)
        while self.text.startswith("{", at):
            opened = Object([])
            holder.items.append(opened)
            at = self._usual_pairs(opened, at + 1)
            end = _END_OF_OBJECT.match(self.text, at)
            if end is None:
                self.open.append(opened)
                return at
            at = end.end()
        return at

    def _usual_pairs(self, holder: Object, at: int) -> int:
        text = self.text
        while found := _USUAL_PAIR.match(text, at):
            key = found[2] if found[1] is None else found[1]
            holder.pairs.append((key, _usual_scalar(found, is_string=found.lastindex != _OTHER_VALUE)))
            at = found.end()
            if text[at - 1] != ",":
                return at  # the object ends there
        while self.has_escapes and (found := _ESCAPED_PAIR.match(text, at)):
            holder.pairs.append((found[2] if found[1] is None else found[1], _escaped_scalar(found, 3)))
            at = found.end()
        return at

    def _in_list(self, at: int) -> int:
        at = self._space(at)
        if (sign := self._sign(at)) not in "{[]":
            at = self._space(self._usual_items(at))
            sign = self._sign(at)
        if sign == "{" and len(self.open) < _DEEPEST:
            return self._usual_objects(at)
        if sign == "]":
            self.open.pop()
            return self._behind(at + 1)
        return self._value(at)

    def _in_object(self, at: int) -> int:
        holder = self.open[-1]
        assert isinstance(holder, Object)
        at = self._space(self._usual_pairs(holder, at))
        if self._sign(at) == "}":
            self.open.pop()
            return self._behind(at + 1)
        key, at = self._key(at)
        at = self._space(at)
        if self._sign(at) != ":":
            raise NotNearJson(at)
        self.keys.append(key)
        return self._value(self._space(at + 1))

    def _behind(self, at: int) -> int:
        """Read past a value to the position after its comma, or to the bracket that closes what it is in."""
        if not self.open:
            return at
        is_list = isinstance(self.open[-1], Array)
        at = self._space(at)
        sign = self._sign(at)
        if sign == ",":
            return at + 1
        if sign == ("]" if is_list else "}") or (not is_list and _A_KEY.match(self.text, at)):
            return at
        raise NotNearJson(at)

    def _value(self, at: int) -> int:
        sign = self._sign(at)
        if sign in "{[":
            if len(self.open) >= _DEEPEST:
                raise NotNearJson(at)
            opened: Array | Object = Object([]) if sign == "{" else Array([])
            self._add(opened)
            if self.text[at + 1 : at + 2] == _CLOSING[sign]:
                return self._behind(at + 2)
            self.open.append(opened)
            return at + 1
        scalar, at = self._string(at) if sign in _STRINGS else self._scalar(at)
        self._add(scalar)
        return self._behind(at)

    def _add(self, node: Node) -> None:
        if not self.open:
            self.whole = node
        elif isinstance(holder := self.open[-1], Array):
            holder.items.append(node)
        else:
            holder.pairs.append((self.keys.pop(), node))

    def _key(self, at: int) -> tuple[str, int]:
        if self._sign(at) in _STRINGS:
            found = self.quoted(at)
            return decoded(found[1]), found.end()
        bare = _BARE_KEY.match(self.text, at)
        if bare is None:
            raise NotNearJson(at)
        return bare[0], bare.end()

    def _string(self, at: int) -> tuple[Scalar, int]:
        found = self.quoted(at)
        return Scalar(f'"{as_json(found[1])}"', *found.span(1)), found.end()

    def quoted(self, at: int) -> re.Match[str]:
        found = _STRINGS[self.text[at]].match(self.text, at)
        if found is None:
            raise CutOff
        return found

    def _scalar(self, at: int) -> tuple[Scalar, int]:
        found = _SCALAR.match(self.text, at)
        if found is None:
            raise NotNearJson(at)
        return Scalar(_WORDS.get(found[0], found[0]), *found.span()), found.end()

    def _space(self, at: int) -> int:
        if self.text[at : at + 1] not in _BLANKS:
            return at
        found = _SPACE.match(self.text, at)
        return at if found is None else found.end()

    def _sign(self, at: int) -> str:
        if at >= len(self.text):
            raise CutOff
        return self.text[at]
