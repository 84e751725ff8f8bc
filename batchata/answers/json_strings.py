"""Read what stands between the quotes of a JSON string, even where a model escaped it in its own way."""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from functools import lru_cache

_HEX = r"[0-9a-fA-F]{2}"
_ESCAPE = re.compile(
    rf"\\(?:u(?P<high>[dD][89abAB]{_HEX})\\u(?P<low>[dD][c-fC-F]{_HEX})|u(?P<code>{_HEX}{_HEX})|(?P<one>.))",
    re.DOTALL,
)
_TO_WRITE = re.compile(rf'{_ESCAPE.pattern}|["\x00-\x1f]', re.DOTALL)
_MEANT = {'"': '"', "'": "'", "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
# With escapes that mean one thing whatever stands behind them.
_WRITTEN = re.compile(r'(?:[^"\\\x00-\x1f]++|\\["\\/])*+')
_AS_THEY_ARE = frozenset("\"\\/'")
# Commands whose first letter is an escape of JSON, and whose rest begins no word where one would stand.
_COMMANDS = (
    r"b(?:eta|egin\{|inom\b|ar\{|mod\b|oldsymbol|ullet\b|ig(?:cup|cap|g?[lr]?[(\[{])|f\{|ot\b|ecause\b|ackslash)"
    r"|f(?:rac|orall|lat\b|rown\b|ootnote|box\{)"
    r"|n(?:abla|otin|onumber|ewcommand|subseteq)"
    r"|r(?:ho\b|ight(?:arrow|[)\]|.\\])|angle\b|ceil\b|floor\b|m\{)"
    r"|t(?:ext(?:bf|it|rm|tt|sc)?\{|imes\b|heta|au_|frac(?![A-Za-z])|ilde|riangle|op\b(?=[}$_^])|herefore)"
)
_LATEX = re.compile(rf"(?<!\\)(?:\\\\)*+\\(?:{_COMMANDS})")
# A path of Windows with one backslash where JSON needs two: it begins with what JSON lacks or no text has, or
# with the name of a folder that would be no word without its first letter ("Option A:\\nThe first" is text).
_FOLDERS = (
    r"(?:files|firefox|fonts|fotos|ftp|network|new|nginx|nodejs|node_modules|notes|notizen|rapports|receipts"
    r"|rechnungen|recordings|references|releases?|reports?|repos?|resources|results?|root|tables|tabellen|temp"
    r"|templates|tests|texte|tickets|tmp|tools)"
)
_DRIVE = re.compile(
    r"(?<![^\W_])[A-Za-z]:"
    rf"(?=\\(?:[^\\\"/fnrtu]|u(?!{_HEX}{_HEX})|{_FOLDERS}(?![a-zA-Z])))"
    r"(?:\\(?![\\\"/])(?:[\w.()-]| (?![A-Za-z]:\\))*)+"
)
_COMMAND = re.compile(rf"\\(?:{_COMMANDS})")
# What is a command, too, in a string that has others, or an escape that JSON lacks: who writes \d writes \b.
_LACKED = re.compile(r"(?<!\\)(?:\\\\)*+\\[^\s\"\\/bfnrtu']")
_LIKELY = re.compile(r"\\(?:[bf]|(?:neq|nu|not|nleq|ngeq|nmid|nsim|to|tau|tanh?|rfloor|rvert)(?![^\W\d_]))")
_HALF = re.compile("[\ud800-\udfff]")


def has_latex(text: str) -> bool:
    """Whether a text holds commands of LaTeX, or a path, that are legal JSON with another meaning."""
    if "\\" not in text:
        return False
    return (_COMMAND.search(text) is not None and _LATEX.search(text) is not None) or (
        ":\\" in text and _DRIVE.search(text) is not None
    )


def as_json(inside: str) -> str:
    """Write the characters between quotes as JSON does; escapes that JSON knows stay as they are."""
    if inside.isprintable() and "\\" not in inside and '"' not in inside:
        return inside
    if _WRITTEN.fullmatch(inside):
        return inside
    escaped = _paths_escaped(inside)
    if escaped is not inside and _WRITTEN.fullmatch(escaped):
        return escaped
    return _TO_WRITE.sub(_written, escaped)


def _written(found: re.Match[str]) -> str:
    part = found[0]
    if found["high"]:
        return part
    said = _said(found) if part[0] == "\\" else part
    is_kept = part[0] == "\\" and len(said) == 1 and part != "\\'" and not _HALF.match(said)
    return part if is_kept else quoted(said if said.isascii() else without_halves(said))[1:-1]


quoted = json.JSONEncoder(ensure_ascii=False).encode


def decoded(inside: str) -> str:
    """Decode a string; `inside` are its characters between the quotes."""
    return without_halves(_ESCAPE.sub(_said, _paths_escaped(inside)) if "\\" in inside else inside)


def _paths_escaped(inside: str) -> str:
    if ":\\" not in inside:
        return inside
    return _DRIVE.sub(lambda path: path[0].replace("\\", "\\\\"), inside)


def decoded_with_places(inside: str, begin: int) -> tuple[str, Callable[[int], int]]:
    """Decode a string that begins at `begin`, and return with it where each position of the result was."""
    if inside.count("\\") == inside.count('\\"'):
        return _unquoted_with_places(inside, begin)
    parts: list[str] = []
    starts, origins = [0], [0]  # of what stands behind each escape
    at = length = 0
    for found in _ESCAPE.finditer(inside):
        said = one if (one := found["one"]) is not None and one in _AS_THEY_ARE else _said(found)
        first, last = found.span()
        parts += (inside[at:first], said)
        length += first - at + len(said)
        starts.append(length)
        origins.append(last)
        at = last

    def origin(place: int) -> int:
        k = bisect_right(starts, place) - 1
        return begin + origins[k] + place - starts[k]

    return without_halves("".join([*parts, inside[at:]])), origin


def _unquoted_with_places(inside: str, begin: int) -> tuple[str, Callable[[int], int]]:
    """Decode in the same way a string without escapes other than those of quotes."""
    text = inside.replace('\\"', '"')
    quotes = [found.start() for found in _QUOTE.finditer(text)]
    return without_halves(text), lambda place: begin + place + bisect_left(quotes, place)


_QUOTE = re.compile('"')


def _said(found: re.Match[str]) -> str:
    if found["high"]:
        return chr(0x10000 + ((int(found["high"], 16) - 0xD800) << 10) + int(found["low"], 16) - 0xDC00)
    if found["code"]:
        return chr(int(found["code"], 16))
    escape = found["one"]
    if escape not in _MEANT or _is_command(found):
        return f"\\{escape}"
    return _MEANT[escape]


def _is_command(found: re.Match[str]) -> bool:
    text, at = found.string, found.start()
    if _COMMAND.match(text, at):
        return True
    return _LIKELY.match(text, at) is not None and _has_others(text)


@lru_cache(maxsize=4)  # asked for each escape of a string
def _has_others(text: str) -> bool:
    return _LACKED.search(text) is not None or _LATEX.search(text) is not None


def without_halves(text: str) -> str:
    """Replace each unpaired surrogate with U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()  # a tenth of the time of a search
    except UnicodeEncodeError:
        return _HALF.sub("\ufffd", text)
    return text
