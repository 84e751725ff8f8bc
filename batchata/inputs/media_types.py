"""Tell what kind of file some bytes are: first by their content, then by the file's name."""

from __future__ import annotations

import codecs
import io
import os
import re
import zipfile
from typing import Final

from batchata.errors import FileInputError
from batchata.inputs.encoded_documents import BLANK, PDF_HEAD, PDF_HEADER, PRINTED, encoded_kind, is_utf8
from batchata.inputs.images import image_type

_IMAGE: Final = "image; save it as PNG or JPEG"
_UNPACK: Final = "unpack it and give its files"
_SOUND: Final = "audio, which is not accepted; give a transcript as text"
_FILM: Final = "a video, which is not accepted; give single frames as PNG or JPEG"
_TABLE: Final = "save it as CSV text or PDF"
_FRAME: Final = "its rows are given as rows=pandas.read_{}(…), the whole as CSV text or PDF"

_STARTS: Final = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old office document (doc, xls, ppt or msg); save it as PDF"),
    (b"\xd0\xcf\x11\xe0", "an old office document; save it as PDF"),
    (b"{\\rtf", "an RTF document; save it as PDF"),
    (b"\x1f\x8b", f"gzip-compressed; {_UNPACK}"),
    (b"BZh", f"bzip2-compressed; {_UNPACK}"),
    (b"\xfd7zXZ\x00", f"xz-compressed; {_UNPACK}"),
    (b"\x28\xb5\x2f\xfd", f"zstd-compressed; {_UNPACK}"),
    (b"7z\xbc\xaf\x27\x1c", f"a 7z archive; {_UNPACK}"),
    (b"Rar!\x1a\x07", f"a RAR archive; {_UNPACK}"),
    (b"II*\x00", f"a TIFF {_IMAGE}"),
    (b"MM\x00*", f"a TIFF {_IMAGE}"),
    (b"II+\x00", f"a TIFF {_IMAGE}"),
    (b"MM\x00+", f"a TIFF {_IMAGE}"),
    (b"BM", f"a BMP {_IMAGE}"),
    (b"\x00\x00\x01\x00", f"an ICO {_IMAGE}"),
    (b"\x00\x00\x02\x00", f"a cursor (CUR) {_IMAGE}"),
    (b"\xff\x0a", f"a JPEG XL {_IMAGE}"),
    (b"\x00\x00\x00\x0cJXL ", f"a JPEG XL {_IMAGE}"),
    (b"\x00\x00\x00\x0cjP  ", f"a JPEG 2000 {_IMAGE}"),
    (b"\xff\x4f\xff\x51", f"a JPEG 2000 {_IMAGE}"),
    (b"8BPS", f"a Photoshop {_IMAGE}"),
    (b"gimp xcf", f"a GIMP {_IMAGE}"),
    (b"AT&TFORM", "a DjVu document; save it as PDF"),
    (b"%!PS", "PostScript; save it as PDF"),
    (b"%FDF-", "form data (FDF) without its PDF; fill in the form and save it as PDF"),
    (b"SQLite format 3\x00", f"an SQLite database; {_TABLE}"),
    (b"PAR1", f"a Parquet table; {_FRAME.format('parquet')}"),
    (b"ARROW1\x00\x00", f"a Feather or Arrow table; {_FRAME.format('feather')}"),
    (b"FEA1", f"a Feather table; {_FRAME.format('feather')}"),
    (b"ORC", f"an ORC table; {_FRAME.format('orc')}"),
    (b"ID3", _SOUND),
    (b"\xff\xfb", _SOUND),
    (b"\xff\xf3", _SOUND),
    (b"\xff\xf2", _SOUND),
    (b"OggS", _SOUND),
    (b"fLaC", _SOUND),
    (b"\x1a\x45\xdf\xa3", _FILM),
    (b"\x00\x00\x01\xba", _FILM),
    (b"\x00\x00\x01\xb3", _FILM),
    (b"MZ", "a program"),
    (b"\x7fELF", "a program"),
    (b"version https://git-lfs.github.com/spec/", "a pointer of Git LFS; fetch the file: git lfs pull"),
    (b"[InternetShortcut]", "a shortcut to an address; download what is there, and give that"),
    (b"bplist00", "a binary property list; save it as text"),
)  # fmt: skip
# ISO media files name their brand behind "ftyp"; behind a general brand are those that it is compatible with.
_BRANDS: Final = (
    (b"avif avis", f"an AVIF {_IMAGE}"),
    (b"heic heix hevc hevx heim heis hevm hevs mif1 msf1", f"a HEIC {_IMAGE}"),
    (b"M4A  M4B  M4P ", _SOUND),
)
_RIFF: Final = {b"WAVE": _SOUND, b"AVI ": _FILM}
# By a name that the archive holds.
_ARCHIVES: Final = (
    ("word/", "a Word document (docx); save it as PDF"),
    ("xl/", f"an Excel workbook (xlsx); {_FRAME.format('excel')}"),
    ("ppt/", "a PowerPoint presentation (pptx); save it as PDF"),
    ("META-INF/container.xml", "an EPUB book; save it as PDF"),
    ("Index/Document.iwa", "a document of Pages, Numbers or Keynote; save it as PDF"),
    ("visio/", "a Visio drawing; save it as PDF"),
)
_OPEN_DOCUMENTS: Final = {
    b"text": "an OpenDocument text (odt); save it as PDF",
    b"spreadsheet": f"an OpenDocument spreadsheet (ods); {_FRAME.format('excel')}",
    b"presentation": "an OpenDocument presentation (odp); save it as PDF",
    b"graphics": "an OpenDocument drawing (odg); save it as PDF",
}
_ZIP: Final = b"PK\x03\x04"
_TEXT_STARTS: Final = (b"BM", b"BZh", b"MZ", b"ID3", b"PAR1", b"FEA1", b"ORC", b"8BPS", b"OggS", b"fLaC")
_XML_HEAD: Final = 1_024


