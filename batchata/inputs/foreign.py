"""The kinds of files that the API does not take, by their content, with what to do about each."""

from __future__ import annotations

import io
import zipfile
from typing import Final

_IMAGE: Final = "image; save it as PNG or JPEG"
_UNPACK: Final = "unpack it and give its files"
_SOUND: Final = "sound, which is not taken; give a transcript as text"
_FILM: Final = "a film, which is not taken; give single pictures as PNG or JPEG"
_TABLE: Final = "save it as CSV text or PDF"

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
    (b"PAR1", f"a Parquet table; {_TABLE}"),
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
_PACKED: Final = (
    ("word/", "a Word document (docx); save it as PDF"),
    ("xl/", f"an Excel workbook (xlsx); {_TABLE}"),
    ("ppt/", "a PowerPoint presentation (pptx); save it as PDF"),
    ("META-INF/container.xml", "an EPUB book; save it as PDF"),
    ("Index/Document.iwa", "a document of Pages, Numbers or Keynote; save it as PDF"),
    ("visio/", "a Visio drawing; save it as PDF"),
)
_OPEN_DOCUMENTS: Final = {
    b"text": "an OpenDocument text (odt); save it as PDF",
    b"spreadsheet": f"an OpenDocument spreadsheet (ods); {_TABLE}",
    b"presentation": "an OpenDocument presentation (odp); save it as PDF",
    b"graphics": "an OpenDocument drawing (odg); save it as PDF",
}
_TEXT_STARTS: Final = (b"BM", b"BZh", b"MZ", b"ID3", b"PAR1", b"8BPS", b"OggS", b"fLaC")
_XML_HEAD: Final = 1_024


def foreign_kind(data: bytes) -> str | None:
    """What the bytes are, if they are of a known kind that is not taken, and what to do; else None."""
    if data.startswith(b"PK\x03\x04"):
        return _archive(data)
    if data[4:8] == b"ftyp":
        return _media(data)
    if data.startswith(b"RIFF"):
        return _RIFF.get(data[8:12])
    if data[257:262] == b"ustar":
        return f"a tar archive; {_UNPACK}"
    if data[128:132] == b"DICM":
        return f"a DICOM {_IMAGE}"
    for start, reason in _STARTS:
        if data.startswith(start) and not (start in _TEXT_STARTS and _is_text(data)):
            return reason
    return None


def is_svg(data: bytes) -> bool:
    """Whether it is an XML text that draws an image."""
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
    for part, reason in _PACKED:
        if any(name.startswith(part) for name in names):
            return reason
    start = data[:200]  # an OpenDocument file says what it is in its first, unpacked part
    _, found, kind = start.partition(b"application/vnd.oasis.opendocument.")
    if found:
        return next((reason for word, reason in _OPEN_DOCUMENTS.items() if kind.startswith(word)),
                    "an OpenDocument file; save it as PDF")  # fmt: skip
    return f"a ZIP archive; {_UNPACK}"
