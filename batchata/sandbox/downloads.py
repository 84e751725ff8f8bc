"""Cuts the results of a batch into the pieces that one download sends, with the faults of downloads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from batchata.sandbox.faults import Faults

__all__ = ["Download", "Dropped"]

_PIECE = 1 << 16


class Dropped(Exception):
    """The connection is to break off here."""


@dataclass(slots=True)
class Download:
    """What the faults want of one download; -1 lines means no fault."""

    drop_after: int
    truncate_after: int
    cut_last: bool
    pause: float

    @classmethod
    def of(cls, faults: Faults) -> Download:
        return cls(
            int(faults.take("drop_results_after", -1)),
            int(faults.take("truncate_results", -1)),
            faults.strike("cut_last_line"),
            float(faults.slow_results),
        )

    def pieces(self, results: BinaryIO, wait: Callable[[float], object]) -> Iterator[bytes]:
        """The bytes to send. Raises Dropped where the connection is to break."""
        if self.drop_after < 0 and self.truncate_after < 0 and not self.cut_last and not self.pause:
            while piece := results.read(_PIECE):
                yield piece
            return
        yield from self._by_line(results, wait)

    def _by_line(self, results: BinaryIO, wait: Callable[[float], object]) -> Iterator[bytes]:
        limits = [n for n in (self.drop_after, self.truncate_after) if n >= 0]
        held = b""
        for line in islice(results, min(limits) if limits else None):
            yield held
            held = line
            if self.pause:
                wait(self.pause)
        yield held[: len(held) // 2] if self.cut_last else held
        if self.drop_after >= 0 and self.drop_after == min(limits):
            raise Dropped
