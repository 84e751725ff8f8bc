"""How many characters the pages of a PDF show, counted without decoding them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Any, Final

_SHOWN: Final = re.compile(rb"\((?:[^()\\]++|\\.|\((?:[^()\\]++|\\.)*+\))*+\)|<([0-9A-Fa-f\s]++)>", re.DOTALL)
_MOST: Final = 4 << 20  # bytes of one stream that are looked at
_COMPOSITE: Final = 1.4  # tokens of one character of Chinese on models since Claude 4.7, and a little more
_DEEPEST: Final = 2  # forms inside forms


def shown_characters(page: Any, content: bytes) -> int:
    """The characters in the strings of a page's decoded content and of the forms it uses.

    About a fifth more than reading software finds, as in the sample of 28 documents that this was tried on,
    and twenty times faster than extracting them.
    """
    return round(_in_content(page, content) + sum(_in_content(form, data) for form, data in _forms(page, 0)))


def token_bound(page: Any, characters: int) -> int:
    """A bound of the tokens of so many shown characters: one each, and more in scripts of thousands of signs,
    which are set in composite fonts.
    """
    return round(characters * (_COMPOSITE if _is_wide(page) else 1))


def _in_content(holder: Any, content: bytes) -> float:
    shown = 0.0
    wide = _is_wide(holder)
    for match in _SHOWN.finditer(content[:_MOST]):
        digits = match.group(1)
        size = len(match.group()) - 2 if digits is None else len(digits) / 2
        shown += size / 2 if wide else size
    return shown


def _is_wide(holder: Any) -> bool:
    """Whether its fonts take two bytes a character, as composite fonts mostly do."""
    fonts = [font.get_object().get("/Subtype") for font in _resource(holder, "/Font").values()]
    return bool(fonts) and 2 * fonts.count("/Type0") >= len(fonts)


def _forms(holder: Any, depth: int) -> Iterator[tuple[Any, bytes]]:
    if depth == _DEEPEST:
        return
    for reference in _resource(holder, "/XObject").values():
        form = reference.get_object()
        if form.get("/Subtype") == "/Form":
            yield form, inflated(form._data) if form.get("/Filter") == "/FlateDecode" else form._data
            yield from _forms(form, depth + 1)


def _resource(holder: Any, kind: str) -> dict[str, Any]:
    resources = holder.get("/Resources")
    found = None if resources is None else resources.get_object().get(kind)
    return {} if found is None else dict(found.get_object())


def inflated(raw: bytes) -> bytes:
    """The beginning of a deflated stream, as far as it can be read."""
    try:
        return zlib.decompressobj().decompress(raw, _MOST)
    except zlib.error:
        return b""