def foreign_kind(data: bytes) -> str | None:
    """Name the kind of bytes that are known but not accepted, and say what to do; None for others."""
    if data.startswith(_ZIP):
        return _archive(data)
    if data[4:8] == b"ftyp":
        return _media(data)
    if data.startswith(b"RIFF"):
        return _RIFF.get(data[8:12])
    if _is_archive(data):
        return f"a tar archive; {_UNPACK}"
    if data[128:132] == b"DICM":
        return f"a DICOM {_IMAGE}"
    for start, reason in _STARTS:
        if data.startswith(start) and not (start in _TEXT_STARTS and _is_text(data)):
            return reason
    return None


def _is_archive(data: bytes) -> bool:
    return data.startswith(_ZIP) or data[257:262] == b"ustar"


def is_svg(data: bytes) -> bool:
    """Whether it is XML text that draws an image."""
    head = data[:_XML_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(b"<") and not head.lower().startswith(b"<!doctype html") and b"<svg" in head


def _is_text(data: bytes) -> bool:
    return not any(byte < 32 and byte not in b"\t\n\r\f" for byte in data[:64])


def _media(data: bytes) -> str:
    brands = data[8 : min(int.from_bytes(data[:4], "big"), 256)]
    names = [brands[at : at + 4] for at in range(0, len(brands), 4)]
    for known, reason in _BRANDS:
        if any(name in known for name in names if name.strip(b"\0")):
            return reason
    return _FILM


def _archive(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return "a ZIP archive or an office document, cut off or damaged; download or export it again, as PDF"
    for part, reason in _ARCHIVES:
        if any(name.startswith(part) for name in names):
            return reason
    start = data[:200]  # an OpenDocument file says what it is in its first, unpacked part
    _, found, kind = start.partition(b"application/vnd.oasis.opendocument.")
    if found:
        return next((reason for word, reason in _OPEN_DOCUMENTS.items() if kind.startswith(word)),
                    "an OpenDocument file; save it as PDF")  # fmt: skip
    return f"a ZIP archive; {_UNPACK}"


PDF: Final = "application/pdf"
TEXT: Final = "text/plain"  # Markdown too: the API takes no other kind of text

EXTENSIONS: Final = {PDF: "pdf", TEXT: "txt", "image/png": "png", "image/jpeg": "jpg", "image/gif": "gif",
                     "image/webp": "webp"}  # fmt: skip
_IMAGE_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp"})
_WORDS: Final = "a word processor's file; save it as PDF"
_SHEET: Final = "a spreadsheet; save it as PDF, or as CSV text"
_SLIDES: Final = "a presentation; save it as PDF"
_PACKED: Final = "an archive; unpack it and pass its files"
_MAIL: Final = "a mail; save its text, and what is attached, as files of their own"
_PICTURE: Final = "an image format that is not accepted; save it as PNG or JPEG"
_SUFFIXES: Final = {
    **dict.fromkeys([".doc", ".docx", ".docm", ".odt", ".rtf", ".pages"], _WORDS),
    **dict.fromkeys([".xls", ".xlsx", ".xlsm", ".xlsb", ".ods"], _SHEET),
    **dict.fromkeys([".ppt", ".pptx", ".odp"], _SLIDES),
    **dict.fromkeys([".zip", ".gz", ".tar", ".7z", ".rar", ".bz2", ".xz", ".zst"], _PACKED),
    **dict.fromkeys([".tif", ".tiff", ".bmp", ".ico", ".heic", ".heif", ".avif", ".jxl", ".jp2"], _PICTURE),
    **dict.fromkeys([".eml", ".msg", ".mbox"], _MAIL),
    ".epub": "an EPUB book; save it as PDF",
}  # fmt: skip
_BOMS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_TAKEN: Final = "PDF, plain text, Markdown, PNG, JPEG, GIF and WebP are accepted"

_PDF_OBJECT: Final = re.compile(rb"[\r\n]\d+ \d+ obj\b")
_CONTROLS: Final = bytes(set(range(32)) - set(b"\t\n\x0c\r") | {127})


def media_type_of(data: bytes, name: str, place: str) -> str:
    """Return the media type to send the bytes as.

    Raises FileInputError when the provider takes no such kind, or when the bytes are not what their name
    says.
    """
    suffix = os.path.splitext(name)[1].lower()
    if _is_pdf(data, suffix):
        return PDF
    if image := image_type(data):
        if suffix == ".pdf":
            raise FileInputError(f"{place} is an image ({image}), though its name says PDF; rename it")
        return image
    if reason := _refused(data, suffix):
        raise FileInputError(f"{place} is {reason}")
    decode_text(data, place, _SUFFIXES.get(suffix))
    if suffix in _SUFFIXES and not suffix.startswith((".eml", ".mbox")):
        raise FileInputError(
            f"{place} is plain text, though its name says {_SUFFIXES[suffix].partition(';')[0]}; rename it "
            "if it is to be sent as text"
        )
    return TEXT


def _refused(data: bytes, suffix: str) -> str | None:
    """Say why bytes that are neither PDF nor an accepted image cannot be sent; None if they may be text."""
    foreign = foreign_kind(data)
    if foreign is not None:
        generic = data.startswith(_ZIP) and "cut off or damaged" in foreign
        return f"{(_SUFFIXES.get(suffix) if generic else None) or foreign} ({_TAKEN})"
    if wrapped := encoded_kind(data):
        return wrapped
    if suffix == ".svg" or (not suffix and is_svg(data)):
        return "an SVG image; save it as PNG or JPEG, or as PDF"
    at = data.find(PDF_HEADER, PDF_HEAD)
    if at >= 0 and data.rfind(b"%%EOF") > at and _PDF_OBJECT.search(data, at) and _opens(data[at:]):
        return f"a PDF that begins after {at:,} bytes of other data, where no reader looks; remove those"
    if suffix == ".pdf":
        return f"not a PDF, though its name says so: it begins with {data[:8]!r}"
    if suffix in _IMAGE_SUFFIXES:
        return f"not a PNG, JPEG, GIF or WebP image: it begins with {data[:8]!r}"
    return None


def decode_text(data: bytes, place: str, said: str | None = None) -> str:
    """Decode text in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

    `said` is the kind of file that the name claims. Raises FileInputError for another encoding, or no text.
    """
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as exc:
        byte = f"byte {exc.start} ({data[exc.start]:#04x})"
        reason = said or f"not {encoding.upper()} text: {byte} does not fit{_cure(data)}"
        raise FileInputError(f"{place} is {reason} ({_TAKEN})") from exc
    if "\0" in text:
        reason = said or f"not text: it has a NUL character at {text.index(chr(0))}{_cure(data)}"
        raise FileInputError(f"{place} is {reason} ({_TAKEN})")
    if not text.strip():
        raise FileInputError(f"{place} has no text in it, only white space")
    return text


def _cure(data: bytes) -> str:
    """Say how to convert text in another encoding, and name the likely encoding."""
    for guess in ("utf-16-le", "utf-16-be"):
        zeros = data[guess == "utf-16-le" :: 2]
        if len(data) % 2 == 0 and zeros.count(0) * 2 > len(zeros):
            return f"; it seems to be {guess.upper()} without its mark: save it as UTF-8"
    if len(data) != len(data.translate(None, _CONTROLS)):
        return "; save it as UTF-8"
    named = "Shift-JIS, GB 18030 or Windows-1251" if _is_of_other_script(data) else "Latin-1 or Windows-1252"
    return f"; save it as UTF-8: it seems to be in an older encoding, such as {named}"


_HIGH = re.compile(rb"[\x80-\xff]+")
_RARE = bytes([0x81, 0x83, 0x8D, 0x8F, 0x90, 0x9D])  # in Latin letters; the first byte of many kana
_LOOKED_AT: Final = 100_000  # bytes


def _is_of_other_script(data: bytes) -> bool:
    """Whether most bytes beyond ASCII are adjacent, as they are not in text of mostly Latin letters."""
    runs = _HIGH.findall(data, 0, _LOOKED_AT)
    in_rows = sum(len(run) for run in runs if len(run) > 2)
    rare = sum(run[0] in _RARE for run in runs)
    return 2 * in_rows > sum(map(len, runs)) or 4 * rare > len(runs)


def _is_pdf(data: bytes, suffix: str) -> bool:
    head = data[:PDF_HEAD]
    at = head.find(PDF_HEADER)
    if at < 0 or (at > 0 and _is_archive(data)):  # an archive may hold its files as they are
        return False
    if suffix == ".pdf" or not head[:at].strip(BLANK):
        return True
    if head.startswith(PRINTED) or not _PDF_OBJECT.search(data):
        return False
    return not is_utf8(data) or _opens(data[at:])


def _opens(data: bytes) -> bool:
    """Whether it is a PDF, and not just a text that quotes one."""
    from batchata.inputs.pdf_pages import page_count

    return bool(page_count(data))
