"""Recognise documents given as text: in base64, in hexadecimal, as Python prints bytes, in UTF-16.

Sent as it is, such a text would be billed by the token and mean nothing to the model.
"""

from __future__ import annotations

import binascii
import codecs
import re
from base64 import b64decode
from typing import Final

from batchata.inputs.images import image_type

# Readers look for the header of a PDF in its first kilobyte.
PDF_HEADER: Final = b"%PDF-"
PDF_HEAD: Final = 1_024
BLANK: Final = b"\x00\t\n\x0c\r \xef\xbb\xbf\xfe\xff"
PRINTED: Final = (b"b'", b'b"', b"bytearray(b")  # how Python prints bytes
_SIGNS: Final = rb"[A-Za-z0-9+/_\s-]"
_BASE64: Final = re.compile(rb"[\s\"']*+(?:data:[\w/.+;=-]*;base64,)?(" + _SIGNS + rb"{64,}+={0,2})[\s\"']*+")
_BASE64_HEAD: Final = 4_096  # with line ends, enough for the first kilobyte
# A PDF, a PNG, a JPEG and a GIF in base64 begin so; in JSON their line ends are two characters.
_BEGINNINGS: Final = (b"JVBERi0", b"iVBORw0KGgo", b"/9j/", b"R0lGOD")
_SHORTEST_LINE: Final = 40  # characters; those of base64 are of 60 or more, and words of a text shorter
_BEGINS: Final = re.compile(
    rb"(?<![A-Za-z0-9+/])(?:" + b"|".join(_BEGINNINGS) + rb")(?:" + _SIGNS + rb"|\\[nr])++"
)
# Shorter ones are no PDF: the least that a reader opens has a few hundred bytes.
_HEXADECIMAL: Final = re.compile(
    rb"[\s\"']*+(?:\\?x|0x)?255044462d[0-9a-f\s]{100,}+[\"']?\s*+", re.IGNORECASE
)


def encoded_kind(data: bytes) -> str | None:
    """Say which document's bytes a text encodes, and how to get them; None where it encodes none."""
    if data.startswith(PRINTED) and PDF_HEADER in data[:PDF_HEAD]:
        return "a PDF's bytes as Python prints them; give the bytes themselves, not str(...) of them"
    if _HEXADECIMAL.fullmatch(data):
        return "a PDF in hexadecimal; give its bytes: bytes.fromhex(...)"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _in_utf_16(data)
    found = _BASE64.fullmatch(data) if _BASE64.match(data[:PDF_HEAD]) else None
    if found is not None:
        kind = _kind_inside(found[1][:_BASE64_HEAD])
        return None if kind is None else f"base64 text of {kind}; give its bytes: base64.b64decode(...)"
    return _mostly_encoded(data)


def _in_utf_16(data: bytes) -> str | None:
    head = data[: 2 * PDF_HEAD].decode("utf-16", "replace")
    is_pdf = head.lstrip("\ufeff \r\n").startswith(PDF_HEADER.decode())
    return (
        "a PDF that was saved as UTF-16 text, which breaks it; export or download it again"
        if is_pdf
        else None
    )


def _mostly_encoded(data: bytes) -> str | None:
    """Describe a JSON text, a mail or the like that is more than half one file in base64."""
    if not any(begin in data for begin in _BEGINNINGS):
        return None
    found = max(_BEGINS.finditer(data), key=lambda run: len(run[0]), default=None)
    if found is None or 2 * len(found[0]) < len(data) or len(found[0].split(None, 1)[0]) < _SHORTEST_LINE:
        return None
    kind = _kind_inside(re.sub(rb"\\[nr]", b"", found[0][:_BASE64_HEAD]))
    return (
        None if kind is None else f"a text with {kind} in base64 in it; give the bytes: base64.b64decode(...)"
    )


def _kind_inside(text: bytes) -> str | None:
    try:
        head = b64decode(b"".join(text.split()).translate(bytes.maketrans(b"-_", b"+/"))[:1_368] + b"==")
    except binascii.Error:
        return None
    at = head.find(PDF_HEADER)
    if at >= 0 and (not head[:at].strip(BLANK) or not is_utf8(head[:at])):
        return "a PDF"
    image = image_type(head)
    return None if image is None else f"an image ({image})"


def is_utf8(data: bytes) -> bool:
    """Whether bytes are text in UTF-8."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
