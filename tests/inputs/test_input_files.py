"""Which files are accepted, as what they are sent, and what is said about the others."""

from __future__ import annotations

import base64
import io
import json
import os
import struct
import tempfile
from pathlib import Path
from typing import Any

import pytest
from claude_inputs import read_inputs
from images_given import GIF, IMAGES, PNG
from PIL import Image

from batchata.errors import FileInputError, InvalidInputError
from batchata.inputs import FileInput, Inputs
from batchata.inputs.images import check_image
from batchata.providers.anthropic.models import IMAGE_RULES, MODELS

MODEL = MODELS["claude-sonnet-5-5"]


def read(*files: Any) -> Inputs:
    return read_inputs(files=files, prompt="What is it?", model=MODEL)


def file(inputs: Inputs, index: int = 0) -> FileInput:
    source = inputs.source(index)
    assert isinstance(source, FileInput)
    return source


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "media_type"),
    [
        ("a.txt", b"Hello", "text/plain"),
        ("a.md", b"# Title", "text/plain"),
        ("notes", b"Hello", "text/plain"),
        ("a.txt", "Grüße".encode("utf-16"), "text/plain"),
        ("a.txt", b"\xef\xbb\xbfHello", "text/plain"),
        ("a.txt", b"A PDF begins with %PDF-1.4", "text/plain"),
        ("a.txt", b"BMW builds cars", "text/plain"),
        ("a.jpg", PNG, "image/png"),
        ("a", GIF, "image/gif"),
    ],
)
def test_the_content_decides_what_a_file_is(
    tmp_path: Path, name: str, content: bytes, media_type: str
) -> None:
    """The bytes tell the media type; an image with another image's name is sent as what it is."""
    path = written(tmp_path / name, content)
    found = file(read(path))
    assert (found.media_type, found.name, found.path, found.size) == (
        media_type,
        name,
        str(path),
        len(content),
    )


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.pdf", b"Hello, I am text", r"is not a PDF, though its name says so: it begins with b'Hello, I'"),
        ("a.png", b"Hello", r"is not a PNG, JPEG, GIF or WebP image"),
        ("a.txt", b"", r"is empty \(0 bytes\)"),
        ("a.txt", b"  \n ", r"has no text in it"),
        (
            "a.txt",
            "Grüße".encode("latin-1"),
            r"is not UTF-8 text: byte 2 \(0xfc\) does not fit; save it as UTF-8",
        ),
        ("a.txt", b"\xff\xfea", r"is not UTF-16 text"),
        ("a.txt", b"a\0b", r"is not text: it has a NUL character at 1"),
        ("a.docx", b"PK\x03\x04rest", r"is a word processor's file; save it as PDF"),
        ("a.xlsx", b"PK\x03\x04rest", r"is a spreadsheet; save it as PDF"),
        ("a.zip", b"PK\x03\x04rest", r"is an archive; unpack it"),
        ("a", b"PK\x03\x04rest", r"is a ZIP archive or an office document"),
        ("a.tiff", b"II*\0rest", r"is a TIFF image; save it as PNG"),
        ("a.bmp", b"BM\0\0rest", r"is a BMP image"),
        ("a.bin", bytes(range(128, 200)), r"is not UTF-8 text.*PDF, plain text, Markdown, PNG"),
        ("a.png", PNG[:18], r"is a damaged image/png"),
        ("a.pdf", PNG, r"is an image \(image/png\), though its name says PDF; rename it"),
        ("a.docx", b"Hello", r"is plain text, though its name says a word processor's file; rename it"),
        ("a.png", PNG[:16] + struct.pack(">II", 8001, 10), r"is 8001 x 10 pixels; scale it down"),
        ("a.png", PNG[:16] + struct.pack(">II", 0, 10), r"without pixels"),
        (
            "a.png",
            PNG + b"\0" * 7_900_000,
            r"has 10,533,\d\d\d bytes in base64; at most 10,485,760 are accepted",
        ),
        ("a.txt", b"x" * 9_000_001, r"is 9,000,001 bytes of text; at most 9,000,000"),
        ("a.pdf", b"%PDF-1.4\n" + b"\0" * 25_200_000, r"makes a request of more than 33,6\d\d,\d\d\d bytes"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    """Each reason has its own message, which names the file."""
    path = written(tmp_path / name, content)
    with pytest.raises(FileInputError, match=words) as caught:
        read(written(tmp_path / "good.txt", b"Hello"), path)
    assert str(caught.value).startswith(f"files[1] ({str(path)!r}) ")


def test_paths_that_lead_to_no_file(tmp_path: Path) -> None:
    """Missing, a directory, a pipe, not a path at all: each is said."""
    os.mkfifo(tmp_path / "pipe")
    for path, words in {
        tmp_path / "missing.pdf": "does not exist",
        tmp_path: "is a directory; list its files",
        tmp_path / "pipe": "is not a regular file",
        str(tmp_path / ("x" * 300)): "cannot be read",
        "a\0b": "is not a path",
        "": "is not a path",
    }.items():
        with pytest.raises(FileInputError, match=words):
            read(path)


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    """A lack of permission is said as such."""
    path = written(tmp_path / "a.txt", b"Hello")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(FileInputError, match="cannot be read"):
        read(path)


@pytest.mark.parametrize("item", [5, None, b"a.txt".hex, {"path": "a.pdf"}])
def test_other_values_are_no_files(item: object) -> None:
    """What is neither path, bytes nor readable is refused."""
    with pytest.raises(InvalidInputError, match=r"files\[0\] is .*; give a path, bytes or a file"):
        read(item)


def test_bytes_and_open_files_are_kept_and_named(tmp_path: Path, blank_pdf: bytes) -> None:
    """Without a name of its own a document gets one by its place and kind."""
    path = written(tmp_path / "real.txt", b"Hello")
    with path.open("rb") as opened, path.open() as as_text, tempfile.TemporaryFile() as nameless:
        nameless.write(PNG)
        nameless.seek(0)
        inputs = read(blank_pdf, bytearray(b"Hello"), opened, as_text, io.BytesIO(GIF), nameless)
    names = [file(inputs, n).name for n in range(inputs.count)]
    assert names == [
        "document-1.pdf",
        "document-2.txt",
        "real.txt",
        "real.txt",
        "document-5.gif",
        "document-6.png",
    ]
    assert all(file(inputs, n).path is None for n in range(inputs.count))
    assert file(inputs).data == blank_pdf
    assert file(inputs).pages == 2


def test_a_file_opened_for_writing_cannot_be_read(tmp_path: Path) -> None:
    """The error says how to open it."""
    with (
        (tmp_path / "a.txt").open("wb") as opened,
        pytest.raises(FileInputError, match="open it for reading"),
    ):
        read(opened)


def test_the_body_of_a_file(tmp_path: Path, blank_pdf: bytes) -> None:
    """The log keeps where a file is and what it was; bytes that were given are kept themselves."""
    path = written(tmp_path / "a b.pdf", blank_pdf)
    by_path, by_bytes = (json.loads(read(item).body(0))["file"] for item in (path, blank_pdf))
    assert (by_path["path"], by_path["name"], by_path["pages"]) == (str(path), "a b.pdf", 2)
    assert by_path["media_type"] == "application/pdf"
    assert by_path["sha256"] == by_bytes["sha256"]
    assert "data" not in by_path
    assert "path" not in by_bytes
    assert base64.b64decode(by_bytes["data"]) == blank_pdf


def test_a_relative_path_is_kept_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run goes on from another directory, so the log holds whole paths."""
    written(tmp_path / "a.txt", b"Hello")
    monkeypatch.chdir(tmp_path)
    assert file(read("a.txt")).path == str(tmp_path / "a.txt")


def test_the_digest_is_of_content_and_name(tmp_path: Path) -> None:
    """A moved file is the same item; another name is sent as another title, so it is not."""
    (tmp_path / "moved").mkdir()
    inputs = read(
        written(tmp_path / "a.txt", b"Hello"),
        written(tmp_path / "moved" / "a.txt", b"Hello"),
        written(tmp_path / "b.txt", b"Hello"),
        written(tmp_path / "moved" / "b.txt", b"Hallo"),
    )
    same, moved, renamed, changed = (inputs.digest(n) for n in range(4))
    assert same == moved
    assert len({same, renamed, changed}) == 3


@pytest.mark.parametrize("media_type", IMAGES)
def test_the_size_of_an_image_is_read_from_its_header(media_type: str) -> None:
    """All four kinds, WebP in its three forms; wherever an image is cut off, it is damaged."""
    for data in IMAGES[media_type]:
        assert check_image(data, media_type, "it", IMAGE_RULES) == (640, 480)
        for length in range(12, len(data) - 2):
            with pytest.raises(FileInputError, match=r"it is a (damaged|cut-off or damaged) image/"):
                check_image(data[:length], media_type, "it", IMAGE_RULES)


def test_images_as_programs_write_them_are_whole() -> None:
    """With several pictures, comments and restart marks in them; what is cut off is damaged there, too."""
    pictures = [Image.new("RGB", (64, 48), color) for color in ("red", "green", "blue")]
    for media_type, kind, options in (
        ("image/gif", "GIF", {"save_all": True, "append_images": pictures[1:], "loop": 0, "comment": b"a"}),
        ("image/jpeg", "JPEG", {"progressive": True, "restart_marker_rows": 1, "comment": b"a"}),
        ("image/webp", "WEBP", {"save_all": True, "append_images": pictures[1:]}),
        ("image/png", "PNG", {}),
    ):
        pictures[0].save(written := io.BytesIO(), kind, **options)
        data = written.getvalue()
        assert check_image(data, media_type, "it", IMAGE_RULES) == (64, 48)
        for part in (0.3, 0.6, 0.9):
            with pytest.raises(FileInputError, match=r"it is a (damaged|cut-off or damaged) image/"):
                check_image(data[: int(len(data) * part)], media_type, "it", IMAGE_RULES)


def test_image_tokens_are_those_of_its_pixels() -> None:
    """One token per 28 x 28 pixels, never more than the model's most."""
    big = PNG[:16] + struct.pack(">II", 8000, 8000) + PNG[24:]
    inputs = read(PNG, big)
    assert 23 * 18 <= inputs.token_bound(0) < 23 * 18 + 100
    assert 4_784 <= inputs.token_bound(1) < 4_784 + 100
