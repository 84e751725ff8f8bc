"""Tell which kind of image some bytes are, how many pixels it has, and whether it is complete."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from batchata.errors import FileInputError
from batchata.inputs.json_values import base64_size

# JPEG markers that begin a frame, and so tell its size: SOF0 to SOF15 without DHT, JPG and DAC.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length
_JPEG_SCAN = 0xDA
_GIF_IMAGE, _GIF_EXTENSION, _GIF_TRAILER = 0x2C, 0x21, 0x3B


def image_type(head: bytes) -> str | None:
    """Return the media type that the first bytes show; None when they are no PNG, JPEG, GIF or WebP."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return None


class ImageRules(NamedTuple):
    """How large an image may be: pixels a side, and bytes in base64."""

    most_pixels: int
    most_base64: int


def check_image(data: bytes, media_type: str, place: str, rules: ImageRules) -> tuple[int, int]:
    """Check an image and return its width and height in pixels.

    Raises FileInputError when the image is cut off or damaged, or larger than the rules let it be.
    """
    try:
        width, height = _READERS[media_type](data)
    except (struct.error, IndexError, ValueError) as exc:
        raise FileInputError(
            f"{place} is a damaged {media_type}: its size cannot be read; export it again"
        ) from exc
    if not (width and height):
        raise FileInputError(f"{place} is an image without pixels ({width} x {height})")
    if max(width, height) > (most := rules.most_pixels):
        raise FileInputError(f"{place} is {width} x {height} pixels; scale it down to {most} x {most}")
    if (size := base64_size(len(data))) > rules.most_base64:
        raise FileInputError(
            f"{place} has {size:,} bytes in base64; at most {rules.most_base64:,} are accepted: scale it down"
        )
    if not _is_whole(data, media_type):
        raise FileInputError(
            f"{place} is a cut-off or damaged {media_type}: its end is missing; export or download it again"
        )
    return width, height


def _is_whole(data: bytes, media_type: str) -> bool:
    """Whether the image is complete to its end; its pixels are not decoded."""
    try:
        return _ENDS[media_type](data)
    except (struct.error, IndexError):
        return False


def _png_ends(data: bytes) -> bool:
    at = 8
    while True:
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        at += 12 + length
        if not kind.isalpha() or at > len(data):
            return False
        if kind == b"IEND":
            return True


def _jpeg_ends(data: bytes) -> bool:
    """Find the end of a JPEG: compressed pixels hold no end marker, and a thumbnail's comes before them."""
    at = 2
    while data[at + 1] != _JPEG_SCAN:
        if data[at] != 0xFF:
            return False
        if data[at + 1] == 0xFF:
            at += 1
        elif data[at + 1] in _JPEG_BARE:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data.find(b"\xff\xd9", at) > 0


def _gif_ends(data: bytes) -> bool:
    """Whether a GIF ends properly, with or without the last byte, which some writers leave out."""
    at, images = 13 + _gif_colors(data[10]), 0
    while at < len(data) and data[at] != _GIF_TRAILER:
        if data[at] == _GIF_IMAGE:
            at, images = at + 11 + _gif_colors(data[at + 9]), images + 1
        elif data[at] == _GIF_EXTENSION:
            at += 2
        else:
            return images > 0  # something that is appended
        while data[at]:  # blocks, each behind its length; the last is empty
            at += 1 + data[at]
        at += 1
    return images > 0


def _gif_colors(flags: int) -> int:
    """Return the bytes of a colour table."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _webp_ends(data: bytes) -> bool:
    (size,) = struct.unpack("<I", data[4:8])
    return len(data) >= 8 + int(size)


def _png_size(data: bytes) -> tuple[int, int]:
    if data[12:16] != b"IHDR":
        raise ValueError("no IHDR")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _gif_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack("<HH", data[6:10])
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ValueError("no marker")
        marker = data[at + 1]
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        if marker == 0xFF:
            at += 1  # a fill byte
        elif marker in _JPEG_BARE:
            at += 2
        else:
            (length,) = struct.unpack(">H", data[at + 2 : at + 4])
            at += 2 + length


def _webp_size(data: bytes) -> tuple[int, int]:
    form = data[12:16]
    if form == b"VP8X":
        return 1 + int.from_bytes(_exactly(data, 24, 3), "little"), 1 + int.from_bytes(
            _exactly(data, 27, 3), "little"
        )
    if form == b"VP8L":
        (bits,) = struct.unpack("<I", data[21:25])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if form == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    raise ValueError("no VP8 chunk")


def _exactly(data: bytes, start: int, count: int) -> bytes:
    part = data[start : start + count]
    if len(part) != count:
        raise ValueError("cut off")
    return part


_READERS: dict[str, Callable[[bytes], tuple[int, int]]] = {
    "image/png": _png_size,
    "image/jpeg": _jpeg_size,
    "image/gif": _gif_size,
    "image/webp": _webp_size,
}
_ENDS: dict[str, Callable[[bytes], bool]] = {
    "image/png": _png_ends,
    "image/jpeg": _jpeg_ends,
    "image/gif": _gif_ends,
    "image/webp": _webp_ends,
}
