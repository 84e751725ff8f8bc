"""What is said of files that cannot be sent: each by what it is, and all of them at once."""

from __future__ import annotations

import base64
import io
import json
import os
import pickle
import socket
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from claude_inputs import read_inputs
from images_given import GIF, IMAGES, JPEG, PNG

from batchata.errors import BadFile, FileInputError
from batchata.inputs import FileInput, Inputs
from batchata.providers.anthropic.models import MODELS

MODEL = MODELS["claude-sonnet-5-5"]


def read(*files: Any, **more: Any) -> Inputs:
    return read_inputs(files=files, prompt="What is it?", model=MODEL, **more)


def file(inputs: Inputs, index: int = 0) -> FileInput:
    source = inputs.source(index)
    assert isinstance(source, FileInput)
    return source


def packed(*names: str, first: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        if first:
            archive.writestr("mimetype", first)
        for name in names:
            archive.writestr(name, "x")
    return out.getvalue()


def ftyp(*brands: bytes) -> bytes:
    content = b"ftyp" + b"".join(brands)
    return (len(content) + 4).to_bytes(4, "big") + content + bytes(range(128, 250))


MISSING = "does not exist; check the path (to send the text itself, give bytes)"
IMAGE = "image; save it as PNG or JPEG"
KINDS: dict[str, tuple[bytes, str]] = {
    "heic": (ftyp(b"heic", b"\0\0\0\0", b"mif1"), f"is a HEIC {IMAGE}"),
    "heif": (ftyp(b"mif1", b"\0\0\0\0", b"heix"), f"is a HEIC {IMAGE}"),
    "avif": (ftyp(b"avif", b"\0\0\0\0", b"mif1"), f"is an AVIF {IMAGE}"),
    "avif by its second brand": (ftyp(b"mif1", b"\0\0\0\0", b"avif"), f"is an AVIF {IMAGE}"),
    "mp4": (ftyp(b"isom", b"\0\0\0\0"), "is a video"),
    "m4a": (ftyp(b"M4A ", b"\0\0\0\0"), "is audio"),
    "ico": (b"\0\0\1\0\1\0" + b"\x20" * 40, f"is an ICO {IMAGE}"),
    "tiff": (b"MM\0*\0\0\0\x08" + b"\xff" * 20, f"is a TIFF {IMAGE}"),
    "big tiff": (b"II+\0\x08\0" + b"\xff" * 20, f"is a TIFF {IMAGE}"),
    "bmp": (b"BM\x36\0\0\0\0\0" + b"\xff" * 20, f"is a BMP {IMAGE}"),
    "svg": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', f"is an SVG {IMAGE}"),
    "jpeg xl": (b"\xff\x0a\xf8\x7f", f"is a JPEG XL {IMAGE}"),
    "jpeg xl in a box": (b"\0\0\0\x0cJXL \r\n\x87\n", f"is a JPEG XL {IMAGE}"),
    "jpeg 2000": (b"\0\0\0\x0cjP  \r\n\x87\n", f"is a JPEG 2000 {IMAGE}"),
    "psd": (b"8BPS\0\1" + b"\xff" * 20, f"is a Photoshop {IMAGE}"),
    "dicom": (b"\0" * 128 + b"DICM\x02\0", f"is a DICOM {IMAGE}"),
    "docx": (packed("[Content_Types].xml", "word/document.xml"), "is a Word document (docx); save it as PDF"),
    "xlsx": (packed("xl/workbook.xml"), "is an Excel workbook (xlsx); its rows are given as rows=pandas"),
    "parquet": (b"PAR1\x15\x04\x15", "is a Parquet table; its rows are given as rows=pandas.read_parquet(…)"),
    "feather": (b"ARROW1\0\0\xff\xff", "is a Feather or Arrow table; its rows are given as rows=pandas"),
    "older feather": (b"FEA1\0\0\0\0", "is a Feather table; its rows are given as rows=pandas"),
    "orc": (b"ORC\n\x1c\n\x03", "is an ORC table; its rows are given as rows=pandas.read_orc(…)"),
    "pptx": (packed("ppt/presentation.xml"), "is a PowerPoint presentation (pptx); save it as PDF"),
    "odt": (
        packed("content.xml", first=b"application/vnd.oasis.opendocument.text"),
        "is an OpenDocument text (odt); save it as PDF",
    ),
    "ods": (
        packed("content.xml", first=b"application/vnd.oasis.opendocument.spreadsheet"),
        "is an OpenDocument spreadsheet (ods)",
    ),
    "epub": (
        packed("META-INF/container.xml", first=b"application/epub+zip"),
        "is an EPUB book; save it as PDF",
    ),
    "zip": (packed("a.pdf"), "is a ZIP archive; unpack it"),
    "cut docx": (packed("word/document.xml")[:60], "is a ZIP archive or an office document, cut off"),
    "doc": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 50, "is an old office document (doc, xls"),
    "rtf": (b"{\\rtf1\\ansi Hello}", "is an RTF document; save it as PDF"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "git lfs pull"),
    "shortcut": (b"[InternetShortcut]\r\nURL=https://e.com/a.pdf", "download what is there"),
    "gzip": (b"\x1f\x8b\x08\0rest", "is gzip-compressed; unpack it"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0", "is a 7z archive; unpack it"),
    "tar": (b"a.txt".ljust(257, b"\0") + b"ustar\x0000", "is a tar archive; unpack it"),
    "sqlite": (b"SQLite format 3\0" + b"\1" * 30, "is an SQLite database; save it as CSV"),
    "mp3": (b"ID3\x04\0\0\0" + b"\xff" * 20, "is audio, which is not accepted; give a transcript"),
    "wav": (b"RIFF\x24\0\0\0WAVEfmt ", "is audio"),
    "avi": (b"RIFF\x24\0\0\0AVI LIST", "is a video"),
    "ogg": (b"OggS\0\2" + b"\0" * 20, "is audio"),
    "program": (b"MZ\x90\0\3\0", "is a program"),
    "UTF-16 without its mark": (
        "Rechnung Nr. 5".encode("utf-16-le"),
        "seems to be UTF-16-LE without its mark",
    ),
    "UTF-16 the other way": ("Nr. 5 vom 1.3.".encode("utf-16-be"), "seems to be UTF-16-BE without its"),
    "latin-1": ("Grüße aus Köln".encode("latin-1"), "older encoding, such as Latin-1 or Windows-1252"),
    "Polish": ("Zażółć gęślą jaźń, zł".encode("cp1250"), "older encoding, such as Latin-1 or Windows-1252"),
    "Shift-JIS": ("請求書の合計は千円です".encode("shift_jis"), "older encoding, such as Shift-JIS, GB"),
    "kana in Shift-JIS": ("テスト、アイウ".encode("shift_jis"), "older encoding, such as Shift-JIS, GB"),
    "EUC-JP": ("請求書 No. 5".encode("euc_jp"), "older encoding, such as Shift-JIS, GB 18030"),
    "Russian": ("Счёт на оплату, 5 руб.".encode("cp1251"), "older encoding, such as Shift-JIS, GB"),  # noqa: RUF001 - letters that are meant
    "bytes of no kind": (bytes(range(14, 200)), "is not UTF-8 text: byte 114 (0x80) does not fit"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_a_kind_that_is_not_taken_is_named_with_the_cure(tmp_path: Path, kind: str) -> None:
    """By its content, whether it comes as a path with a wrong suffix, or as bytes without any name."""
    data, words = KINDS[kind]
    path = tmp_path / "scan"
    path.write_bytes(data)
    for given in (data, path):
        with pytest.raises(FileInputError) as caught:
            read(given)
        assert words in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "BMW builds cars.",
        "MZ is a name.",
        "ID3 is a tag.",
        "PK",
        "RIFF",
        "<p>An <svg> in HTML</p>",
        "JVBERi0 is how",
    ],
)
def test_a_text_that_begins_like_another_kind_is_a_text(tmp_path: Path, text: str) -> None:
    """A few letters at its beginning make no image, sound or program of it."""
    (tmp_path / "a.txt").write_text(text)
    assert file(read(tmp_path / "a.txt")).media_type == "text/plain"


BEFORE = [
    b"\n",
    b"\r\n\r\n",
    b"\xef\xbb\xbf",
    b"\0" * 16,
    b"\x1b%-12345X@PJL\n",
    b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n",
    bytes(range(128, 256)),
    b"x" * 1_000,
]


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("name", [None, "scan.pdf", "scan.txt", "scan.png", "scan"])
def test_a_pdf_is_known_wherever_its_header_stands_in_the_first_kilobyte(
    tmp_path: Path, blank_pdf: bytes, before: bytes, name: str | None
) -> None:
    """Under any name, or none; and it is sent as it is."""
    data = before + blank_pdf
    given: object = data
    if name is not None:
        given = tmp_path / name
        (tmp_path / name).write_bytes(data)
    found = file(read(given))
    assert (found.media_type, found.pages, found.read()) == ("application/pdf", 2, data)


@pytest.mark.parametrize(
    "text", ["scan.pdf", "/data/my_scan.PDF", "C:\\\\data\\\\scan.txt", "https://e.com/a", "{here}"]
)
def test_a_path_given_as_bytes_is_no_document(tmp_path: Path, text: str) -> None:
    """Its few characters would be sent and billed as the content."""
    (tmp_path / "two words").write_text("x")
    with pytest.raises(FileInputError, match=r"given as bytes|is a URL"):
        read(text.replace("{here}", str(tmp_path / "two words")).encode())
    for document in ("See scan.pdf", "yes/no", "scan.pdf\n2 pages", "https://e.com is down"):
        assert file(read(document.encode())).media_type == "text/plain"


def test_a_pdf_that_an_archive_holds_as_it_is_is_no_pdf(tmp_path: Path, blank_pdf: bytes) -> None:
    """Its header stands in the first kilobyte, too."""
    zipped, packed = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("scan.pdf", blank_pdf)
    with tarfile.open(fileobj=packed, mode="w") as tar:
        inside = tarfile.TarInfo("scan.pdf")
        inside.size = len(blank_pdf)
        tar.addfile(inside, io.BytesIO(blank_pdf))
    for data, words in ((zipped.getvalue(), "a ZIP archive"), (packed.getvalue(), "a tar archive")):
        (tmp_path / "scan.pdf").write_bytes(data)
        for given in (data, tmp_path / "scan.pdf"):
            with pytest.raises(FileInputError, match=words):
                read(given)


def test_a_pdf_far_behind_something_else_is_no_text(blank_pdf: bytes) -> None:
    """Its source would be sent and billed as a text."""
    with pytest.raises(FileInputError, match="is a PDF that begins after 2,000 bytes of other data"):
        read(b"x" * 2_000 + blank_pdf)


@pytest.mark.parametrize(
    "text",
    [
        "Every PDF begins with %PDF-1.4.",
        "# How a PDF is made\n```\n%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n```\n",
        "x" * 1_020 + "%PDF-1.4\n1 0 obj\n",
    ],
)
def test_a_text_about_pdfs_is_a_text(text: str) -> None:
    """A header alone, or a part of a PDF's source in prose, is not a PDF."""
    assert file(read(text.encode())).media_type == "text/plain"


# With line ends in places where a reader that looks from behind takes it for a part of the file.
_JUNK = [Random(seed).randbytes(size) for seed in (41, 126, 227) for size in (1_500, 9_000)]


@pytest.mark.parametrize("behind", [b"\0" * 80_508, b" \r\n" * 3_000, b"<html>503</html>\n" * 500, *_JUNK])
def test_what_follows_a_pdf_is_passed_over(blank_pdf: bytes, behind: bytes) -> None:
    """Padding and junk of any length behind the end: readers open the file, and so it is sent."""
    assert file(read(blank_pdf + behind)).pages == 2


def test_a_later_version_that_is_cut_off_is_damage(blank_pdf: bytes) -> None:
    """What follows the end of the first version is another one, of which the end is missing."""
    update = b"\n7 0 obj\n<< /Length 9000 >>\nstream\n" + b"x" * 5_000
    with pytest.raises(FileInputError, match="is a damaged PDF: its end is missing"):
        read(blank_pdf + update)


@pytest.mark.parametrize("media_type", ["application/pdf", *IMAGES])
def test_base64_text_is_named_as_what_is_in_it(tmp_path: Path, blank_pdf: bytes, media_type: str) -> None:
    """As bytes or in a file, in one line or many, and as a data: URL: it is never sent as text."""
    data = blank_pdf if media_type == "application/pdf" else IMAGES[media_type][0] * 4
    plain = base64.b64encode(data)
    (tmp_path / "a.txt").write_bytes(plain)
    urls = b"data:" + media_type.encode() + b";base64," + plain
    for given in (plain, base64.encodebytes(data), base64.urlsafe_b64encode(data), urls, tmp_path / "a.txt"):
        with pytest.raises(FileInputError, match=r"is base64 text of (a PDF|an image); give its bytes|\)"):
            read(given)


def test_printed_bytes_and_hexadecimal_are_named(blank_pdf: bytes) -> None:
    """What `str(pdf)` and a database's dump make of a PDF."""
    for given, words in (
        (str(blank_pdf).encode(), "a PDF's bytes as Python prints them"),
        (b"\\x" + blank_pdf.hex().encode(), "a PDF in hexadecimal"),
        (blank_pdf.hex().upper().encode(), "a PDF in hexadecimal"),
        (blank_pdf.decode("latin-1").encode("utf-16"), "a PDF that was saved as UTF-16 text"),
        (json.dumps(base64.b64encode(blank_pdf).decode()).encode(), "base64 text of a PDF"),
        (
            json.dumps({"data": base64.encodebytes(blank_pdf).decode()}).encode(),
            "a text with a PDF in base64",
        ),
        (b"Content-Type: application/pdf\n\n" + base64.encodebytes(blank_pdf), "a text with a PDF in base64"),
    ):
        with pytest.raises(FileInputError, match=words):
            read(given)


def test_a_text_that_only_quotes_a_file_is_a_text(blank_pdf: bytes) -> None:
    """What is mostly words is sent: a log with the beginning of a PDF, a paper on base64."""
    quoted = base64.b64encode(blank_pdf)[:60]
    for given in (b"The answer was " + quoted + b" and more of that kind, word by word by word.", b"JVBERi0"):
        assert file(read(given)).media_type == "text/plain"


TEXTS: dict[str, str] = {
    "http://example.com/a.pdf": "is a URL; Batchata does not fetch URLs: download it",
    "https://example.com/a.pdf?x=1": "or use messages with a document of source type url",
    "HTTPS://EXAMPLE.COM/A.PDF": "is a URL",
    "ftp://example.com/a.pdf": "is a URL; Batchata does not fetch URLs: download it and give its path",
    "file:///srv/a.txt": "is a file: URL; give its path: '/srv/a.txt'",
    "file://localhost/srv/a.txt": "is a file: URL; give its path: '/srv/a.txt'",
    "data:application/pdf;base64,JVBERi0xLjQK": "is a data: URL; give the bytes in it",
    "JVBERi0xLjQKJcOkw7zDtsOf" * 500: "is the base64 text of a PDF, not a path",
    "Dear Sir,\nplease find enclosed": "is text, not a path; pass the text itself as bytes",
    "word " * 2_000: "is text, not a path",
    "C:\\Users\\me\\a.pdf": "is a Windows path",
    "\\\\server\\share\\a.pdf": "is a Windows path",
    "$HOME/a.pdf": "contains a variable, which is not expanded",
    "${HOME}/a.pdf": "contains a variable",
    "%USERPROFILE%/a.pdf": "contains a variable",
    "invoices/*.pdf": "patterns are not expanded",
    "no-such.pdf": "does not exist; check the path",
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_that_is_no_path_is_told_from_a_missing_file(text: str) -> None:
    """URLs, texts, variables, patterns: what it is and what to give instead, in a message of some lines."""
    with pytest.raises(FileInputError) as caught:
        read(text)
    assert TEXTS[text] in str(caught.value)
    assert len(str(caught.value)) < 1_000
    if "://" in text:
        with pytest.raises(FileInputError, match="URL"):
            read(Path(text))


def test_a_tilde_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless a file of that very name is there."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("home")
    assert file(read("~/a.txt")).path == str(tmp_path / "a.txt")
    (tmp_path / "~a.txt").write_text("here")
    assert file(read("~a.txt")).path == str(tmp_path / "~a.txt")


def test_paths_that_nothing_can_be_read_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets, devices, links that lead nowhere or in a circle, a name with a line break at its end."""
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "broken").symlink_to("gone.pdf")
    (tmp_path / "a.pdf").write_bytes(b"x")
    for path, words in {
        "socket": "is not a regular file but a socket",
        "/dev/null": "is not a regular file but a device",
        "loop": "cannot be read: Too many levels of symbolic links",
        "broken": "is a link to 'gone.pdf', which does not exist",
        "a.pdf/b.pdf": "cannot be read: Not a directory",
        "a.pdf\n": "has white space around it; give 'a.pdf'",
        "\ud800.pdf": "is not a path: no file can have such a name",
    }.items():
        with pytest.raises(FileInputError, match=words):
            read(path)
        failed = read(path, on_bad_file="fail")
        assert failed.refused
        assert not json.loads(failed.body(0))["file"]["sha256"]


def test_open_files_that_give_nothing(tmp_path: Path, blank_pdf: bytes) -> None:
    """Read to its end before, or opened as text: the cure is said."""
    (tmp_path / "a.pdf").write_bytes(blank_pdf + b"\xff")
    used = io.BytesIO(blank_pdf)
    used.read()
    with pytest.raises(FileInputError, match=r"is empty, or was already .* call file.seek\(0\) first"):
        read(used)
    with (
        (tmp_path / "a.pdf").open(encoding="utf-8") as opened,
        pytest.raises(FileInputError, match="is opened as text, but is not text; open it with 'rb'"),
    ):
        read(opened)


NAMES = {
    b"R\xe9sum\xe9.txt": "R\\xe9sum\\xe9.txt",
    b"two\nlines.txt": "two\\nlines.txt",
    b"\x1b[31mred.txt": "\\x1b[31mred.txt",
    "\u202etxt.exe.txt".encode(): "\\u202etxt.exe.txt",
    "Grüße \u200d👍.txt".encode(): "Grüße \u200d👍.txt",
    "請求書.txt".encode(): "請求書.txt",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_any_name_is_sent_under_a_printable_title(tmp_path: Path, name: bytes) -> None:
    """Its path leads to it all the same, also from the log; what can be printed stays as it is."""
    path = os.fsencode(tmp_path) + b"/" + name
    with open(path, "wb") as out:
        out.write(b"Hello")
    found = file(read(os.fsdecode(path)))
    assert (found.name, found.read()) == (NAMES[name], b"Hello")
    assert pickle.loads(pickle.dumps(found)).read() == b"Hello"
    assert found.name.encode() in found.body().replace(b"\\\\", b"\\")
    with open(path, "rb") as opened:
        assert file(read(opened)).name == NAMES[name]


def test_one_error_lists_every_bad_file(tmp_path: Path, make_pdf: Callable[..., bytes]) -> None:
    """With its reason; all of them are on the error as data, also where the message shows only some."""
    (tmp_path / "good.pdf").write_bytes(make_pdf(1))
    (tmp_path / "cut.png").write_bytes(PNG[:40])
    files = [tmp_path / "good.pdf", tmp_path / "gone.pdf", b"", None, tmp_path / "cut.png", GIF]
    with pytest.raises(FileInputError) as caught:
        read(*files)
    message = str(caught.value)
    assert message.startswith("4 of 6 files cannot be sent:\n")
    assert f"\n  files[1] ('{tmp_path}/gone.pdf') does not exist; check the path" in message
    assert "on_bad_file='fail'" in message
    assert caught.value.bad_files == (
        BadFile(
            1, f"{tmp_path}/gone.pdf", "does not exist; check the path (to send the text itself, give bytes)"
        ),
        BadFile(2, None, "is empty (0 bytes); there is nothing to send"),
        BadFile(3, None, "is None; give a path, bytes or a file opened for reading"),
        BadFile(
            4,
            f"{tmp_path}/cut.png",
            "is a cut-off or damaged image/png: its end is missing; export or download it again",
        ),
    )
    with pytest.raises(FileInputError) as caught:
        read(*([b""] * 500), JPEG)
    assert len(caught.value.bad_files) == 500
    assert len(str(caught.value)) < 3_000
    assert "and 480 more, all in the error's bad_files" in str(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)).bad_files == caught.value.bad_files


def test_bad_files_may_fail_alone(tmp_path: Path) -> None:
    """Then they count among the inputs, with their reasons, weigh nothing, and are nobody's copies."""
    (tmp_path / "b").mkdir()
    inputs = read(tmp_path / "a.pdf", b"Hello", tmp_path / "b" / "a.pdf", on_bad_file="fail")
    assert inputs.count == 3
    assert {index: "does not exist" in why for index, why in inputs.refused.items()} == {0: True, 2: True}
    assert (inputs.request_size(0), inputs.token_bound(0), inputs.expected_tokens(0)) == (0, 0, 0)
    assert inputs.copies() == {}
    assert not file(inputs, 0).is_usable
