"""What kind of file some bytes are: by their content first, by the file's name second."""

from __future__ import annotations

import codecs
import os
from typing import Final

from batchata.errors import FileInputError
from batchata.inputs.images import image_type

PDF: Final = "application/pdf"
TEXT: Final = "text/plain"  # Markdown too: the API takes no other kind of text

EXTENSIONS: Final = {PDF: "pdf", TEXT: "txt", "image/png": "png", "image/jpeg": "jpg", "image/gif": "gif",
                     "image/webp": "webp"}  # fmt: skip
_IMAGE_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp"})
_OTHER_SUFFIXES: Final = {
    **dict.fromkeys([".doc", ".docx", ".odt", ".rtf", ".pages"], "a word processor's file; save it as PDF"),
    **dict.fromkeys([".xls", ".xlsx", ".ods"], "a spreadsheet; save it as PDF, or as CSV text"),
    **dict.fromkeys([".ppt", ".pptx", ".odp"], "a presentation; save it as PDF"),
    **dict.fromkeys([".zip", ".gz", ".tar", ".7z", ".rar"], "an archive; unpack it and pass its files"),
}
_OTHER_STARTS: Final = {
    b"PK\x03\x04": "a ZIP archive or an office document; unpack it, or save it as PDF",
    b"\xd0\xcf\x11\xe0": "an old office document; save it as PDF",
    b"{\\rtf": "an RTF document; save it as PDF",
    b"\x1f\x8b": "gzip-compressed; unpack it",
    b"II*\x00": "a TIFF image; save it as PNG",
    b"MM\x00*": "a TIFF image; save it as PNG",
    b"BM": "a BMP image; save it as PNG",
    b"%!PS": "PostScript; save it as PDF",
}
_BOMS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_TAKEN: Final = "PDF, plain text, Markdown, PNG, JPEG, GIF and WebP are taken"


def media_type_of(data: bytes, name: str, place: str) -> str:
    """The media type to send the bytes as.

    Raises FileInputError when it is a kind that the API does not take, or not what its name says.
    """
    suffix = os.path.splitext(name)[1].lower()
    if _is_pdf(data, suffix):
        if suffix in _IMAGE_SUFFIXES:
            raise FileInputError(f"{place} is a PDF, though its name says that it is an image; rename it")
        return PDF
    if image := image_type(data):
        if suffix == ".pdf":
            raise FileInputError(f"{place} is an image ({image}), though its name says PDF; rename it")
        return image
    if suffix == ".pdf":
        raise FileInputError(f"{place} is no PDF, though its name says so: it begins with {data[:8]!r}")
    if suffix in _IMAGE_SUFFIXES:
        raise FileInputError(f"{place} is no PNG, JPEG, GIF or WebP image: it begins with {data[:8]!r}")
    if reason := _other_kind(data, suffix):
        raise FileInputError(f"{place} is {reason}; {_TAKEN}")
    decode_text(data, place)
    return TEXT


def decode_text(data: bytes, place: str) -> str:
    """The text in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

    Raises FileInputError when it is in another encoding, or no text.
    """
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as exc:
        raise FileInputError(
            f"{place} is not {encoding.upper()} text: byte {exc.start} ({data[exc.start]:#04x}) does not "
            f"fit; save it as UTF-8 ({_TAKEN})"
        ) from exc
    if "\0" in text:
        raise FileInputError(f"{place} is no text: it has a NUL character at {text.index(chr(0))} ({_TAKEN})")
    if not text.strip():
        raise FileInputError(f"{place} has no text in it, only white space")
    return text


def _is_pdf(data: bytes, suffix: str) -> bool:
    # Readers allow some bytes before the header; a text that speaks of "%PDF-" is still a text.
    return data.startswith(b"%PDF-") or (suffix == ".pdf" and b"%PDF-" in data[:1024])


def _other_kind(data: bytes, suffix: str) -> str | None:
    by_content = next((reason for start, reason in _OTHER_STARTS.items() if data.startswith(start)), None)
    if by_content == _OTHER_STARTS[b"BM"] and b"\0" not in data[:32]:
        by_content = None  # a text that begins with "BM"
    return _OTHER_SUFFIXES.get(suffix) or by_content
