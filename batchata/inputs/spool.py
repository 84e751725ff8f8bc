"""Keep the inputs of a run packed as the log stores them, on disk where there are many."""

from __future__ import annotations

import tempfile
import threading
import weakref
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import IO

from batchata.errors import ConfigurationError
from batchata.log.format import Segment, pack, unpack

_IN_MEMORY = 4_000_000  # bytes, packed
_TOGETHER = 100  # bodies that wait to be packed, as many as a segment has
_MOST_WAITING = 1_000_000  # bytes of them


class Spool:
    """Bodies by their index; several threads may read.

    They are kept in the segments that the log takes, so that nothing is packed twice.
    """

    def __init__(self) -> None:
        self._firsts = array("Q")  # the index of each segment's first body
        self._segments: list[Segment] = []  # without their data once that is in the file
        self._places = array("Q")  # where each segment's data begins in the file
        self._packed = 0  # bytes
        self._file: IO[bytes] | None = None
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        self._count = 0
        self._reading = threading.Lock()
        self._last = threading.local()  # the segment that each thread has read last: most read in order

    def __len__(self) -> int:
        return self._count

    def append(self, body: bytes) -> None:
        """Add a body, in which there is no newline."""
        self._waiting.append(body)
        self._waiting_size += len(body)
        self._count += 1
        if len(self._waiting) >= _TOGETHER or self._waiting_size >= _MOST_WAITING:
            self._pack()

    def __getitem__(self, index: int) -> bytes:
        if not 0 <= index < self._count:
            raise IndexError(f"there are {self._count} bodies, and none is number {index}")
        waits = index - (self._count - len(self._waiting))
        if waits >= 0:
            return self._waiting[waits]
        last: tuple[int, list[bytes]] = getattr(self._last, "read", (0, []))
        if not last[0] <= index < last[0] + len(last[1]):
            number = bisect_right(self._firsts, index) - 1
            last = self._last.read = self._firsts[number], self._bodies(number)
        return last[1][index - last[0]]

    def pieces(self, first: int, end: int) -> Iterator[bytes | Segment]:
        """Yield the bodies from `first` to below `end`, in segments where whole ones lie between."""
        while first < end:
            number = bisect_right(self._firsts, first) - 1
            if first < self._count - len(self._waiting) and self._firsts[number] == first:
                segment = self._segments[number]
                if first + segment.length <= end:
                    yield segment._replace(data=self._data(number))
                    first += segment.length
                    continue
            yield self[first]
            first += 1

    def _pack(self) -> None:
        for segment in pack(self._waiting, self._count - len(self._waiting)):
            assert segment.data is not None
            self._firsts.append(segment.first)
            self._segments.append(segment)
            self._packed += len(segment.data)
            if self._file is not None:
                self._move(len(self._segments) - 1)
        self._waiting, self._waiting_size = [], 0
        if self._file is None and self._packed > _IN_MEMORY:
            self._file = _made()
            weakref.finalize(self, self._file.close)  # else Python warns of a file left open
            for number in range(len(self._segments)):
                self._move(number)

    def _move(self, number: int) -> None:
        """Move a segment's data to the end of the file."""
        segment, file = self._segments[number], self._file
        assert file is not None
        assert segment.data is not None
        try:
            with self._reading:
                self._places.append(file.seek(0, 2))
                file.write(segment.data)
                file.flush()
        except OSError as exc:
            raise _full(exc) from exc
        self._segments[number] = segment._replace(data=None)

    def _data(self, number: int) -> bytes:
        held = self._segments[number].data
        if held is not None:
            return held
        assert self._file is not None
        with self._reading:
            ends = self._places[number + 1] if number + 1 < len(self._places) else self._file.seek(0, 2)
            self._file.seek(self._places[number])
            data: bytes = self._file.read(ends - self._places[number])
            return data

    def _bodies(self, number: int) -> list[bytes]:
        segment = self._segments[number]._replace(data=self._data(number))
        return [body for body in unpack(segment) if body is not None]


def _made() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile()
    except OSError as exc:
        raise _full(exc) from exc


def _full(exc: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"no room for the inputs in {tempfile.gettempdir()} ({exc.strerror}); make room or set TMPDIR"
    )
