"""Carry data inside the page: compressed, in base64, and never beyond a budget of bytes."""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

MOST_BYTES = 29_000_000  # of the whole file; the frame and what is not counted takes less than a million

type Lines = Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Detail:
    """How much of an item is kept: characters of each text, and entries of each list; None for all."""

    characters: int | None = None
    entries: int | None = None


# From everything to next to nothing; at last only the columns of the table are left.
DETAILS = (
    Detail(),
    Detail(4_000, 400),
    Detail(1_000, 100),
    Detail(300, 40),
    Detail(150, 24),
    Detail(80, 12),
    Detail(40, 4),
)
_MOST_RATIO = 40.0  # to which JSON like ours may be compressed, before any was
_LEEWAY = 1.3  # by which the next items may be compressed further than those before them


def block(kind: str, data: bytes) -> bytes:
    """Write data as an element that browsers do not run: base64 holds no `<`, whatever is in the data."""
    packed = b64encode(zlib.compress(data, 6))
    return b'<script type="text/plain" data-kind="' + kind.encode() + b'">' + packed + b"</script>\n"


class Budget:
    """The bytes that a file may have, shared among its items in the order in which they are written."""

    def __init__(self, items: int, file: IO[bytes]) -> None:
        self._items = items  # still to come
        self._left = MOST_BYTES
        self._file = file
        self._ratio = _MOST_RATIO  # of the items compressed last
        self.cut = 0  # items written in less than full

    @property
    def left(self) -> int:
        """The bytes that the file may still grow by."""
        return self._left

    def write(self, data: bytes) -> None:
        """Write something that must be in the file."""
        self._left -= len(data)
        self._file.write(data)

    def write_items(self, kind: str, count: int, lines_in: Callable[[Detail], Lines]) -> None:
        """Write the next `count` items in the finest detail for which their share of the bytes suffices."""
        share = self._left * count // max(self._items, 1)
        packed = block(kind, b"\n" * (count - 1))
        tried: Lines = ()
        for step, detail in enumerate(DETAILS):
            lines = lines_in(detail)
            size = sum(map(len, lines))
            if lines == tried or size > share * self._ratio * _LEEWAY:
                continue
            tried = lines
            finer = block(kind, b"\n".join(lines))
            self._ratio = size / len(finer)
            if len(finer) <= share:
                packed = finer
                self.cut += count if step else 0
                break
        else:
            self.cut += count
        self._items -= count
        self.write(packed)
