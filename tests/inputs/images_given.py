"""Whole images of 640 x 480 pixels, as small as each kind allows."""

from __future__ import annotations

import struct

PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 640, 480) + b"\x08\x02\0\0\0" + b"\0" * 4
    + b"\0\0\0\x08IDAT" + b"x" * 12 + b"\0\0\0\0IEND\xae\x42\x60\x82"
)  # fmt: skip
GIF = b"GIF89a" + struct.pack("<HH", 640, 480) + b"\0" * 3 + b"," + b"\0" * 9 + b"\x02\x01x\0;"
JPEG = (
    b"\xff\xd8\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0" + b"\0" * 9
    + b"\xff\xff\xc2" + struct.pack(">HBHH", 11, 8, 480, 640) + b"\0" * 4
    + b"\xff\xda" + struct.pack(">H", 8) + b"\0" * 6 + b"pixels\xff\xd9"
)  # fmt: skip


def _webp(content: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(content) + 4) + b"WEBP" + content


WEBP_X = _webp(b"VP8X" + b"\0" * 8 + (639).to_bytes(3, "little") + (479).to_bytes(3, "little"))
WEBP_L = _webp(b"VP8L" + b"\0\0\0\0\x2f" + struct.pack("<I", 639 | 479 << 14))
WEBP = _webp(b"VP8 " + b"\0" * 7 + b"\x9d\x01\x2a" + struct.pack("<HH", 640, 480))
IMAGES = {
    "image/png": [PNG],
    "image/gif": [GIF],
    "image/jpeg": [JPEG],
    "image/webp": [WEBP, WEBP_L, WEBP_X],
}
