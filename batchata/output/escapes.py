r"""What the escapes in a JSON string mean, also those that JSON lacks and those that LaTeX meant otherwise.

`\frac` is legal JSON for a form feed and "rac", and no model means that: where a control character would be
followed by the rest of a well-known command, the backslash is meant.
"""

from __future__ import annotations

import json
import re

_HEX = r"[0-9a-fA-F]{2}"
_ESCAPE = re.compile(
    rf"\\(?:u(?P<high>[dD][89abAB]{_HEX})\\u(?P<low>[dD][c-fC-F]{_HEX})|u(?P<code>{_HEX}{_HEX})|(?P<one>.))",
    re.DOTALL,
)
_TO_WRITE = re.compile(rf'{_ESCAPE.pattern}|["\x00-\x1f]', re.DOTALL)
_MEANT = {'"': '"', "'": "'", "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
# Commands whose first letter is an escape of JSON, and whose rest begins no word where one would stand.
_COMMANDS = (
    r"b(?:eta|egin\{|inom\b|ar\{|mod\b|oldsymbol|ullet\b|ig(?:cup|cap|g?[lr]?[(\[{])|f\{|ot\b|ecause\b|ackslash)"
    r"|f(?:rac|orall|lat\b|rown\b|ootnote|box\{)"
    r"|n(?:abla|otin|onumber|ewcommand|subseteq)"
    r"|r(?:ho\b|ight(?:arrow|[)\]|.\\])|angle\b|ceil\b|floor\b|m\{)"
    r"|t(?:ext(?:bf|it|rm|tt|sc)?\{|imes\b|heta|au_|frac|ilde|riangle|op\b(?=[}$_^])|herefore)"
)
_LATEX = re.compile(rf"(?<!\\)(?:\\\\)*+\\(?:{_COMMANDS})")
_COMMAND = re.compile(rf"\\(?:{_COMMANDS})")
_HALF = re.compile("[\ud800-\udfff]")


def has_latex(text: str) -> bool:
    """Whether a text holds commands of LaTeX that are legal JSON with another meaning."""
    return "\\" in text and _COMMAND.search(text) is not None and _LATEX.search(text) is not None


def as_json(inside: str) -> str:
    """The characters between quotes as JSON has them; escapes that it knows stay as they are written."""
    if inside.isprintable() and "\\" not in inside and '"' not in inside:
        return inside
    return _TO_WRITE.sub(_written, inside)


def _written(found: re.Match[str]) -> str:
    part = found[0]
    if found["high"]:
        return part
    said = _said(found) if part[0] == "\\" else part
    is_kept = part[0] == "\\" and len(said) == 1 and part != "\\'" and not _HALF.match(said)
    return part if is_kept else json.dumps(without_halves(said), ensure_ascii=False)[1:-1]


def decoded(inside: str) -> str:
    """What a string says; `inside` are its characters between the quotes."""
    return without_halves(_ESCAPE.sub(_said, inside) if "\\" in inside else inside)


def decoded_with_places(inside: str) -> tuple[str, list[int]]:
    """The same, and where each of its characters begins, with one more for the end."""
    parts: list[str] = []
    places: list[int] = []
    at = 0
    for found in _ESCAPE.finditer(inside):
        said = _said(found)
        parts += [inside[at : found.start()], said]
        places += [*range(at, found.start()), *[found.start()] * len(said)]
        at = found.end()
    return without_halves("".join([*parts, inside[at:]])), [*places, *range(at, len(inside) + 1)]


def _said(found: re.Match[str]) -> str:
    if found["high"]:
        return chr(0x10000 + ((int(found["high"], 16) - 0xD800) << 10) + int(found["low"], 16) - 0xDC00)
    if found["code"]:
        return chr(int(found["code"], 16))
    escape = found["one"]
    if escape not in _MEANT or _COMMAND.match(found.string, found.start()):
        return f"\\{escape}"
    return _MEANT[escape]


def without_halves(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair."""
    return text if text.isascii() else _HALF.sub("\ufffd", text)
